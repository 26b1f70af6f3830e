import { type PeerId, shortPeerId } from '../base/peer-id.ts';

/** What messages to people say of peers. */
export interface PeerNews {
  /** Gossip sees the peer alive. */
  readonly isAlive: (peer: PeerId) => boolean;
  /** The name that a peer gives itself; undefined where none is known. */
  readonly nameOf: (peer: PeerId) => string | undefined;
}

/** Peers named in one message. */
const NAMED = 3;

/** Some peers as people know them: `db-1 (3fa9c0d2), 77aa01cd and 4 more`. */
export function peerNames(peers: readonly PeerId[], nameOf: (peer: PeerId) => string | undefined): string {
  const named = peers.slice(0, NAMED).map((peer) => {
    const name = nameOf(peer);
    return name ? `${name} (${shortPeerId(peer)})` : shortPeerId(peer);
  });
  const more = peers.length - named.length;
  return named.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
