/**
 * What a flood of strangers costs others: one TCP stream, and small UDP datagrams, between two pods while a host that belongs
 * to nobody sends datagrams from ever new addresses to the tunnel port of the receiving node; and the same while it sends
 * them to a port of that node where nothing listens, so that both have the sender's work beside them. In turn, five times each, for
 * both datapaths. Prints one JSON line.
 *
 * `bin/weft-node bench/load/strangers.ts [datagrams a second, default 20000] [seconds per run, default 3] [runs, default 5]`
 */
import { join } from 'node:path';
import { Cluster, REPOSITORY } from '../../test/cluster/cluster.ts';
import type { ClusterNode } from '../../test/cluster/cluster-node.ts';
import { run } from '../../test/cluster/command.ts';
import { iperf } from '../../test/cluster/traffic.ts';
import type { Host } from '../../test/cluster/underlay.ts';
import { processFigures } from '../process-figures.ts';
import { report, rounded, spread } from '../report.ts';

const perSecond = Number(process.argv[2] ?? 20_000);
const seconds = Number(process.argv[3] ?? 3);
const runs = Number(process.argv[4] ?? 5);
/** Datagrams of 1200 B, fewer than two cores carry with ease. */
const UDP_MEGABITS = 200;
const TUNNEL_PORT = 6783;
const CLOSED_PORT = 6790;
const TARGET_RATIO = 0.95;

const figures: Record<string, unknown> = {};
for (const datapath of ['fast', 'sleeve']) figures[datapath] = await measure(datapath);
report('load/strangers', { perSecond, seconds, runs, targetRatio: TARGET_RATIO, ...figures });

async function measure(datapath: string): Promise<unknown> {
  const cluster = await Cluster.create({ prefix: `bs${datapath[0]}${process.pid % 10_000}` });
  try {
    const program = join(cluster.folder, 'strangers');
    await run(['gcc', '-O2', '-o', program, `${REPOSITORY}/test/cluster/inside/strangers.c`]);
    await cluster.startNodes(2, { args: ['--datapath', datapath] });
    const [a, b] = cluster.nodes as [ClusterNode, ClusterNode];
    await a.connected(cluster.nodes);
    await b.ready();
    const stranger = await cluster.underlay.addHost('strange', 120);
    const pods = [await a.attachPod('bench1'), await b.attachPod('bench2')] as const;
    const ends = { from: pods[0].namespace, to: pods[1].namespace, address: pods[1].v4, seconds };
    const beside = async (port: number): Promise<{ tcp: number; lost: number }> => {
      const tcp = await besideFlood(program, stranger, b, port, () => iperf(ends));
      const udp = await besideFlood(program, stranger, b, port, () =>
        iperf({ ...ends, udp: { megabits: UDP_MEGABITS } }),
      );
      return { tcp: tcp.bitsPerSecond / 1e9, lost: udp.lost };
    };
    await iperf(ends);
    const before = processFigures(b.pid!).residentMegabytes;
    const seen: { flooded: { tcp: number; lost: number }; closed: { tcp: number; lost: number } }[] = [];
    for (let i = 0; i < runs; i++) {
      const ports = i % 2 === 0 ? [TUNNEL_PORT, CLOSED_PORT] : [CLOSED_PORT, TUNNEL_PORT];
      const byPort = new Map<number, { tcp: number; lost: number }>();
      for (const port of ports) byPort.set(port, await beside(port));
      seen.push({ flooded: byPort.get(TUNNEL_PORT)!, closed: byPort.get(CLOSED_PORT)! });
    }
    const { counters } = await b.ask('report');
    const counted = ['inMalformed', 'inUnknownIndex', 'upwardFull'].map((name) => [
      name,
      counters[`datapath.${name}`] ?? 0,
    ]);
    return {
      tcpGbit: spread(seen.map(({ flooded }) => flooded.tcp)),
      tcpRatio: spread(seen.map(({ flooded, closed }) => rounded(flooded.tcp / closed.tcp))),
      udpLost: spread(seen.map(({ flooded }) => flooded.lost)),
      udpLostBeside: spread(seen.map(({ closed }) => closed.lost)),
      moreMegabytes: rounded(processFigures(b.pid!).residentMegabytes - before),
      ...Object.fromEntries(counted),
    };
  } finally {
    await cluster.destroy();
  }
}

/** What `act` comes to while the flood lasts, which goes on for all of it. */
async function besideFlood<T>(
  program: string,
  from: Host,
  to: ClusterNode,
  port: number,
  act: () => Promise<T>,
): Promise<T> {
  const argv = [program, to.host.v4, String(port), String(perSecond), String(seconds + 1)];
  const flood = run(argv, { namespace: from.namespace, timeoutMs: (seconds + 30) * 1000 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  const seen = await act();
  await flood;
  return seen;
}
