import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { endProcess, inNamespace, run, until } from './command.ts';

export interface Throughput {
  /** Bits per second that arrived, in both directions together where there are two. */
  readonly bitsPerSecond: number;
  /** UDP only: share of datagrams lost, 0 to 1. */
  readonly lost: number;
}

/**
 * Runs iperf3 for `seconds` from one namespace to an address in another. `udp`: datagrams of `bytes` (1200 by default) at
 * `megabits` a second, else TCP. `streams`: how many at once, 1 by default. `both`: as many back at the same time.
 */
export async function iperf(options: {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  readonly seconds: number;
  readonly udp?: { readonly megabits: number; readonly bytes?: number };
  readonly streams?: number;
  readonly both?: boolean;
}): Promise<Throughput> {
  const { from, to, address, seconds, udp, streams = 1, both = false } = options;
  const [program, ...rest] = inNamespace(to, ['iperf3', '-s', '-1', '--forceflush']);
  const server = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  server.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    await until('iperf3 to listen', () => said.includes('listening'));
    const datagrams =
      udp === undefined ? [] : ['-u', '-b', `${udp.megabits}M`, '-l', String(udp.bytes ?? 1200)];
    const how = both ? [...datagrams, '--bidir'] : datagrams;
    const argv = ['iperf3', '-J', '-c', address, '-t', String(seconds), '-P', String(streams), ...how];
    const { stdout } = await run(argv, { namespace: from, timeoutMs: (seconds + 15) * 1000 });
    return readReport(stdout);
  } finally {
    await endProcess(server, 'SIGTERM', 500);
  }
}

/** Round-trip times in milliseconds of `count` pings, sorted; those lost are left out. */
export async function pingTimes(from: string, address: string, count: number): Promise<number[]> {
  const argv = ['ping', '-n', '-i', '0.005', '-c', String(count), '-W', '1', address];
  const { stdout } = await run(argv, { namespace: from, mayFail: true, timeoutMs: count * 1000 + 5000 });
  return [...stdout.matchAll(/time=([\d.]+)/g)].map((match) => Number(match[1])).sort((a, b) => a - b);
}

/** A capture of everything that crosses a namespace's interfaces, in a file of its own. */
export class Capture {
  readonly #file: string;
  readonly #process: ReturnType<typeof spawn>;

  private constructor(file: string, process: ReturnType<typeof spawn>) {
    this.#file = file;
    this.#process = process;
  }

  static async start(namespace: string, file: string): Promise<Capture> {
    const tcpdump = [
      'tcpdump',
      '-i',
      'any',
      '-s',
      '0',
      '-U',
      '--immediate-mode',
      '-Z',
      'root',
      '-B',
      '65536',
      '-w',
      file,
    ];
    const [program, ...rest] = inNamespace(namespace, tcpdump);
    const child = spawn(program!, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await until('tcpdump to listen', () => said.includes('listening on'));
    return new Capture(file, child);
  }

  /** Ends the capture and returns its bytes. */
  async stop(): Promise<Buffer> {
    await new Promise((resolve) => setTimeout(resolve, 200)); // what the kernel holds gets written
    await endProcess(this.#process, 'SIGINT');
    return readFile(this.#file);
  }
}

/** How often `needle` stands in `bytes`. */
export function occurrences(bytes: Buffer, needle: string): number {
  let count = 0;
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) count++;
  return count;
}

interface IperfReport {
  readonly end: {
    readonly sum_received?: { readonly bits_per_second: number };
    readonly sum_received_bidir_reverse?: { readonly bits_per_second: number };
    readonly sum?: { readonly bits_per_second: number; readonly lost_percent?: number };
  };
}

function readReport(text: string): Throughput {
  const { end } = JSON.parse(text) as IperfReport;
  const lost = (end.sum?.lost_percent ?? 0) / 100;
  const received = end.sum_received?.bits_per_second ?? 0;
  // iperf3 before 3.13 reports what a UDP sender sent under `sum`, and nothing received.
  const back = end.sum_received_bidir_reverse?.bits_per_second ?? 0;
  const bitsPerSecond = back + (received > 0 ? received : (end.sum?.bits_per_second ?? 0) * (1 - lost));
  return { bitsPerSecond, lost };
}
