import { deepEqual, equal, ok } from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { answerLastCalls } from '../../../daemon/last-calls.io.ts';

describe('answerLastCalls', () => {
  it('hides the socket, hears all who came before, and waits for the answers to what they asked', async () => {
    const events: string[] = [];
    let unheard = 2;
    const control = {
      hide: () => void events.push('hidden'),
      get unheard() {
        if (unheard > 0) unheard--;
        else events.push('heard');
        return unheard;
      },
    };
    let answer = (): void => {};
    const plugin = {
      settled: async () => {
        events.push('asked');
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
      },
    };
    let done = false;
    const all = answerLastCalls(control, plugin, 60_000).then(() => {
      done = true;
    });
    deepEqual(events, ['hidden']);
    while (!events.includes('asked')) await delay(1);
    await delay(5);
    equal(done, false);
    answer();
    await all;
    equal(unheard, 0);
  });

  it('gives up on who says nothing, and on calls that do not end', async () => {
    const silent = { hide: () => {}, unheard: 1 };
    const stuck = { settled: () => new Promise<void>(() => {}) };
    const start = performance.now();
    await answerLastCalls(silent, stuck, 20);
    ok(performance.now() - start < 2_000);
  });
});
