import { deepEqual, ok } from 'node:assert/strict';
import { clock } from '../../../host/clock.io.ts';
import { DelayWindow } from '../../../host/delay-window.ts';
import { EventLoopDelay } from '../../../host/event-loop-delay.io.ts';
import { until } from '../../cluster/command.ts';

describe('a window of delays', () => {
  const quantiles = (window: DelayWindow): number[] => [0.5, 0.99, 1].map((q) => window.quantileMs(q));

  it('tells how the delays in it are spread, and nothing of an empty one', () => {
    const window = new DelayWindow(100);
    deepEqual(quantiles(window), [0, 0, 0]);
    window.add(7);
    deepEqual(quantiles(window), [7, 7, 7]);
    for (let ms = 1; ms < 100; ms++) window.add(ms === 7 ? -3 : ms);
    deepEqual(quantiles(window), [49, 98, 99]);
  });

  it('forgets the oldest', () => {
    const window = new DelayWindow(3);
    for (const ms of [1000, 1, 2, 3]) window.add(ms);
    deepEqual(quantiles(window), [2, 3, 3]);
  });
});

describe('the delay of the event loop', () => {
  it('is seen when something keeps the loop busy', async () => {
    const delay = new EventLoopDelay();
    try {
      await until('a first sample', () => delay.samples > 0 || undefined);
      const end = clock() + 700;
      while (clock() < end);
      await until('the block to be seen', () => delay.quantileMs(1) >= 100 || undefined);
      ok(delay.quantileMs(0.5) <= delay.quantileMs(1));
    } finally {
      delay.close();
    }
  });
});
