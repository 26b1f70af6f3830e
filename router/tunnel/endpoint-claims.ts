import type { Endpoint } from '../../base/endpoint.ts';
import type { PeerId } from '../../base/peer-id.ts';

/**
 * Which peers' records name an endpoint. A record may name any, so several can claim the same: a bounded number is
 * remembered, and a claim is a hint and never a proof.
 */
export class EndpointClaims {
  readonly #peersByEndpoint = new Map<Endpoint, Set<PeerId>>();

  note(peer: PeerId, endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints.slice(0, ENDPOINTS_MAX)) {
      let peers = this.#peersByEndpoint.get(endpoint);
      if (peers === undefined) {
        peers = new Set();
        this.#peersByEndpoint.set(endpoint, peers);
      }
      if (peers.size < CLAIMANTS_MAX) peers.add(peer);
    }
  }

  forget(peer: PeerId, endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) {
      const peers = this.#peersByEndpoint.get(endpoint);
      peers?.delete(peer);
      if (peers?.size === 0) this.#peersByEndpoint.delete(endpoint);
    }
  }

  claimants(endpoint: Endpoint): readonly PeerId[] {
    return [...(this.#peersByEndpoint.get(endpoint) ?? [])];
  }
}

/** Endpoints of one record that are looked at. */
const ENDPOINTS_MAX = 16;
/** Peers that may claim one endpoint. */
const CLAIMANTS_MAX = 4;
