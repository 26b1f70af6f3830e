import { deepEqual, equal, throws } from 'node:assert/strict';
import { InvariantError } from '../../../base/assert.ts';
import { Counters, counts, drops, joinCounters } from '../../../base/counters.ts';

const MILL = { 'mill.ground': counts('Sacks that were ground.') };
const BARN = {
  'barn.stored': counts('Sacks that were stored.'),
  'barn.full': drops('message', 'Sacks that were turned away because the barn was full.'),
};

describe('Counters', () => {
  it('count by name and list by name', () => {
    const counters = new Counters(joinCounters(MILL, BARN));
    counters.add('mill.ground');
    counters.add('barn.stored', 5);
    counters.add('mill.ground');
    deepEqual(
      [counters.get('mill.ground'), counters.get('barn.stored'), counters.get('barn.full')],
      [2, 5, 0],
    );
    equal(JSON.stringify(counters.snapshot()), '{"barn.stored":5,"mill.ground":2}');
  });

  it('of a process serve each of its rooms, and those of a room do not serve another', () => {
    const ofProcess = new Counters(joinCounters(MILL, BARN));
    const ofRoom: Counters<keyof typeof MILL> = ofProcess;
    ofRoom.add('mill.ground');
    equal(ofProcess.get('mill.ground'), 1);
    const ofMill = new Counters(MILL);
    // @ts-expect-error: a name that the mill does not declare
    void (() => ofMill.add('barn.stored'));
    // @ts-expect-error: the counters of the mill do not have those of the barn
    const ofBarn: Counters<keyof typeof BARN> = ofMill;
    throws(() => ofBarn.add('barn.full'), /the counter barn\.full is declared/);
  });
});

describe('the tables of several rooms', () => {
  it('become one, with all declarations as they were', () => {
    deepEqual(joinCounters(MILL, BARN), { ...MILL, ...BARN });
    deepEqual(BARN['barn.full'], {
      help: 'Sacks that were turned away because the barn was full.',
      drops: 'message',
    });
  });

  it('must not declare a name twice', () => {
    throws(() => joinCounters(MILL, BARN, MILL), InvariantError);
  });
});
