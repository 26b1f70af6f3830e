import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import type { AskOutcome } from '../model/messages.ts';
import type { FreeHints } from '../model/types.ts';
import type { OwnLog } from '../ring/own-log.ts';
import type { Ring } from '../ring/ring.ts';
import type { Allocator } from './allocator.ts';
import { DonorChoice, wantedFamilies } from './donor-choice.ts';
import { type Ask, RangeSeeker } from './range-seeker.ts';

/** Of what a node's supply of addresses is made. */
interface RangeSupplyOptions {
  readonly self: PeerId;
  readonly ring: Ring;
  readonly log: OwnLog;
  readonly allocator: Allocator;
  readonly random: RandomSource;
  isAlive(peer: PeerId): boolean;
  /** A message to the peer arrives as things are. */
  hasWayTo(peer: PeerId): boolean;
}

/** Sees to it that this node has free addresses: asks others for a range when it runs low. */
export class RangeSupply {
  readonly #options: RangeSupplyOptions;
  readonly #seeker: RangeSeeker;
  readonly #donors: DonorChoice;
  #ended = false;

  constructor(options: RangeSupplyOptions) {
    this.#options = options;
    this.#seeker = new RangeSeeker(options.random);
    this.#donors = new DonorChoice(options.random);
  }

  /** What a peer says it could give. Only steers whom we ask first. */
  note(peer: PeerId, free: FreeHints): void {
    this.#donors.note(peer, free);
  }

  /** All whom we asked said that they have nothing to give. */
  get isPoolFull(): boolean {
    return this.#seeker.outcome === 'pool-full';
  }

  /** Our ranges have grown: nothing more is to be asked for until they run low again. */
  grown(): void {
    this.#seeker.reset();
  }

  /** Another peer is there: if nobody could give anything before, it is asked at once. */
  peerCame(): void {
    if (this.#seeker.outcome !== undefined) this.#seeker.reset();
  }

  /** This node leaves: nothing is asked for any more. */
  end(): void {
    this.#ended = true;
    this.#seeker.reset();
  }

  /** The question that is due, if any. `urgent`: somebody waits for an address. */
  seek(urgent: boolean, now: Instant): Ask | undefined {
    const wanted = this.#wanted();
    const donors = (): PeerId[] => this.#donors.best(wanted, this.#options);
    return this.#seeker.tick(wanted, urgent, donors, now);
  }

  /** False where nobody waits for this answer (any more). */
  handleAnswer(from: PeerId, request: number, outcome: AskOutcome, now: Instant): boolean {
    return this.#seeker.handleAnswer(from, request, outcome, now);
  }

  nextTimeout(): Instant | undefined {
    return this.#wanted() !== 0 || this.#seeker.busy ? this.#seeker.nextTimeout() : undefined;
  }

  /** Families of which this node is low. */
  #wanted(): number {
    const { log, allocator, ring } = this.#options;
    return log.operational && !this.#ended ? wantedFamilies(allocator, ring) : 0;
  }
}
