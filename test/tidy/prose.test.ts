import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFiles, ROOT } from './source.ts';

/**
 * Phrases that make a reader stop, because they point at something without naming it, or have gone out of use. A list
 * cannot find every riddle; these are found without false alarms.
 */
const RIDDLES =
  /\bthe one (?:before|after|beside)\b|\bin the midst\b|\b(?:there|here|where)(?:by|of|upon|in)\b|\bwhence\b|\blest\b|\bha(?:s|ve|d) no say\b|\bha(?:s|ve|d) (?:its|their|his) say\b/i;

/** Where prose is looked for, outside of tests: sources, scripts, manifests and documents. */
const PROSE = /\.(?:ts|c|cc|h|md|yaml|sh)$|^tools\/|^bin\//;

/** `path:line: phrase` of every riddle. */
function riddles(path: string, text: string): string[] {
  return text.split('\n').flatMap((line, i) => {
    const found = RIDDLES.exec(line);
    return found ? [`${path}:${i + 1}: ${found[0]}`] : [];
  });
}

describe('the prose of the project', () => {
  it('has none of the phrases that make a reader stop', () => {
    const found = projectFiles()
      .filter((path) => PROSE.test(path) && !path.startsWith('test/'))
      .flatMap((path) => riddles(path, readFileSync(join(ROOT, path), 'utf8')));
    deepEqual(found, []);
  });

  it('is read for them', () => {
    const text =
      '// The one before stands by.\n// It is stopped thereby.\n// The predecessor stands by, whereas we go.\n';
    deepEqual(riddles('base/a.ts', text), ['base/a.ts:1: The one before', 'base/a.ts:2: thereby']);
  });
});
