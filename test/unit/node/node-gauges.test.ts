import { deepEqual } from 'node:assert/strict';
import { readGauges } from '../../../base/gauges.ts';
import { peerIdFromBytes } from '../../../base/peer-id.ts';
import { parseCidr } from '../../../base/range.ts';
import { NODE_GAUGES } from '../../../node/node-gauges.ts';

const [SELF, ALIVE, SUSPECT, DEAD, NEVER_SEEN] = [1, 2, 3, 4, 5].map((n) =>
  peerIdFromBytes(new Uint8Array(32).fill(n)),
) as [PeerId, PeerId, PeerId, PeerId, PeerId];
type PeerId = ReturnType<typeof peerIdFromBytes>;

describe('the gauges of owners', () => {
  it('tell which part of the addresses is of nodes that do not answer', () => {
    const owned = [
      [SELF, '10.32.0.0/26'],
      [ALIVE, '10.32.0.64/26'],
      [SUSPECT, '10.32.0.128/26'],
      [DEAD, '10.32.0.192/27'],
      [NEVER_SEEN, '10.32.0.224/27'],
      [ALIVE, 'fd00::/64'],
    ] as const;
    const node = {
      peer: SELF,
      ipam: { owners: () => owned.map(([owner, cidr]) => ({ owner, range: parseCidr(cidr)! })) },
      gossip: {
        members: () => [
          { peer: ALIVE, state: 'alive' as const },
          { peer: SUSPECT, state: 'suspect' as const },
          { peer: DEAD, state: 'dead' as const },
          { peer: NEVER_SEEN, state: 'unknown' as const },
        ],
      },
    };
    deepEqual(readGauges(NODE_GAUGES, node), {
      'ring.owners': 5,
      'ring.ownersUnreachable': 2,
      'ring.unreachable': { 4: 25, 6: 0 },
    });
  });
});
