import { deepEqual } from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { parseAddress } from '../../../../base/address.ts';
import type { NodeLoop } from '../../../../daemon/node-loop.io.ts';
import { openPeerLinks } from '../../../../daemon/parts/peer-links.io.ts';
import type { LinkId } from '../../../../gossip/model/gossip-output.ts';

const PORT = 36_783;

describe('openPeerLinks', () => {
  it('has the loop look at the node when somebody connects and says nothing', async () => {
    const seen: string[] = [];
    const { promise: accepted, resolve } = Promise.withResolvers<void>();
    const node = {
      linkAccepted: () => {
        seen.push('accepted');
        resolve();
        return 1 as LinkId;
      },
      linkConnected: () => {},
      linkReceived: () => {},
      linkCongested: () => {},
      linkLost: () => {},
    };
    const loop: Pick<NodeLoop, 'waking' | 'on'> = {
      on: () => {},
      waking:
        (handle) =>
        (...args) => {
          seen.push('woken');
          return handle(...args);
        },
    };
    const listen = [parseAddress('127.0.0.1')!];
    const links = await openPeerLinks({ config: { port: PORT, listen }, node, loop });
    const client = connect(PORT, '127.0.0.1');
    try {
      await Promise.all([once(client, 'connect'), accepted]);
      // Without it the deadline of the handshake is armed only when something else happens.
      deepEqual(seen, ['woken', 'accepted']);
    } finally {
      client.destroy();
      links.close();
    }
  });
});
