/**
 * What a change of ours does to an idle daemon: a mesh of three that runs this checkout, beside one that runs another
 * checkout, with two pods a node. Both are left alone at the same time, then one daemon of each starts anew, in turn. All
 * that seven times, with fresh meshes. Prints one JSON line with the ratios this/other.
 *
 * `bin/weft-node bench/daemon-versions.ts OTHER_CHECKOUT [rounds, default 7 [seconds idle, default 15 [ARGUMENT…]]]`
 * (both set up; arguments go to the daemons of this checkout, such as `--policy`)
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Cluster } from '../test/cluster/cluster.ts';
import type { ClusterNode } from '../test/cluster/cluster-node.ts';
import { processFigures } from './process-figures.ts';
import { report, rounded, spread } from './report.ts';

const NODES = 3;
const PODS_A_NODE = 2;
/** What starts leave behind (path MTU probes, garbage) is over by then. */
const SETTLE_MS = 12_000;
/** What a start has to do after it answers is over by then. */
const START_MS = 4_000;
const [other, roundsText, secondsText, ...args] = process.argv.slice(2);
const rounds = Number(roundsText ?? 7);
const idleSeconds = Number(secondsText ?? 15);

/** One round's figures, the medians of its nodes. */
interface Figures {
  readonly residentMegabytes: number;
  readonly proportionalMegabytes: number;
  readonly wakeUpsPerSecond: number;
  readonly idleCpuPercent: number;
  /** From the start until it answers. */
  readonly servingMs: number;
  readonly startCpuSeconds: number;
}

if (other === undefined) throw new Error('which checkout is this one compared with?');
const sides: { readonly this: Figures[]; readonly other: Figures[] } = { this: [], other: [] };
for (let i = 0; i < rounds; i++) await round(i);

const names = Object.keys(sides.this[0]!) as (keyof Figures)[];
const each = (of: (name: keyof Figures) => unknown): unknown =>
  Object.fromEntries(names.map((name) => [name, of(name)]));
report('daemon-versions', {
  rounds,
  idleSeconds,
  this: each((name) => spread(sides.this.map((figures) => figures[name]))),
  other: each((name) => spread(sides.other.map((figures) => figures[name]))),
  ratio: each((name) =>
    spread(sides.this.map((figures, i) => rounded(figures[name] / sides.other[i]![name]))),
  ),
});

/** One measurement of both; who is first alternates. */
async function round(number: number): Promise<void> {
  const clusters: Cluster[] = [];
  try {
    const mesh = async (prefix: string, program?: string): Promise<readonly ClusterNode[]> => {
      const cluster = await Cluster.create({ prefix });
      clusters.push(cluster);
      await cluster.startNodes(NODES, program === undefined ? { args } : { program });
      for (const node of cluster.nodes) {
        await node.connected(cluster.nodes);
        await node.ready();
        for (let i = 1; i <= PODS_A_NODE; i++) await node.attachPod(`${node.name}p${i}`);
      }
      return cluster.nodes;
    };
    const meshes = {
      this: await mesh('dva'),
      other: await mesh('dvb', `${other}/bin/weftd`),
    };
    await pause(SETTLE_MS);
    const before = { this: meshes.this.map(look), other: meshes.other.map(look) };
    await pause(idleSeconds * 1000);
    const after = { this: meshes.this.map(look), other: meshes.other.map(look) };
    for (const side of number % 2 === 0 ? (['this', 'other'] as const) : (['other', 'this'] as const)) {
      const of = (figure: (i: number) => number): number =>
        spread(before[side].map((_, i) => figure(i))).median;
      const seconds = (i: number): number => (after[side][i]!.at - before[side][i]!.at) / 1000;
      sides[side].push({
        residentMegabytes: of((i) => after[side][i]!.residentMegabytes),
        proportionalMegabytes: of((i) => after[side][i]!.proportionalMegabytes),
        wakeUpsPerSecond: of((i) => (after[side][i]!.wakeUps - before[side][i]!.wakeUps) / seconds(i)),
        idleCpuPercent: of(
          (i) => (100 * (after[side][i]!.cpuSeconds - before[side][i]!.cpuSeconds)) / seconds(i),
        ),
        ...(await restart(meshes[side].at(-1)!)),
      });
    }
  } finally {
    for (const cluster of clusters) await cluster.destroy();
  }
}

function look(node: ClusterNode): ReturnType<typeof processFigures> {
  return processFigures(node.pid!);
}

async function restart(node: ClusterNode): Promise<Pick<Figures, 'servingMs' | 'startCpuSeconds'>> {
  await node.stop();
  await node.start();
  const servingMs = performance.now() - node.startedAt;
  await pause(START_MS);
  return { servingMs, startCpuSeconds: look(node).cpuSeconds };
}
