import { parseAddress } from '../base/address.ts';
import type { Counters } from '../base/counters.ts';
import { type Endpoint, endpoint, endpointHost, endpointPort } from '../base/endpoint.ts';
import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { LinkId } from '../gossip/model/gossip-output.ts';
import type { NodeInfo } from '../gossip/model/node-info.ts';
import type { LinkEnd } from '../router/link/control-links.ts';
import type { Tunnels } from '../router/tunnel/tunnels.ts';
import { COUNTER_BY_PEER_FAULT, type NodeCounter } from './node-counters.ts';
import { PeerSources } from './peer-sources.ts';

/** In clusters up to this size every node keeps a tunnel to every other, before any packet asks for it. */
const EAGER_MESH_NODES = 64;

/** What peers said of themselves and where links with them end; the tunnels are told where each may be. */
export class KnownPeers {
  readonly #tunnels: Tunnels;
  readonly #counters: Counters<NodeCounter>;
  readonly #byPeer = new Map<PeerId, { readonly info: NodeInfo; readonly epoch: number }>();
  readonly #sources = new PeerSources();
  /** Open control links. */
  readonly #linkById = new Map<LinkId, { readonly peer: PeerId; readonly end: LinkEnd }>();
  /** Peers that the ring has removed for good. */
  readonly #removed = new Set<PeerId>();

  constructor(tunnels: Tunnels, counters: Counters<NodeCounter>) {
    this.#tunnels = tunnels;
    this.#counters = counters;
  }

  infoOf(peer: PeerId): NodeInfo | undefined {
    return this.#byPeer.get(peer)?.info;
  }

  /** Whether a peer's record names an address of this source (crypto/source-limit.ts). */
  liveAt(source: string): boolean {
    return this.#sources.has(source);
  }

  /** A newer record of the peer. False where the ring has removed it: it gets no tunnel. */
  set(peer: PeerId, info: NodeInfo, epoch: number, now: Instant): boolean {
    this.#byPeer.set(peer, { info, epoch });
    this.#sources.set(peer, info.endpoints);
    this.#tellTunnels(peer, now);
    return !this.#removed.has(peer);
  }

  /** In a small mesh tunnels are made before a packet waits for one. */
  wantEarly(peer: PeerId, now: Instant): void {
    if (this.#byPeer.size <= EAGER_MESH_NODES) this.#tunnels.want(peer, now);
  }

  linkOpened(link: LinkId, peer: PeerId, end: LinkEnd, now: Instant): void {
    this.#linkById.set(link, { peer, end });
    this.#tellTunnels(peer, now);
  }

  linkClosed(link: LinkId): void {
    this.#linkById.delete(link);
  }

  /** A removed peer gets no tunnel any more: what it owned is another's. Gossip still tells it that it is removed. */
  remove(peer: PeerId, now: Instant): void {
    if (this.#removed.has(peer)) return;
    this.#removed.add(peer);
    this.#tunnels.removePeer(peer, now);
  }

  /** Its record is held no more. */
  forget(peer: PeerId, now: Instant): void {
    this.#byPeer.delete(peer);
    this.#sources.forget(peer);
    this.#tunnels.removePeer(peer, now);
  }

  /** Tells where `peer` may be: where a control link with it ends, and what its record names. */
  #tellTunnels(peer: PeerId, now: Instant): void {
    const known = this.#byPeer.get(peer);
    if (known === undefined || this.#removed.has(peer)) return;
    const { info } = known;
    // Of starts since then the peer says that they lost nothing.
    const epoch = Math.min(known.epoch, info.sessionsSince ?? known.epoch);
    const { noiseKey } = info;
    const linked = [...this.#linkById.values()].filter((link) => link.peer === peer);
    const endpoints = new Set([...linked.map(({ end }) => udpBehind(end, info)), ...info.endpoints]);
    const set = this.#tunnels.setPeer(peer, { noiseKey, endpoints: [...endpoints], epoch }, now);
    if (!set.ok) this.#counters.add(COUNTER_BY_PEER_FAULT[set.reason]);
  }
}

/**
 * Where the UDP socket of a peer is, by the far end of a link with it: where we dialled, it listens for both. A
 * connection that it made comes from its address but another port.
 */
function udpBehind({ initiator, remote }: LinkEnd, info: NodeInfo): Endpoint {
  const [first] = info.endpoints;
  const address = parseAddress(endpointHost(remote));
  if (initiator || first === undefined || address === undefined) return remote;
  return endpoint(address, endpointPort(first));
}
