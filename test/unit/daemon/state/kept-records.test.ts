import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { peerIdFromBytes } from '../../../../base/peer-id.ts';
import { KeptRecords } from '../../../../daemon/state/kept-records.ts';
import {
  logVersion,
  MAX_EPOCH,
  MAX_SEQUENCE,
  type SignedRecord,
  SLOTS,
} from '../../../../gossip/model/record.ts';
import { MemoryStore } from '../../ipam/memory-store.ts';

const someRecord: fc.Arbitrary<SignedRecord> = fc
  .record(
    {
      // Few origins, so that records replace each other.
      origin: fc.nat({ max: 3 }).map((n) => peerIdFromBytes(new Uint8Array(32).fill(n))),
      slot: fc.constantFrom(...SLOTS),
      epoch: fc.nat({ max: MAX_EPOCH }),
      sequence: fc.nat({ max: MAX_SEQUENCE }),
      payload: fc.uint8Array({ maxLength: 50 }),
      signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
    },
    { noNullPrototype: true },
  )
  .map((record) => (record.slot === 'ring' ? { ...record, ...logVersion(record.payload) } : record));

const sorted = (records: Iterable<SignedRecord>): SignedRecord[] =>
  [...records].sort((a, b) => (a.origin + a.slot < b.origin + b.slot ? -1 : 1));

describe('KeptRecords', () => {
  it('keeps the last record of each origin and slot, as a map would', () => {
    const step = fc.record({ record: someRecord, remove: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const records = new KeptRecords(new MemoryStore());
        const model = new Map<string, SignedRecord>();
        for (const { record, remove } of steps) {
          if (remove) records.remove(record);
          else records.put(record);
          if (remove) model.delete(`${record.origin}/${record.slot}`);
          else model.set(`${record.origin}/${record.slot}`, record);
        }
        deepEqual(sorted(records.all()), sorted(model.values()));
      }),
    );
  });

  it('leaves out what is damaged, and what is not its own', () => {
    const backing = new MemoryStore();
    const records = new KeptRecords(backing);
    const [record] = fc.sample(someRecord, 1);
    records.put(record!);
    const [[key, value]] = [...backing.entries('record/')] as [[string, Uint8Array]];
    const others = [
      'record/ab/node',
      `record/${'a'.repeat(64)}/else`,
      `${key}/more`,
      `record/${'b'.repeat(64)}`,
    ];
    for (const other of others) backing.put(other, value);
    backing.put('alloc/a/eth0', value);
    deepEqual(records.all(), [record]);
    for (const damaged of [new Uint8Array(), value.slice(0, 80), Uint8Array.of(2, ...value.slice(1))]) {
      backing.put(key, damaged);
      equal(records.all().length, 0);
    }
    // A counter beyond what a record may hold.
    backing.put(
      key,
      Uint8Array.from(value, (byte, i) => (i >= 1 && i < 9 ? 0xff : byte)),
    );
    equal(records.all().length, 0);
  });
});
