import assert from 'node:assert/strict';
import { KeyedLock } from '../../../cni/keyed-lock.ts';

const a = { containerId: 'a', ifname: 'eth0' };
const b = { containerId: 'b', ifname: 'eth0' };

describe('KeyedLock', () => {
  it('runs the tasks of one key in order, one at a time', async () => {
    const lock = new KeyedLock();
    const seen: string[] = [];
    const task = (label: string) => async (): Promise<void> => {
      seen.push(`${label} begins`);
      await new Promise(setImmediate);
      seen.push(`${label} ends`);
    };
    await Promise.all([lock.run(a, task('1')), lock.run(a, task('2')), lock.run(a, task('3'))]);
    assert.deepEqual(seen, ['1 begins', '1 ends', '2 begins', '2 ends', '3 begins', '3 ends']);
  });

  it('lets other keys pass one that hangs', async () => {
    const lock = new KeyedLock();
    const hanging = Promise.withResolvers<void>();
    const first = lock.run(a, () => hanging.promise);
    assert.equal(await lock.run(b, async () => 'done'), 'done');
    hanging.resolve();
    await first;
  });

  it('goes on after a task that failed, and hands its failure to its caller alone', async () => {
    const lock = new KeyedLock();
    const failing = lock.run(a, async () => {
      throw new Error('no');
    });
    const next = lock.run(a, async () => 'yes');
    await assert.rejects(failing, /no/);
    assert.equal(await next, 'yes');
  });

  it('keeps nothing of keys without tasks', async () => {
    const lock = new KeyedLock();
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => lock.run({ ...a, ifname: `e${i}` }, async () => i)),
    );
    assert.equal(lock.size, 0);
  });
});
