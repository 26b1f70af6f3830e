import { equal } from 'node:assert/strict';
import { instant } from '../../../base/instant.ts';
import { FloodGuard } from '../../../flows/flood-guard.ts';

/** How often a guard sees a flood within two seconds, of so many events a second in batches of 64. */
function floods(perSecond: number): number {
  const guard = new FloodGuard();
  let floodsSeen = 0;
  const batches = Math.floor((2 * perSecond) / 64);
  for (let batch = 0; batch < batches; batch++) {
    for (let i = 0; i < 64; i++) guard.count();
    if (guard.isFlooded(instant((batch * 64 * 1000) / perSecond))) floodsSeen++;
  }
  return floodsSeen;
}

describe('the guard against floods', () => {
  it('lets ten thousand connections a second through, which begin and end', () => equal(floods(20_000), 0));

  it('lets 39,000 events a second through', () => equal(floods(39_000), 0));

  it('sees 100,000 a second within a tenth of a second each time', () => equal(floods(100_000) >= 15, true));
});
