import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { renderWarnings, WARNING_SECTIONS, WARNINGS_DOC } from '../../tools/warnings-doc.ts';
import { readSource, readSources, type SourceFile } from './source.ts';

const NOT_PRODUCT = ['test', 'bench', 'tools'];
const DECLARED = WARNING_SECTIONS.flatMap(({ table }) => Object.keys(table));

/** Codes that stand as keys in a table of warnings anywhere in these files. */
function codesOfTables(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ code }) => /\bsatisfies WarningTable\b/.test(code))
    .flatMap(({ code }) => [...code.matchAll(/^ {2}([EW]_[A-Z_]+): \{/gm)].map(([, name]) => name!));
}

/** Declared codes that no code makes a warning of. */
function unused(codes: readonly string[], files: readonly SourceFile[]): string[] {
  const text = files.map(({ code }) => code).join('\n');
  return codes.filter((code) => !text.includes(`'${code}'`));
}

describe('the warnings', () => {
  const files = readSources().filter(({ folder }) => !NOT_PRODUCT.includes(folder));

  it('are found at all, each under a code of its own', () => {
    equal(DECLARED.length > 30, true);
    deepEqual([...new Set(DECLARED)], DECLARED);
  });

  it('are all in the tables that docs/warnings.md is made of', () => {
    deepEqual(codesOfTables(files).sort(), [...DECLARED].sort());
  });

  it('are each given somewhere', () => deepEqual(unused(DECLARED, files), []));

  it('say what is wrong and what to do in clauses that make one line', () => {
    const texts = WARNING_SECTIONS.flatMap(({ table }) => Object.values(table));
    deepEqual(
      texts
        .flatMap(({ message, remedy }) => [message, remedy])
        .filter((text) => !/^[^.\n][^\n]*[^.\n]$/.test(text)),
      [],
    );
  });

  it('are in docs/warnings.md as they are declared', () => {
    equal(readFileSync(WARNINGS_DOC, 'utf8'), renderWarnings(), 'run bin/weft-node tools/warnings-doc.ts');
  });
});

describe('the reader of warnings', () => {
  const table = readSource(
    'a/a-warnings.ts',
    'const A = {\n  E_A: { m },\n  W_B: {\n  },\n} satisfies WarningTable;\n',
  );

  it('sees the codes of a table', () => deepEqual(codesOfTables([table]), ['E_A', 'W_B']));

  it('sees a code that nobody gives', () => {
    deepEqual(unused(['E_A', 'W_B'], [table, readSource('a/a.ts', "warningOf(A, 'E_A');\n")]), ['W_B']);
  });
});
