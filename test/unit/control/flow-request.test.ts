import { deepEqual, equal } from 'node:assert/strict';
import { utf8 } from '../../../base/bytes.ts';
import { decodeRequest } from '../../../control/control-protocol.ts';

const GOOD = { op: 'flows', want: 'follow', cursor: 'a.1-7', limit: 500, filter: { port: 80, pod: 'ns/p' } };

function decode(request: object) {
  return decodeRequest(utf8(JSON.stringify(request)));
}

describe('a request for flows', () => {
  it('is read', () => deepEqual(decode(GOOD), { ok: true, value: GOOD }));

  it('is refused where a part of it is out of bounds or not known', () => {
    const wrong = [
      { want: 'all' },
      { cursor: 7 },
      { cursor: 'x'.repeat(65) },
      { limit: 0 },
      { limit: 2_001 },
      { limit: 1.5 },
      { filter: undefined },
      { filter: [] },
      { filter: { port: 70_000 } },
      { filter: { verdict: 'maybe' } },
      { filter: { pod: 'x'.repeat(401) } },
      { filter: { colour: 'red' } },
    ];
    for (const each of wrong) equal(decode({ ...GOOD, ...each }).ok, false, JSON.stringify(each));
  });
});
