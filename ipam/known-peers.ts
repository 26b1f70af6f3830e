import type { PeerId } from '../base/peer-id.ts';
import { ORIGIN_LIMIT } from './ring/ring.ts';

/** What gossip tells of peers: who is alive, and what they call themselves. Ownership never hangs on it. */
export class KnownPeers {
  readonly #alive = new Set<PeerId>();
  readonly #left = new Set<PeerId>();
  readonly #nameByPeer = new Map<PeerId, string>();

  readonly isAlive = (peer: PeerId): boolean => this.#alive.has(peer);

  /** The name that a peer gives itself; undefined where none is known. */
  readonly nameOf = (peer: PeerId): string | undefined => this.#nameByPeer.get(peer);

  /** It said goodbye, and was not seen since. */
  readonly hasLeft = (peer: PeerId): boolean => this.#left.has(peer);

  setState(peer: PeerId, state: 'alive' | 'suspect' | 'dead' | 'left'): void {
    if (state === 'alive') this.#alive.add(peer);
    else this.#alive.delete(peer);
    if (state === 'left') this.#left.add(peer);
    else if (state === 'alive') this.#left.delete(peer);
  }

  setName(peer: PeerId, name: string): void {
    if (this.#nameByPeer.size < ORIGIN_LIMIT || this.#nameByPeer.has(peer)) this.#nameByPeer.set(peer, name);
  }
}
