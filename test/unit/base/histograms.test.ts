import { deepEqual, throws } from 'node:assert/strict';
import { Histograms, histogram } from '../../../base/histograms.ts';

const TABLE = { 'npc.applyTime': histogram([0.1, 1], 'How long it took.') };

describe('Histograms', () => {
  it('count what is at most as much as each bound', () => {
    const histograms = new Histograms(TABLE);
    deepEqual(histograms.snapshot(), { 'npc.applyTime': { atMost: [0, 0], count: 0, sum: 0 } });
    for (const seconds of [0, 0.1, 0.5, 1, 4]) histograms.observe('npc.applyTime', seconds);
    deepEqual(histograms.snapshot(), { 'npc.applyTime': { atMost: [2, 4], count: 5, sum: 5.6 } });
  });

  it('refuse a name that is not declared, and bounds that do not rise', () => {
    throws(() => new Histograms(TABLE).observe('npc.other' as 'npc.applyTime', 1), /is declared/);
    throws(() => histogram([1, 1], 'Help.'), /rise/);
    throws(() => histogram([], 'Help.'), /rise/);
  });
});
