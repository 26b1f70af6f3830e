import type { Endpoint } from '../../base/endpoint.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { type RandomSource, randomBelow, randomUnit, shuffle } from '../../base/random.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import type { CloseReason } from '../model/gossip-output.ts';
import { Dialler } from './dialler.ts';
import type { Link } from './links.ts';
import { Seeds } from './seeds.ts';
import { SurplusLinks, type SurplusLinksOptions } from './surplus-links.ts';

/** Endpoints that other peers have redirected us to and that are still to be tried. */
const MAX_HINTS = 32;
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
/** Dials from one component to what lies outside, for each look at it: mostly so many, by chance. */
const OUTSIDE_DIALS = 4;
/** A peer that sent us away is left alone so long. */
const AVOID_MS = 60_000;
/** Dials to absent endpoints, in the whole cluster: about one in so many milliseconds. */
const CLUSTER_REDIAL_MS = 300;
/** Who said goodbye is dialled for so long by a node that is alone: it may be a restart of all. */
const LEFT_DIALLED_MS = 600_000;
/** But each node makes one in this time, however many there are. */
const MAX_RARE_DIAL_MS = 30_000;

/**
 * Which links to keep: about eight, in a cluster of any size.
 *
 * - Up to eight live nodes: everybody with everybody.
 * - Above: dial random live members until there are eight links, three of them dialled by ourselves. A random graph
 *   like that is connected, with a diameter of a few hops.
 * - Seeds while links are missing, until each has been met or the peer behind it is known to be in our component of
 *   the overlay graph.
 * - Live members outside our component: a few links from all of it together, so that components grow together again.
 * - Now and then a member that counts as dead, and a seed that was never met: partitions heal from either side. The
 *   dials of all members together are kept at about three a second, so a small cluster heals at once and a large one
 *   does not storm.
 *
 * Otherwise a node that has links enough dials nobody. Links too many are given up by surplus-links.ts.
 */
export class Overlay {
  readonly #options: OverlayOptions;
  readonly #random: RandomSource;
  readonly #dialler: Dialler;
  readonly #seeds = new Seeds();
  readonly #surplus: SurplusLinks;
  readonly #hints = new Set<Endpoint>();
  readonly #avoidUntil = new Map<PeerId, Instant>();
  readonly #pace = new TokenBucket(DIAL_BURST, DIALS_PER_SECOND);
  #outsideSince: Instant | undefined;
  #nextReviewAt: Instant | undefined;
  #nextRevivalAt: Instant | undefined;
  #nextSeedAt: Instant | undefined;
  #nextPruneAt: Instant | undefined;

  constructor(options: OverlayOptions) {
    this.#options = options;
    this.#random = options.random;
    this.#dialler = new Dialler(options.config, options.random);
    this.#surplus = new SurplusLinks(options);
  }

  get seeds(): readonly Endpoint[] {
    return this.#seeds.endpoints;
  }

  /** Replaces the seeds; new ones are dialled at once. */
  setSeeds(endpoints: readonly Endpoint[], now: Instant): void {
    this.#dialler.retryNow(this.#seeds.replace(endpoints));
    this.#nextSeedAt = undefined;
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
    // Another peer answers at this address, so it does not lead to the peer that we wanted to dial.
    if (expected !== undefined && expected !== peer) this.dialFailed(endpoint, now);
    this.#seeds.met(endpoint, peer);
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
    this.#dialHints(now);
    this.#dialMembers(now);
    this.#dialOutside(now);
    this.#dialAbsent(now);
    this.#surplus.tick(now);
    this.#prune(now);
  }

  nextTimeout(): Instant | undefined {
    return this.#nextReviewAt;
  }

