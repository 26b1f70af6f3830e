import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { Deadlines } from '../../../base/deadlines.ts';
import { type Instant, instant } from '../../../base/instant.ts';

describe('deadlines', () => {
  it('are taken in the order of time, each once, none before it is due', () => {
    const deadlines = new Deadlines<string>();
    deadlines.set('late', instant(30));
    deadlines.set('early', instant(10));
    deadlines.set('moved', instant(5));
    deadlines.set('moved', instant(20));
    deadlines.set('gone', instant(1));
    deadlines.set('gone', undefined);
    assert.equal(deadlines.next(), 10);
    assert.equal(deadlines.takeDue(instant(9)), undefined);
    assert.equal(deadlines.takeDue(instant(25)), 'early');
    assert.equal(deadlines.takeDue(instant(25)), 'moved');
    assert.equal(deadlines.takeDue(instant(25)), undefined);
    assert.equal(deadlines.takeDue(instant(99)), 'late');
    assert.equal(deadlines.next(), undefined);
  });

  it('agree with a plain map under any sequence of changes', () => {
    const step = fc.record({ key: fc.nat(8), at: fc.option(fc.nat(100)), take: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const deadlines = new Deadlines<number>();
        const model = new Map<number, Instant>();
        for (const { key, at, take } of steps) {
          deadlines.set(key, at === null ? undefined : instant(at));
          if (at === null) model.delete(key);
          else model.set(key, instant(at));
          const first = model.size > 0 ? Math.min(...model.values()) : undefined;
          assert.equal(deadlines.next(), first);
          if (!take || first === undefined) continue;
          const taken = deadlines.takeDue(instant(100));
          assert.equal(model.get(taken!), first);
          model.delete(taken!);
          assert.equal(deadlines.size, model.size);
        }
      }),
    );
  });
});
