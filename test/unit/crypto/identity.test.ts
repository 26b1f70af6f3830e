import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hex, utf8 } from '../../../base/bytes.ts';
import { peerIdBytes, peerIdFromBytes } from '../../../base/peer-id.ts';
import { WeftError } from '../../../base/weft-error.ts';
import {
  decodeIdentity,
  encodeIdentity,
  generateIdentity,
  IDENTITY_LENGTH,
  sign,
  verifySignature,
} from '../../../crypto/identity.ts';
import { cryptoReady } from '../../../crypto/ready.ts';
import { seededRandom } from '../../seeded-random.ts';

describe('identity', () => {
  before(() => cryptoReady);

  it('comes back from the state file as it was', () => {
    const identity = generateIdentity(seededRandom(1));
    const bytes = encodeIdentity(identity);
    assert.equal(bytes.length, IDENTITY_LENGTH);
    assert.deepEqual(decodeIdentity(bytes), identity);
    assert.deepEqual(encodeIdentity(decodeIdentity(bytes)), bytes);
  });

  it('has two keys that are not made from each other, and is named by the signing one', () => {
    const identity = generateIdentity(seededRandom(2));
    assert.deepEqual(peerIdBytes(identity.peer), identity.signing.publicKey);
    assert.notDeepEqual(identity.signing.privateKey.subarray(0, 32), identity.noise.privateKey);
    assert.notEqual(generateIdentity(seededRandom(3)).peer, identity.peer);
  });

  it('finds every flipped bit and every other length of its file', () => {
    const bytes = encodeIdentity(generateIdentity(seededRandom(4)));
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => decodeIdentity(damaged), WeftError);
    }
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeIdentity(bytes.subarray(0, length)), { code: 'E_IDENTITY_BROKEN' });
    }
    assert.throws(() => decodeIdentity(new Uint8Array([...bytes, 0])), { code: 'E_IDENTITY_BROKEN' });
  });

  it('tells the file of a newer version from a damaged one', () => {
    const bytes = encodeIdentity(generateIdentity(seededRandom(5)));
    bytes[7] = 2;
    assert.throws(() => decodeIdentity(bytes), { code: 'E_IDENTITY_VERSION' });
  });

  it('signs for itself alone', () => {
    const identity = generateIdentity(seededRandom(6));
    const other = generateIdentity(seededRandom(7));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(), (message, flip) => {
        const signature = sign(identity, message);
        assert.ok(verifySignature(identity.peer, message, signature));
        assert.ok(!verifySignature(other.peer, message, signature));
        const altered = message.slice();
        altered[flip % altered.length]! ^= 1;
        assert.ok(!verifySignature(identity.peer, altered, signature));
      }),
      { numRuns: 30 },
    );
  });

  it('answers any signature, key and message with false, never with a throw', () => {
    const { peer } = generateIdentity(seededRandom(8));
    for (const length of [0, 1, 63, 64, 65, 1000]) {
      assert.equal(verifySignature(peer, utf8('x'), new Uint8Array(length)), false);
    }
    assert.equal(verifySignature(peer, new Uint8Array(300_000), new Uint8Array(64)), false);
    // The neutral point would "verify" a zero signature in a careless library.
    const neutral = new Uint8Array(32);
    neutral[0] = 1;
    const zero = new Uint8Array(64);
    zero[0] = 1;
    assert.equal(verifySignature(peerIdFromBytes(neutral), utf8('x'), zero), false);
    assert.equal(hex(neutral).length, 64);
  });
});
