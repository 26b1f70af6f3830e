import { after, type Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { Gossip } from '../gossip/gossip.ts';
import type { Tunnels } from '../router/tunnel/tunnels.ts';

/** How often relays are chosen anew from the overlay graph, for tunnels without a direct way that carries packets. */
const RELAYS_EVERY_MS = 1_000;
/** Peers with a direct tunnel that are looked at as relays, beside those near in the overlay. */
const RELAY_CANDIDATES = 8;

/** Looks now and then which peers could pass packets on, for the tunnels that have no direct way. */
export class RelayChoice {
  readonly #gossip: Gossip;
  readonly #tunnels: Tunnels;
  #dueAt: Instant | undefined;

  constructor(gossip: Gossip, tunnels: Tunnels) {
    this.#gossip = gossip;
    this.#tunnels = tunnels;
  }

  nextTimeout(): Instant | undefined {
    return this.#dueAt;
  }

  tick(now: Instant): void {
    if (this.#dueAt !== undefined && now < this.#dueAt) return;
    this.#dueAt = after(now, RELAYS_EVERY_MS);
    chooseRelays(this.#gossip, this.#tunnels, now);
  }
}

/**
 * Gives each tunnel that has no direct way its relays. First those that are near the peer in the overlay and that we
 * reach ourselves, then the others near it, then whomever we reach: that one may have a next relay.
 */
function chooseRelays(gossip: Gossip, tunnels: Tunnels, now: Instant): void {
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
