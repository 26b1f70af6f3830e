/**
 * The datapaths side by side: two pods of nodes that run the fast one, two with ChaCha20-Poly1305 for want of AES, two that
 * run the sleeve; and between two hosts each on the same kind of underlay the kernel's VXLAN, which encrypts nothing,
 * wireguard-go, nebula, and no tunnel at all; in turn, five times each. TCP one stream, eight, and one each way at once, UDP of
 * 1200 B and of 64 B, TCP ping-pong at rest and beside a TCP stream. Prints one JSON line with ratios.
 *
 * `bin/weft-node bench/tunnel-datapaths.ts [seconds per run, default 3] [runs, default 5] [sides, such as fast,vxlan]`
 */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Cluster, REPOSITORY } from '../test/cluster/cluster.ts';
import { iperf } from '../test/cluster/traffic.ts';
import { NebulaPair } from './baselines/nebula.ts';
import { VxlanPair } from './baselines/vxlan.ts';
import { WireguardGoPair } from './baselines/wireguard-go.ts';
import { PingPong } from './latency/ping-pong.ts';
import { processFigures } from './process-figures.ts';
import { report, rounded, spread } from './report.ts';

/** More than any takes, so that what arrives is what each can do. */
const UDP_OFFERED_MEGABITS = 4_000;
/** The same for small ones: two million a second. */
const SMALL_OFFERED_MEGABITS = 1_000;
const SMALL_BYTES = 64;
const ROUND_TRIPS = 3_000;
const seconds = Number(process.argv[2] ?? 3);
const runs = Number(process.argv[3] ?? 5);

const ALL_SIDES = ['fast', 'chacha', 'sleeve', 'vxlan', 'wireguardGo', 'nebula', 'veth'] as const;
type Side = (typeof ALL_SIDES)[number];
const named = process.argv[4]?.split(',');
const SIDES = ALL_SIDES.filter(
  (side) => (named?.includes(side) ?? true) && (side !== 'wireguardGo' || WireguardGoPair.available()),
);
const unknown = named?.filter((name) => !(ALL_SIDES as readonly string[]).includes(name)) ?? [];
if (unknown.length > 0 || SIDES.length === 0) {
  console.error(`tunnel-datapaths: unknown '${unknown.join(' ')}'; the sides are ${ALL_SIDES.join(' ')}`);
  process.exit(2);
}

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
  'tcpBothGbit',
  'cpuPerGigabyte',
  'udp1200Gbit',
  'udp64Kpps',
  'restP50us',
  'restP99us',
  'bulkP50us',
  'bulkP99us',
] as const;
type Figures = Record<(typeof FIGURES)[number], number[]>;

const clusters: Cluster[] = [];
const pingPongs: PingPong[] = [];
const programs: { stop(): Promise<void> }[] = [];
try {
  const sides = {} as Record<Side, Ends>;
  for (const side of SIDES) sides[side] = await ends(side);
  const figures = Object.fromEntries(SIDES.map((side) => [side, empty()])) as Record<Side, Figures>;
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
    ...Object.fromEntries(
      SIDES.filter((side) => side !== SIDES[0]).map((side) => [
        `${SIDES[0]}/${side}`,
        ratio(SIDES[0]!, side),
      ]),
    ),
  });
} finally {
  for (const pingPong of pingPongs) await pingPong.stop();
  for (const program of programs) await program.stop();
  for (const cluster of clusters) await cluster.destroy();
}

/** What a side is measured between. */
async function ends(side: Side): Promise<Ends> {
  if (side === 'fast' || side === 'sleeve' || side === 'chacha') return pods(side);
  const cluster = await Cluster.create({ prefix: `bd${ALL_SIDES.indexOf(side)}${process.pid % 10_000}` });
  clusters.push(cluster);
  const { underlay } = cluster;
  const between = (hosts: readonly { readonly namespace: string }[], address: string): Ends => ({
    from: hosts[0]!.namespace,
    to: hosts[1]!.namespace,
    address,
    daemons: [],
  });
  if (side === 'veth') {
    const hosts = [await underlay.addHost('ve1', 131), await underlay.addHost('ve2', 132)] as const;
    return between(hosts, hosts[1].v4);
  }
  if (side === 'vxlan') {
    const { hosts, addresses } = await VxlanPair.start(underlay);
    return between(hosts, addresses[1]);
  }
  if (side === 'nebula') {
    const pair = await NebulaPair.start(underlay, cluster.folder);
    programs.push(pair);
    return between(pair.hosts, pair.addresses[1]);
  }
  const pair = await WireguardGoPair.start(underlay);
  programs.push(pair);
  return { ...between(pair.hosts, pair.addresses[1]), daemons: pair.daemons };
}

/** A pod on each of two nodes. */
async function pods(side: 'fast' | 'sleeve' | 'chacha'): Promise<Ends> {
  const cluster = await Cluster.create({ prefix: `bd${ALL_SIDES.indexOf(side)}${process.pid % 10_000}` });
  clusters.push(cluster);
  const args = ['--datapath', side === 'sleeve' ? 'sleeve' : 'fast'];
  if (side === 'chacha') {
    const program = join(cluster.folder, 'weftd');
    const loaded = `--import=${REPOSITORY}/bench/baselines/without-aes.ts`;
    await writeFile(program, `#!/bin/sh\nNODE_OPTIONS='${loaded}' exec ${REPOSITORY}/bin/weftd "$@"\n`);
    await chmod(program, 0o755);
    await cluster.startNodes(2, { args, program });
  } else await cluster.startNodes(2, { args });
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
  into.tcpBothGbit.push((await iperf({ ...ends, seconds, both: true })).bitsPerSecond / 1e9);
  const small = { megabits: SMALL_OFFERED_MEGABITS, bytes: SMALL_BYTES };
  into.udp64Kpps.push((await iperf({ ...ends, seconds, udp: small })).bitsPerSecond / 8e3 / SMALL_BYTES);
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
