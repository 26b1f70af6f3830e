import { deepEqual, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { instant } from '../../../base/instant.ts';
import { NodeLoop } from '../../../daemon/node-loop.io.ts';
import { clock } from '../../../host/clock.io.ts';
import { EventLoopDelay } from '../../../host/event-loop-delay.ts';
import type { WeftNode } from '../../../node/weft-node.ts';

describe('NodeLoop', () => {
  it('touches the node no more once it is stopped, whatever still ends then', async () => {
    const touched: string[] = [];
    const node = {
      settle: () => touched.push('settle'),
      poll: () => undefined,
      nextTimeout: () => undefined,
    } as unknown as WeftNode;
    const loop = new NodeLoop({
      node,
      delay: new EventLoopDelay(),
      onFault: (error) => touched.push(String(error)),
    });
    loop.settleNow();
    loop.close();
    const before = [...touched];
    loop.settleNow();
    loop.wake();
    await nextTurn();
    deepEqual([before, touched], [['settle'], ['settle']]);
  });

  for (const busyWith of ['inputs', 'something else'] as const)
    it(`tells how late its timer is where it is busy with ${busyWith}`, async () => {
      const lateMs: number[] = [];
      const delay = {
        note: (dueAt: number, now: number) => lateMs.push(now - dueAt),
      } as unknown as EventLoopDelay;
      const ticked = Promise.withResolvers<void>();
      // Later than reading a file takes on a busy machine.
      const dueAt = clock() + 400;
      const node = {
        settle: () => {},
        poll: () => undefined,
        tick: () => ticked.resolve(),
        nextTimeout: () => instant(dueAt),
      } as unknown as WeftNode;
      const loop = new NodeLoop({ node, delay, onFault: ticked.reject });
      try {
        loop.wake();
        await nextTurn();
        if (busyWith === 'inputs') {
          await readFile(import.meta.filename);
          loop.wake();
        }
        while (clock() < dueAt + 50);
        await ticked.promise;
        ok(lateMs[0]! >= 48 && lateMs[0]! < 10_000, String(lateMs));
      } finally {
        loop.close();
      }
    });

  it('wakes for no deadline before it has passed', async () => {
    const earlyMs: number[] = [];
    const done = Promise.withResolvers<void>();
    let left = 300;
    let dueAt = clock() + 1;
    const node = {
      settle: () => {},
      poll: () => undefined,
      tick: (now: number) => {
        if (now < dueAt) earlyMs.push(dueAt - now);
        if (left-- === 0) done.resolve();
        dueAt = now + left / 300;
      },
      nextTimeout: () => instant(dueAt),
    } as unknown as WeftNode;
    const loop = new NodeLoop({ node, delay: new EventLoopDelay(), onFault: done.reject });
    try {
      loop.wake();
      await done.promise;
      deepEqual(earlyMs, []);
    } finally {
      loop.close();
    }
  });
});
