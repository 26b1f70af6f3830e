/**
 * Runs benchmarks in turn; each prints one JSON line. What they mean stands in README.md beside this file.
 *
 * `npm run bench [-- name…]`: all that need no Kubernetes, or those named (`tunnel-throughput`, `daemon`, …). About half an
 * hour. `npm run bench:k8s [-- name…]`: those that bring up a lab, or those named. Both need root.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { takeDown } from '../test/lab/harness/take-down.ts';

const BENCHES: readonly string[] = [
  'sleeve-core',
  'first-packet',
  'tunnel-throughput',
  'tunnel-datapaths',
  'latency/take-over',
  'policed-flows',
  'load/crowd',
  'load/strangers',
  'cni-attach',
  'mesh',
  'daemon',
  'metrics',
  'policy',
  'flows',
  'flows/cluster',
  'flows/throughput',
  'page',
  'gossip-convergence',
];
const K8S_BENCHES: readonly string[] = [
  'k8s-pod-start',
  'k8s-apply-ready',
  'k8s-rollout',
  'k8s-daemon',
  'npc',
];

/** A benchmark that has not ended by then is stuck. */
const LIMIT_MS = 1_200_000;
const K8S_LIMIT_MS = 1_800_000;

const args = process.argv.slice(2);
const withLab = args[0] === '--k8s';
const there = withLab ? K8S_BENCHES : BENCHES;
const wanted = withLab ? args.slice(1) : args;
const unknown = wanted.filter((name) => !there.includes(name));
if (unknown.length > 0) {
  console.error(`bench: unknown: ${unknown.join(', ')}; there are ${there.join(', ')}`);
  process.exit(2);
}
const failed = there
  .filter((name) => wanted.length === 0 || wanted.includes(name))
  .filter((name) => {
    const file = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
    const { status } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: withLab ? K8S_LIMIT_MS : LIMIT_MS,
    });
    return status !== 0;
  });
if (failed.length > 0) {
  if (withLab) await takeDown(); // whoever was ended for its time could not do so
  console.error(`bench: failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
