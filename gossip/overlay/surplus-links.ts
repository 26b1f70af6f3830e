import type { Endpoint } from '../../base/endpoint.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { type RandomSource, randomBelow, randomUnit, shuffle } from '../../base/random.ts';
import type { GossipConfig } from '../model/gossip-config.ts';
import type { CloseReason } from '../model/gossip-output.ts';
import type { NodeInfo } from '../model/node-info.ts';
import { MAX_REDIRECTS } from '../records/frame.ts';
import type { Membership } from '../swim/membership.ts';
import type { Link, Links } from './links.ts';
import type { OverlayGraph } from './overlay-graph.ts';

/** How often a link too many is given up. */
const TRIM_MS = 5_000;

/** The parts of gossip by which a node finds that it has too many links. */
export interface SurplusLinksOptions {
  readonly self: PeerId;
  readonly config: GossipConfig;
  readonly random: RandomSource;
  readonly membership: Membership;
  readonly links: Links;
  readonly graph: OverlayGraph;
  readonly infoOf: (peer: PeerId) => NodeInfo | undefined;
  readonly close: (link: Link, reason: CloseReason, now: Instant) => void;
  readonly redirect: (link: Link, endpoints: readonly Endpoint[]) => void;
}

/**
 * Which links to give up. Of those accepted all beyond the limit, with a redirect to others: first those whose peers
 * have the most other links. Of those that we dialled one now and then, while there are more in all than we need.
 */
export class SurplusLinks {
  readonly #options: SurplusLinksOptions;
  #nextTrimAt: Instant | undefined;

  constructor(options: SurplusLinksOptions) {
    this.#options = options;
  }

  tick(now: Instant): void {
    this.#shedAccepted(now);
    this.#trimDialled(now);
  }

  #shedAccepted(now: Instant): void {
    const { links, config, random } = this.#options;
    const accepted = [...links.all()].filter((link) => !link.initiatedByUs);
    const surplus = accepted.length - config.maxIncoming;
    if (surplus <= 0) return;
    // A peer with many links loses least by this. A newcomer, whose record we do not hold yet, has none and stays.
    shuffle(random, accepted).sort((a, b) => this.#degreeOf(b) - this.#degreeOf(a));
    for (const link of accepted.slice(0, surplus)) {
      this.#options.redirect(link, this.#redirectsFor(link.peer));
      this.#options.close(link, 'full', now);
    }
  }

  #trimDialled(now: Instant): void {
    const { links, config, membership, random } = this.#options;
    if (links.peerCount <= config.linkHighWater || membership.presentCount <= config.fullMeshUpTo) return;
    if (this.#nextTrimAt !== undefined && now < this.#nextTrimAt) return;
    this.#nextTrimAt = after(now, TRIM_MS * (0.5 + randomUnit(random)));
    const dialled = [...links.all()].filter((link) => link.initiatedByUs);
    if (dialled.length <= config.minOutgoing) return;
    const rich = dialled.filter((link) => this.#degreeOf(link) > config.linkTarget);
    const link = rich[randomBelow(random, Math.max(1, rich.length))];
    if (link) this.#options.close(link, 'surplus', now);
  }

  #redirectsFor(peer: PeerId): Endpoint[] {
    const { membership, self, random, infoOf } = this.#options;
    const others = [...membership.peers()].filter(
      ([other, state]) => state === 'alive' && other !== peer && other !== self,
    );
    const out: Endpoint[] = [];
    for (const [other] of shuffle(random, others)) {
      const endpoint = infoOf(other)?.endpoints[0];
      if (endpoint !== undefined) out.push(endpoint);
      if (out.length >= MAX_REDIRECTS) break;
    }
    return out;
  }

  #degreeOf(link: Link): number {
    return this.#options.graph.degreeOf(link.peer);
  }
}
