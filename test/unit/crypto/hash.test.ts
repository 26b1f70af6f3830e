import assert from 'node:assert/strict';
import { createHash, createHmac, hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import { concat, hex, utf8 } from '../../../base/bytes.ts';
import {
  blake2b512,
  deriveKey,
  hkdf,
  hmac,
  keyedBlake2b,
  noiseHkdf2,
  noiseHkdf3,
} from '../../../crypto/hash.ts';
import { cryptoReady } from '../../../crypto/ready.ts';

const bytes = fc.uint8Array({ maxLength: 300 });

describe('hash', () => {
  before(() => cryptoReady);

  it('gives the digest of RFC 7693 appendix A', () => {
    const digest = hex(blake2b512(utf8('abc')));
    assert.ok(digest.startsWith('ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1'));
    assert.ok(digest.endsWith('7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923'));
  });

  it('hashes the concatenation of its parts, as OpenSSL does', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 4 }), (parts) => {
        const expected = createHash('blake2b512')
          .update(concat(...parts))
          .digest();
        assert.equal(hex(blake2b512(...parts)), expected.toString('hex'));
      }),
    );
  });

  it('makes HMAC as OpenSSL does, for keys shorter and longer than a block', () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, (key, a, b) => {
        const expected = createHmac('blake2b512', key).update(a).update(b).digest('hex');
        assert.equal(hex(hmac(key, a, b)), expected);
      }),
    );
  });

  it('makes HMAC with a key of just a block and one byte around it', () => {
    for (const length of [0, 127, 128, 129]) {
      const key = new Uint8Array(length).fill(length);
      assert.equal(hex(hmac(key, utf8('x'))), createHmac('blake2b512', key).update('x').digest('hex'));
    }
  });

  it('makes HKDF as OpenSSL does, at every length', () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.integer({ min: 1, max: 200 }), (salt, secret, info, length) => {
        const expected = new Uint8Array(hkdfSync('blake2b512', secret, salt, info, length));
        assert.deepEqual(hkdf(salt, secret, info, length), expected);
      }),
    );
  });

  it("makes Noise's HKDF of two and of three outputs agree with RFC 5869 without info", () => {
    fc.assert(
      fc.property(bytes, bytes, (ck, input) => {
        const long = hkdf(ck, input, new Uint8Array(0), 192);
        assert.deepEqual(concat(...noiseHkdf3(ck, input)), long);
        assert.deepEqual(concat(...noiseHkdf2(ck, input)), long.subarray(0, 128));
      }),
    );
  });

  it('separates labels, contexts and keys', () => {
    const secret = new Uint8Array(32).fill(1);
    const seen = [
      deriveKey(secret, utf8('a')),
      deriveKey(secret, utf8('b')),
      deriveKey(secret, utf8('a'), utf8('c')),
      deriveKey(new Uint8Array(32), utf8('a')),
    ].map(hex);
    assert.equal(new Set(seen).size, seen.length);
    assert.notDeepEqual(keyedBlake2b(secret, 64, utf8('x')), blake2b512(utf8('x')));
  });

  it('leaves its inputs as they were', () => {
    const key = new Uint8Array(200).fill(3);
    const message = new Uint8Array(10).fill(4);
    hmac(key, message);
    hkdf(key, message, message, 100);
    assert.ok(key.every((byte) => byte === 3) && message.every((byte) => byte === 4));
  });
});
