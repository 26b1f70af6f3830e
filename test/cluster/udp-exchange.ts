import { type ChildProcess, spawn } from 'node:child_process';
import { endProcess, inNamespace, until } from './command.ts';

const PROBE = new URL('inside/udp-probe.ts', import.meta.url).pathname;
const WEFT_NODE = new URL('../../bin/weft-node', import.meta.url).pathname;
const PORT = 7788;

/** One end of the exchange: a namespace and its address. */
interface End {
  readonly namespace: string;
  readonly v4: string;
}

/** What one end saw. */
interface Seen {
  readonly sent: number;
  readonly received: number;
  readonly twice: number;
  readonly longestGapMs: number;
  readonly longestDelayMs: number;
  /** Runs of datagrams that did not come: the first, and how many. */
  readonly missing: readonly (readonly [number, number])[];
}

/** What both saw together. */
export interface ExchangeResult {
  readonly sent: number;
  readonly lost: number;
  readonly twice: number;
  /** Between two datagrams that arrived. */
  readonly longestGapMs: number;
  /** Of a datagram, from one end to the other. */
  readonly longestDelayMs: number;
  /** The first runs of datagrams that did not come at each end: the first one, and how many. */
  readonly missing: readonly (readonly [number, number])[];
}

/** Numbered datagrams at a steady pace between two ends, both ways (inside/udp-probe.ts). */
export class UdpExchange {
  readonly #probes: readonly Probe[];

  private constructor(probes: readonly Probe[]) {
    this.#probes = probes;
  }

  /** Resolves when both ends hear each other. */
  static async start(ends: readonly [End, End], perSecond: number): Promise<UdpExchange> {
    const [a, b] = ends;
    const exchange = new UdpExchange([new Probe(a, b, perSecond), new Probe(b, a, perSecond)]);
    try {
      for (const probe of exchange.#probes) await until('a probe to hear the other', () => probe.hears);
    } catch (error) {
      await exchange.kill();
      throw error;
    }
    return exchange;
  }

  /** Ends it; what was seen since the beginning. */
  async end(): Promise<ExchangeResult> {
    for (const probe of this.#probes) probe.child.kill('SIGTERM');
    const [a, b] = (await Promise.all(this.#probes.map((probe) => probe.result()))) as [Seen, Seen];
    return {
      sent: a.sent + b.sent,
      lost: a.sent - b.received + b.sent - a.received,
      twice: a.twice + b.twice,
      longestGapMs: Math.max(a.longestGapMs, b.longestGapMs),
      longestDelayMs: Math.max(a.longestDelayMs, b.longestDelayMs),
      missing: [...a.missing, ...b.missing],
    };
  }

  /** Ends it whatever happened. Harmless when repeated. */
  async kill(): Promise<void> {
    for (const { child } of this.#probes) await endProcess(child, 'SIGKILL');
  }
}

class Probe {
  readonly child: ChildProcess;
  #said = '';

  constructor(own: End, peer: End, perSecond: number) {
    const argv = [WEFT_NODE, PROBE, own.v4, peer.v4, String(PORT), String(perSecond)];
    const [program, ...rest] = inNamespace(own.namespace, argv);
    const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
    this.child = child;
  }

  get hears(): boolean {
    return this.#said.includes('hears');
  }

  async result(): Promise<Seen> {
    const json = await until('a probe to tell what it saw', () => /^\{.*\}$/m.exec(this.#said)?.[0]);
    return JSON.parse(json) as Seen;
  }
}
