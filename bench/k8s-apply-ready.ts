/**
 * How long a cluster of three bare nodes takes from `kubectl apply` until all of them are Ready, and until a pod that
 * was made at the same moment is Running. The images are there. Prints one JSON line.
 *
 * `bin/weft-node bench/k8s-apply-ready.ts [labs, default 3]`
 */
import { until } from '../test/cluster/command.ts';
import { isReady } from '../test/lab/harness/kubectl.ts';
import { takeDown } from '../test/lab/harness/take-down.ts';
import { WeftLab } from '../test/lab/weft-lab.ts';
import { ApiWatch, wallClock } from './pod-starts/api-watch.ts';
import { idlePod } from './pod-starts/pod-starts.ts';
import { report, spread } from './report.ts';

const LIMIT_MS = 120_000;
const labs = Number(process.argv[2] ?? 3);
const nodesReadyMs: number[] = [];
const podRunningMs: number[] = [];

try {
  for (let i = 0; i < labs; i++) {
    const weft = await WeftLab.bare();
    await measure(weft);
    await weft.lab.down();
  }
  report('k8s-apply-ready', {
    labs,
    nodes: 3,
    nodesReadyMs: spread(nodesReadyMs),
    firstPodRunningMs: spread(podRunningMs),
  });
} finally {
  await takeDown();
}

async function measure(weft: WeftLab): Promise<void> {
  const { lab } = weft;
  const readyAtByNode = new Map<string, number>();
  let runningAt: number | undefined;
  const nodes = await ApiWatch.start(lab, '/api/v1/nodes', (node, at) => {
    const { name } = node.metadata;
    if (isReady(node) && !readyAtByNode.has(name)) readyAtByNode.set(name, at);
  });
  const pods = await ApiWatch.start(lab, '/api/v1/namespaces/default/pods', (pod, at) => {
    if (pod.status.phase === 'Running') runningAt ??= at;
  });
  const begunAt = wallClock();
  await Promise.all([weft.apply(), lab.apply(idlePod('first'))]);
  await until('nodes and pod', () => readyAtByNode.size === lab.nodes.length && runningAt !== undefined, {
    timeoutMs: LIMIT_MS,
  });
  nodesReadyMs.push(Math.max(...readyAtByNode.values()) - begunAt);
  podRunningMs.push(runningAt! - begunAt);
  await Promise.all([nodes.stop(), pods.stop()]);
}
