import { deepEqual } from 'node:assert/strict';
import { parseAddress } from '../../../../base/address.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { warningLine, warningOf } from '../../../../base/warning.ts';
import { WeftError } from '../../../../base/weft-error.ts';
import { statusWarnings } from '../../../../daemon/status/status-warnings.ts';

const PEER = 'a1b2c3d4'.padEnd(64, '0') as PeerId;

describe('the warnings of weft status', () => {
  it('have a code, say how grave they are and what to do, and come with what is wrong first', () => {
    const node = {
      diskFault: new WeftError('E_DISK_FULL', 'no space left', 'free some space'),
      ipam: {
        status: () => ({
          faults: [{ code: 'E_REMOVED', message: 'this node was removed', remedy: 'reset it' }],
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
    const declared = warningOf({ W_SLOW: { message: 'slow', remedy: 'hurry' } }, 'W_SLOW');
    const warnings = statusWarnings(node, [declared, 'something is odd; look; then act', 'odd']);
    deepEqual(
      warnings.map(({ code, severity, remedy }) => [code, severity, remedy]),
      [
        ['E_DISK_FULL', 'error', 'free some space'],
        ['E_REMOVED', 'error', 'reset it'],
        ['W_SLOW', 'warning', 'hurry'],
        ['W_OTHER', 'warning', 'look; then act'],
        ['W_OTHER', 'warning', ''],
        ['W_FOREIGN_ADDRESS', 'warning', 'restart that pod'],
        ['W_REMOVAL_PENDING', 'warning', 'wait: it takes three minutes and more'],
      ],
    );
    deepEqual(warnings.map(warningLine), [
      'no space left; free some space',
      'this node was removed; reset it',
      'slow; hurry',
      'something is odd; look; then act',
      'odd',
      'pod1 uses 10.32.0.5, fd00::5, which this node does not own; restart that pod',
      'the removal of a1b2c3d40000 is under way; wait: it takes three minutes and more',
    ]);
  });
});
