import { deepEqual, equal } from 'node:assert/strict';
import { instant } from '../../../../base/instant.ts';
import { SourceRate } from '../../../../host/http/source-rate.ts';

describe('SourceRate', () => {
  it('lets each source ask a few times at once, and then as often as it may', () => {
    const rate = new SourceRate(2, 1);
    const asked = (ms: number): boolean => rate.allow('a', instant(ms));
    deepEqual([asked(0), asked(0), asked(0), asked(500), asked(1_000)], [true, true, false, false, true]);
    equal(rate.allow('b', instant(1_000)), true, 'another source has a bucket of its own');
  });

  it('remembers a bounded number of sources, the latest', () => {
    const rate = new SourceRate(1, 0.001);
    for (let i = 0; i < 256; i++) equal(rate.allow(`${i}`, instant(0)), true);
    equal(rate.allow('0', instant(0)), false, 'all are remembered');
    equal(rate.allow('new', instant(0)), true);
    equal(rate.allow('1', instant(0)), false);
    equal(rate.allow('0', instant(0)), true, 'the first was forgotten');
  });
});
