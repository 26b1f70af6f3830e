import { deepEqual, equal, throws } from 'node:assert/strict';
import { after, instant } from '../../../base/instant.ts';
import { WeftError } from '../../../base/weft-error.ts';
import { DISK_RETRY_MS, FlushGate } from '../../../node/flush-gate.ts';
import { MemoryStore } from '../ipam/memory-store.ts';

const start = instant(1000);

/** A store whose flush fails as it is told. */
class FailingStore extends MemoryStore {
  fault: Error | undefined;
  asked = 0;

  override flush(): void {
    this.asked++;
    if (this.fault) throw this.fault;
    super.flush();
  }
}

describe('FlushGate', () => {
  const full = new WeftError('E_DISK_FULL', 'no space left', 'free some');

  it('lets through what is on disk', () => {
    const store = new FailingStore();
    const gate = new FlushGate(store, () => {});
    store.put('a', new Uint8Array(1));
    equal(gate.pass(start), true);
    equal(store.flushes, 1);
    equal(gate.nextTimeout(), undefined);
  });

  it('shuts while the disk is full, asks again once a second, and then writes what was staged before', () => {
    const store = new FailingStore();
    const told: (string | undefined)[] = [];
    const gate = new FlushGate(store, (fault) => told.push(fault?.message));
    store.put('a', new Uint8Array(1));
    store.fault = full;
    equal(gate.pass(start), false);
    equal(gate.fault, full);
    for (let ms = 1; ms < DISK_RETRY_MS; ms += 100) equal(gate.pass(after(start, ms)), false);
    equal(store.asked, 1);
    equal(gate.nextTimeout(), start + DISK_RETRY_MS);
    equal(gate.pass(after(start, DISK_RETRY_MS)), false);
    equal(store.asked, 2);
    store.fault = undefined;
    equal(gate.pass(after(start, 2 * DISK_RETRY_MS)), true);
    equal(gate.fault, undefined);
    deepEqual(told, ['no space left', undefined]);
    store.crash();
    equal(store.get('a')?.length, 1);
  });

  it('throws on any other fault of the store', () => {
    const store = new FailingStore();
    const gate = new FlushGate(store, () => {});
    store.fault = new WeftError('E_STORE', 'the disk is broken', 'replace it');
    throws(() => gate.pass(start), { code: 'E_STORE' });
  });
});
