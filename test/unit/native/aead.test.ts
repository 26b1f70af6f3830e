import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { concat } from '../../../base/bytes.ts';
import { Aead } from '../../../crypto/aead.ts';
import { ChaChaEngine } from '../../../crypto/chacha-engine.ts';
import { knownAnswerFault } from '../../../crypto/known-answer-fault.ts';
import { cryptoReady } from '../../../crypto/ready.ts';
import type { Suite } from '../../../crypto/suite.ts';
import { addon } from '../../../native/addon.ts';
import { NativeAead, nativeCipherFault } from '../../../native/aead.ts';

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const key = bytes(32, 32);
const nonce = bytes(12, 12);
/** Lengths around the blocks of both ciphers, those of packets, and the longest that a tunnel has. */
const length = fc.oneof(
  fc.nat({ max: 300 }),
  fc.integer({ min: 1200, max: 1500 }),
  fc.integer({ min: 65_000, max: 65_535 }),
);
const SUITES = (['aes-256-gcm', 'chacha20-poly1305'] as const).filter(
  (suite) => nativeCipherFault(suite) === undefined,
);

function sealedByNode(
  suite: Suite,
  k: Uint8Array,
  n: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv(suite as 'chacha20-poly1305', k, n, { authTagLength: 16 });
  cipher.setAAD(aad, { plaintextLength: text.length });
  return concat(cipher.update(text), cipher.final(), cipher.getAuthTag());
}

