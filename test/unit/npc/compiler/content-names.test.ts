import { equal, match, notEqual } from 'node:assert/strict';
import { ContentNames, contentHash } from '../../../../npc/compiler/content-names.ts';

describe('names by content', () => {
  it('are the same for the same content, in every run', () => {
    equal(new ContentNames().nameOf('a4-', 'x'), new ContentNames().nameOf('a4-', 'x'));
    match(new ContentNames().nameOf('a4-', 'x'), /^a4-[0-9a-f]{16}$/);
    notEqual(new ContentNames().nameOf('a4-', 'x'), new ContentNames().nameOf('a4-', 'y'));
  });

  it('differ for contents whose hashes are equal', () => {
    const names = new ContentNames(() => '0000000000000000');
    equal(names.nameOf('r-', 'x'), 'r-0000000000000000');
    equal(names.nameOf('r-', 'y'), 'r-0000000000000000-1');
    equal(names.nameOf('r-', 'x'), 'r-0000000000000000');
    equal(names.nameOf('r-', 'y'), 'r-0000000000000000-1');
    names.keep((name) => name.endsWith('-1'));
    equal(names.nameOf('r-', 'z'), 'r-0000000000000000');
    equal(names.nameOf('r-', 'y'), 'r-0000000000000000-1');
  });

  it('spread: 200,000 texts that are alike have as many hashes', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 200_000; i++) seen.add(contentHash(`ns-${i % 1000}/[["app","In","a${i}"]]`));
    equal(seen.size, 200_000);
  });
});
