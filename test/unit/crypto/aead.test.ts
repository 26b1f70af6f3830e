import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { concat, writeU64LE } from '../../../base/bytes.ts';
import { createAead, SUITE_LIMITS } from '../../../crypto/aead.ts';
import { cryptoReady } from '../../../crypto/ready.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const counter = fc.maxSafeNat();

describe('aead', () => {
  before(() => cryptoReady);

  it('seals as OpenSSL does under the nonce 4 zero bytes, LE64(counter)', () => {
    fc.assert(
      fc.property(key, counter, bytes(64), bytes(1500), (k, n, aad, plaintext) => {
        const nonce = new Uint8Array(12);
        writeU64LE(nonce, 4, n);
        const cipher = createCipheriv('chacha20-poly1305', k, nonce, { authTagLength: 16 });
        cipher.setAAD(aad, { plaintextLength: plaintext.length });
        const expected = concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
        assert.deepEqual(createAead('chacha20-poly1305', k).seal(n, aad, plaintext), expected);
      }),
    );
  });

  it('opens what it sealed and nothing that differs in one bit, one counter or one key', () => {
    fc.assert(
      fc.property(key, counter, bytes(32), bytes(300), fc.nat(), (k, n, aad, plaintext, flip) => {
        const aead = createAead('chacha20-poly1305', k);
        const sealed = aead.seal(n, aad, plaintext);
        assert.deepEqual(aead.open(n, aad, sealed), plaintext);
        assert.equal(aead.open(n, aad, flipBit(sealed, flip)), undefined);
        if (aad.length > 0) assert.equal(aead.open(n, flipBit(aad, flip), sealed), undefined);
        assert.equal(aead.open(n === 0 ? 1 : n - 1, aad, sealed), undefined);
        assert.equal(createAead('chacha20-poly1305', flipBit(k, flip)).open(n, aad, sealed), undefined);
      }),
    );
  });

  it('seals and opens a packet in place, header included', () => {
    const aead = createAead('chacha20-poly1305', new Uint8Array(32).fill(9));
    const packet = new Uint8Array(16 + 100 + 16).map((_, i) => i);
    const plaintext = packet.slice(16, 116);
    const header = packet.subarray(0, 16);
    const expected = aead.seal(5, header, plaintext);
    const run = { bytes: packet, at: 0, length: 132, segment: 132, aadLength: 16 };
    aead.sealRun(5, run);
    assert.deepEqual(packet.slice(16), expected);
    assert.equal(aead.openRun(5, run), 1);
    assert.deepEqual(packet.slice(16, 116), plaintext);
  });

  it('opens a run up to the first packet that is forged, and leaves those behind it as they are', () => {
    const aead = createAead('chacha20-poly1305', new Uint8Array(32).fill(2));
    const bytes = new Uint8Array(40 + 3 * 100 + 50).fill(3);
    const run = { bytes, at: 40, length: 350, segment: 100, aadLength: 20 };
    aead.sealRun(2 ** 32 - 2, run);
    assert.ok(bytes.subarray(0, 40).every((byte) => byte === 3));
    const sealed = bytes.slice();
    bytes[40 + 2 * 100 + 30]! ^= 1;
    assert.equal(aead.openRun(2 ** 32 - 2, run), 2);
    for (const at of [60, 160]) assert.ok(bytes.subarray(at, at + 64).every((byte) => byte === 3));
    assert.deepEqual(bytes.slice(340), sealed.slice(340));
    assert.equal(aead.openRun(2 ** 32 + 1, { ...run, at: 340, length: 50 }), 1);
  });

  it('opens no run that is too short for its tags', () => {
    const aead = createAead('chacha20-poly1305', new Uint8Array(32));
    const bytes = new Uint8Array(200);
    for (const [length, segment] of [
      [0, 10],
      [31, 100],
      [131, 100],
      [300, 100],
      [64, 31],
    ] as const) {
      const run = { bytes, at: 0, length, segment, aadLength: 16 };
      assert.equal(aead.openRun(0, run), 0);
      assert.throws(() => aead.sealRun(0, run));
    }
  });

  it('refuses hostile sizes and counters quietly', () => {
    const aead = createAead('chacha20-poly1305', new Uint8Array(32));
    const aad = new Uint8Array(16);
    for (const length of [0, 1, 15, 16, 200_000]) {
      assert.equal(aead.open(0, aad, new Uint8Array(length)), undefined);
    }
    for (const n of [2 ** 53, 2 ** 64, Number.NaN, 0.5]) {
      assert.equal(aead.open(n, aad, new Uint8Array(40)), undefined);
    }
  });

  it('asserts on a counter that would not be exact', () => {
    const aead = createAead('chacha20-poly1305', new Uint8Array(32));
    for (const n of [2 ** 53, -1, 0.5])
      assert.throws(() => aead.seal(n, new Uint8Array(0), new Uint8Array(0)));
    aead.seal(2 ** 53 - 1, new Uint8Array(0), new Uint8Array(0));
  });

  it('keeps a copy of its key and is of no use once erased', () => {
    const k = new Uint8Array(32).fill(1);
    const aead = createAead('chacha20-poly1305', k);
    const sealed = aead.seal(0, new Uint8Array(0), k);
    k.fill(0);
    assert.deepEqual(aead.seal(0, new Uint8Array(0), new Uint8Array(32).fill(1)), sealed);
    aead.erase();
    assert.equal(aead.open(0, new Uint8Array(0), sealed), undefined);
    const zeroKey = createAead('chacha20-poly1305', new Uint8Array(32));
    const forged = zeroKey.seal(0, new Uint8Array(0), k);
    assert.equal(aead.open(0, new Uint8Array(0), forged), undefined, 'nothing under the wiped key either');
    assert.throws(() => aead.seal(1, new Uint8Array(0), new Uint8Array(0)));
  });

  it('has limits that a counter can hold, the rekey well before the stop', () => {
    for (const limits of Object.values(SUITE_LIMITS)) {
      assert.ok(limits.rekeyAfterMessages * 2 <= limits.stopAfterMessages);
      assert.ok(limits.stopAfterMessages <= 2 ** 53);
      assert.ok(Number.isSafeInteger(limits.maxFailedOpens));
    }
  });
});

function flipBit(input: Uint8Array, bit: number): Uint8Array {
  const out = input.slice();
  const at = bit % (8 * out.length);
  out[at >> 3]! ^= 1 << (at & 7);
  return out;
}
