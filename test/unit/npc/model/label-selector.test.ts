import { deepEqual, equal, match } from 'node:assert/strict';
import { readLabelSelector, selectorText, selects } from '../../../../npc/model/label-selector.ts';
import { LabelSets } from '../../../../npc/model/labels.ts';

const sets = new LabelSets();

describe('a label selector', () => {
  const cases: readonly [string, unknown, Record<string, string>, boolean][] = [
    ['without conditions selects everything', {}, {}, true],
    ['that is absent selects everything', undefined, { a: 'b' }, true],
    ['that is null selects everything', null, { a: 'b' }, true],
    ['with null parts selects everything', { matchLabels: null, matchExpressions: null }, {}, true],
    ['selects by a label', { matchLabels: { a: 'b' } }, { a: 'b', c: 'd' }, true],
    ['does not take another value', { matchLabels: { a: 'b' } }, { a: 'c' }, false],
    ['does not take an absent label for an empty one', { matchLabels: { a: '' } }, {}, false],
    ['wants all labels', { matchLabels: { a: 'b', c: 'd' } }, { a: 'b' }, false],
    ['In', expression('In', ['x', 'b']), { a: 'b' }, true],
    ['In, another value', expression('In', ['x', 'y']), { a: 'b' }, false],
    ['In, absent', expression('In', ['x']), {}, false],
    ['NotIn', expression('NotIn', ['x']), { a: 'b' }, true],
    ['NotIn, that value', expression('NotIn', ['b']), { a: 'b' }, false],
    ['NotIn holds where the key is absent', expression('NotIn', ['x']), {}, true],
    ['Exists', expression('Exists'), { a: '' }, true],
    ['Exists, absent', expression('Exists'), {}, false],
    ['DoesNotExist', expression('DoesNotExist'), {}, true],
    ['DoesNotExist, present', expression('DoesNotExist'), { a: '' }, false],
    [
      'wants labels and expressions',
      { matchLabels: { c: 'd' }, matchExpressions: [{ key: 'a', operator: 'Exists' }] },
      { a: '1' },
      false,
    ],
    [
      'sees a key that every object inherits only where it is set',
      expressionOf('constructor', 'Exists'),
      {},
      false,
    ],
  ];
  for (const [title, value, labels, expected] of cases) {
    it(title, () => {
      const selector = readLabelSelector(value);
      equal(typeof selector === 'string' ? selector : selects(selector, sets.read(labels)), expected);
    });
  }

  const unclear: readonly [string, unknown, RegExp][] = [
    ['an operator that is not known', expression('Gt', ['1']), /operator is not known, "Gt"/],
    ['In without values', expression('In'), /no values/],
    ['Exists with values', expression('Exists', ['a']), /has values/],
    ['a field that is not known', { matchFields: [] }, /not known, "matchFields"/],
    ['a label that is no text', { matchLabels: { a: 1 } }, /no text/],
    ['expressions that are no list', { matchExpressions: {} }, /no list/],
    ['an expression without key', { matchExpressions: [{ operator: 'Exists' }] }, /no key/],
    [
      'values that are no texts',
      { matchExpressions: [{ key: 'a', operator: 'In', values: [1] }] },
      /no texts/,
    ],
    ['a list', [], /no object/],
  ];
  for (const [title, value, expected] of unclear) {
    it(`is not understood with ${title}`, () => match(String(readLabelSelector(value)), expected));
  }

  it('is written alike whatever the order of its conditions', () => {
    const a = readLabelSelector({ matchLabels: { x: '1', y: '2' }, matchExpressions: [] });
    const b = readLabelSelector({
      matchExpressions: [
        { key: 'y', operator: 'In', values: ['2', '2'] },
        { key: 'x', operator: 'In', values: ['1'] },
      ],
    });
    deepEqual(a, b);
    equal(typeof a !== 'string' && typeof b !== 'string' && selectorText(a) === selectorText(b), true);
  });
});

describe('sets of labels', () => {
  it('are kept once, whatever the order of keys', () => {
    equal(sets.read({ p: '1', q: '2' }), sets.read({ q: '2', p: '1' }));
  });
  it('leave out what is no text', () => deepEqual([...sets.read({ a: 1, b: 'c', d: null })], [['b', 'c']]));
  it('are empty where there are none', () => equal(sets.read(undefined).size, 0));
});

function expression(operator: string, values?: readonly string[]): object {
  return expressionOf('a', operator, values);
}

function expressionOf(key: string, operator: string, values?: readonly string[]): object {
  return { matchExpressions: [{ key, operator, ...(values ? { values } : {}) }] };
}
