import type { Endpoint } from '../../base/endpoint.ts';
import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { LinkId } from '../model/gossip-output.ts';
import { LinkOutbox } from './link-outbox.ts';

/** One overlay link: an authenticated, ordered, reliable stream of frames. */
export interface Link {
  readonly id: LinkId;
  readonly peer: PeerId;
  readonly initiatedByUs: boolean;
  /** Where we dialled it; the far end's ephemeral port where it dialled us. */
  readonly endpoint: Endpoint;
  readonly openedAt: Instant;
  heardAt: Instant;
  saidAt: Instant;
  /** Faults that an honest peer does not commit. */
  offences: number;
  /** The far end has announced that it will close, and where to go instead. */
  redirected: boolean;
  readonly outbox: LinkOutbox;
}

/** An open link, for people. */
export interface LinkSummary extends Pick<Link, 'peer' | 'initiatedByUs' | 'endpoint'> {
  readonly link: LinkId;
}

/** Links that a peer may hold to us at once: an old one that it has not noticed to be dead, and its successor. */
const MAX_ACCEPTED_FROM_ONE = 2;

/**
 * The links that are open, and which of several to one peer stay.
 *
 * The rule must lead both ends to the same link although each sees the other's doings late. So only *the end that
 * dialled a link* closes it as a duplicate: where both dialled, the peer with the higher identity gives up its own;
 * where one dialled twice, it keeps the newer. The other end waits. A peer that restarted without our noticing
 * therefore keeps its only link, while our stale one falls silent.
 */
export class Links {
  readonly #self: PeerId;
  readonly #linkById = new Map<LinkId, Link>();
  readonly #linksByPeer = new Map<PeerId, Link[]>();

  constructor(self: PeerId) {
    this.#self = self;
  }

  get size(): number {
    return this.#linkById.size;
  }

  get(id: LinkId): Link | undefined {
    return this.#linkById.get(id);
  }

  all(): IterableIterator<Link> {
    return this.#linkById.values();
  }

  summaries(): LinkSummary[] {
    return [...this.all()].map(({ id, peer, initiatedByUs, endpoint }) => ({
      link: id,
      peer,
      initiatedByUs,
      endpoint,
    }));
  }

  to(peer: PeerId): readonly Link[] {
    return this.#linksByPeer.get(peer) ?? [];
  }

  /** Peers with a link. */
  peers(): IterableIterator<PeerId> {
    return this.#linksByPeer.keys();
  }

  get peerCount(): number {
    return this.#linksByPeer.size;
  }

  has(peer: PeerId): boolean {
    return this.#linksByPeer.has(peer);
  }

  /** Adds a link; returns the links that have to be closed for it, possibly itself. They are still in the table. */
  add(opened: Pick<Link, 'id' | 'peer' | 'initiatedByUs' | 'endpoint'>, now: Instant): Link[] {
    const link: Link = {
      ...opened,
      openedAt: now,
      heardAt: now,
      saidAt: now,
      offences: 0,
      redirected: false,
      outbox: new LinkOutbox(),
    };
    const links = [...this.to(link.peer), link];
    this.#linkById.set(link.id, link);
    this.#linksByPeer.set(link.peer, links);
    const ours = links.filter((each) => each.initiatedByUs);
    const theirs = links.filter((each) => !each.initiatedByUs);
    const weGiveWay = theirs.length > 0 && this.#self > link.peer;
    return [...(weGiveWay ? ours : ours.slice(0, -1)), ...theirs.slice(0, -MAX_ACCEPTED_FROM_ONE)];
  }

  remove(id: LinkId): Link | undefined {
    const link = this.#linkById.get(id);
    if (!link) return undefined;
    this.#linkById.delete(id);
    const rest = this.to(link.peer).filter((each) => each.id !== id);
    if (rest.length > 0) this.#linksByPeer.set(link.peer, rest);
    else this.#linksByPeer.delete(link.peer);
    return link;
  }
}
