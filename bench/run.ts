/**
 * Runs all benchmarks in turn; each prints one JSON line. What they mean stands in README.md beside this file.
 *
 * `npm run bench [-- name…]`: all, or those named (`tunnel-throughput`, `daemon`, …). Needs root. About six minutes.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BENCHES = [
  'sleeve-core',
  'first-packet',
  'tunnel-throughput',
  'cni-attach',
  'mesh',
  'daemon',
  'gossip-convergence',
] as const;

/** A benchmark that has not ended by then is stuck. */
const LIMIT_MS = 300_000;

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(BENCHES as readonly string[]).includes(name));
if (unknown.length > 0) {
  console.error(`bench: unknown: ${unknown.join(', ')}; there are ${BENCHES.join(', ')}`);
  process.exit(2);
}
const failed = BENCHES.filter((name) => wanted.length === 0 || wanted.includes(name)).filter((name) => {
  const file = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  const { status } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: LIMIT_MS,
  });
  return status !== 0;
});
if (failed.length > 0) {
  console.error(`bench: failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
