/**
 * `npm run sim -- --seeds N [--from S] [--nodes N] [--seconds N]`, or `--seed S` to run one again.
 *
 * Prints each seed that fails with what broke, and at the end how much was simulated. Exit code 1 where any failed,
 * 2 where the arguments are wrong. What a seed does depends on --nodes and --seconds too.
 */
import { parseArgs } from 'node:util';
import { type Outcome, runSeed } from './scenario.ts';

const USAGE = 'usage: npm run sim -- [--seeds N] [--from S] [--seed S] [--nodes N] [--seconds N]';

/** The whole numbers of the arguments, or undefined where they are wrong. */
function readArguments():
  | { from: number; seeds: number; size: number; chaosMs: number; verbose: boolean }
  | undefined {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string', default: '100' },
        from: { type: 'string', default: '1' },
        seed: { type: 'string' },
        nodes: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '90' },
      },
    });
    const from = Number(values.seed ?? values.from);
    const seeds = values.seed === undefined ? Number(values.seeds) : 1;
    const size = Number(values.nodes);
    const chaosMs = 1000 * Number(values.seconds);
    const wrong = [from, seeds, size, chaosMs].some((value) => !Number.isSafeInteger(value) || value < 1);
    return wrong || size > 500
      ? undefined
      : { from, seeds, size, chaosMs, verbose: values.seed !== undefined };
  } catch {
    return undefined;
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function main(): number {
  const settings = readArguments();
  if (settings === undefined) {
    console.error(USAGE);
    return 2;
  }
  const { from, seeds, size, chaosMs, verbose } = settings;
  const outcomes: Outcome[] = [];
  const start = performance.now();
  for (let seed = from; seed < from + seeds; seed++) {
    try {
      const outcome = runSeed(seed, { size, chaosMs });
      outcomes.push(outcome);
      if (verbose) console.log(JSON.stringify(outcome, undefined, 2));
    } catch (error) {
      // A Violation says all in its line; whatever else is thrown is a bug, and its stack is wanted.
      const text =
        error instanceof Error ? (error.name === 'Violation' ? error.message : error.stack) : error;
      console.log(`seed ${seed}: ${text}`);
    }
  }
  const wallSeconds = (performance.now() - start) / 1000;
  const nodeHours = outcomes.reduce((sum, { nodeMs }) => sum + nodeMs, 0) / 3_600_000;
  const reached = outcomes.map(({ reachedMs }) => reachedMs);
  console.log(
    JSON.stringify({
      seeds,
      failed: seeds - outcomes.length,
      nodes: size,
      nodeHours: Number(nodeHours.toFixed(2)),
      nodeHoursPerWallSecond: Number((nodeHours / wallSeconds).toFixed(3)),
      convergedMs: { median: median(reached), max: Math.max(0, ...reached) },
    }),
  );
  return outcomes.length === seeds ? 0 : 1;
}

process.exitCode = main();
