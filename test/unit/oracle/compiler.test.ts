import { deepEqual, equal } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareCluster, type Mismatch } from '../../oracle/comparison.ts';
import { compilerEvaluator } from '../../oracle/compiler-evaluator.ts';
import { judge } from '../../oracle/oracle.ts';

const CASES = join(import.meta.dirname, '../../oracle/cases');
const SEED = 12;
const CLUSTERS = 500;

describe('weft-npc and the oracle', () => {
  it(`say the same of ${CLUSTERS} random clusters`, () => {
    for (let index = 0; index < CLUSTERS; index++)
      deepEqual(
        compareCluster(compilerEvaluator, { seed: SEED, index, flows: 30 }),
        undefined,
        `cluster ${index}`,
      );
  });

  describe('say what is right where they once did not:', () => {
    for (const file of readdirSync(CASES)) {
      it(file.replace('.json', '').replaceAll('-', ' '), () => {
        const { cluster, flow, allowed } = JSON.parse(readFileSync(join(CASES, file), 'utf8')) as Mismatch;
        equal(judge(cluster, flow).allowed, allowed);
        equal(compilerEvaluator(cluster)(flow), allowed);
      });
    }
  });
});
