import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Allocator } from '../../../../ipam/allocation/allocator.ts';
import { donatedBlock } from '../../../../ipam/allocation/donated-block.ts';
import { FreeSpace } from '../../../../ipam/allocation/free-space.ts';
import { MemoryStore } from '../memory-store.ts';
import { cidr, V4, V6 } from '../support.ts';

const block = cidr('10.0.0.0/29');

function spaceOf(range = block): FreeSpace {
  const space = new FreeSpace([range.start, range.end - 1n], 0n);
  space.rebuild([range], []);
  return space;
}

describe('free space', () => {
  it('hands out every address but the first and the last of the universe', () => {
    const space = spaceOf();
    const taken = Array.from({ length: 6 }, () => space.takeNext()!);
    assert.deepEqual(
      taken.map((value) => Number(value - block.start)),
      [1, 2, 3, 4, 5, 6],
    );
    assert.equal(space.takeNext(), undefined);
    assert.equal(space.count, 0n);
  });

  it('uses a freed address again only after all others', () => {
    const space = spaceOf();
    const first = space.takeNext()!;
    space.giveBack(first);
    const next = Array.from({ length: 6 }, () => space.takeNext()!);
    assert.equal(next.indexOf(first), 5);
  });

  it('agrees with a plain set, whatever is taken and given back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant('take' as const), fc.nat(15)), { maxLength: 60 }),
        (steps) => {
          const space = spaceOf(cidr('10.0.0.0/28'));
          const start = cidr('10.0.0.0/28').start;
          const used = new Set<bigint>();
          for (const step of steps) {
            if (step === 'take') {
              const value = space.takeNext();
              assert.equal(value === undefined, used.size === 14);
              if (value === undefined) continue;
              assert.ok(!used.has(value) && value > start && value < start + 15n);
              used.add(value);
            } else if (used.delete(start + BigInt(step))) space.giveBack(start + BigInt(step));
            assert.equal(space.count, BigInt(14 - used.size));
            const { intervals } = space;
            for (let i = 0; i < intervals.length; i++) {
              assert.ok(intervals[i]!.start < intervals[i]!.end);
              if (i > 0) assert.ok(intervals[i - 1]!.end < intervals[i]!.start, 'neighbours are joined');
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gives away an aligned block of about half of the largest chunk, never all and never what is in use', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(63), { maxLength: 63 }), fc.nat(3), (used, cuts) => {
        const range = cidr('10.0.0.0/26');
        const space = new FreeSpace([], 0n);
        space.rebuild(
          [range],
          used.map((at) => range.start + BigInt(at)),
        );
        const border = range.start + BigInt(cuts) * 16n;
        const owned = [
          { start: range.start, end: border },
          { start: border, end: range.end },
        ].filter(({ start, end }) => start < end);
        const chosen = donatedBlock(space.intervals, owned, 64n);
        if (chosen === undefined) {
          for (const { start, end } of space.intervals) assert.ok(end - start < 4n);
          return;
        }
        const size = chosen.end - chosen.start;
        assert.equal(chosen.start % size, 0n);
        assert.equal(size & (size - 1n), 0n);
        assert.ok(owned.some(({ start, end }) => start <= chosen.start && chosen.end <= end));
        for (const at of used)
          assert.ok(range.start + BigInt(at) < chosen.start || range.start + BigInt(at) >= chosen.end);
        assert.ok(size < space.count, 'something is kept');
      }),
      { numRuns: 500 },
    );
  });

  it('gives the upper half of an untouched range', () => {
    const space = spaceOf(V4);
    space.takeNext();
    const chosen = donatedBlock(space.intervals, [V4], space.count);
    assert.deepEqual(chosen, { start: cidr('10.32.128.0/17').start, end: V4.end });
    assert.deepEqual(donatedBlock(space.intervals, [V4], 256n), {
      start: cidr('10.32.255.0/24').start,
      end: V4.end,
    });
  });
});

describe('the allocator', () => {
  const key = (i: number) => ({ containerId: `c${i}`, ifname: 'eth0' });

  function allocatorOf(store = new MemoryStore(), boot = 'boot-1', ranges = [V4, V6]): Allocator {
    const allocator = new Allocator(store, boot);
    allocator.setOwned(ranges, ranges);
    return allocator;
  }

  it('gives a key the same addresses every time, and another key others', () => {
    const allocator = allocatorOf();
    const first = allocator.assign(key(1));
    assert.deepEqual(allocator.assign(key(1)), first);
    const second = allocator.assign(key(2));
    for (const [i, address] of first!.addresses.entries()) assert.notDeepEqual(address, second!.addresses[i]);
  });

  it('gives both families or none', () => {
    const tiny = cidr('10.0.0.0/30');
    const allocator = allocatorOf(new MemoryStore(), 'boot-1', [tiny, V6]);
    assert.ok(allocator.assign(key(1)) && allocator.assign(key(2)));
    assert.equal(allocator.assign(key(3)), undefined);
    assert.equal(allocator.used(6), 2);
    assert.equal(allocator.get(key(3)), undefined);
  });

  it('remembers over a restart what was flushed, with the place where it stopped', () => {
    const store = new MemoryStore();
    const before = allocatorOf(store);
    const kept = before.assign(key(1))!;
    const freed = before.assign(key(2))!;
    before.release(key(2));
    store.flush();
    before.assign(key(3));
    store.crash();
    const after = allocatorOf(store);
    assert.deepEqual(after.all(), [kept]);
    assert.ok(after.assign(key(4))!.addresses[0]!.value > freed.addresses[0]!.value);
  });

  it('shows allocations outside of what is owned, and never hands such an address out again on release', () => {
    const allocator = allocatorOf();
    const { addresses } = allocator.assign(key(1))!;
    allocator.setOwned([V4, V6], [cidr('10.32.128.0/17'), V6]);
    assert.deepEqual(
      allocator.orphaned().map((allocation) => allocation.key),
      [key(1)],
    );
    allocator.release(key(1));
    assert.equal(allocator.space(4)!.has(addresses[0]!.value), false);
  });

  it('refuses a store that it cannot read', () => {
    const store = new MemoryStore();
    store.put('alloc/c1/eth0', Uint8Array.of(1, 2, 3));
    assert.throws(() => new Allocator(store, 'boot'), { code: 'E_STORE_CORRUPT' });
  });

  it('makes 10,000 allocations and frees half of them', () => {
    const allocator = allocatorOf();
    const seen = new Set<bigint>();
    for (let i = 0; i < 10_000; i++) seen.add(allocator.assign(key(i))!.addresses[0]!.value);
    assert.equal(seen.size, 10_000);
    for (let i = 0; i < 10_000; i += 2) allocator.release(key(i));
    for (let i = 0; i < 5000; i++)
      assert.ok(!seen.has(allocator.assign(key(20_000 + i))!.addresses[0]!.value));
  });
});
