import { deepEqual } from 'node:assert/strict';
import { peerIdFromBytes } from '../../../../base/peer-id.ts';
import { warningLine } from '../../../../base/warning.ts';
import { sharedNames } from '../../../../daemon/status/shared-names.ts';

const peerOf = (byte: number) => peerIdFromBytes(new Uint8Array(32).fill(byte));

describe('sharedNames', () => {
  it('names each name that several living nodes have, and those nodes', () => {
    const warnings = sharedNames([
      { peer: peerOf(0xaa), name: 'web', state: 'alive' },
      { peer: peerOf(0xbb), name: 'db', state: 'alive' },
      { peer: peerOf(0xcc), name: 'web', state: 'suspect' },
      // A node that was made anew has the name of the one before, which is gone.
      { peer: peerOf(0xdd), name: 'db', state: 'dead' },
      { peer: peerOf(0xee), name: 'db', state: 'left' },
    ]);
    deepEqual(
      warnings.map((warning) => warningLine(warning).replace(/[0-9a-f]{4,}/g, (id) => id.slice(0, 2))),
      ["2 nodes are called 'web' (aa, cc); give each a name of its own with --name"],
    );
  });
});
