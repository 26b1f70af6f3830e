import { deepEqual, equal, throws } from 'node:assert/strict';
import { assert, InvariantError, unreachable } from '../../../base/assert.ts';
import { earliest, instant, after as later } from '../../../base/instant.ts';
import { parsePeerId, peerIdBytes, peerIdFromBytes, shortPeerId } from '../../../base/peer-id.ts';
import { fail, ok } from '../../../base/result.ts';
import { WeftError } from '../../../base/weft-error.ts';

describe('assert', () => {
  it('throws what tells a bug of ours from a fault outside', () => {
    assert(true, 'never seen');
    throws(() => assert(0, 'zero is not enough'), new InvariantError('zero is not enough'));
    throws(() => unreachable('x' as never), InvariantError);
  });
});

describe('instants', () => {
  it('move both ways, and the earliest of some is found among the undefined', () => {
    equal(later(instant(10), -3), 7);
    equal(earliest(undefined, instant(5), undefined, instant(3)), 3);
    equal(earliest(undefined), undefined);
    equal(earliest(instant(0), undefined), 0);
  });
});

describe('PeerId', () => {
  it('is the hex of its key, and nothing else reads', () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => i * 8);
    const peer = peerIdFromBytes(key);
    deepEqual(peerIdBytes(peer), key);
    equal(parsePeerId(peer), peer);
    equal(shortPeerId(peer), '000810182028');
    for (const wrong of [
      '',
      peer.slice(1),
      `${peer}0`,
      peer.toUpperCase(),
      `${peer}\n`,
      peer.replace('0', 'g'),
    ]) {
      equal(parsePeerId(wrong), undefined, wrong);
    }
  });
});

describe('Result and WeftError', () => {
  it('hold what they are given', () => {
    deepEqual(ok(1), { ok: true, value: 1 });
    deepEqual(fail('short'), { ok: false, reason: 'short' });
    const cause = new Error('inner');
    const error = new WeftError('E_A', 'it is broken', 'mend it', { cause });
    deepEqual([error.code, error.line, error.cause], ['E_A', 'it is broken; mend it', cause]);
  });
});
