/**
 * Encrypted throughput and latency between two pods on different nodes, beside Debian's nebula and the kernel's VXLAN,
 * which encrypts nothing, each between two hosts of the same underlay, in turn, five times each. Prints one JSON line
 * with the ratios weft/nebula and weft/VXLAN.
 *
 * `bin/weft-node bench/tunnel-throughput.ts [seconds per run, default 3]`
 */
import { Cluster } from '../test/cluster/cluster.ts';
import { iperf, pingTimes } from '../test/cluster/traffic.ts';
import { NebulaPair } from './baselines/nebula.ts';
import { VxlanPair } from './baselines/vxlan.ts';
import { processFigures } from './process-figures.ts';
import { report, rounded, spread } from './report.ts';

const RUNS = 5;
/** More than either takes, so that what arrives is what each can do. */
const UDP_OFFERED_MEGABITS = 2_000;
const seconds = Number(process.argv[2] ?? 3);

const SIDES = ['weft', 'nebula', 'vxlan'] as const;
type Side = (typeof SIDES)[number];

interface Ends {
  readonly from: string;
  readonly to: string;
  readonly address: string;
}

interface Figures {
  readonly tcp: number[];
  readonly udp: number[];
  readonly pingMs: number[];
}

const cluster = await Cluster.create();
let nebula: NebulaPair | undefined;
try {
  await cluster.startNodes(2);
  const [a, b] = cluster.nodes;
  await a!.connected(cluster.nodes);
  await b!.ready();
  const from = await a!.attachPod('bench1');
  const to = await b!.attachPod('bench2');
  nebula = await NebulaPair.start(cluster.underlay, cluster.folder);
  const [first, second] = nebula.hosts;
  const vxlan = await VxlanPair.start(cluster.underlay);
  const sides: Record<Side, Ends> = {
    weft: { from: from.namespace, to: to.namespace, address: to.v4 },
    nebula: { from: first.namespace, to: second.namespace, address: nebula.addresses[1] },
    vxlan: {
      from: vxlan.hosts[0].namespace,
      to: vxlan.hosts[1].namespace,
      address: vxlan.addresses[1],
    },
  };
  const figures: Record<Side, Figures> = { weft: empty(), nebula: empty(), vxlan: empty() };
  for (let run = 0; run < RUNS; run++) {
    for (const side of SIDES) await measure(sides[side], figures[side]);
  }
  const ratiosTo = (other: Figures): Record<string, unknown> => ({
    tcp: ratios(figures.weft.tcp, other.tcp),
    udp1200: ratios(figures.weft.udp, other.udp),
    ping: ratios(figures.weft.pingMs, other.pingMs),
  });
  report('tunnel-throughput', {
    runs: RUNS,
    seconds,
    weft: {
      ...summary(figures.weft),
      residentMegabytes: spread(cluster.nodes.map((node) => processFigures(node.pid!).residentMegabytes)),
    },
    nebula: summary(figures.nebula),
    vxlan: summary(figures.vxlan),
    ratio: ratiosTo(figures.nebula),
    ratioToVxlan: ratiosTo(figures.vxlan),
  });
} finally {
  await nebula?.stop();
  await cluster.destroy();
}

function empty(): Figures {
  return { tcp: [], udp: [], pingMs: [] };
}

async function measure(ends: Ends, into: Figures): Promise<void> {
  into.tcp.push((await iperf({ ...ends, seconds })).bitsPerSecond / 1e9);
  into.udp.push(
    (await iperf({ ...ends, seconds, udp: { megabits: UDP_OFFERED_MEGABITS } })).bitsPerSecond / 1e9,
  );
  const times = await pingTimes(ends.from, ends.address, 200);
  into.pingMs.push(times[Math.floor(times.length / 2)] ?? Number.NaN);
}

function summary(figures: Figures): Record<string, unknown> {
  return {
    tcpGbit: spread(figures.tcp),
    udp1200Gbit: spread(figures.udp),
    pingMedianMs: spread(figures.pingMs),
  };
}

function ratios(weft: readonly number[], nebula: readonly number[]): unknown {
  return spread(weft.map((value, i) => rounded(value / nebula[i]!)));
}
