import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, type Instant, instant } from '../../../base/instant.ts';
import {
  BURST_MS,
  CONTEST_END_MS,
  CONTEST_REPAIRS,
  FIRST_BACK_OFF_MS,
  LAST_BACK_OFF_MS,
  LEAST_PAUSE_MS,
  LookSchedule,
  MAX_THINGS,
  SLOW_LOOK_MS,
} from '../../../ground/look-schedule.ts';
import type { Repaired } from '../../../ground/repair.ts';

const START = instant(1_000);
const ROUTE: Repaired = { kind: 'route', found: 'the route is missing', by: 'ip' };

describe('when the ground is looked at', () => {
  /** Runs to the next look, which finds `found`; when that was. */
  function look(schedule: LookSchedule, found: readonly Repaired[] = []): Instant {
    const at = schedule.nextLook;
    schedule.begin();
    schedule.looked(at, found);
    return at;
  }

  it('is once a minute while nothing happens', () => {
    const schedule = new LookSchedule(START);
    equal(look(schedule), after(START, SLOW_LOOK_MS));
    equal(schedule.nextLook, after(START, 2 * SLOW_LOOK_MS));
  });

  it('is at once after a change, for changes in a row together', () => {
    const schedule = new LookSchedule(START);
    for (let ms = 0; ms < 10; ms++) schedule.stirred(after(START, ms));
    equal(schedule.nextLook, after(START, BURST_MS));
  });

  it('is rare enough where changes never end', () => {
    const schedule = new LookSchedule(START);
    let looks = 0;
    for (let now = START; now < after(START, 60_000); now = after(now, 1)) {
      schedule.stirred(now);
      if (schedule.nextLook > now) continue;
      look(schedule);
      looks++;
    }
    ok(looks <= 60_000 / LEAST_PAUSE_MS + 1, `${looks} looks in a minute`);
  });

  it('is once more where something changed during a look, and then no more', () => {
    const schedule = new LookSchedule(START);
    schedule.stirred(START);
    const at = schedule.nextLook;
    schedule.begin();
    schedule.stirred(at); // the event of our own repair
    schedule.looked(at, [ROUTE]);
    equal(look(schedule), after(at, LEAST_PAUSE_MS));
    equal(schedule.nextLook, after(at, LEAST_PAUSE_MS + SLOW_LOOK_MS));
  });

  it('backs off where somebody undoes the repair, and says so', () => {
    const schedule = new LookSchedule(START);
    let now = START;
    const pauses: number[] = [];
    for (let i = 0; i < 16; i++) {
      schedule.stirred(now);
      const at = look(schedule, [ROUTE]);
      pauses.push(at - now);
      now = at;
      equal(schedule.contests(now).length, i < CONTEST_REPAIRS - 1 ? 0 : 1);
    }
    equal(pauses[1], LEAST_PAUSE_MS);
    equal(pauses[CONTEST_REPAIRS], FIRST_BACK_OFF_MS);
    equal(pauses.at(-1), LAST_BACK_OFF_MS);
    const [contest] = schedule.contests(now);
    equal(contest!.found, ROUTE.found);
    equal(contest!.by, 'ip');
    equal(contest!.repairs, 16);
  });

  it('is prompt again, and without a word, when the other has given up', () => {
    const schedule = new LookSchedule(START);
    let now = START;
    for (let i = 0; i < CONTEST_REPAIRS; i++) {
      schedule.stirred(now);
      now = look(schedule, [ROUTE]);
    }
    equal(schedule.contests(now).length, 1);
    const end = after(now, CONTEST_END_MS + SLOW_LOOK_MS);
    while (schedule.nextLook < end) now = look(schedule);
    now = after(now, LEAST_PAUSE_MS);
    deepEqual(schedule.contests(now), []);
    schedule.stirred(now);
    equal(schedule.nextLook, after(now, BURST_MS));
    schedule.begin();
    schedule.looked(now, [ROUTE]);
    deepEqual(schedule.contests(now), []);
  });

  it('does not take eight things for one that is contested', () => {
    const schedule = new LookSchedule(START);
    for (let i = 0; i < 8; i++) {
      schedule.stirred(START);
      look(schedule, [{ ...ROUTE, found: `route ${i}` }]);
    }
    deepEqual(schedule.contests(after(START, 10_000)), []);
  });

  it('is tried again ever more rarely where a look fails', () => {
    const schedule = new LookSchedule(START);
    schedule.stirred(START);
    let now = schedule.nextLook;
    const pauses: number[] = [];
    for (let i = 0; i < 10; i++) {
      schedule.begin();
      schedule.looked(now, i % 2 === 0 ? [] : [{ ...ROUTE, found: `route ${i}` }], { failed: true });
      pauses.push(schedule.nextLook - now);
      now = schedule.nextLook;
    }
    equal(pauses[0], FIRST_BACK_OFF_MS);
    equal(pauses[1], 2 * FIRST_BACK_OFF_MS);
    equal(pauses.at(-1), LAST_BACK_OFF_MS);
  });

  it('remembers a bounded number of things', () => {
    const schedule = new LookSchedule(START);
    for (let round = 0; round < CONTEST_REPAIRS; round++) {
      const found = Array.from({ length: MAX_THINGS }, (_, i) => ({ ...ROUTE, found: `route ${i}` }));
      schedule.stirred(START);
      look(schedule, [...found, { ...ROUTE, found: `once ${round}` }]);
    }
    ok(schedule.contests(after(START, 10_000)).length <= MAX_THINGS);
  });
});
