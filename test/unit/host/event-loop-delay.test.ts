import { deepEqual } from 'node:assert/strict';
import { instant } from '../../../base/instant.ts';
import { DelayWindow } from '../../../host/delay-window.ts';
import { EventLoopDelay } from '../../../host/event-loop-delay.ts';

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
  it('keeps the greatest of each half second, and those of a minute', () => {
    const delay = new EventLoopDelay();
    let now = 0;
    const timerAfter = (ms: number, lateMs: number): void => {
      now += ms;
      delay.note(instant(now - lateMs), instant(now));
    };
    timerAfter(0, 1);
    timerAfter(100, 700);
    timerAfter(100, 2);
    deepEqual(delay.quantileMs(1), 0);
    timerAfter(300, 3);
    deepEqual(delay.quantileMs(1), 700);
    for (let i = 0; i < 119; i++) timerAfter(500, 3);
    deepEqual([delay.quantileMs(0.5), delay.quantileMs(1)], [3, 700]);
    timerAfter(500, 3);
    deepEqual(delay.quantileMs(1), 3);
  });
});
