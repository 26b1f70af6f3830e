import { equal } from 'node:assert/strict';
import { LOOKS_VACANT, Vacancy } from '../../../daemon/vacancy.ts';

describe('the vacancy of a node', () => {
  const last = (vacancy: Vacancy, looks: string, isEarly: boolean): boolean =>
    [...looks].map((look) => vacancy.looked(look === 'h', isEarly)).at(-1)!;

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
});
