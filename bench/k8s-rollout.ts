/**
 * How long a TCP connection between pods of two nodes is without an answer while Weft is replaced on all three nodes by
 * `kubectl rollout restart`; one end asks every 10 ms. Prints one JSON line.
 *
 * `bin/weft-node bench/k8s-rollout.ts [rollouts, default 3]`
 */
import { takeDown } from '../test/lab/harness/take-down.ts';
import { TcpProbe } from '../test/lab/tcp-probe.ts';
import { NAMESPACE, ROLLOUT_LIMIT_S, WeftLab } from '../test/lab/weft-lab.ts';
import { podOn, WEB } from '../test/lab/workloads.ts';
import { report, spread } from './report.ts';

const rollouts = Number(process.argv[2] ?? 3);
const gapMs: number[] = [];
const rolloutMs: number[] = [];
let broken = 0;

try {
  const weft = await WeftLab.up();
  const { lab } = weft;
  await lab.apply(WEB);
  const pods = await lab.kubectl.waitForPods('app=web', { count: 3 });
  await weft.settled();
  for (let i = 0; i < rollouts; i++) {
    const probe = await TcpProbe.start(lab, podOn(pods, 'n1'), podOn(pods, 'n2'), 2 * ROLLOUT_LIMIT_S);
    const begun = performance.now();
    await lab.kubectl.run(['rollout', 'restart', 'ds/weft', '-n', NAMESPACE]);
    await weft.rolledOut();
    rolloutMs.push(performance.now() - begun);
    const result = await probe.finish();
    gapMs.push(result.longestGapMs);
    if (result.broken !== null) broken++;
  }
  report('k8s-rollout', {
    rollouts,
    nodes: 3,
    longestGapMs: spread(gapMs),
    rolloutMs: spread(rolloutMs),
    brokenConnections: broken,
  });
} finally {
  await takeDown();
}
