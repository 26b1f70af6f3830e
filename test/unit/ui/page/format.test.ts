import { deepEqual } from 'node:assert/strict';
import {
  bytesRate,
  counted,
  inUnit,
  milliseconds,
  percent,
  portText,
  rate,
  shortened,
} from '../../../../ui/page/view/format.js';

describe('numbers on the page', () => {
  it('are short, with their units, and a dash where nothing is known', () => {
    deepEqual([0, 999, 1000, 1234, 999_600, 12_345_678, 3e15, null].map(bytesRate), [
      '0 B/s',
      '999 B/s',
      '1 kB/s',
      '1.2 kB/s',
      '1 MB/s',
      '12.3 MB/s',
      '3,000 TB/s',
      '–',
    ]);
    deepEqual([0, 0.001, 0.25, 12.34, 1234.5, null].map(rate), [
      '0/s',
      '<0.01/s',
      '0.25/s',
      '12.3/s',
      '1,235/s',
      '–',
    ]);
    deepEqual([0.204, 1.26, 250, null].map(milliseconds), ['0.20 ms', '1.3 ms', '250 ms', '–']);
    deepEqual([0, 0.004, 0.02, 1, null].map(percent), ['0 %', '0.4 %', '2 %', '100 %', '–']);
    deepEqual([inUnit(3, 'connections'), inUnit(3, 'packets/s'), inUnit(3, 'ms')], ['3', '3/s', '3 ms']);
  });

  it('agree with their nouns', () => {
    deepEqual(
      [counted(1, 'pod'), counted(2, 'pod'), counted(1, 'change was', 'changes were')],
      ['1 pod', '2 pods', '1 change was'],
    );
  });

  it('name a port where there is one', () => {
    deepEqual(
      [portText({ protocol: 'TCP', port: 80 }), portText({ protocol: 'ICMP', port: null })],
      ['TCP 80', 'ICMP'],
    );
  });

  it('stand beside names that are cut in the middle, by letters and not by bytes', () => {
    deepEqual(
      [shortened('short', 9), shortened('a-very-long-name-7f9', 9), shortened('🦀🦀🦀🦀🦀🦀', 5)],
      ['short', 'a-ver…7f9', '🦀🦀🦀…🦀'],
    );
  });
});
