/**
 * 100 nodes of gossip in the simulator, on virtual time and a network that loses 5 % of the datagrams: how long one
 * changed record takes until every node holds it, and how many bytes a second a node sends and receives when nothing
 * changes. Five seeds, ten records each. Virtual milliseconds, so the machine does not matter. Prints one JSON line.
 *
 * `bin/weft-node bench/gossip-convergence.ts [nodes, default 100]`
 */
import { writeU32LE } from '../base/bytes.ts';
import { GossipNetwork } from '../test/sim/gossip-network.ts';
import { report, rounded, spread } from './report.ts';

const SEEDS = [1, 2, 3, 4, 5];
const RECORDS = 10;
const LOSS = 0.05;
const FORMED_WITHIN_MS = 60_000;
const SETTLE_MS = 60_000;
const IDLE_MS = 60_000;
const KNOWN_WITHIN_MS = 10_000;
const TARGETS = { knownMs: 2_000, bytesPerSecond: 5_000 } as const;

const nodes = Number(process.argv[2] ?? 100);
const knownMs: number[] = [];
const meanBytes: number[] = [];
const worstBytes: number[] = [];
for (const seed of SEEDS) measure(seed);
report('gossip-convergence', {
  nodes,
  seeds: SEEDS.length,
  records: RECORDS,
  loss: LOSS,
  knownMs: spread(knownMs),
  idleBytesPerSecond: { mean: spread(meanBytes), worstNode: spread(worstBytes) },
  targets: TARGETS,
  ratioToTarget: {
    knownMs: rounded(spread(knownMs).max / TARGETS.knownMs),
    bytesPerSecond: rounded(spread(worstBytes).max / TARGETS.bytesPerSecond),
  },
});

function measure(seed: number): void {
  const net = new GossipNetwork({ nodes, seed, loss: LOSS });
  for (const node of net.nodes) net.start(node, node.index === 0 ? [] : [net.nodes[0]!.endpoint]);
  if (net.runUntil(FORMED_WITHIN_MS, () => net.agreed()) === undefined) throw new Error('no mesh formed');
  net.run(SETTLE_MS);
  net.resetBytes();
  net.run(IDLE_MS);
  const bytes = net.nodes.map((node) => (node.bytesIn + node.bytesOut) / (IDLE_MS / 1000));
  meanBytes.push(bytes.reduce((sum, one) => sum + one, 0) / nodes);
  worstBytes.push(Math.max(...bytes));
  for (let i = 1; i <= RECORDS; i++) {
    const from = net.nodes[(i * 7) % nodes]!;
    const payload = new Uint8Array(4);
    writeU32LE(payload, 0, seed * 1000 + i);
    net.act(from, (gossip, now) => gossip.publish('paxos', payload, now));
    const known = net.runUntil(KNOWN_WITHIN_MS, () =>
      net.nodes.every((node) => {
        const held = node.gossip?.record(from.id, 'paxos')?.payload;
        return held?.every((byte, at) => byte === payload[at]);
      }),
    );
    if (known === undefined) throw new Error(`not everybody knows within ${KNOWN_WITHIN_MS} ms`);
    knownMs.push(known);
    net.run(1_000);
  }
}
