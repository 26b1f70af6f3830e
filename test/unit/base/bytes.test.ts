import { deepEqual, equal } from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import * as bytes from '../../../base/bytes.ts';

const someBytes = fc.uint8Array({ maxLength: 40 });

describe('hex', () => {
  it('agrees with Node and reads back in either case', () => {
    fc.assert(
      fc.property(someBytes, (value) => {
        const text = bytes.hex(value);
        equal(text, Buffer.from(value).toString('hex'));
        deepEqual(bytes.fromHex(text), value);
        deepEqual(bytes.fromHex(text.toUpperCase()), value);
      }),
    );
  });

  for (const text of ['a', 'abc', 'zz', '0x', ' 00', '00 ', '0٠']) {
    it(`does not read '${text}'`, () => equal(bytes.fromHex(text), undefined));
  }
});

describe('utf8', () => {
  it('reads back whatever is well-formed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => equal(bytes.utf8Text(bytes.utf8(text)), text)),
    );
  });

  for (const wrong of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80]]) {
    it(`refuses ${bytes.hex(Uint8Array.from(wrong))}`, () =>
      equal(bytes.utf8Text(Uint8Array.from(wrong)), undefined));
  }
});

describe('concat, equalBytes and compareBytes', () => {
  it('agree with Node', () => {
    fc.assert(
      fc.property(fc.array(someBytes), someBytes, someBytes, (parts, a, b) => {
        deepEqual(bytes.concat(...parts), new Uint8Array(Buffer.concat(parts)));
        equal(bytes.equalBytes(a, b), Buffer.compare(a, b) === 0);
        equal(Math.sign(bytes.compareBytes(a, b)), Buffer.compare(a, b));
        equal(bytes.equalBytes(a, a.slice()), true);
      }),
    );
  });

  it('sees every difference of one bit', () => {
    const a = new Uint8Array(16);
    for (let bit = 0; bit < 128; bit++) {
      const b = a.slice();
      b[bit >> 3]! ^= 1 << (bit & 7);
      equal(bytes.equalBytes(a, b), false);
    }
  });
});

describe('integers', () => {
  const kinds = [
    ['U16LE', 2 ** 16, bytes.writeU16LE, bytes.readU16LE, 2, true],
    ['U16BE', 2 ** 16, bytes.writeU16BE, bytes.readU16BE, 2, false],
    ['U32LE', 2 ** 32, bytes.writeU32LE, bytes.readU32LE, 4, true],
    ['U32BE', 2 ** 32, bytes.writeU32BE, bytes.readU32BE, 4, false],
    ['U64LE', Number.MAX_SAFE_INTEGER, bytes.writeU64LE, bytes.readU64LE, 8, true],
  ] as const;
  for (const [name, bound, write, read, width, little] of kinds) {
    it(`${name} is written as DataView does, touches nothing else, and reads back`, () => {
      const value = fc.oneof(
        fc.maxSafeNat().map((n) => n % bound),
        fc.constantFrom(
          0,
          1,
          0x7f,
          0x80,
          0xff,
          0x7fff,
          0x8000,
          0xffff,
          0x7fffffff,
          0x80000000,
          0xffffffff,
          bound - 1,
        ),
      );
      fc.assert(
        fc.property(value, fc.nat({ max: 8 }), fc.nat({ max: 255 }), (given, at, filler) => {
          const fits = given % bound;
          const out = new Uint8Array(20).fill(filler);
          const expected = out.slice();
          const view = new DataView(expected.buffer);
          if (width === 2) view.setUint16(at, fits, little);
          else if (width === 4) view.setUint32(at, fits, little);
          else view.setBigUint64(at, BigInt(fits), little);
          write(out, at, fits);
          deepEqual(out, expected);
          equal(read(out, at), fits);
        }),
      );
    });
  }
});
