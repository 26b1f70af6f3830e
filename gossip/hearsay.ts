import type { Counters } from '../base/counters.ts';
import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import { TokenBucket } from '../base/token-bucket.ts';
import type { Broadcast } from './broadcast.ts';
import type { GossipCounter } from './model/gossip-counters.ts';
import type { LinkId } from './model/gossip-output.ts';
import type { Rumour } from './model/rumour.ts';
import type { OwnRecords } from './records/own-records.ts';
import type { Membership } from './swim/membership.ts';
import type { RumourQueue } from './swim/rumour-queue.ts';
import type { Swim } from './swim/swim.ts';

/** New suspicions taken on hearsay: at once, and a second. A liar cannot keep the whole cluster refuting. */
const SUSPECT_BURST = 128;
const SUSPECTS_PER_SECOND = 16;

/** Rumours coming in and going out: those about ourselves are refuted, new suspicions of others are rationed. */
export class Hearsay {
  readonly #options: HearsayOptions;
  readonly #suspicions = new TokenBucket(SUSPECT_BURST, SUSPECTS_PER_SECOND);

  constructor(options: HearsayOptions) {
    this.#options = options;
  }

  /** What a peer tells of others. */
  hear(rumours: readonly Rumour[], now: Instant): void {
    const { self, own, swim, membership, counters } = this.#options;
    for (const rumour of rumours) {
      if (rumour.subject === self) {
        if (rumour.state !== 'alive' && own.refute(rumour.version, now)) swim.refuted();
        continue;
      }
      const accuses = rumour.state === 'suspect' && membership.stateOf(rumour.subject) === 'alive';
      if (accuses && !this.#suspicions.take(now)) counters.add('gossip.rumourRationed');
      else membership.rumour(rumour, now);
    }
  }

  /** Passes a rumour on: over every link except `from`, on which it came, and with the next datagrams. */
  tell(rumour: Rumour, from: LinkId | undefined, now: Instant): void {
    const { rumours, broadcast, membership } = this.#options;
    rumours.put(rumour, membership.presentCount);
    broadcast.spreadRumour(rumour, from, now);
  }

  /** All that we believe of members. */
  all(): Rumour[] {
    const { membership } = this.#options;
    const out: Rumour[] = [];
    for (const [peer] of membership.peers()) {
      const rumour = membership.rumourOf(peer);
      if (rumour) out.push(rumour);
    }
    return out;
  }
}

/** The parts of gossip that hearsay touches. */
interface HearsayOptions {
  readonly self: PeerId;
  readonly counters: Counters<GossipCounter>;
  readonly own: OwnRecords;
  readonly membership: Membership;
  readonly swim: Swim;
  readonly rumours: RumourQueue;
  readonly broadcast: Broadcast;
}
