import assert from 'node:assert/strict';
import fc from 'fast-check';
import { equalBytes, hex } from '../../../../base/bytes.ts';
import { type HashedRecord, SLOTS, signedBytes } from '../../../../gossip/model/record.ts';
import {
  BUCKET_COUNT,
  bucketOf,
  FINGERPRINT_LENGTH,
  RecordStore,
} from '../../../../gossip/records/record-store.ts';
import { CLUSTER_ID, fakeHash, peer, signedRecord } from '../fakes.ts';

const limits = { maxOrigins: 8, maxBytes: 1000 };

function held(origin: number, slot: 0 | 1 | 2, epoch: number, sequence: number, payload = [1]): HashedRecord {
  const record = signedRecord(peer(origin), SLOTS[slot]!, epoch, sequence, Uint8Array.from(payload));
  return { record, hash: fakeHash(signedBytes(CLUSTER_ID, record)) };
}

const anyRecord = fc
  .record({
    origin: fc.nat(4),
    slot: fc.constantFrom(0 as const, 1 as const, 2 as const),
    epoch: fc.nat(2),
    sequence: fc.nat(2),
    payload: fc.array(fc.nat(1), { maxLength: 1 }),
  })
  .map((x) => held(x.origin, x.slot, x.epoch, x.sequence, x.payload));

function storeOf(records: readonly HashedRecord[]): RecordStore {
  const store = new RecordStore(limits);
  for (const record of records) store.put(record);
  return store;
}

describe('record store', () => {
  it('holds the newest of each origin and slot', () => {
    const store = new RecordStore(limits);
    assert.equal(store.put(held(1, 0, 1, 1)), true);
    assert.equal(store.put(held(1, 0, 1, 1)), false);
    assert.equal(store.put(held(1, 0, 1, 2)), true);
    assert.equal(store.put(held(1, 0, 1, 1)), false);
    assert.equal(store.put(held(1, 1, 1, 1)), true);
    assert.equal(store.get(peer(1), 'node')?.record.sequence, 2);
    assert.equal(store.recordCount, 2);
    assert.equal(store.originCount, 1);
  });

  it('ends the same in every order of arrival, with repeats', () => {
    fc.assert(
      fc.property(
        fc
          .array(anyRecord, { maxLength: 20 })
          .chain((records) =>
            fc.tuple(
              fc.constant(records),
              fc.shuffledSubarray([...records, ...records], { minLength: 2 * records.length }),
            ),
          ),
        ([records, shuffled]) => {
          const a = storeOf(records);
          const b = storeOf(shuffled);
          assert.equal(hex(a.root()), hex(b.root()));
          assert.equal(hex(a.buckets()), hex(b.buckets()));
          for (const { record } of a.records()) {
            assert.deepEqual(b.get(record.origin, record.slot)?.record, record);
          }
          assert.equal(a.payloadBytes, b.payloadBytes);
        },
      ),
    );
  });

  it('differs in root, and in exactly the bucket of the origin, when one record differs', () => {
    const records = [held(1, 0, 1, 1), held(2, 0, 1, 1), held(3, 2, 1, 1)];
    const a = storeOf(records);
    const b = storeOf([...records, held(2, 0, 1, 2)]);
    assert.notEqual(hex(a.root()), hex(b.root()));
    const differing = [];
    for (let i = 0; i < BUCKET_COUNT; i++) {
      const from = i * FINGERPRINT_LENGTH;
      const part = (of: RecordStore): Uint8Array => of.buckets().subarray(from, from + FINGERPRINT_LENGTH);
      if (!equalBytes(part(a), part(b))) differing.push(i);
    }
    assert.deepEqual(differing, [bucketOf(peer(2))]);
    assert.deepEqual(
      [...b.bucket(bucketOf(peer(2)))]
        .filter((x) => x.record.origin === peer(2))
        .map((x) => x.record.sequence),
      [2],
    );
  });

  it('says when there is no room for another origin or for more bytes', () => {
    const store = storeOf([0, 1, 2, 3, 4, 5, 6].map((n) => held(n, 0, 1, 1)));
    assert.equal(store.hasOriginFor(held(7, 0, 1, 1).record), true);
    store.put(held(7, 0, 1, 1));
    assert.equal(store.hasOriginFor(held(8, 0, 1, 1).record), false);
    assert.equal(store.hasOriginFor(held(7, 2, 1, 1).record), true);
    const bytes = (count: number): number[] => Array.from({ length: count }, () => 0);
    assert.equal(store.hasBytesFor(held(7, 0, 1, 2, bytes(993)).record), true);
    assert.equal(store.hasBytesFor(held(7, 0, 1, 2, bytes(994)).record), false);
  });

  it('evicts an origin whole, and never one with a ring record', () => {
    const before = storeOf([held(1, 0, 1, 1)]);
    const store = storeOf([
      held(1, 0, 1, 1),
      held(2, 0, 1, 1),
      held(2, 2, 1, 1),
      held(3, 0, 1, 1),
      held(3, 1, 1, 1),
    ]);
    assert.deepEqual(store.evict(peer(3)), []);
    assert.deepEqual(store.evict(peer(9)), []);
    assert.ok(store.get(peer(3), 'ring'));
    assert.deepEqual(store.evict(peer(2)), ['node', 'paxos']);
    assert.equal(store.get(peer(2), 'node'), undefined);
    assert.equal(store.originCount, 2);
    assert.equal(store.payloadBytes, 3);
    const again = storeOf([held(3, 0, 1, 1), held(3, 1, 1, 1)]);
    for (const record of before.records()) again.put(record);
    assert.equal(hex(store.root()), hex(again.root()));
  });
});
