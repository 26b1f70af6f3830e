import type { Endpoint } from '../../base/endpoint.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { type RandomSource, randomBelow, randomUnit, shuffle } from '../../base/random.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import type { GossipConfig } from '../model/gossip-config.ts';
import type { CloseReason } from '../model/gossip-output.ts';
import type { NodeInfo } from '../model/node-info.ts';
import { MAX_REDIRECTS } from '../records/frame.ts';
import type { Membership } from '../swim/membership.ts';
import { Dialler } from './dialler.ts';
import type { Link, Links } from './links.ts';
import type { OverlayGraph } from './overlay-graph.ts';

/** Seed endpoints; `setSeeds` takes the first so many. */
export const MAX_SEEDS = 64;
/** Endpoints that other peers have redirected us to and that are still to be tried. */
export const MAX_HINTS = 32;
/** How often the links are looked over, unless something happens. */
const REVIEW_MS = 500;
/** Above full-mesh size links are made by and by, since those that others dial meanwhile count too. */
const DIAL_BURST = 2;
const DIALS_PER_SECOND = 3;
/** After something happened (a link gone, a member found) so soon, with jitter. */
const REVIEW_SOON_MS = 20;
/** In a full mesh the peer with the higher identity waits so long for the lower one to dial. */
const YIELD_MS = 600;
/** A live member must be outside our component for so long before it is dialled: records of new links lag. */
const OUTSIDE_FOR_MS = 5_000;
/** A peer that sent us away is left alone so long. */
const AVOID_MS = 60_000;
/** How often a link too many is given up. */
const TRIM_MS = 5_000;
/** Dials to absent endpoints, in the whole cluster: about one in so many milliseconds. */
const CLUSTER_REDIAL_MS = 300;

/**
 * Which links to keep: about eight, in a cluster of any size.
 *
 * - Up to eight live nodes: everybody with everybody.
 * - Above: dial random live members until there are eight links, three of them dialled by ourselves. A random graph
 *   like that is connected, with a diameter of a few hops.
 * - Seeds until each has been met, and whenever the peer behind one lies outside our component of the overlay graph.
 * - One link to a live member outside our component, for each look at it: components grow together again.
 * - Now and then a member that counts as dead: partitions heal from either side. The dials of all members together
 *   are kept at about three a second, so a small cluster heals at once and a large one does not storm.
 *
 * Too many accepted links are shed with a redirect, those first whose peers have the most other links.
 */
export class Overlay {
  readonly #options: OverlayOptions;
  readonly #random: RandomSource;
  readonly #dialler: Dialler;
  #seeds: readonly Endpoint[] = [];
  readonly #peerBySeed = new Map<Endpoint, PeerId>();
  readonly #hints = new Set<Endpoint>();
  readonly #avoidUntil = new Map<PeerId, Instant>();
  readonly #pace = new TokenBucket(DIAL_BURST, DIALS_PER_SECOND);
  #outsideSince: Instant | undefined;
  #nextReviewAt: Instant | undefined;
  #nextRevivalAt: Instant | undefined;
  #nextTrimAt: Instant | undefined;
  #nextPruneAt: Instant | undefined;

  constructor(options: OverlayOptions) {
    this.#options = options;
    this.#random = options.random;
    this.#dialler = new Dialler(options.config, options.random);
  }

  get seeds(): readonly Endpoint[] {
    return this.#seeds;
  }

