import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { NFT_GATE_COUNTER } from '../../linux/policy-gate.ts';
import { dropRules, NFT_POLICY_COUNTER } from '../../linux/policy-rules.ts';
import { renderPolicyTable } from '../../linux/policy-table.ts';
import { nftCounterName, type RuleCounter } from '../../linux/rule-counters.ts';
import {
  ALL_COUNTERS,
  ALL_GAUGES,
  COUNTERS_DOC,
  renderCounters,
  SUBJECTS,
} from '../../tools/counters-doc.ts';
import { readSource, readSources, type SourceFile } from './source.ts';

const NAMES = Object.keys(ALL_COUNTERS);
const NOT_PRODUCT = ['test', 'bench', 'tools'];

/** Declared names that no code counts under. The place where a name is declared does not count. */
function unused(names: readonly string[], files: readonly SourceFile[]): string[] {
  const text = files.map(({ code }) => code.replace(/^ +'[^']+': (?:counts|drops)\(/gm, '')).join('\n');
  return names.filter((name) => !text.includes(`'${name}'`));
}

/** Calls whose name is put together by a template, which types allow where all that may come of it is declared. */
function assembled(files: readonly SourceFile[]): string[] {
  return files.filter(({ code }) => /\bcounters\??\.add\([^;]*`/.test(code)).map(({ path }) => path);
}

const PLAIN_DROPS = { reject: false, log: undefined };
/** How the rules of policies end. */
const POLICY_TABLE_TEXT = [
  ...dropRules('ingress', 'x', PLAIN_DROPS),
  ...dropRules('egress', 'x', PLAIN_DROPS),
  renderPolicyTable({
    decided: new Set(),
    chainsByLink: new Map(),
    addressesByLink: new Map(),
    chains: new Map(),
    sets: new Map(),
    drops: PLAIN_DROPS,
  }),
].join(' ');

describe('the counters', () => {
  const files = readSources().filter(({ folder }) => !NOT_PRODUCT.includes(folder));

  it('are found at all', () => equal(NAMES.length > 100, true));

  it('have a name that is a subject and what happened, and a subject that the docs explain', () => {
    deepEqual(
      NAMES.filter((name) => !/^[a-z]+\.[a-z][a-zA-Z0-9]*$/.test(name)),
      [],
    );
    deepEqual([...new Set(NAMES.map((name) => name.split('.', 1)[0]!))].sort(), Object.keys(SUBJECTS).sort());
  });

  it('have a sentence of help', () => {
    const wrong = Object.entries(ALL_COUNTERS).filter(([, { help }]) => !/^[A-Z].{14,240}\.$/.test(help));
    deepEqual(
      wrong.map(([name]) => name),
      [],
    );
  });

  it('are each counted somewhere', () => {
    const byKernel = NAMES.filter((name) => /^(rules|gate|policy)\./.test(name));
    const byUs = NAMES.filter((name) => !byKernel.includes(name));
    deepEqual(unused(byUs, files), []);
    const rules = files
      .filter(({ path }) => path === 'linux/nftables.ts' || path === 'linux/policy-gate.ts')
      .map(({ text }) => text)
      .concat(POLICY_TABLE_TEXT)
      .join('');
    const nftName = (name: string): string =>
      (({ ...NFT_GATE_COUNTER, ...NFT_POLICY_COUNTER }) as Record<string, string>)[name] ??
      nftCounterName(name as RuleCounter);
    deepEqual(
      byKernel.filter((name) => !rules.includes(`counter name ${nftName(name)} `)),
      [],
    );
  });

  it('are counted under names that stand in the code as they are', () => deepEqual(assembled(files), []));

  it('are in docs/counters.md as they are declared', () => {
    equal(readFileSync(COUNTERS_DOC, 'utf8'), renderCounters(), 'run bin/weft-node tools/counters-doc.ts');
  });
});

describe('the gauges', () => {
  it('have a name of the form of counters, none that a counter has, a sentence of help, and labels of a closed set', () => {
    const wrong = Object.entries(ALL_GAUGES).filter(
      ([name, { help, label }]) =>
        !/^[a-z]+\.[a-z][a-zA-Z0-9]*$/.test(name) ||
        NAMES.includes(name) ||
        !/^[A-Z].{14,240}\.$/.test(help) ||
        (label !== undefined && label.values.length < 2),
    );
    equal(Object.keys(ALL_GAUGES).length > 10, true);
    deepEqual(wrong, []);
  });
});

describe('the reader of counters', () => {
  const declaration = readSource(
    'a/a-counters.ts',
    "const A = {\n  'a.b': counts('B.'),\n  'a.c': drops(\n};\n",
  );

  it('sees a name that nothing counts', () => {
    const counting = readSource('a/a.ts', "counters.add('a.b');\n");
    deepEqual(unused(['a.b', 'a.c'], [declaration, counting]), ['a.c']);
  });

  it('sees a name that is put together', () => {
    const one = readSource('a/a.ts', 'counters.add(`a.b`);\n');
    const other = readSource('a/b.ts', "counters.add(taken.ok ? 'a.b' : COUNTER_BY_FAULT[taken.reason]);\n");
    deepEqual(assembled([one, other]), ['a/a.ts']);
  });
});
