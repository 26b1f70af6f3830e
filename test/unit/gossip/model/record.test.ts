import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hex, utf8 } from '../../../../base/bytes.ts';
import {
  compareRecords,
  type HashedRecord,
  isEquivocation,
  isWellFormedRecord,
  MAX_EPOCH,
  MAX_PAYLOAD_LENGTH,
  MAX_SEQUENCE,
  recordKey,
  type SignedRecord,
  signedBytes,
  splitRecordKey,
} from '../../../../gossip/model/record.ts';
import { CLUSTER_ID, fakeHash, peer, signedRecord } from '../fakes.ts';

const record = signedRecord(peer(1), 'paxos', 2, 3, Uint8Array.of(0xaa, 0xbb));
const hashed = (of: SignedRecord): HashedRecord => ({
  record: of,
  hash: fakeHash(signedBytes(CLUSTER_ID, of)),
});

describe('signed records', () => {
  it('sign exactly the documented bytes', () => {
    const expected = [
      hex(utf8('weft record v1')),
      'c1'.repeat(16),
      peer(1),
      '03',
      '0200000000000000',
      '0300000000000000',
      'aabb',
    ].join('');
    assert.equal(hex(signedBytes(CLUSTER_ID, record)), expected);
  });

  it('sign different bytes when any field differs', () => {
    const base = hex(signedBytes(CLUSTER_ID, record));
    for (const change of [
      { origin: peer(2) },
      { slot: 'node' as const },
      { epoch: 3 },
      { sequence: 4 },
      { payload: Uint8Array.of(0xaa) },
    ]) {
      assert.notEqual(hex(signedBytes(CLUSTER_ID, { ...record, ...change })), base);
    }
    assert.notEqual(hex(signedBytes(new Uint8Array(16), record)), base);
  });

  for (const [what, change, expected] of [
    ['a record as it should be', {}, true],
    ['the greatest version', { epoch: MAX_EPOCH, sequence: MAX_SEQUENCE }, true],
    ['an epoch above the greatest', { epoch: MAX_EPOCH + 1 }, false],
    ['a sequence above the greatest', { sequence: MAX_SEQUENCE + 1 }, false],
    ['a negative sequence', { sequence: -1 }, false],
    ['a fractional epoch', { epoch: 0.5 }, false],
    ['an epoch that is no number', { epoch: Number.NaN }, false],
    ['an origin in upper case', { origin: peer(1).toUpperCase() as typeof record.origin }, false],
    ['a short signature', { signature: new Uint8Array(63) }, false],
    ['the longest payload', { payload: new Uint8Array(MAX_PAYLOAD_LENGTH.paxos) }, true],
    ['a payload one byte longer', { payload: new Uint8Array(MAX_PAYLOAD_LENGTH.paxos + 1) }, false],
  ] as const) {
    it(`${expected ? 'accept' : 'refuse'} ${what}`, () => {
      assert.equal(isWellFormedRecord({ ...record, ...change }), expected);
    });
  }

  it('of a log have its length as their version, whichever start signed them', () => {
    const payload = new Uint8Array(7);
    for (const [epoch, sequence, expected] of [
      [0, 7, true],
      [1, 7, false],
      [0, 8, false],
      [0, 6, false],
    ] as const)
      assert.equal(isWellFormedRecord(signedRecord(peer(1), 'ring', epoch, sequence, payload)), expected);
  });

  it('win by epoch first, then by sequence', () => {
    const at = (epoch: number, sequence: number): HashedRecord =>
      hashed(signedRecord(peer(1), 'node', epoch, sequence, new Uint8Array(1)));
    assert.ok(compareRecords(at(2, 0), at(1, 9)) > 0);
    assert.ok(compareRecords(at(1, 9), at(1, 10)) < 0);
    assert.equal(compareRecords(at(1, 9), at(1, 9)), 0);
  });

  it('are in a total order that both sides compute alike, also when the origin equivocates', () => {
    const any = fc
      .record({ epoch: fc.nat(2), sequence: fc.nat(2), payload: fc.uint8Array({ maxLength: 1 }) })
      .map((x) => hashed(signedRecord(peer(1), 'node', x.epoch, x.sequence, x.payload)));
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        assert.equal(Math.sign(compareRecords(a, b)) + Math.sign(compareRecords(b, a)), 0);
        if (compareRecords(a, b) >= 0 && compareRecords(b, c) >= 0) assert.ok(compareRecords(a, c) >= 0);
        const same = hex(signedBytes(CLUSTER_ID, a.record)) === hex(signedBytes(CLUSTER_ID, b.record));
        assert.equal(compareRecords(a, b) === 0, same);
      }),
    );
  });

  it('prove equivocation by two payloads under one version', () => {
    assert.equal(isEquivocation(record, { ...record, payload: Uint8Array.of(1) }), true);
    assert.equal(isEquivocation(record, { ...record, signature: new Uint8Array(64) }), false);
    assert.equal(isEquivocation(record, { ...record, sequence: 9, payload: Uint8Array.of(1) }), false);
    assert.equal(isEquivocation(record, { ...record, slot: 'node', payload: Uint8Array.of(1) }), false);
  });

  it('have keys that split into their parts again', () => {
    assert.deepEqual(splitRecordKey(recordKey(peer(3), 'paxos')), { origin: peer(3), slot: 'paxos' });
  });
});
