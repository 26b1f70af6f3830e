import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concat, hex } from '../../../../base/bytes.ts';
import { FrameReader, frame } from '../../../../router/link/frame-reader.ts';

/** Cuts `bytes` at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

function readAll(reader: FrameReader, chunk: Uint8Array): Uint8Array[] {
  const out: Uint8Array[] = [];
  reader.push(chunk);
  for (let body = reader.next(); body !== undefined; body = reader.next()) {
    assert.ok(body !== 'too-long');
    out.push(body.slice());
  }
  return out;
}

describe('frame reader', () => {
  it('gives the frames that were written, however the stream is cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 1500 }), { maxLength: 12 });
    fc.assert(
      fc.property(bodies, fc.array(fc.nat(), { maxLength: 30 }), (written, places) => {
        const stream = concat(...written.map(frame));
        const reader = new FrameReader(1500);
        const read = cut(stream, places).flatMap((chunk) => readAll(reader, chunk));
        assert.deepEqual(read.map(hex), written.map(hex));
        assert.equal(reader.pendingBytes, 0);
      }),
    );
  });

  it('gives the frames byte by byte', () => {
    const reader = new FrameReader(5000);
    const body = new Uint8Array(3000).map((_, i) => i);
    const read = [...frame(body)].flatMap((byte) => readAll(reader, Uint8Array.of(byte)));
    assert.deepEqual(read, [body]);
  });

  it('takes a frame of just its bound, cut or whole', () => {
    const body = new Uint8Array(3000).fill(7);
    for (const places of [[], [1], [2], [700], [3001]]) {
      const reader = new FrameReader(3000);
      const chunks = cut(frame(body), places);
      assert.deepEqual(
        chunks.flatMap((chunk) => readAll(reader, chunk)),
        [body],
      );
    }
  });

  it('refuses an announcement beyond its bound at once and for ever, cut or whole', () => {
    for (const chunks of [[[0xe9, 0x03]], [[0xe9], [0x03]], [[0xe9, 0x03, 1, 2, 3]]]) {
      const reader = new FrameReader(1000);
      let last: Uint8Array | 'too-long' | undefined;
      for (const chunk of chunks) {
        reader.push(Uint8Array.from(chunk));
        last = reader.next();
      }
      assert.equal(last, 'too-long');
      for (let i = 0; i < 3; i++) {
        reader.push(frame(Uint8Array.of(1)));
        assert.equal(reader.next(), 'too-long');
      }
      assert.equal(reader.takeRest().length, 0);
    }
  });

  it('hands on what lies behind the last frame, in one piece', () => {
    const reader = new FrameReader(1000);
    const stream = concat(frame(Uint8Array.of(1)), frame(Uint8Array.of(2, 3)), Uint8Array.of(9));
    reader.push(stream);
    assert.deepEqual(reader.next(), Uint8Array.of(1));
    assert.deepEqual(reader.takeRest(), Uint8Array.of(2, 0, 2, 3, 9));
    assert.equal(reader.next(), undefined);
    reader.push(Uint8Array.of(4));
    assert.equal(reader.next(), undefined);
    assert.deepEqual(reader.takeRest(), Uint8Array.of(4));
  });

  it('holds no more than has arrived of one frame', () => {
    const reader = new FrameReader(65_535);
    reader.push(Uint8Array.of(0xff, 0xff, 1, 2, 3));
    assert.equal(reader.next(), undefined);
    assert.equal(reader.pendingBytes, 5);
  });
});
