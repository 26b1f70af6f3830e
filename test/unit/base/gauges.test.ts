import { deepEqual } from 'node:assert/strict';
import { countBy, type GaugeTable, gauge, gaugeBy, readGauges } from '../../../base/gauges.ts';

const COLOURS = ['red', 'green'] as const;
type Apple = { readonly colour: (typeof COLOURS)[number]; readonly grams: number };

const BASKET = {
  'basket.weight': gauge('count', 'Grams of all apples.', (apples) =>
    apples.reduce((sum, { grams }) => sum + grams, 0),
  ),
  'basket.apples': gaugeBy({ name: 'colour', values: COLOURS }, 'count', 'Apples by colour.', (apples) =>
    countBy(COLOURS, apples, ({ colour }) => colour),
  ),
} as const satisfies GaugeTable<readonly Apple[]>;

describe('gauges', () => {
  it('are read when asked, each value of a label being there even where it counts nothing', () => {
    const apples: Apple[] = [{ colour: 'red', grams: 100 }];
    deepEqual(readGauges(BASKET, apples), {
      'basket.weight': 100,
      'basket.apples': { red: 1, green: 0 },
    });
    apples.push({ colour: 'green', grams: 20 }, { colour: 'red', grams: 3 });
    deepEqual(readGauges(BASKET, apples), {
      'basket.weight': 123,
      'basket.apples': { red: 2, green: 1 },
    });
  });
});
