import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeMsgpack, encodeMsgpack, isPlainMsgpack } from '../../../../gossip/model/msgpack.ts';

const bounds = { maxDepth: 3, maxValues: 64 };
const plain = (...bytes: number[]): boolean => isPlainMsgpack(Uint8Array.from(bytes), bounds);

describe('msgpack for hostile input', () => {
  it('reads back what it wrote', () => {
    const value = { a: 1, list: [true, null, 'text', -5, 2 ** 40], bin: Uint8Array.of(1, 2, 3) };
    const back = decodeMsgpack(encodeMsgpack(value), bounds)?.value as typeof value;
    assert.equal(back.a, 1);
    assert.deepEqual(back.list, value.list);
    assert.deepEqual(new Uint8Array(back.bin), value.bin);
  });

  for (const [what, bytes] of [
    ['no bytes at all', []],
    ['a second value behind the first', [0x01, 0x02]],
    ['the reserved byte', [0xc1]],
    ['a fixed extension (records)', [0xd4, 0x72, 0x40]],
    ['a sized extension', [0xc7, 0x01, 0x05, 0x00]],
    ['a truncated string', [0xa3, 0x61]],
    ['a truncated length', [0xda, 0x01]],
    ['an array that promises 4 billion values', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['a map that promises 2 billion entries', [0xdf, 0x7f, 0xff, 0xff, 0xff]],
    ['a byte string longer than the input', [0xc6, 0xff, 0xff, 0xff, 0xff, 0x00]],
    ['a map with a number as key', [0x81, 0x01, 0x01]],
    ['a map without the last value', [0x81, 0xa1, 0x61]],
    ['depth 4 where 3 are permitted', [0x91, 0x91, 0x91, 0x91, 0x01]],
    ['a key of invalid UTF-8', [0x81, 0xa1, 0xff, 0x01]],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.equal(plain(...bytes), false);
      assert.equal(decodeMsgpack(Uint8Array.from(bytes), bounds), undefined);
    });
  }

  it('takes the greatest depth permitted', () => {
    assert.equal(plain(0x91, 0x91, 0x91, 0x01), true);
  });

  it('refuses more values than permitted', () => {
    const of = (count: number): Uint8Array => encodeMsgpack(Array.from({ length: count }, () => 1));
    assert.equal(isPlainMsgpack(of(63), bounds), true);
    assert.equal(isPlainMsgpack(of(64), bounds), false);
  });

  it('refuses keys of the prototype chain', () => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      const bytes = Uint8Array.from([0x81, 0xa0 | key.length, ...Buffer.from(key), 0x80]);
      assert.equal(decodeMsgpack(bytes, bounds), undefined, key);
    }
  });

  it('never throws, and never lets through what it would not re-encode', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const decoded = decodeMsgpack(bytes, bounds);
        if (decoded) assert.ok(decodeMsgpack(encodeMsgpack(decoded.value), { maxDepth: 3, maxValues: 64 }));
      }),
      { numRuns: 2000 },
    );
  });
});
