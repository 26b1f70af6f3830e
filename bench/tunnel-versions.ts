/**
 * What a change of ours does to the tunnels: pods of two nodes that run this checkout, beside pods of two nodes that run
 * another one, in turn, five times. TCP one stream, UDP of 1200 B, ping. Prints one JSON line with the ratios
 * this/other.
 *
 * `bin/weft-node bench/tunnel-versions.ts OTHER_CHECKOUT [seconds per run, default 3]`   (both set up)
 */
import { Cluster } from '../test/cluster/cluster.ts';
import { iperf, pingTimes } from '../test/cluster/traffic.ts';
import { processFigures } from './process-figures.ts';
import { report, rounded, spread } from './report.ts';

const RUNS = 5;
/** More than the tunnels take, so that what arrives is what they can do. */
const UDP_OFFERED_MEGABITS = 4_000;
const [other, secondsText] = process.argv.slice(2);
const seconds = Number(secondsText ?? 3);

interface Ends {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  /** Process ids of the two daemons. */
  readonly daemons: readonly number[];
}

interface Figures {
  readonly tcpGbit: number[];
  /** Seconds of both daemons for a gigabyte of TCP. */
  readonly cpuPerGigabyte: number[];
  readonly udp1200Gbit: number[];
  readonly pingMedianMs: number[];
}

if (other === undefined) throw new Error('which checkout is this one compared with?');
const clusters: Cluster[] = [];
try {
  const sides = {
    this: { ends: await pods('bva'), figures: empty() },
    other: { ends: await pods('bvb', `${other}/bin/weftd`), figures: empty() },
  };
  for (let run = 0; run < RUNS; run++) {
    for (const { ends, figures } of run % 2 === 0 ? [sides.this, sides.other] : [sides.other, sides.this])
      await measure(ends, figures);
  }
  const names = Object.keys(empty()) as (keyof Figures)[];
  const each = (of: (name: keyof Figures) => unknown): unknown =>
    Object.fromEntries(names.map((name) => [name, of(name)]));
  report('tunnel-versions', {
    runs: RUNS,
    seconds,
    this: each((name) => spread(sides.this.figures[name])),
    other: each((name) => spread(sides.other.figures[name])),
    ratio: each((name) =>
      spread(sides.this.figures[name].map((value, i) => rounded(value / sides.other.figures[name][i]!))),
    ),
  });
} finally {
  for (const cluster of clusters) await cluster.destroy();
}

/** A pod on each of two nodes that run `program`, this checkout's by default. */
async function pods(prefix: string, program?: string): Promise<Ends> {
  const cluster = await Cluster.create({ prefix });
  clusters.push(cluster);
  await cluster.startNodes(2, program === undefined ? {} : { program });
  const [a, b] = cluster.nodes;
  await a!.connected(cluster.nodes);
  await b!.ready();
  const from = await a!.attachPod('bench1');
  const to = await b!.attachPod('bench2');
  const daemons = cluster.nodes.map(({ pid }) => pid!);
  return { from: from.namespace, to: to.namespace, address: to.v4, daemons };
}

function empty(): Figures {
  return { tcpGbit: [], cpuPerGigabyte: [], udp1200Gbit: [], pingMedianMs: [] };
}

async function measure(ends: Ends, into: Figures): Promise<void> {
  const before = cpuSeconds(ends);
  const tcp = (await iperf({ ...ends, seconds })).bitsPerSecond;
  into.tcpGbit.push(tcp / 1e9);
  into.cpuPerGigabyte.push((cpuSeconds(ends) - before) / ((tcp * seconds) / 8e9));
  const udp = { megabits: UDP_OFFERED_MEGABITS };
  into.udp1200Gbit.push((await iperf({ ...ends, seconds, udp })).bitsPerSecond / 1e9);
  const times = await pingTimes(ends.from, ends.address, 200);
  into.pingMedianMs.push(times[Math.floor(times.length / 2)] ?? Number.NaN);
}

function cpuSeconds({ daemons }: Ends): number {
  return daemons.reduce((sum, pid) => sum + processFigures(pid).cpuSeconds, 0);
}