  /** Replaces the seeds; new ones are dialled at once. */
  setSeeds(endpoints: readonly Endpoint[], now: Instant): void {
    const next = [...new Set(endpoints)].slice(0, MAX_SEEDS);
    this.#dialler.retryNow(next.filter((endpoint) => !this.#seeds.includes(endpoint)));
    this.#seeds = next;
    for (const endpoint of this.#peerBySeed.keys())
      if (!next.includes(endpoint)) this.#peerBySeed.delete(endpoint);
    this.reviewSoon(now);
  }

  /** Other members that a peer which shed us has named. */
  addHints(from: PeerId, endpoints: readonly Endpoint[], now: Instant): void {
    for (const endpoint of endpoints) if (this.#hints.size < MAX_HINTS) this.#hints.add(endpoint);
    this.#avoid(from, now);
  }

  reviewSoon(now: Instant): void {
    const at = after(now, REVIEW_SOON_MS * (1 + randomUnit(this.#random)));
    if (this.#nextReviewAt === undefined || at < this.#nextReviewAt) this.#nextReviewAt = at;
  }

  /** A dial led to a link with `peer`. */
  opened(endpoint: Endpoint, peer: PeerId, now: Instant): void {
    const expected = this.#dialler.opened(endpoint);
    if (peer === this.#options.self) {
      this.#dialler.markOwn(endpoint);
      return;
    }
    // Somebody else lives there now: that address is not the way to whom we meant.
    if (expected !== undefined && expected !== peer) this.dialFailed(endpoint, now);
    if (this.#seeds.includes(endpoint)) this.#peerBySeed.set(endpoint, peer);
  }

  /** When an endpoint may be dialled again after it failed; undefined where nothing holds that back. */
  nextDialAt(endpoint: Endpoint): Instant | undefined {
    return this.#dialler.notBefore(endpoint);
  }

  dialFailed(endpoint: Endpoint, now: Instant): void {
    this.#hints.delete(endpoint);
    this.#dialler.failed(endpoint, this.#maxBackoffMs(), now);
  }

  /** A link is gone. `ended` by us for being superfluous: that says nothing against the endpoint. */
  closed(link: Link, ended: CloseReason | undefined, now: Instant): void {
    const harmless = ended === 'duplicate' || ended === 'surplus';
    if (link.initiatedByUs && !harmless) {
      this.#dialler.lost(link.endpoint, now - link.openedAt, this.#maxBackoffMs(), now);
    }
    this.reviewSoon(now);
  }

  /** A member is alive that was not: whatever its endpoints failed at before, try them. */
  revived(peer: PeerId, now: Instant): void {
    this.#dialler.retryNow(this.#options.infoOf(peer)?.endpoints ?? []);
    this.reviewSoon(now);
  }

  tick(now: Instant): void {
    if (this.#nextReviewAt === undefined || this.#nextReviewAt > now) return;
    this.#nextReviewAt = after(now, REVIEW_MS * (0.75 + 0.5 * randomUnit(this.#random)));
    this.#dialler.expire(this.#maxBackoffMs(), now);
    this.#dialSeeds(now);
    this.#dialMembers(now);
    this.#dialOutside(now);
    this.#dialAbsent(now);
    this.#shed(now);
    this.#trim(now);
    this.#prune(now);
  }

  nextTimeout(): Instant | undefined {
    return this.#nextReviewAt;
  }

  #dialSeeds(now: Instant): void {
    for (const endpoint of this.#seeds) {
      if (this.#dialler.isOwn(endpoint)) continue;
      const peer = this.#peerBySeed.get(endpoint) ?? this.#peerAt(endpoint);
      // A seed in our component has done its work; should it have restarted under another key, its address is tried
      // again as soon as the old identity is no longer present.
      const met = peer !== undefined && this.#options.membership.isPresent(peer) && this.#isInside(peer);
      if (met || (peer !== undefined && this.#options.links.has(peer))) continue;
      if (peer !== undefined && this.#isAvoided(peer, now)) continue;
      this.#dial(endpoint, undefined, now);
    }
    for (const endpoint of this.#hints) {
      if (this.#missing() <= this.#dialler.pendingCount || !this.#pace.has(now)) break;
      this.#hints.delete(endpoint);
      const peer = this.#peerAt(endpoint);
      if (peer !== undefined && this.#options.links.has(peer)) continue;
      if (this.#dial(endpoint, peer, now)) this.#pace.take(now);
    }
  }

  #dialMembers(now: Instant): void {
    const { membership, links, config, self } = this.#options;
    const present: PeerId[] = [];
    const unknown: PeerId[] = [];
    for (const [peer, state] of membership.peers()) {
      if (peer === self || links.has(peer) || this.#isAvoided(peer, now) || this.#dialler.isDialling(peer))
        continue;
      if (state === 'alive' || state === 'suspect') present.push(peer);
      else if (state === 'unknown') unknown.push(peer);
    }
    const mesh = membership.presentCount <= config.fullMeshUpTo;
    const candidates = [...this.#fewestLinksFirst(present), ...shuffle(this.#random, unknown)];
    let missing = mesh ? config.fullMeshUpTo : this.#missing() - this.#dialler.pendingCount;
    for (const peer of candidates) {
      if (missing <= 0 || (!mesh && !this.#pace.has(now))) return;
      const since = membership.since(peer);
      if (mesh && self > peer && since !== undefined && now - since < YIELD_MS) continue;
      if (!this.#dialPeer(peer, now)) continue;
      missing--;
      if (!mesh) this.#pace.take(now);
    }
  }

  /** Shuffled, except that of each random pair the peer with fewer links comes first: evens out the degrees. */
  #fewestLinksFirst(peers: PeerId[]): PeerId[] {
    shuffle(this.#random, peers);
    const half = peers.length >> 1;
    const degree = (peer: PeerId): number => this.#options.graph.degreeOf(peer);
    for (let i = 0; i < half; i++) {
      const other = i + half;
      if (degree(peers[other]!) < degree(peers[i]!)) [peers[i], peers[other]] = [peers[other]!, peers[i]!];
    }
    return peers;
  }

  #dialOutside(now: Instant): void {
    const { membership, links } = this.#options;
    const outside: PeerId[] = [];
    for (const [peer] of membership.peers()) {
      if (membership.isPresent(peer) && !links.has(peer) && !this.#isInside(peer)) outside.push(peer);
    }
    if (outside.length === 0) {
      this.#outsideSince = undefined;
      return;
    }
    this.#outsideSince ??= now;
    if (now - this.#outsideSince < OUTSIDE_FOR_MS) return;
    this.#outsideSince = now;
    this.#dialPeer(outside[randomBelow(this.#random, outside.length)]!, now);
  }

  #dialAbsent(now: Instant): void {
    const { membership, links } = this.#options;
    const alone = links.size === 0 && this.#dialler.pendingCount === 0;
    if (!alone && this.#nextRevivalAt !== undefined && now < this.#nextRevivalAt) return;
    const intervalMs = Math.min(30_000, Math.max(1000, CLUSTER_REDIAL_MS * membership.presentCount));
    this.#nextRevivalAt = after(now, intervalMs * (0.5 + randomUnit(this.#random)));
    const absent: PeerId[] = [];
    for (const [peer, state] of membership.peers()) {
      if (state === 'dead' || state === 'unknown' || (state === 'left' && alone)) absent.push(peer);
    }
    shuffle(this.#random, absent);
    let wanted = alone ? this.#options.config.maxConcurrentDials : 1;
    for (const peer of absent) {
      if (wanted > 0 && !this.#dialler.isDialling(peer) && this.#dialPeer(peer, now)) wanted--;
    }
  }

  #shed(now: Instant): void {
    const accepted = [...this.#options.links.all()].filter((link) => !link.initiatedByUs);
    const surplus = accepted.length - this.#options.config.maxIncoming;
    if (surplus <= 0) return;
    // A peer with many links loses least by this. A newcomer, whose record we do not hold yet, has none and stays.
    shuffle(this.#random, accepted).sort((a, b) => this.#degreeOf(b) - this.#degreeOf(a));
    for (const link of accepted.slice(0, surplus)) {
      this.#options.redirect(link, this.#redirectsFor(link.peer));
      this.#options.close(link, 'full', now);
    }
  }

  #trim(now: Instant): void {
    const { links, config, membership } = this.#options;
    if (links.peerCount <= config.linkHighWater || membership.presentCount <= config.fullMeshUpTo) return;
    if (this.#nextTrimAt !== undefined && now < this.#nextTrimAt) return;
    this.#nextTrimAt = after(now, TRIM_MS * (0.5 + randomUnit(this.#random)));
    const dialled = [...links.all()].filter((link) => link.initiatedByUs);
    if (dialled.length <= config.minOutgoing) return;
    const rich = dialled.filter((link) => this.#degreeOf(link) > config.linkTarget);
    const link = rich[randomBelow(this.#random, Math.max(1, rich.length))];
    if (link) this.#options.close(link, 'surplus', now);
  }

  #prune(now: Instant): void {
    if (this.#nextPruneAt !== undefined && now < this.#nextPruneAt) return;
    this.#nextPruneAt = after(now, AVOID_MS);
    for (const [peer, until] of this.#avoidUntil) if (until <= now) this.#avoidUntil.delete(peer);
    const named = new Set<Endpoint>(this.#seeds);
    for (const [peer] of this.#options.membership.peers()) {
      for (const endpoint of this.#options.infoOf(peer)?.endpoints ?? []) named.add(endpoint);
    }
    this.#dialler.prune((endpoint) => named.has(endpoint));
  }

  /** Links still wanted above full-mesh size. */
  #missing(): number {
    const { links, config } = this.#options;
    let dialled = 0;
    for (const link of links.all()) if (link.initiatedByUs) dialled++;
    return Math.max(config.linkTarget - links.peerCount, config.minOutgoing - dialled);
  }

  #dialPeer(peer: PeerId, now: Instant): boolean {
    const endpoint = this.#dialler.best(this.#options.infoOf(peer)?.endpoints ?? [], now);
    return endpoint !== undefined && this.#dial(endpoint, peer, now);
  }

  #dial(endpoint: Endpoint, expected: PeerId | undefined, now: Instant): boolean {
    if (!this.#dialler.canDial(endpoint, now)) return false;
    this.#dialler.started(endpoint, expected, now);
    this.#options.dial(endpoint, expected);
    return true;
  }

  #redirectsFor(peer: PeerId): Endpoint[] {
    const out: Endpoint[] = [];
    const others = [...this.#options.membership.peers()].filter(
      ([other, state]) => state === 'alive' && other !== peer && other !== this.#options.self,
    );
    for (const [other] of shuffle(this.#random, others)) {
      const endpoint = this.#options.infoOf(other)?.endpoints[0];
      if (endpoint !== undefined) out.push(endpoint);
      if (out.length >= MAX_REDIRECTS) break;
    }
    return out;
  }

  #peerAt(endpoint: Endpoint): PeerId | undefined {
    for (const [peer] of this.#options.membership.peers()) {
      if (!this.#options.membership.isPresent(peer)) continue;
      if (this.#options.infoOf(peer)?.endpoints.includes(endpoint)) return peer;
    }
    return undefined;
  }

  #isInside(peer: PeerId): boolean {
    return this.#options.graph.reaches(peer);
  }

  #degreeOf(link: Link): number {
    return this.#options.graph.degreeOf(link.peer);
  }

  #avoid(peer: PeerId, now: Instant): void {
    if (this.#avoidUntil.size < this.#options.config.maxOrigins)
      this.#avoidUntil.set(peer, after(now, AVOID_MS));
  }

  /** With no link at all we cannot be choosy. */
  #isAvoided(peer: PeerId, now: Instant): boolean {
    return this.#options.links.size > 0 && (this.#avoidUntil.get(peer) ?? now) > now;
  }

  #maxBackoffMs(): number {
    return Math.max(1000, CLUSTER_REDIAL_MS * this.#options.membership.presentCount);
  }
}

/** The parts of gossip that links are chosen by. */
export interface OverlayOptions {
  readonly self: PeerId;
  readonly config: GossipConfig;
  readonly random: RandomSource;
  readonly membership: Membership;
  readonly links: Links;
  readonly graph: OverlayGraph;
  readonly infoOf: (peer: PeerId) => NodeInfo | undefined;
  readonly dial: (endpoint: Endpoint, expected: PeerId | undefined) => void;
  readonly close: (link: Link, reason: CloseReason, now: Instant) => void;
  readonly redirect: (link: Link, endpoints: readonly Endpoint[]) => void;
}
