import { deepEqual } from 'node:assert/strict';
import { parseEndpoint } from '../../../../base/endpoint.ts';
import { type Instant, instant } from '../../../../base/instant.ts';
import { type PeerId, peerIdFromBytes } from '../../../../base/peer-id.ts';
import { warningLine } from '../../../../base/warning.ts';
import { seedRows, seedWarnings } from '../../../../daemon/status/seeds-view.ts';
import type { StatusContext } from '../../../../daemon/status/status-context.ts';
import { SeedReach } from '../../../../node/seed-reach.ts';

const SEED = parseEndpoint('192.0.2.1:6783')!;
const PEER = peerIdFromBytes(new Uint8Array(32).fill(7));
const SELF = peerIdFromBytes(new Uint8Array(32).fill(8));

/** A node that was told to look for {@link SEED}; `state` is that of the one peer, which says that it lives there. */
function contextOf(over: {
  readonly reach: (reach: SeedReach) => void;
  readonly state?: string;
  readonly tunnel?: string;
  readonly nextDialAt?: Instant;
  readonly now?: number;
}): StatusContext {
  const seedReach = new SeedReach();
  seedReach.setSeeds([SEED]);
  over.reach(seedReach);
  const { state, tunnel } = over;
  const node = {
    peer: SELF,
    seedReach,
    gossip: {
      members: () => (state === undefined ? [] : [{ peer: PEER, state, info: { endpoints: [SEED] } }]),
      nextDialAt: () => over.nextDialAt,
    },
    tunnels: { status: () => (tunnel === undefined ? undefined : { state: tunnel }) },
    infoOf: (peer: PeerId) => (peer === PEER ? { name: 'b' } : undefined),
  };
  const sought = () => [{ text: '192.0.2.1:6783', endpoints: [SEED], nameFault: undefined }];
  return { node, name: 'a', sought, now: () => instant(over.now ?? 20_000) } as unknown as StatusContext;
}

describe('seedRows', () => {
  const stateOf = (over: Parameters<typeof contextOf>[0]): string => seedRows(contextOf(over))[0]!.state;
  const refused = (reach: SeedReach): void => reach.failed(SEED, 'refused', instant(8_000));
  const met = (reach: SeedReach): void => reach.met(SEED, PEER, instant(1_000));

  it('tell of a seed that is not reached: why, for how long, when it is tried next, and what to do', () => {
    const rows = seedRows(contextOf({ reach: refused, nextDialAt: instant(23_000) }));
    deepEqual(seedWarnings(rows).map(warningLine), [
      'peer 192.0.2.1:6783: TCP is refused: nobody listens there (for 12 s, next try in 3 s); start weftd there, or correct the port',
    ]);
    deepEqual(rows[0]?.state, 'failed');
  });

  it('tell of a peer that was met for as long as it is alive, and whether UDP reaches it', () => {
    deepEqual(stateOf({ reach: met, state: 'alive', tunnel: 'established' }), 'connected');
    deepEqual(stateOf({ reach: met, state: 'alive' }), 'connected');
    deepEqual(stateOf({ reach: met, state: 'dead' }), 'failed');
    deepEqual(stateOf({ reach: met, state: 'alive', tunnel: 'unreachable' }), 'no-udp');
    deepEqual(stateOf({ reach: met, state: 'alive', tunnel: 'handshaking' }), 'no-udp');
    deepEqual(stateOf({ reach: met, state: 'alive', tunnel: 'handshaking', now: 3_000 }), 'connected');
  });

  it('tell no old failure of a peer that has come to us since, nor of a seed that is not needed', () => {
    deepEqual(stateOf({ reach: refused, state: 'alive', tunnel: 'established' }), 'connected');
    deepEqual(stateOf({ reach: refused, nextDialAt: instant(9_000) }), 'trying');
    deepEqual(stateOf({ reach: () => {} }), 'trying');
  });
});
