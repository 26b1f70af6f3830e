import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Namespace } from '../../namespaces.ts';
import { compiled } from '../compiled.ts';

/** A packet as it came in: the first of its kind and sender, and again after a while. */
export interface Arrival {
  /** Milliseconds since 1970, by the kernel. */
  readonly at: number;
  /** The number of who sent it. */
  readonly from: number;
  readonly protocol: 'UDP' | 'TCP';
  readonly family: 4 | 6;
}

/** How often it sends: in the first second after its first packet, and from then on. */
export interface Pace {
  readonly fastMs: number;
  readonly slowMs: number;
}

/** A program that sends in a namespace from its first instruction, whether that has a network yet or not, and captures. */
export class Sender {
  readonly arrivals: Arrival[] = [];
  /** Packets that came and were not captured. */
  lost = 0;
  /** Whether the kernel has taken a packet of it. */
  sends = false;
  readonly #ready = Promise.withResolvers<void>();

  private constructor(child: ChildProcess) {
    let errors = '';
    child.stderr!.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    child.once('exit', () => this.#ready.reject(new Error(`a sender ended: ${errors}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => this.#take(line.split(' ')));
  }

  /** `number` (0 to 1023) says whose its packets are. It ends with the namespace. */
  static async start(
    namespace: Namespace,
    { number, pace, targets }: { number: number; pace: Pace; targets: readonly string[] },
  ): Promise<Sender> {
    const args = [String(number), String(pace.fastMs), String(pace.slowMs), ...targets];
    const sender = new Sender(namespace.start(compiled('first-packets'), args));
    await sender.#ready.promise;
    return sender;
  }

  #take(words: readonly string[]): void {
    const [first, second, protocol, family] = words;
    if (first === 'ready') this.#ready.resolve();
    else if (first === 'sends') this.sends = true;
    else if (first === 'lost') this.lost += Number(second);
    else
      this.arrivals.push({
        at: Number(first),
        from: Number(second),
        protocol: protocol === 't' ? 'TCP' : 'UDP',
        family: family === '6' ? 6 : 4,
      });
  }
}