describe('keys in native memory', () => {
  before(() => cryptoReady);

  it('has both suites under this Node, or says why not', () => {
    const { openssl, aesHardware } = addon().aeadSupport();
    assert.equal(openssl, true);
    assert.deepEqual(SUITES, aesHardware ? ['aes-256-gcm', 'chacha20-poly1305'] : ['chacha20-poly1305']);
  });

  for (const suite of SUITES) {
    const aeadOf = (k: Uint8Array): Aead => new Aead(suite, new NativeAead(suite, k));

    it(`${suite}: gives the known answers`, () => {
      assert.equal(knownAnswerFault(suite, aeadOf), undefined);
    });

    it(`${suite}: seals as node:crypto does, at every length, and opens it again`, () => {
      fc.assert(
        fc.property(key, nonce, bytes(0, 64), length, fc.nat(255), (k, n, aad, size, fill) => {
          const text = new Uint8Array(size).map((_, i) => fill ^ (i * 31));
          const aead = aeadOf(k);
          const sealed = aead.seal(n, aad, text);
          assert.ok(Buffer.from(sealed).equals(sealedByNode(suite, k, n, aad, text)));
          assert.ok(Buffer.from(aead.open(n, aad, sealed)!).equals(text));
          aead.erase();
        }),
      );
    });

    it(`${suite}: opens nothing that differs in a bit, and wipes what it cannot open`, () => {
      fc.assert(
        fc.property(key, nonce, bytes(1, 32), bytes(1, 300), fc.nat(), (k, n, aad, text, at) => {
          const engine = new NativeAead(suite, k);
          const packet = concat(aad, text, new Uint8Array(16));
          const run = {
            bytes: packet,
            at: 0,
            length: packet.length,
            segment: packet.length,
            aadLength: aad.length,
          };
          engine.sealRun(n, run);
          packet[at % packet.length]! ^= 1 << (at & 7);
          const clear = packet.slice(0, aad.length);
          const tag = packet.slice(aad.length + text.length);
          assert.equal(engine.openRun(n, run), 0);
          assert.deepEqual(packet, concat(clear, new Uint8Array(text.length), tag));
          engine.close();
        }),
      );
    });

    it(`${suite}: handles the packets of a run as each alone, up to the first that is forged`, () => {
      const shape = fc.record({
        at: fc.nat(40),
        aadLength: fc.nat(40),
        text: fc.integer({ min: 0, max: 200 }),
        last: fc.nat(200),
        count: fc.integer({ min: 1, max: 70 }),
        first: fc.oneof(fc.nat(300), fc.constantFrom(2 ** 32 - 3, 2 ** 53 - 71)),
        forged: fc.nat(80),
      });
      fc.assert(
        fc.property(key, shape, (k, { at, aadLength, text, last, count, first, forged }) => {
          const segment = aadLength + text + 16;
          const total = (count - 1) * segment + aadLength + Math.min(last, text) + 16;
          const plain = new Uint8Array(at + total + 9).map((_, i) => i * 7);
          const run = { bytes: plain.slice(), at, length: total, segment, aadLength };
          const aead = aeadOf(k);
          aead.sealRun(first, run);
          const expected = plain.slice();
          for (let i = 0; i < count; i++) {
            const begin = at + i * segment;
            const end = Math.min(begin + segment, at + total);
            const clear = plain.slice(begin, begin + aadLength);
            expected.set(
              aead.seal(first + i, clear, plain.slice(begin + aadLength, end - 16)),
              begin + aadLength,
            );
          }
          assert.deepEqual(run.bytes, expected);
          if (forged < count) run.bytes[at + forged * segment + aadLength]! ^= 0x40;
          const opened = aead.openRun(first, run);
          assert.equal(opened, Math.min(forged, count));
          for (let i = 0; i < opened; i++) {
            const begin = at + i * segment;
            const end = Math.min(begin + segment, at + total) - 16;
            assert.deepEqual(run.bytes.slice(begin, end), plain.slice(begin, end));
          }
          const behind = at + Math.min(opened + 1, count) * segment;
          assert.deepEqual(run.bytes.slice(behind), expected.slice(behind));
          aead.erase();
        }),
        { numRuns: 60 },
      );
    });

    it(`${suite}: throws on what is no run, whatever the numbers`, () => {
      const engine = new NativeAead(suite, new Uint8Array(32));
      const packet = new Uint8Array(100);
      const usual = { bytes: packet, at: 0, length: 100, segment: 50, aadLength: 16 };
      const numbers = [
        -1,
        0,
        1,
        15,
        31,
        32,
        99,
        100,
        101,
        2 ** 31,
        2 ** 32,
        2 ** 53,
        1.5,
        Number.NaN,
        Infinity,
      ];
      for (const name of ['at', 'length', 'segment', 'aadLength'] as const) {
        for (const value of numbers) {
          const run = { ...usual, [name]: value };
          const { at, length: all, segment, aadLength } = run;
          const whole = [at, all, segment, aadLength].every(
            (each) => Number.isSafeInteger(each) && each >= 0 && each < 2 ** 31,
          );
          const smallest = Math.min(segment, all % segment || segment);
          const sound =
            whole && segment > 0 && all > 0 && at + all <= 100 && Math.min(smallest, all) >= aadLength + 16;
          const seal = (): void => engine.sealRun(new Uint8Array(12), run);
          const open = (): number => engine.openRun(new Uint8Array(12), run);
          if (sound) seal();
          else assert.throws(seal, `${name} ${value}`);
          if (sound) open();
          else assert.throws(open, `${name} ${value}`);
        }
      }
      for (const length of [0, 11, 13]) assert.throws(() => engine.sealRun(new Uint8Array(length), usual));
      assert.throws(() => engine.sealRun(new Uint8Array(12), { ...usual, bytes: 'text' as never }));
      engine.close();
    });

    it(`${suite}: is of no use once closed, however often`, () => {
      const engine = new NativeAead(suite, new Uint8Array(32));
      const run = { bytes: new Uint8Array(64), at: 0, length: 64, segment: 64, aadLength: 16 };
      engine.close();
      engine.close();
      assert.throws(() => engine.sealRun(new Uint8Array(12), run), /closed/);
      assert.throws(() => engine.openRun(new Uint8Array(12), run), /closed/);
    });

    it(`${suite}: takes keys of 32 bytes alone, and no other handle for one`, () => {
      for (const length of [0, 16, 31, 33])
        assert.throws(() => new NativeAead(suite, new Uint8Array(length)));
      const { aeadClose, aeadOpen } = addon();
      for (const wrong of [undefined, {}, 1, aeadOpen])
        assert.throws(() => aeadClose(wrong as never), TypeError);
      for (const cipher of [-1, 2, 0.5])
        assert.throws(() => aeadOpen(cipher as 0, new Uint8Array(32)), TypeError);
    });
  }

  it('chacha20-poly1305: agrees with libsodium, packet by packet of a run', () => {
    fc.assert(
      fc.property(
        key,
        bytes(48, 3000),
        fc.integer({ min: 48, max: 700 }),
        fc.nat(),
        (k, plain, segment, n) => {
          const tail = plain.length % segment;
          const total = plain.length - (tail > 0 && tail < 48 ? tail : 0);
          if (total === 0) return;
          const [ours, theirs] = [plain.slice(0, total), plain.slice(0, total)];
          const run = { at: 0, length: total, segment: Math.min(segment, total), aadLength: 16 };
          const native = new Aead('chacha20-poly1305', new NativeAead('chacha20-poly1305', k));
          const sodium = new Aead('chacha20-poly1305', new ChaChaEngine(k));
          native.sealRun(n, { ...run, bytes: ours });
          sodium.sealRun(n, { ...run, bytes: theirs });
          assert.deepEqual(ours, theirs);
          assert.equal(native.openRun(n, { ...run, bytes: theirs }), Math.ceil(total / run.segment));
          assert.equal(sodium.openRun(n, { ...run, bytes: ours }), Math.ceil(total / run.segment));
          assert.deepEqual(ours, theirs);
        },
      ),
    );
  });
});
