import { equal } from 'node:assert/strict';
import { LOOKS_CLAIMED, LOOKS_VACANT, type Look, Vacancy } from '../../../daemon/vacancy.ts';

const LOOKS: Readonly<Record<string, Look>> = { h: 'held', c: 'claimed', f: 'free' };

describe('the vacancy of a node', () => {
  const last = (vacancy: Vacancy, looks: string, isEarly: boolean): boolean =>
    [...looks].map((look) => vacancy.looked(LOOKS[look]!, isEarly)).at(-1)!;

  it('is seen at once where the own successor took the folder and let it go', () => {
    equal(last(new Vacancy(), 'fff', true), false, 'it has not come yet');
    equal(last(new Vacancy(), 'fhf', true), false, 'another that stands by looked');
    equal(last(new Vacancy(), 'fhhf', true), true);
  });

  it('is no moment in which others hand the folder on', () => {
    const free = 'f'.repeat(LOOKS_VACANT);
    const vacancy = new Vacancy();
    equal(last(vacancy, 'hhhh', true), false);
    equal(last(vacancy, `hh${free.slice(1)}h`, false), false);
    equal(last(vacancy, free.slice(1), false), false);
    equal(last(vacancy, 'f', false), true);
  });

  it('is no moment in which the own successor hands the folder on to one of its own', () => {
    equal(last(new Vacancy(), 'hhccccchh', true), false);
    equal(last(new Vacancy(), 'hhccf', true), true, 'that one ended instead');
  });

  it('is seen, but late, where the successor that waits for the folder hangs', () => {
    const claimed = 'c'.repeat(LOOKS_CLAIMED);
    equal(last(new Vacancy(), claimed, true), false, 'it may still take it');
    const vacancy = new Vacancy();
    equal(last(vacancy, `${claimed.slice(1)}h`, false), false, 'it came in time');
    equal(last(vacancy, `${claimed}${'c'.repeat(LOOKS_VACANT - 2)}`, false), false);
    equal(last(vacancy, 'c', false), true);
  });
});
