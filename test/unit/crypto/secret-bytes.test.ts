import assert from 'node:assert/strict';
import fc from 'fast-check';
import { constantTimeEqual, erase } from '../../../crypto/secret-bytes.ts';

describe('secret bytes', () => {
  it('are equal only in length and every bit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), (bytes, flip) => {
        assert.ok(constantTimeEqual(bytes, bytes.slice()));
        const other = bytes.slice();
        other[flip % other.length]! ^= 1 << (flip % 8);
        assert.ok(!constantTimeEqual(bytes, other));
        assert.ok(!constantTimeEqual(bytes, bytes.subarray(1)));
      }),
    );
    assert.ok(constantTimeEqual(new Uint8Array(0), new Uint8Array(0)));
  });

  it('are zero once erased', () => {
    const a = new Uint8Array(5).fill(1);
    const b = new Uint8Array(3).fill(2);
    erase(a, undefined, b);
    assert.deepEqual([...a, ...b], new Array(8).fill(0));
  });
});
