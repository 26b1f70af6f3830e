import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { Gossip } from '../gossip/gossip.ts';
import type { Tunnels } from '../router/tunnel/tunnels.ts';

/** Peers with a direct tunnel that are looked at as relays, beside those near in the overlay. */
const RELAY_CANDIDATES = 8;

/**
 * Gives each tunnel that has no direct way its relays. First those that are near the peer in the overlay and that we
 * reach ourselves, then the others near it, then whomever we reach: that one may have a next relay.
 */
export function chooseRelays(gossip: Gossip, tunnels: Tunnels, now: Instant): void {
  const isDirect = (peer: PeerId): boolean => {
    const { state, path } = tunnels.status(peer) ?? {};
    return state === 'established' && path?.kind === 'direct';
  };
  const direct = new Set<PeerId>();
  const without: PeerId[] = [];
  for (const peer of tunnels.peers) {
    if (!isDirect(peer)) without.push(peer);
    else if (direct.size < RELAY_CANDIDATES) direct.add(peer);
  }
  for (const peer of without) {
    const near = gossip.relaysTo(peer);
    tunnels.setRelays(peer, [...new Set([...near.filter(isDirect), ...near, ...direct])], now);
  }
}
