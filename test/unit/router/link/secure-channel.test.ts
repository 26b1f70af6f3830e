import assert from 'node:assert/strict';
import { hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import { concat, hex } from '../../../../base/bytes.ts';
import { createAead } from '../../../../crypto/aead.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import {
  CHANNEL_PLAINTEXT_MAX,
  CHANNEL_REKEY_FRAMES,
  SecureChannel,
} from '../../../../router/link/secure-channel.ts';
import { seededRandom } from '../../../seeded-random.ts';

const EMPTY = new Uint8Array(0);

function pair(seed = 1): [SecureChannel, SecureChannel] {
  const random = seededRandom(seed);
  const [one, two, handshakeHash] = [random.bytes(32), random.bytes(32), random.bytes(64)];
  return [
    new SecureChannel({ send: one, receive: two, handshakeHash }),
    new SecureChannel({ send: two, receive: one, handshakeHash }),
  ];
}

describe('secure channel', () => {
  before(() => cryptoReady);

  it('carries plaintexts in order, both ways, however the stream is cut', () => {
    const texts = fc.array(fc.uint8Array({ maxLength: 900 }), { maxLength: 10 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 700 }), (sent, step) => {
        for (const [from, to] of [pair(), pair().reverse() as [SecureChannel, SecureChannel]]) {
          const stream = concat(...sent.map((text) => from.seal(text)));
          const received: string[] = [];
          for (let at = 0; at < stream.length; at += step) {
            const result = to.receive(stream.subarray(at, at + step));
            assert.ok(result.ok);
            received.push(...result.value.map(hex));
          }
          assert.deepEqual(received, sent.map(hex));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('carries the empty and the longest plaintext, and asserts on a longer one', () => {
    const [a, b] = pair();
    for (const length of [0, CHANNEL_PLAINTEXT_MAX]) {
      const received = b.receive(a.seal(new Uint8Array(length)));
      assert.ok(received.ok);
      assert.deepEqual(received.value, [new Uint8Array(length)]);
    }
    assert.throws(() => a.seal(new Uint8Array(CHANNEL_PLAINTEXT_MAX + 1)));
  });

  it('breaks for good on any flipped bit', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 60 }), (flip, length) => {
        const [a, b] = pair();
        const good = a.seal(new Uint8Array(length));
        const altered = good.slice();
        altered[(flip >> 3) % altered.length]! ^= 1 << (flip & 7);
        // A length made longer waits for bytes; the next frame then completes a wrong one.
        const result = b.receive(
          concat(altered, ...Array.from({ length: 1200 }, () => a.seal(new Uint8Array(64)))),
        );
        assert.equal(result.ok, false);
        assert.deepEqual(b.receive(good), result);
        assert.equal(b.pendingBytes, 0);
      }),
      { numRuns: 40 },
    );
  });

  it('breaks when a frame is repeated, left out, swapped or sent back', () => {
    const frames = (a: SecureChannel) => [a.seal(EMPTY), a.seal(EMPTY), a.seal(EMPTY)] as const;
    const orders: readonly (readonly number[])[] = [[0, 0], [1], [0, 2], [1, 0]];
    for (const order of orders) {
      const [a, b] = pair();
      const sealed = frames(a);
      assert.deepEqual(b.receive(concat(...order.map((i) => sealed[i]!))), { ok: false, reason: 'bad-tag' });
    }
    const [a] = pair();
    assert.deepEqual(a.receive(a.seal(EMPTY)), { ok: false, reason: 'bad-tag' });
  });

  it('refuses a frame without room for a tag', () => {
    for (const length of [0, 1, 15]) {
      const [, b] = pair();
      assert.deepEqual(b.receive(concat(Uint8Array.of(length, 0), new Uint8Array(length))), {
        ok: false,
        reason: 'too-short',
      });
    }
  });

  it('keeps at most one unfinished frame, and only what has come of it', () => {
    const [, b] = pair();
    assert.ok(b.receive(Uint8Array.of(0xff, 0xff)).ok);
    assert.equal(b.pendingBytes, 2);
    assert.ok(b.receive(new Uint8Array(60_000)).ok);
    assert.equal(b.pendingBytes, 60_002);
    assert.equal(b.receive(new Uint8Array(60_000)).ok, false);
    assert.equal(b.pendingBytes, 0);
  });

  it('moves to a new key after its count of frames, on both sides at once', () => {
    const [a, b] = pair();
    const random = seededRandom(1);
    const [secret, , handshakeHash] = [random.bytes(32), random.bytes(32), random.bytes(64)];
    const firstKey = hkdfSync('blake2b512', secret, handshakeHash, 'weft channel v1', 32);
    const secondKey = hkdfSync('blake2b512', new Uint8Array(firstKey), '', 'weft channel ratchet', 32);
    const sealedBy = (key: ArrayBuffer, counter: number): Uint8Array => {
      const header = Uint8Array.of(16, 0);
      const aead = createAead('chacha20-poly1305', new Uint8Array(key));
      return concat(header, aead.seal(counter, header, EMPTY));
    };
    for (let n = 0; n < CHANNEL_REKEY_FRAMES + 2; n++) {
      const sealed = a.seal(EMPTY);
      if (n < 2) assert.deepEqual(sealed, sealedBy(firstKey, n));
      if (n >= CHANNEL_REKEY_FRAMES) assert.deepEqual(sealed, sealedBy(secondKey, n - CHANNEL_REKEY_FRAMES));
      assert.ok(b.receive(sealed).ok, `${n}`);
    }
  }).timeout(10_000);

  it('is of no use once erased', () => {
    const [a, b] = pair();
    const sealed = a.seal(EMPTY);
    b.erase();
    assert.equal(b.receive(sealed).ok, false);
    assert.throws(() => b.seal(EMPTY));
  });
});
