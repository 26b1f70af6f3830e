import { deepEqual, ok } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './source.ts';

const FOLDER = join(ROOT, 'docs/adr');

/** Numbers of decision records that a text refers to: `(0002)`, `see 0002`, `adr/0002-ring.md`. */
function referencesIn(text: string): string[] {
  return [...text.matchAll(/(?:\(|\bsee |\badr\/)(0\d{3})\b/g)].map(([, number]) => number!);
}

describe('the decision records', () => {
  const names = readdirSync(FOLDER);
  const numbers = names.map((name) => name.slice(0, 4));

  it('have each a number of its own, which its title has too', () => {
    ok(names.length > 5);
    deepEqual([...new Set(numbers)], numbers);
    deepEqual(
      names.filter((name) => !readFileSync(join(FOLDER, name), 'utf8').startsWith(`# ${name.slice(0, 4)} `)),
      [],
    );
  });

  it('are there where a text refers to them by number', () => {
    const texts = [...names.map((name) => join(FOLDER, name)), join(ROOT, 'ARCHITECTURE.md')];
    const references = texts.flatMap((path) => referencesIn(readFileSync(path, 'utf8')));
    ok(references.length > 5);
    deepEqual(
      references.filter((number) => !numbers.includes(number)),
      [],
    );
  });

  it('are told apart from other numbers by this test', () => {
    deepEqual(referencesIn('as (0002) says, see 0003 and `docs/adr/0004-attach.md`, not 0600 nor (10)'), [
      '0002',
      '0003',
      '0004',
    ]);
  });
});
