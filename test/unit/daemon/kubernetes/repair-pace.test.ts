import { equal, ok } from 'node:assert/strict';
import { after, instant } from '../../../../base/instant.ts';
import { RepairPace } from '../../../../daemon/kubernetes/repair-pace.ts';
import { seededRandom } from '../../../seeded-random.ts';

describe('RepairPace', () => {
  it('lets the first repair be made at once, and slows down where each is undone', () => {
    const pace = new RepairPace(seededRandom(1));
    let now = instant(0);
    const waits: number[] = [];
    for (let i = 0; i < 14; i++) {
      equal(pace.restsUntil(now), undefined);
      pace.repaired(now);
      const until = pace.restsUntil(now)!;
      waits.push(until - now);
      now = until;
    }
    ok(waits[0]! <= 100 && waits.at(-1)! > 30_000 && Math.max(...waits) <= 60_000, waits.join(' '));
    equal(pace.fought(now), 14);
  });

  it('calls a few repairs no fight, nor many that lie far apart', () => {
    const pace = new RepairPace(seededRandom(1));
    let now = instant(0);
    for (let i = 0; i < 10; i++) {
      pace.repaired(now);
      equal(pace.fought(now), undefined);
      now = after(now, 200_000);
    }
    for (let i = 0; i < 4; i++) pace.repaired(now);
    equal(pace.fought(now), 4);
    equal(pace.fought(after(now, 200_000)), undefined, 'it ended');
  });
});
