import { equal } from 'node:assert/strict';
import { instant } from '../../../base/instant.ts';
import { TimerTable } from '../../../base/timer-table.ts';

describe('a table of timers', () => {
  const [early, late] = [instant(100), instant(200)];

  it('is due when its first timer is', () => {
    const timers = new TimerTable<'a' | 'b'>();
    equal(timers.next(), undefined);
    timers.set('a', late);
    timers.set('b', early);
    equal(timers.next(), early);
    timers.stop('b');
    equal(timers.next(), late);
  });

  it('hands out a timer once, and not before it is due', () => {
    const timers = new TimerTable<'a'>();
    timers.set('a', late);
    equal(timers.takeDue('a', early), false);
    equal(timers.at('a'), late);
    equal(timers.takeDue('a', late), true);
    equal(timers.takeDue('a', late), false);
    equal(timers.next(), undefined);
  });

  it('moves a timer forward only', () => {
    const timers = new TimerTable<'a'>();
    timers.setNoLater('a', late);
    timers.setNoLater('a', early);
    timers.setNoLater('a', late);
    equal(timers.at('a'), early);
    timers.set('a', undefined);
    equal(timers.at('a'), undefined);
  });
});
