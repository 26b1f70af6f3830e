import { deepEqual, throws } from 'node:assert/strict';
import { EpochRaiser, MAX_EPOCH_RAISES } from '../../../../daemon/state/epoch-raiser.ts';

describe('EpochRaiser', () => {
  it('makes an epoch above the seen one durable, and only then uses it', () => {
    const calls: string[] = [];
    const raiser = new EpochRaiser({
      persist: (epoch) => calls.push(`persist ${epoch}`),
      apply: (epoch) => calls.push(`apply ${epoch}`),
    });
    raiser.raiseAbove(9);
    deepEqual(calls, ['persist 10', 'apply 10']);
  });

  it('uses no epoch that could not be made durable', () => {
    const raiser = new EpochRaiser({
      persist: () => {
        throw new Error('disk full');
      },
      apply: () => {
        throw new Error('applied');
      },
    });
    throws(() => raiser.raiseAbove(9), /disk full/);
  });

  it('takes a second weftd on a copy for what it is', () => {
    const raised: number[] = [];
    const raiser = new EpochRaiser({ persist: () => {}, apply: (epoch) => raised.push(epoch) });
    for (let i = 1; i <= MAX_EPOCH_RAISES; i++) raiser.raiseAbove(i);
    throws(() => raiser.raiseAbove(50), { code: 'E_IDENTITY_TWICE' });
    deepEqual(raised.length, MAX_EPOCH_RAISES);
  });
});
