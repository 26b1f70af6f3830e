import type { Counters } from '../base/counters.ts';
import type { Endpoint } from '../base/endpoint.ts';
import { after, type Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { AntiEntropy } from './anti-entropy.ts';
import type { Broadcast } from './broadcast.ts';
import type { GossipConfig } from './model/gossip-config.ts';
import type { GossipCounter } from './model/gossip-counters.ts';
import type { CloseReason, GossipOutput, LinkId } from './model/gossip-output.ts';
import type { Link, Links } from './overlay/links.ts';
import type { Overlay } from './overlay/overlay.ts';
import type { OverlayGraph } from './overlay/overlay-graph.ts';
import { encodeFrame } from './records/frame.ts';
import type { OwnRecords } from './records/own-records.ts';
import type { Membership } from './swim/membership.ts';
import type { Swim } from './swim/swim.ts';

/** Faults that an honest peer does not commit; at this many its link is closed and it is shut out for a while. */
export const MAX_OFFENCES = 3;
const BAN_MS = 60_000;
/** Peers shut out at once. */
const MAX_BANS = 256;
const LINK_CHECK_MS = 1_000;
/** Keepalives missed until a link is given up. */
const SILENT_AFTER_KEEPALIVES = 3;
/** A link whose shell could not send for so long is given up. */
const CONGESTED_FOR_MS = 30_000;

const COUNTER_BY_CLOSE_REASON: Readonly<Record<CloseReason, GossipCounter>> = {
  self: 'gossip.linkSelf',
  duplicate: 'gossip.linkDuplicate',
  surplus: 'gossip.linkSurplus',
  full: 'gossip.linkFull',
  offence: 'gossip.linkOffence',
  banned: 'gossip.linkBanned',
  silent: 'gossip.linkSilent',
  dead: 'gossip.linkDead',
  leaving: 'gossip.linkLeaving',
};

/**
 * The life of a link: whether it is let in, that it says something now and then, and when it is given up (silence,
 * congestion, offences). Which links to *want* is the overlay's.
 */
export class LinkUpkeep {
  readonly #options: LinkUpkeepOptions;
  readonly #bannedUntil = new Map<PeerId, Instant>();
  #nextCheckAt: Instant | undefined;
  #leaving = false;

  constructor(options: LinkUpkeepOptions) {
    this.#options = options;
  }

  /** Begins to look after the links. */
  start(now: Instant): void {
    this.#nextCheckAt = after(now, LINK_CHECK_MS);
  }

  /** A connection stands. `remote`: for a dial of ours what was dialled. */
  opened(id: LinkId, peer: PeerId, initiatedByUs: boolean, remote: Endpoint, now: Instant): void {
    const { links, overlay, membership, broadcast, antiEntropy, own, counters, emit } = this.#options;
    if (initiatedByUs) overlay.opened(remote, peer, now);
    const refusal = this.#refusalOf(peer, now);
    if (refusal) {
      counters.add(COUNTER_BY_CLOSE_REASON[refusal]);
      if (initiatedByUs && refusal === 'banned') overlay.dialFailed(remote, now);
      emit({ type: 'closeLink', link: id, reason: refusal });
      return;
    }
    const closing = links.add({ id, peer, initiatedByUs, endpoint: remote }, now);
    for (const link of closing) this.close(link, 'duplicate', now);
    const link = links.get(id);
    if (!link) return;
    membership.heard(peer, now);
    this.#changed(now);
    broadcast.opened(link, own.keys(), now);
    if (initiatedByUs) antiEntropy.begin(link);
  }

  /** The shell says that the connection is gone. */
  lost(id: LinkId, now: Instant): void {
    const link = this.#options.links.remove(id);
    if (link) this.#gone(link, undefined, now);
  }

  /** We end the link. */
  close(link: Link, reason: CloseReason, now: Instant): void {
    const { links, counters, emit } = this.#options;
    if (!links.remove(link.id)) return;
    counters.add(COUNTER_BY_CLOSE_REASON[reason]);
    emit({ type: 'closeLink', link: link.id, reason });
    this.#gone(link, reason, now);
  }

  /** Closes all links, and lets none in any more. */
  leave(now: Instant): void {
    this.#leaving = true;
    for (const link of [...this.#options.links.all()]) this.close(link, 'leaving', now);
  }

  /** One frame to the far end. */
  send(link: Link, bytes: Uint8Array, now: Instant): void {
    link.saidAt = now;
    this.#options.emit({ type: 'frame', link: link.id, bytes });
  }

  /** The far end did what an honest peer does not: closes the link and bans the peer at {@link MAX_OFFENCES}. */
  offend(link: Link, now: Instant): void {
    const { links, counters } = this.#options;
    link.offences++;
    counters.add('gossip.offence');
    if (link.offences < MAX_OFFENCES || !links.get(link.id)) return;
    if (this.#bannedUntil.size < MAX_BANS) this.#bannedUntil.set(link.peer, after(now, BAN_MS));
    this.close(link, 'offence', now);
  }

  /** Says something over idle links, and gives up the silent and the stuck. */
  tick(now: Instant): void {
    if (this.#nextCheckAt === undefined || this.#nextCheckAt > now) return;
    this.#nextCheckAt = after(now, LINK_CHECK_MS);
    const { keepaliveMs } = this.#options.config;
    for (const [peer, until] of this.#bannedUntil) if (until <= now) this.#bannedUntil.delete(peer);
    for (const link of [...this.#options.links.all()]) {
      const congestedMs = now - (link.outbox.congestedSince ?? now);
      const silentMs = now - link.heardAt;
      if (silentMs > SILENT_AFTER_KEEPALIVES * keepaliveMs || congestedMs > CONGESTED_FOR_MS) {
        this.close(link, 'silent', now);
      } else if (now - link.saidAt >= keepaliveMs && link.outbox.congestedSince === undefined) {
        this.send(link, encodeFrame({ kind: 'keepalive' }), now);
      }
    }
  }

  nextTimeout(): Instant | undefined {
    return this.#nextCheckAt;
  }

  #refusalOf(peer: PeerId, now: Instant): CloseReason | undefined {
    if (peer === this.#options.self) return 'self';
    if (this.#leaving) return 'leaving';
    return (this.#bannedUntil.get(peer) ?? now) > now ? 'banned' : undefined;
  }

  #gone(link: Link, reason: CloseReason | undefined, now: Instant): void {
    const { overlay, links, membership, swim } = this.#options;
    this.#changed(now);
    overlay.closed(link, reason, now);
    // A lost connection is the quickest sign of a dead peer: ask at once.
    const unexpected = (reason === undefined && !link.redirected) || reason === 'silent';
    if (unexpected && !links.has(link.peer) && membership.isPresent(link.peer)) swim.doubt(link.peer, now);
  }

  #changed(now: Instant): void {
    const { graph, links, own, overlay } = this.#options;
    graph.setOwn(links.peers());
    own.linksChanged(now);
    overlay.reviewSoon(now);
  }
}

/** The parts of gossip that the coming and going of links touches. */
interface LinkUpkeepOptions {
  readonly self: PeerId;
  readonly config: GossipConfig;
  readonly counters: Counters<GossipCounter>;
  readonly links: Links;
  readonly graph: OverlayGraph;
  readonly membership: Membership;
  readonly own: OwnRecords;
  readonly broadcast: Broadcast;
  readonly antiEntropy: AntiEntropy;
  readonly overlay: Overlay;
  readonly swim: Swim;
  readonly emit: (output: GossipOutput) => void;
}
