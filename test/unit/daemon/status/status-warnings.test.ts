import { deepEqual } from 'node:assert/strict';
import { parseAddress } from '../../../../base/address.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { type WarningTable, warningLine, warningOf } from '../../../../base/warning.ts';
import { WeftError } from '../../../../base/weft-error.ts';
import { statusWarnings } from '../../../../daemon/status/status-warnings.ts';

const TABLE = {
  E_REMOVED: { message: 'this node was removed', remedy: 'reset it' },
  W_SLOW: { message: 'slow', remedy: 'hurry' },
} as const satisfies WarningTable;
const PEER = 'a1b2c3d4'.padEnd(64, '0') as PeerId;

describe('the warnings of weft status', () => {
  it('have a code, say how grave they are and what to do, and come with what is wrong first', () => {
    const removed = warningOf(TABLE, 'E_REMOVED');
    const node = {
      diskFault: new WeftError('E_DISK_FULL', 'no space left', 'free some space'),
      ipam: {
        status: () => ({
          faults: [removed],
          orphaned: [
            {
              key: { containerId: 'pod1', ifname: 'eth0' },
              addresses: [parseAddress('10.32.0.5')!, parseAddress('fd00::5')!],
              bootId: 'b',
            },
          ],
          pending: {
            allocations: 0,
            removals: [{ peer: PEER, phase: 'asking' as const, waitUntil: undefined, missing: undefined }],
          },
        }),
      },
    };
    const warnings = statusWarnings(node, [warningOf(TABLE, 'W_SLOW')]);
    deepEqual(
      warnings.map(({ code, severity, remedy }) => [code, severity, remedy]),
      [
        ['E_DISK_FULL', 'error', 'free some space'],
        ['E_REMOVED', 'error', 'reset it'],
        ['W_SLOW', 'warning', 'hurry'],
        ['W_FOREIGN_ADDRESS', 'warning', 'restart that pod'],
        ['W_REMOVAL_PENDING', 'warning', 'wait: it takes three minutes and more'],
      ],
    );
    deepEqual(warnings.map(warningLine), [
      'no space left; free some space',
      'this node was removed; reset it',
      'slow; hurry',
      'pod1 uses 10.32.0.5, fd00::5, which this node does not own; restart that pod',
      'the removal of a1b2c3d40000 is under way; wait: it takes three minutes and more',
    ]);
  });
});
