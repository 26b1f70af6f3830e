import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concat } from '../../../../base/bytes.ts';
import type { Endpoint } from '../../../../base/endpoint.ts';
import { encodeMsgpack } from '../../../../gossip/model/msgpack.ts';
import { MAX_EPOCH, MAX_PAYLOAD_LENGTH, MAX_SEQUENCE } from '../../../../gossip/model/record.ts';
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  MAX_FRAME_LENGTH,
  MAX_VERSION_ENTRIES,
  splitRecords,
} from '../../../../gossip/records/frame.ts';
import { peer, signedRecord } from '../fakes.ts';

const record = signedRecord(peer(1), 'node', 3, MAX_SEQUENCE, Uint8Array.of(1, 2, 3));
const entry = {
  origin: peer(2),
  slot: 'paxos' as const,
  epoch: MAX_EPOCH,
  sequence: 7,
  fingerprint: new Uint8Array(8).fill(9),
};
const frames: readonly Frame[] = [
  { kind: 'records', records: [{ record, state: 'suspect' }] },
  { kind: 'records', records: [] },
  { kind: 'digest', root: new Uint8Array(8).fill(1) },
  { kind: 'buckets', fingerprints: new Uint8Array(512).fill(2) },
  { kind: 'versions', buckets: [0, 63], entries: [entry] },
  { kind: 'want', wanted: [{ origin: peer(3), slot: 'ring' }] },
  {
    kind: 'rumours',
    rumours: [
      { subject: peer(4), state: 'dead', accuser: '0123456789abcdef', version: { epoch: 5, sequence: 6 } },
    ],
  },
  { kind: 'redirect', endpoints: ['192.0.2.1:6783', '[2001:db8::1]:6783'] as Endpoint[] },
  { kind: 'keepalive' },
  { kind: 'message', bytes: Uint8Array.of(1, 2, 3) },
];

const raw = (kind: number, body: unknown): Uint8Array => concat(Uint8Array.of(1, kind), encodeMsgpack(body));
const entryOf = (change: Partial<typeof entry>): Uint8Array =>
  encodeFrame({ kind: 'versions', buckets: [], entries: [{ ...entry, ...change }] });
const bin = (length: number): Uint8Array => new Uint8Array(length);
const good = [bin(32), 1, 1, 1, bin(3), bin(64), 0];
const withField = (at: number, value: unknown): unknown[] =>
  good.map((field, i) => (i === at ? value : field));

