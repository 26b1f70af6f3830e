/**
 * The datapaths side by side: two pods of nodes that run the fast one, two of nodes that run the sleeve, and the kernel's
 * VXLAN, which encrypts nothing, between two hosts of the same underlay; in turn, five times each. TCP one stream and
 * eight, UDP of 1200 B, TCP ping-pong at rest and beside a TCP stream. Prints one JSON line with the ratios to VXLAN
 * and of fast to sleeve.
 *
 * `bin/weft-node bench/tunnel-datapaths.ts [seconds per run, default 3] [runs, default 5]`
 */
import { Cluster } from '../test/cluster/cluster.ts';
import { iperf } from '../test/cluster/traffic.ts';
import { VxlanPair } from './baselines/vxlan.ts';
import { PingPong } from './latency/ping-pong.ts';
import { processFigures } from './process-figures.ts';
import { report, rounded, spread } from './report.ts';

/** More than any takes, so that what arrives is what each can do. */
const UDP_OFFERED_MEGABITS = 4_000;
const ROUND_TRIPS = 3_000;
const seconds = Number(process.argv[2] ?? 3);
const runs = Number(process.argv[3] ?? 5);

const SIDES = ['fast', 'sleeve', 'vxlan'] as const;
type Side = (typeof SIDES)[number];

interface Ends {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  /** Process ids of the daemons between. */
  readonly daemons: readonly number[];
}

const FIGURES = [
  'tcpGbit',
  'tcp8Gbit',
  'cpuPerGigabyte',
  'udp1200Gbit',
  'restP50us',
  'restP99us',
  'bulkP50us',
  'bulkP99us',
] as const;
type Figures = Record<(typeof FIGURES)[number], number[]>;

const clusters: Cluster[] = [];
const pingPongs: PingPong[] = [];
try {
  const fast = await pods('fast');
  const sleeve = await pods('sleeve');
  const hosts = await VxlanPair.start(clusters[0]!.underlay);
  const vxlan: Ends = {
    from: hosts.hosts[0].namespace,
    to: hosts.hosts[1].namespace,
    address: hosts.addresses[1],
    daemons: [],
  };
  const sides: Record<Side, Ends> = { fast, sleeve, vxlan };
  const figures: Record<Side, Figures> = { fast: empty(), sleeve: empty(), vxlan: empty() };
  const pingPong = {} as Record<Side, PingPong>;
  for (const side of SIDES) {
    pingPong[side] = await PingPong.start(clusters[0]!.folder, sides[side].to);
    pingPongs.push(pingPong[side]);
  }
  for (let run = 0; run < runs; run++) {
    for (const side of run % 2 === 0 ? SIDES : SIDES.toReversed())
      await measure(sides[side], pingPong[side], figures[side]);
  }
  const each = (of: (name: keyof Figures) => unknown): unknown =>
    Object.fromEntries(FIGURES.map((name) => [name, of(name)]));
  const ratio = (one: Side, other: Side): unknown =>
    each((name) => spread(figures[one][name].map((value, i) => rounded(value / figures[other][name][i]!))));
  report('tunnel-datapaths', {
    runs,
    seconds,
    ...Object.fromEntries(SIDES.map((side) => [side, each((name) => spread(figures[side][name]))])),
    fastToVxlan: ratio('fast', 'vxlan'),
    sleeveToVxlan: ratio('sleeve', 'vxlan'),
    fastToSleeve: ratio('fast', 'sleeve'),
  });
} finally {
  for (const pingPong of pingPongs) await pingPong.stop();
  for (const cluster of clusters) await cluster.destroy();
}

/** A pod on each of two nodes that run `datapath`. */
async function pods(datapath: 'fast' | 'sleeve'): Promise<Ends> {
  const cluster = await Cluster.create({ prefix: `bd${datapath[0]}${process.pid % 10_000}` });
  clusters.push(cluster);
  await cluster.startNodes(2, { args: ['--datapath', datapath] });
  const [a, b] = cluster.nodes;
  await a!.connected(cluster.nodes);
  await b!.ready();
  const from = await a!.attachPod('bench1');
  const to = await b!.attachPod('bench2');
  const daemons = cluster.nodes.map(({ pid }) => pid!);
  return { from: from.namespace, to: to.namespace, address: to.v4, daemons };
}

function empty(): Figures {
  return Object.fromEntries(FIGURES.map((name) => [name, [] as number[]])) as Figures;
}

async function measure(ends: Ends, pingPong: PingPong, into: Figures): Promise<void> {
  const before = cpuSeconds(ends);
  const tcp = (await iperf({ ...ends, seconds })).bitsPerSecond;
  into.tcpGbit.push(tcp / 1e9);
  into.cpuPerGigabyte.push((cpuSeconds(ends) - before) / ((tcp * seconds) / 8e9));
  into.tcp8Gbit.push((await iperf({ ...ends, seconds, streams: 8 })).bitsPerSecond / 1e9);
  const udp = { megabits: UDP_OFFERED_MEGABITS };
  into.udp1200Gbit.push((await iperf({ ...ends, seconds, udp })).bitsPerSecond / 1e9);
  const rest = await pingPong.times(ends.from, ends.address, ROUND_TRIPS);
  into.restP50us.push(rest.p50us);
  into.restP99us.push(rest.p99us);
  const bulk = iperf({ ...ends, seconds });
  // Past the beginning of the stream, in which it finds its rate.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const beside = await pingPong.times(ends.from, ends.address, Math.round(ROUND_TRIPS / 10));
  await bulk;
  into.bulkP50us.push(beside.p50us);
  into.bulkP99us.push(beside.p99us);
}

function cpuSeconds({ daemons }: Ends): number {
  return daemons.reduce((sum, pid) => sum + processFigures(pid).cpuSeconds, 0);
}
