import { deepEqual, equal } from 'node:assert/strict';
import { type WarningTable, warningLine, warningOf, warningOfError } from '../../../base/warning.ts';
import { WeftError } from '../../../base/weft-error.ts';

const BAKERY = {
  E_NO_FLOUR: { message: 'there is no flour', remedy: 'buy some' },
  W_FLOUR_LOW: { message: '{kilograms} kg of flour are left at {place}', remedy: 'buy some for {place}' },
} as const satisfies WarningTable;

describe('a warning', () => {
  it('is made from its declaration, and is as grave as its code says', () => {
    const warning = warningOf(BAKERY, 'E_NO_FLOUR');
    deepEqual(warning, {
      code: 'E_NO_FLOUR',
      severity: 'error',
      message: 'there is no flour',
      remedy: 'buy some',
    });
    equal(warningLine(warning), 'there is no flour; buy some');
  });

  it('holds the values that its declaration asks for, whatever is in them', () => {
    deepEqual(warningOf(BAKERY, 'W_FLOUR_LOW', { kilograms: 3, place: '{kilograms} $& ' }), {
      code: 'W_FLOUR_LOW',
      severity: 'warning',
      message: '3 kg of flour are left at {kilograms} $& ',
      remedy: 'buy some for {kilograms} $& ',
    });
  });

  it('cannot be made without its values, with those of another, or undeclared', () => {
    void (() => {
      // @ts-expect-error: the values are missing
      warningOf(BAKERY, 'W_FLOUR_LOW');
      // @ts-expect-error: one value is missing
      warningOf(BAKERY, 'W_FLOUR_LOW', { place: 'the mill' });
      // @ts-expect-error: there is nothing to fill in
      warningOf(BAKERY, 'E_NO_FLOUR', { place: 'the mill' });
      // @ts-expect-error: no such warning is declared
      warningOf(BAKERY, 'E_NO_WATER');
    });
  });

  it('may be a fault of the environment that stands', () => {
    deepEqual(warningOfError(new WeftError('E_DISK_FULL', 'no space left', 'free some space')), {
      code: 'E_DISK_FULL',
      severity: 'error',
      message: 'no space left',
      remedy: 'free some space',
    });
  });
});
