import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Namespace } from '../namespaces.ts';
import { compiled } from './compiled.ts';

/** How a probe ended: inside/prober.c says what each means. */
export type Probe = 'ok' | 'silent' | 'refused' | 'prohibited' | 'unreachable' | (string & {});

/** Where nothing is dropped, an answer between namespaces takes far less than a millisecond. */
const PATIENCE_MS = 250;

/** A program within a namespace that sends real packets and answers those of others; many probes run at a time. */
export class Prober {
  readonly #child: ChildProcess;
  readonly #takeById = new Map<string, (result: Probe) => void>();
  #ids = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts one, which echoes what comes to `ports` by TCP and UDP. It ends with the namespace. */
  static async start(namespace: Namespace, ports: readonly number[]): Promise<Prober> {
    const child = namespace.start(compiled('prober'), ports.map(String));
    const prober = new Prober(child);
    let errors = '';
    child.stderr!.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    await new Promise<void>((resolve, reject) => {
      prober.#takeById.set('-', () => resolve());
      child.once('exit', () => reject(new Error(`the prober ended: ${errors}`)));
      createInterface({ input: child.stdout! }).on('line', (line) => {
        const [id, result] = line.split(' ') as [string, string];
        const take = prober.#takeById.get(id);
        prober.#takeById.delete(id);
        take?.(result);
      });
    });
    return prober;
  }

  tcp(address: string, port: number, patienceMs = PATIENCE_MS): Promise<Probe> {
    return this.#ask('tcp', this.#id(), address, port, patienceMs);
  }

  udp(address: string, port: number, patienceMs = PATIENCE_MS): Promise<Probe> {
    return this.#ask('udp', this.#id(), address, port, patienceMs);
  }

  ping(address: string, patienceMs = PATIENCE_MS): Promise<Probe> {
    return this.#ask('ping', this.#id(), address, patienceMs);
  }

  /** Opens a connection, or a socket of UDP that has had an answer, which stays. */
  async open(protocol: 'tcp' | 'udp', address: string, port: number): Promise<OpenFlow> {
    const id = this.#id();
    const result = await this.#ask(protocol === 'tcp' ? 'open' : 'openudp', id, address, port, PATIENCE_MS);
    if (result !== 'ok') throw new Error(`${protocol} ${address} ${port} was not opened: ${result}`);
    return {
      again: (patienceMs = PATIENCE_MS) => this.#ask('again', id, patienceMs),
      hear: (patienceMs = PATIENCE_MS) => this.#ask('hear', id, patienceMs),
      close: async () => void (await this.#ask('close', id)),
    };
  }

  /** As a server: sends a byte on each connection that `port` accepted, and to the last sender of a datagram. */
  async push(port: number): Promise<void> {
    await this.#ask('push', this.#id(), port);
  }

  #id(): string {
    return `p${++this.#ids}`;
  }

  #ask(verb: string, id: string, ...words: readonly (string | number)[]): Promise<Probe> {
    return new Promise((resolve, reject) => {
      if (this.#child.exitCode !== null) return reject(new Error('the prober has ended'));
      this.#takeById.set(id, resolve);
      this.#child.stdin!.write(`${[verb, id, ...words].join(' ')}\n`);
    });
  }
}

/** What {@link Prober.open} opened. */
export interface OpenFlow {
  /** Sends once more, and waits for the echo. After `silent` it is still open. */
  again(patienceMs?: number): Promise<Probe>;
  /** Waits for what the other end sends by itself. */
  hear(patienceMs?: number): Promise<Probe>;
  close(): Promise<void>;
}
