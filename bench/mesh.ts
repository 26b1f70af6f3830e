/**
 * How long a mesh of three real daemons takes to form: from the start of the last process until every node has a
 * tunnel to every other, owns a range and has an address in it. All three start at once: the first with
 * `--ipalloc-init seed`, the others with its address. Five new clusters, one after the other. Prints one JSON line.
 *
 * `bin/weft-node bench/mesh.ts [clusters, default 5]`
 */
import { Cluster } from '../test/cluster/cluster.ts';
import type { ClusterNode } from '../test/cluster/cluster-node.ts';
import { until } from '../test/cluster/command.ts';
import { report, rounded, spread } from './report.ts';

const NODES = 3;
const TARGET_MS = 2_000;
/** Asking takes the nodes' own time, so not too often; it is the resolution of what is measured. */
const ASK_EVERY_MS = 20;

const runs = Number(process.argv[2] ?? 5);
const formedMs: number[] = [];
const servingMs: number[] = [];
for (let run = 0; run < runs; run++) await measure();
report('mesh', {
  runs,
  nodes: NODES,
  servingMs: spread(servingMs),
  formedMs: spread(formedMs),
  targetMs: TARGET_MS,
  ratioToTarget: rounded(spread(formedMs).median / TARGET_MS),
});

async function measure(): Promise<void> {
  const cluster = await Cluster.create();
  try {
    const first = await cluster.addNode('n1', { args: ['--ipalloc-init', 'seed'] });
    for (let i = 2; i <= NODES; i++) {
      await cluster.addNode(`n${i}`, { args: ['--peer', first.host.v4] });
    }
    const starts = cluster.nodes.map(async (node) => {
      await node.start();
      servingMs.push(performance.now() - node.startedAt);
    });
    await Promise.all(starts);
    await Promise.all(cluster.nodes.map((node) => formed(node, NODES)));
    formedMs.push(performance.now() - Math.max(...cluster.nodes.map((node) => node.startedAt)));
  } finally {
    await cluster.destroy();
  }
}

async function formed(node: ClusterNode, nodes: number): Promise<void> {
  await until(
    `${node.name} to be part of the mesh`,
    async () => {
      const { addresses, ipam, peers } = await node.ask('status');
      const connected = peers.filter((peer) => peer.state === 'connected').length;
      return connected === nodes - 1 && ipam.ranges.length > 0 && addresses.length > 0;
    },
    { everyMs: ASK_EVERY_MS, timeoutMs: 20_000 },
  );
}
