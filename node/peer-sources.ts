import type { Endpoint } from '../base/endpoint.ts';
import type { PeerId } from '../base/peer-id.ts';
import { sourceOf } from '../crypto/source-limit.ts';

/** Where known peers live, as their records have it: a control link from there has a place kept for it. */
export class PeerSources {
  readonly #sourcesByPeer = new Map<PeerId, readonly string[]>();
  readonly #peersBySource = new Map<string, number>();

  has(source: string): boolean {
    return this.#peersBySource.has(source);
  }

  /** A newer record of the peer. */
  set(peer: PeerId, endpoints: readonly Endpoint[]): void {
    this.forget(peer);
    const sources = [...new Set(endpoints.map(sourceOf))];
    this.#sourcesByPeer.set(peer, sources);
    for (const source of sources) this.#peersBySource.set(source, (this.#peersBySource.get(source) ?? 0) + 1);
  }

  forget(peer: PeerId): void {
    for (const source of this.#sourcesByPeer.get(peer) ?? []) {
      const left = this.#peersBySource.get(source)! - 1;
      if (left > 0) this.#peersBySource.set(source, left);
      else this.#peersBySource.delete(source);
    }
    this.#sourcesByPeer.delete(peer);
  }
}
