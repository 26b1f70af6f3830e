/**
 * What it costs pods to be watched: TCP between two pods over a tunnel, between nodes without metrics; between nodes with metrics
 * that are asked for each second; and between the first two while `weft flows --follow` reads all they have; in turn. Prints one
 * JSON line with the throughput of each and the ratios to the first.
 *
 * `bin/weft-node bench/flows/throughput.ts [runs, default 5 [seconds per run, default 3]]`
 */
import { spawn } from 'node:child_process';
import { Cluster } from '../../test/cluster/cluster.ts';
import type { ClusterNode } from '../../test/cluster/cluster-node.ts';
import { endProcess, inNamespace } from '../../test/cluster/command.ts';
import { iperf } from '../../test/cluster/traffic.ts';
import { report, rounded, spread } from '../report.ts';

const runs = Number(process.argv[2] ?? 5);
const seconds = Number(process.argv[3] ?? 3);
const PORT = '6782';
const TARGETS = { ratio: 0.95 } as const;
const WEFT = `${import.meta.dirname}/../../bin/weft`;

const SIDES = ['off', 'metrics', 'flows'] as const;
type Side = (typeof SIDES)[number];

const cluster = await Cluster.create();
try {
  const [a, b] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
  const [c, d] = (await cluster.startNodes(2, {
    args: ['--peer', a.host.v4, '--metrics-listen', `127.0.0.1:${PORT}`],
  })) as [ClusterNode, ClusterNode];
  for (const node of [a, b, c, d]) await node.ready();
  await a.connected([b]);
  await c.connected([d]);
  const ends = async (from: ClusterNode, to: ClusterNode) => {
    const [near, far] = [await from.attachPod(`${from.name}p`), await to.attachPod(`${to.name}p`)];
    return { from: near.namespace, to: far.namespace, address: far.v4 };
  };
  const plain = await ends(a, b);
  const measured = await ends(c, d);
  const gigabits: Record<Side, number[]> = { off: [], metrics: [], flows: [] };
  for (let run = 0; run < runs; run++) {
    gigabits.off.push(await throughput(plain));
    gigabits.metrics.push(await while_([c, d], scrape, () => throughput(measured)));
    gigabits.flows.push(await while_([a, b], follow, () => throughput(plain)));
  }
  const ratio = (side: Side) => spread(gigabits[side].map((value, i) => rounded(value / gigabits.off[i]!)));
  report('flows/throughput', {
    runs,
    seconds,
    tcpGbit: Object.fromEntries(SIDES.map((side) => [side, spread(gigabits[side])])),
    ratioToOff: { metrics: ratio('metrics'), flows: ratio('flows') },
    targets: TARGETS,
  });
} finally {
  await cluster.destroy();
}

async function throughput(ends: { from: string; to: string; address: string }): Promise<number> {
  return (await iperf({ ...ends, seconds })).bitsPerSecond / 1e9;
}

/** Runs a program on each node while `work` is under way. */
async function while_(
  nodes: readonly ClusterNode[],
  argvOf: (node: ClusterNode) => readonly string[],
  work: () => Promise<number>,
): Promise<number> {
  const children = nodes.map((node) => {
    const [program, ...args] = inNamespace(node.namespace, argvOf(node));
    return spawn(program!, args, { stdio: 'ignore' });
  });
  try {
    return await work();
  } finally {
    for (const child of children) await endProcess(child);
  }
}

function scrape(): readonly string[] {
  return ['sh', '-c', `while true; do curl -sf -o /dev/null http://127.0.0.1:${PORT}/metrics; sleep 1; done`];
}

function follow({ runDir }: ClusterNode): readonly string[] {
  return [WEFT, '--run-dir', runDir, '--json', 'flows', '--follow'];
}
