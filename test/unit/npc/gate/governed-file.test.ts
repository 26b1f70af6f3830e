import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { encodeGoverned, mayBeSelected, parseGoverned } from '../../../../npc/gate/governed-file.ts';

describe('the file of governed namespaces', () => {
  const some = { all: false, namespaces: new Set(['b', 'a']) };
  const none = { all: false, namespaces: new Set<string>() };
  const all = { all: true, namespaces: new Set<string>() };

  it('is read back as it was written, whatever the order', () => {
    for (const governed of [some, none, all]) deepEqual(parseGoverned(encodeGoverned(governed)), governed);
    equal(encodeGoverned(some), '{"version":1,"all":false,"namespaces":["a","b"]}\n');
  });

  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '{"version":2,"all":false,"namespaces":[]}',
    '{"version":1,"namespaces":[]}',
    '{"version":1,"all":false}',
    '{"version":1,"all":"no","namespaces":[]}',
    '{"version":1,"all":false,"namespaces":["a",1]}',
    '{"version":1,"all":false,"namespaces":["A"]}',
    '{"version":1,"all":false,"namespaces":{"length":0}}',
    encodeGoverned(some).slice(0, -4),
  ])
    it(`is not read as ${JSON.stringify(text)}`, () => equal(parseGoverned(text), undefined));

  it('may be anything at all', () => {
    fc.assert(fc.property(fc.json(), (text) => void parseGoverned(text)));
  });

  it('says where a policy may select a pod', () => {
    deepEqual(
      ['a', 'c', undefined].map((namespace) => mayBeSelected(some, namespace)),
      [true, false, true],
    );
    deepEqual(
      ['a', undefined].map((namespace) => mayBeSelected(none, namespace)),
      [false, false],
    );
    deepEqual(
      ['a', undefined].map((namespace) => mayBeSelected(all, namespace)),
      [true, true],
    );
  });

  it('means namespaces that came later, where policies go by labels', () => {
    const governed = { all: false, namespaces: new Set(['a']), known: new Set(['a', 'b']) };
    deepEqual(parseGoverned(encodeGoverned(governed)), governed);
    deepEqual(
      ['a', 'b', 'later', undefined].map((namespace) => mayBeSelected(governed, namespace)),
      [true, false, true, true],
    );
    deepEqual(parseGoverned('{"version":1,"all":false,"namespaces":[],"known":["A"]}'), undefined);
  });
});
