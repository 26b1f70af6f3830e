import { parseArgs } from 'node:util';
import { compareCluster, minimiseMismatch } from './comparison.ts';
import { compilerEvaluator } from './compiler-evaluator.ts';
import { compareChangingRules, compareRules, minimiseRuleMismatch } from './rules/rule-comparison.ts';

/**
 * Compares what `weft-npc` makes of random flows in random clusters with what the oracle says.
 *
 *   npm run oracle -- [--count CLUSTERS] [--seed NUMBER] [--flows OF EACH CLUSTER] [--index NUMBER] [--of WHAT]
 *
 * WHAT is `decisions`, what it answers when it is asked; `rules`, what becomes of packets in the rules it makes for each
 * node; or `changes`, the same where the rules follow a cluster that changes.
 *
 * Each of the first mismatches is printed, of decisions and rules as small as it can be, as a case for test/oracle/cases/; the same
 * seed and index make the same cluster and flows again, `--index` that one alone.
 */
const MAX_SHOWN = 5;
const PROGRESS_EVERY = 10_000;
/** How often a cluster changes. */
const CHANGES = 5;

interface Sample {
  readonly seed: number;
  readonly index: number;
  readonly flows: number;
}

/** What may be compared: a mismatch in a cluster, told at length, or undefined. */
const COMPARISONS: Readonly<Record<string, (sample: Sample) => object | undefined>> = {
  decisions: (sample) => {
    const mismatch = compareCluster(compilerEvaluator, sample);
    return mismatch && minimiseMismatch(compilerEvaluator, mismatch);
  },
  rules: (sample) => {
    const mismatch = compareRules(sample);
    return mismatch && minimiseRuleMismatch(mismatch);
  },
  changes: (sample) => compareChangingRules(sample, CHANGES),
};

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    flows: { type: 'string', default: '30' },
    index: { type: 'string' },
    of: { type: 'string', default: 'decisions' },
  },
});
const [count, seed, flows] = [values.count, values.seed, values.flows].map(integer) as [
  number,
  number,
  number,
];
const first = values.index === undefined ? 0 : integer(values.index);
const end = values.index === undefined ? count : first + 1;
const compare = COMPARISONS[values.of] ?? usage(`--of is one of ${Object.keys(COMPARISONS).join(', ')}`);

console.log(`oracle: ${values.of} of ${end - first} clusters of seed ${seed}, ${flows} flows each`);
let mismatches = 0;
for (let index = first; index < end && mismatches < MAX_SHOWN; index++) {
  if (index > first && index % PROGRESS_EVERY === 0) console.log(`oracle: ${index} clusters`);
  const mismatch = compare({ seed, index, flows });
  if (mismatch === undefined) continue;
  mismatches++;
  console.error(`oracle: MISMATCH in cluster ${index} of seed ${seed}\n${JSON.stringify(mismatch, null, 1)}`);
}
console.log(mismatches === 0 ? 'oracle: no mismatch' : `oracle: ${mismatches} mismatches, there may be more`);
process.exit(mismatches === 0 ? 0 : 1);

function integer(value: string): number {
  return /^\d{1,15}$/.test(value) ? Number(value) : usage(`'${value}' is no whole number`);
}

function usage(fault: string): never {
  console.error(`oracle: ${fault}`);
  process.exit(2);
}
