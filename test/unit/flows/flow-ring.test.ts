import { deepEqual, equal } from 'node:assert/strict';
import type { FlowRecord } from '../../../flows/flow.ts';
import { FlowRing } from '../../../flows/flow-ring.ts';

function record(atMs: number): FlowRecord {
  return { kind: 'repaired', atMs, found: 0, gone: 0 };
}

function times(records: readonly FlowRecord[]): number[] {
  return records.map(({ atMs }) => atMs);
}

describe('the ring of flows', () => {
  it('gives each reader what came after its number, at its own pace', () => {
    const ring = new FlowRing(10);
    for (let i = 0; i < 5; i++) ring.push(record(i));
    const first = ring.read(1, 2);
    deepEqual([times(first.records), first.next, first.lost], [[1, 2], 3, 0]);
    const second = ring.read(first.next, 10);
    deepEqual([times(second.records), second.next], [[3, 4], 5]);
    deepEqual(ring.read(5, 10), { records: [], next: 5, lost: 0 });
  });

  it('tells a reader that is slower than it turns how many it lost', () => {
    const ring = new FlowRing(4);
    for (let i = 0; i < 10; i++) ring.push(record(i));
    const slice = ring.read(2, 2);
    deepEqual([times(slice.records), slice.next, slice.lost], [[6, 7], 8, 4]);
  });

  it('forgets all where it is cleared, and goes on counting', () => {
    const ring = new FlowRing(4);
    for (let i = 0; i < 3; i++) ring.push(record(i));
    ring.clear();
    equal(ring.next, 3);
    deepEqual(ring.read(1, 10), { records: [], next: 3, lost: 2 });
    ring.push(record(9));
    deepEqual(times(ring.read(0, 10).records), [9]);
  });

  it('takes a number that it never gave for the next one', () => {
    deepEqual(new FlowRing(4).read(99, 10), { records: [], next: 0, lost: 0 });
  });
});
