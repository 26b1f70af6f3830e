import { parseArgs } from 'node:util';
import { compareCluster, type Mismatch, minimiseMismatch } from './comparison.ts';
import { compilerEvaluator } from './compiler-evaluator.ts';

/**
 * Compares what `weft-npc` says of random flows in random clusters with what the oracle says.
 *
 *   npm run oracle -- [--count CLUSTERS] [--seed NUMBER] [--flows OF EACH CLUSTER] [--index NUMBER]
 *
 * Each of the first mismatches is printed as small as it can be, as a case for test/oracle/cases/; the same seed and
 * index make the same cluster and flows again, `--index` that one alone.
 */
const MAX_SHOWN = 5;
const PROGRESS_EVERY = 10_000;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    flows: { type: 'string', default: '30' },
    index: { type: 'string' },
  },
});
const [count, seed, flows] = [values.count, values.seed, values.flows].map(integer) as [
  number,
  number,
  number,
];
const first = values.index === undefined ? 0 : integer(values.index);
const end = values.index === undefined ? count : first + 1;

console.log(`oracle: ${end - first} clusters of seed ${seed}, ${flows} flows each`);
let mismatches = 0;
for (let index = first; index < end && mismatches < MAX_SHOWN; index++) {
  if (index > first && index % PROGRESS_EVERY === 0) console.log(`oracle: ${index} clusters`);
  const mismatch = compareCluster(compilerEvaluator, { seed, index, flows });
  if (mismatch === undefined) continue;
  mismatches++;
  console.error(`oracle: MISMATCH in cluster ${index} of seed ${seed}: the oracle says ${text(mismatch)}`);
}
console.log(mismatches === 0 ? 'oracle: no mismatch' : `oracle: ${mismatches} mismatches, there may be more`);
process.exit(mismatches === 0 ? 0 : 1);

function text(mismatch: Mismatch): string {
  const { allowed, why, ...rest } = minimiseMismatch(compilerEvaluator, mismatch);
  const told = why.map((line) => `\n  ${line}`).join('');
  return `${allowed ? 'allowed' : 'denied'}${told}\n${JSON.stringify({ ...rest, allowed }, null, 1)}`;
}

function integer(value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  console.error(`oracle: '${value}' is no whole number`);
  process.exit(2);
}