describe('gossip frames', () => {
  for (const frame of frames) {
    it(`survive encoding: ${frame.kind}`, () => {
      assert.deepEqual(decodeFrame(encodeFrame(frame)), { ok: true, value: frame });
    });
  }

  it('carry the largest ring record in one frame', () => {
    const large = signedRecord(peer(1), 'ring', 0, MAX_PAYLOAD_LENGTH.ring, bin(MAX_PAYLOAD_LENGTH.ring));
    const bytes = encodeFrame({ kind: 'records', records: [{ record: large, state: 'alive' }] });
    assert.ok(bytes.length <= MAX_FRAME_LENGTH, `${bytes.length}`);
    assert.equal(decodeFrame(bytes).ok, true);
  });

  it('split a record set so that every frame fits, in order and complete', () => {
    const shared = Array.from({ length: 500 }, (_, i) => ({
      record: signedRecord(peer(i), 'node', 1, i, bin((i * 37) % 8192)),
      state: 'unknown' as const,
    }));
    const groups = splitRecords(shared);
    for (const group of groups) {
      assert.ok(encodeFrame({ kind: 'records', records: group }).length <= MAX_FRAME_LENGTH);
    }
    assert.deepEqual(groups.flat(), shared);
    assert.ok(groups.length < 45);
  });

  it('carry the longest list of versions', () => {
    const entries = Array.from({ length: MAX_VERSION_ENTRIES }, () => entry);
    const bytes = encodeFrame({
      kind: 'versions',
      buckets: Array.from({ length: 64 }, (_, i) => i),
      entries,
    });
    assert.ok(bytes.length <= MAX_FRAME_LENGTH);
    assert.equal(decodeFrame(bytes).ok, true);
  });

  it('are skipped where version or kind is of the future', () => {
    assert.deepEqual(decodeFrame(Uint8Array.of(2, 1, 0xc0)), { ok: false, reason: 'unknown' });
    assert.deepEqual(decodeFrame(Uint8Array.of(1, 99, 0xc0)), { ok: false, reason: 'unknown' });
  });

  it('skip records of slots they do not know, and keep the others', () => {
    const decoded = decodeFrame(raw(1, [withField(1, 77), good]));
    assert.ok(decoded.ok && decoded.value.kind === 'records');
    assert.equal(decoded.value.records.length, 1);
  });

  it('are refused by length before anything is read', () => {
    assert.deepEqual(decodeFrame(bin(MAX_FRAME_LENGTH + 1)), { ok: false, reason: 'oversized' });
  });

  for (const [what, bytes] of [
    ['nothing', bin(0)],
    ['no body', Uint8Array.of(1, 8)],
    ['records that are no list', raw(1, 5)],
    ['a record of six fields', raw(1, [good.slice(0, 6)])],
    ['a short origin', raw(1, [withField(0, bin(31))])],
    ['an origin of text', raw(1, [withField(0, 'a'.repeat(32))])],
    ['a negative epoch', raw(1, [withField(2, -1)])],
    ['an epoch that is not a number', raw(1, [withField(2, Number.NaN)])],
    ['a sequence beyond the bound', raw(1, [withField(3, MAX_SEQUENCE + 1)])],
    ['a payload too long for its slot', raw(1, [withField(4, bin(MAX_PAYLOAD_LENGTH.node + 1))])],
    ['a signature of 65 bytes', raw(1, [withField(5, bin(65))])],
    ['a digest of 9 bytes', raw(2, bin(9))],
    ['buckets of 511 bytes', raw(3, bin(511))],
    ['a bucket number of 64', raw(4, [Uint8Array.of(64), bin(0)])],
    ['half a version entry', raw(4, [bin(0), bin(56)])],
    ['a version beyond the bound', entryOf({ epoch: MAX_EPOCH + 1 })],
    ['too many versions', raw(4, [bin(0), bin(57 * 1001)])],
    ['half a wanted record', raw(5, bin(34))],
    ['half a rumour', raw(6, bin(58))],
    [
      'nine redirects',
      raw(
        7,
        Array.from({ length: 9 }, () => '192.0.2.1:1'),
      ),
    ],
    ['a redirect that is no endpoint', raw(7, ['example.org:6783'])],
    ['a redirect to port 0', raw(7, ['192.0.2.1:0'])],
  ] as const) {
    it(`are refused with ${what}`, () => {
      assert.deepEqual(decodeFrame(bytes), { ok: false, reason: 'malformed' });
    });
  }

  it('never throw out of the decoder: cut, changed and random bytes', () => {
    const valid = frames.map(encodeFrame);
    fc.assert(
      fc.property(
        fc.constantFrom(...valid),
        fc.nat(600),
        fc.nat(255),
        fc.uint8Array(),
        (bytes, at, value, tail) => {
          const changed = bytes.slice();
          if (at < changed.length) changed[at] = value;
          decodeFrame(changed);
          decodeFrame(bytes.subarray(0, at));
          decodeFrame(concat(bytes.subarray(0, 2), tail));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('do not keep the whole frame alive for one record', () => {
    const decoded = decodeFrame(encodeFrame(frames[0]!));
    assert.ok(decoded.ok && decoded.value.kind === 'records');
    const kept = decoded.value.records[0]!.record;
    assert.equal(kept.payload.buffer.byteLength, 3);
    assert.equal(kept.signature.buffer.byteLength, 64);
  });
});
