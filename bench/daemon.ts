/**
 * What a daemon costs: a mesh of three with two pods a node, left alone for a while, then one node with 100 pods
 * more, left alone again; after that how long a start takes until it serves. Prints one JSON line: resident memory,
 * share of a core, wake-ups a second and bytes a second on the underlay of each node, and the time for 100 pods
 * attached at once by the real plugin.
 *
 * `bin/weft-node bench/daemon.ts [seconds idle, default 20 [starts, default 5]]`
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Cluster } from '../test/cluster/cluster.ts';
import type { ClusterNode } from '../test/cluster/cluster-node.ts';
import { ClusterPod } from '../test/cluster/cluster-pod.ts';
import { processFigures } from './process-figures.ts';
import { report, rounded, spread } from './report.ts';

const NODES = 3;
const PODS_A_NODE = 2;
const MANY_PODS = 100;
/** What starts leave behind (path MTU probes, garbage) is over by then. */
const SETTLE_MS = 8_000;
const TARGETS = { residentMegabytes: 150, cpuPercent: 1, attach100Ms: 3_000, servingMs: 1_000 } as const;

const idleSeconds = Number(process.argv[2] ?? 20);
const starts = Number(process.argv[3] ?? 5);

const cluster = await Cluster.create();
try {
  await cluster.startNodes(NODES);
  for (const node of cluster.nodes) {
    await node.connected(cluster.nodes);
    await node.ready();
    for (let i = 1; i <= PODS_A_NODE; i++) await node.attachPod(`${node.name}p${i}`);
  }
  await pause(SETTLE_MS);
  const idle = await watch(cluster.nodes);

  const [first] = cluster.nodes;
  const attach100Ms = await attachMany(first!, MANY_PODS);
  await pause(SETTLE_MS);
  const [manyPods] = await watch([first!]);

  const servingMs: number[] = [];
  const last = cluster.nodes.at(-1)!;
  for (let i = 0; i < starts; i++) {
    await last.stop();
    await last.start();
    servingMs.push(performance.now() - last.startedAt);
  }
  report('daemon', {
    idleSeconds,
    idle: {
      residentMegabytes: spread(idle.map((node) => node.residentMegabytes)),
      cpuPercent: spread(idle.map((node) => node.cpuPercent)),
      wakeUpsPerSecond: spread(idle.map((node) => node.wakeUpsPerSecond)),
      underlayBytesPerSecond: spread(idle.map((node) => node.underlayBytesPerSecond)),
    },
    manyPods: { pods: MANY_PODS + PODS_A_NODE, attach100Ms: rounded(attach100Ms), ...manyPods },
    servingMs: spread(servingMs),
    targets: TARGETS,
    ratioToTarget: {
      residentMegabytes: rounded(manyPods!.residentMegabytes / TARGETS.residentMegabytes),
      cpuPercent: rounded(spread(idle.map((node) => node.cpuPercent)).median / TARGETS.cpuPercent),
      attach100Ms: rounded(attach100Ms / TARGETS.attach100Ms),
      servingMs: rounded(spread(servingMs).median / TARGETS.servingMs),
    },
  });
} finally {
  await cluster.destroy();
}

interface IdleFigures {
  readonly residentMegabytes: number;
  readonly cpuPercent: number;
  readonly wakeUpsPerSecond: number;
  /** Sent and received by the host. */
  readonly underlayBytesPerSecond: number;
}

/** Leaves the nodes alone for `idleSeconds`. */
async function watch(nodes: readonly ClusterNode[]): Promise<IdleFigures[]> {
  const look = (node: ClusterNode) => Promise.all([processFigures(node.pid!), underlayBytes(node)]);
  const before = await Promise.all(nodes.map(look));
  await pause(idleSeconds * 1000);
  const after = await Promise.all(nodes.map(look));
  return nodes.map((_node, i) => {
    const [was, sentWas] = before[i]!;
    const [is, sentIs] = after[i]!;
    const seconds = (is.at - was.at) / 1000;
    return {
      residentMegabytes: rounded(is.residentMegabytes),
      cpuPercent: rounded((100 * (is.cpuSeconds - was.cpuSeconds)) / seconds),
      wakeUpsPerSecond: rounded((is.wakeUps - was.wakeUps) / seconds),
      underlayBytesPerSecond: rounded((sentIs - sentWas) / seconds),
    };
  });
}

/** Bytes of Ethernet frames that the node's host sent and received so far. */
async function underlayBytes(node: ClusterNode): Promise<number> {
  const { stdout } = await node.run(['ip', '-s', '-j', 'link', 'show', 'dev', 'eth0']);
  const [link] = JSON.parse(stdout) as [
    { stats64: { rx: { bytes: number }; tx: { bytes: number } } } | undefined,
  ];
  return link!.stats64.rx.bytes + link!.stats64.tx.bytes;
}

/** Milliseconds from the first plugin's start to the last one's end; the pods' namespaces are there already. */
async function attachMany(node: ClusterNode, count: number): Promise<number> {
  const pods = Array.from({ length: count }, (_, i) => new ClusterPod(node, `m${i}`));
  node.pods.push(...pods);
  for (const pod of pods) await pod.create();
  const started = performance.now();
  await Promise.all(pods.map((pod) => pod.attach()));
  return performance.now() - started;
}