  /**
   * Dials seeds that have not been met yet, while links are missing. A node with enough links tries one of them now and
   * then, for the peers behind a seed may be unknown to all members.
   */
  #dialSeeds(now: Instant): void {
    const enough = this.#missing() <= this.#dialler.pendingCount;
    if (enough && this.#nextSeedAt !== undefined && now < this.#nextSeedAt) return;
    let wanted = enough ? 1 : this.#missing() - this.#dialler.pendingCount;
    for (const endpoint of shuffle(this.#random, [...this.#seeds.endpoints])) {
      if (wanted <= 0) break;
      if (!this.#isSeedWanted(endpoint, now) || !this.#dial(endpoint, undefined, now)) continue;
      wanted--;
    }
    this.#nextSeedAt = after(now, this.#rareDialMs() * (0.5 + randomUnit(this.#random)));
  }

  /**
   * A seed in our component has done its work. Should it have restarted under another key, its address is tried again
   * as soon as the old identity is no longer present.
   */
  #isSeedWanted(endpoint: Endpoint, now: Instant): boolean {
    if (this.#dialler.isOwn(endpoint)) return false;
    const peer = this.#seeds.peerAt(endpoint) ?? this.#peerAt(endpoint);
    if (peer === undefined) return true;
    const { membership, links } = this.#options;
    return (
      !(membership.isPresent(peer) && this.#isInside(peer)) && !links.has(peer) && !this.#isAvoided(peer, now)
    );
  }

  #dialHints(now: Instant): void {
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
    // All in our component see the same, and a few dials join the two.
    const inside = Math.max(1, membership.presentCount - outside.length);
    if (randomUnit(this.#random) * inside >= OUTSIDE_DIALS) return;
    this.#dialPeer(outside[randomBelow(this.#random, outside.length)]!, now);
  }

  #dialAbsent(now: Instant): void {
    const { membership, links } = this.#options;
    const alone = links.size === 0 && this.#dialler.pendingCount === 0;
    if (!alone && this.#nextRevivalAt !== undefined && now < this.#nextRevivalAt) return;
    this.#nextRevivalAt = after(now, this.#rareDialMs() * (0.5 + randomUnit(this.#random)));
    const absent: PeerId[] = [];
    for (const [peer, state] of membership.peers()) {
      const leftLately = alone && state === 'left' && now - (membership.since(peer) ?? now) < LEFT_DIALLED_MS;
      if (state === 'dead' || state === 'unknown' || leftLately) absent.push(peer);
    }
    shuffle(this.#random, absent);
    let wanted = alone ? this.#options.config.maxConcurrentDials : 1;
    for (const peer of absent) {
      if (wanted > 0 && !this.#dialler.isDialling(peer) && this.#dialPeer(peer, now)) wanted--;
    }
  }

  #prune(now: Instant): void {
    if (this.#nextPruneAt !== undefined && now < this.#nextPruneAt) return;
    this.#nextPruneAt = after(now, AVOID_MS);
    for (const [peer, until] of this.#avoidUntil) if (until <= now) this.#avoidUntil.delete(peer);
    const named = new Set<Endpoint>(this.#seeds.endpoints);
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

  #avoid(peer: PeerId, now: Instant): void {
    if (this.#avoidUntil.size < this.#options.config.maxOrigins)
      this.#avoidUntil.set(peer, after(now, AVOID_MS));
  }

  /** With no link at all we cannot be choosy. */
  #isAvoided(peer: PeerId, now: Instant): boolean {
    return this.#options.links.size > 0 && (this.#avoidUntil.get(peer) ?? now) > now;
  }

  /** Time between two dials of ours that all nodes make now and then, so that together they make about three a second. */
  #rareDialMs(): number {
    return Math.min(MAX_RARE_DIAL_MS, this.#maxBackoffMs());
  }

  #maxBackoffMs(): number {
    return Math.max(1000, CLUSTER_REDIAL_MS * this.#options.membership.presentCount);
  }
}

/** The parts of gossip that links are chosen by. */
interface OverlayOptions extends SurplusLinksOptions {
  readonly dial: (endpoint: Endpoint, expected: PeerId | undefined) => void;
}
