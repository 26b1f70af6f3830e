import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { type RandomSource, randomBelow, randomUnit } from '../../base/random.ts';
import type { AskOutcome } from '../model/messages.ts';

/** How long a donor has to answer before the question is repeated, and how often it is put. */
const ASK_TIMEOUT_MS = 400;
const ASK_ATTEMPTS = 3;
/** How long a granted range may take to come by gossip before the seeker asks elsewhere. */
const GRANT_ARRIVAL_MS = 4000;
/** A donor that does not know our log yet is asked again this much later, at most this often. */
const UNKNOWN_WAIT_MS = 150;
const UNKNOWN_ATTEMPTS = 20;
/** Peers asked in one round. */
const DONORS_PER_ROUND = 8;
const ROUND_BACKOFF_MS = 500;
const ROUND_BACKOFF_LIMIT_MS = 30_000;
/** Rounds follow each other at least this quickly while an allocation waits. */
const URGENT_BACKOFF_MS = 1000;

/** A question to send. */
export interface Ask {
  readonly to: PeerId;
  readonly request: number;
  readonly families: number;
}

/** What the last whole round came to: all said that they have none, or some did not say. */
type RoundOutcome = 'pool-full' | 'no-answer';

/**
 * Gets a range from other nodes: asks one donor at a time, each under one request number however often the question
 * is repeated, so that a lost answer does not cost a second range.
 */
export class RangeSeeker {
  readonly #random: RandomSource;
  #donors: PeerId[] = [];
  #families = 0;
  #request = 0;
  #attempts = 0;
  #unknowns = 0;
  /** The donor at hand has given its last word for this round. */
  #settled = false;
  #phase: 'idle' | 'asking' | 'granted' = 'idle';
  #deadline: Instant | undefined;
  #backoffMs = ROUND_BACKOFF_MS;
  #allSaidNone = true;
  #outcome: RoundOutcome | undefined;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  get busy(): boolean {
    return this.#phase !== 'idle';
  }

  /** How the last round ended, while nothing has changed since. */
  get outcome(): RoundOutcome | undefined {
    return this.#outcome;
  }

  nextTimeout(): Instant | undefined {
    return this.#deadline;
  }

  /** Our ranges have grown, or the ring has changed so that another try is worth it at once. */
  reset(): void {
    this.#phase = 'idle';
    this.#deadline = undefined;
    this.#backoffMs = ROUND_BACKOFF_MS;
    this.#outcome = undefined;
  }

  /**
   * To be called on every tick with what is wanted (bit 0: IPv4, bit 1: IPv6; 0 ends the search) and who may have it,
   * the best first. Returns a question to send.
   */
  tick(families: number, urgent: boolean, donors: () => PeerId[], now: Instant): Ask | undefined {
    if (families === 0) {
      if (this.#phase !== 'granted' || this.#due(now)) this.reset();
      return undefined;
    }
    if (this.#phase === 'idle') {
      if (urgent && this.#deadline !== undefined && this.#deadline > after(now, URGENT_BACKOFF_MS))
        this.#deadline = after(now, URGENT_BACKOFF_MS);
      if (!this.#due(now)) return undefined;
      this.#donors = donors().slice(0, DONORS_PER_ROUND);
      this.#families = families;
      this.#allSaidNone = this.#donors.length > 0;
      return this.#nextDonor(now);
    }
    if (!this.#due(now)) return undefined;
    if (this.#phase === 'granted' || this.#attempts >= ASK_ATTEMPTS) {
      if (!this.#settled) this.#allSaidNone = false;
      return this.#skipDonor(now);
    }
    return this.#ask(now);
  }

  /** An answer. Others than to the open question are ignored; true where it was the one. */
  handleAnswer(from: PeerId, request: number, outcome: AskOutcome, now: Instant): boolean {
    if (this.#phase !== 'asking' || from !== this.#donors[0] || request !== this.#request) return false;
    switch (outcome) {
      case 'granted':
        this.#phase = 'granted';
        this.#deadline = after(now, GRANT_ARRIVAL_MS);
        break;
      case 'unknown':
        this.#unknowns++;
        // Not a lost message: the donor is there and will know us in a moment.
        this.#attempts = this.#unknowns < UNKNOWN_ATTEMPTS ? 0 : ASK_ATTEMPTS;
        this.#deadline = after(now, UNKNOWN_WAIT_MS);
        break;
      default:
        if (outcome !== 'none') this.#allSaidNone = false;
        this.#attempts = ASK_ATTEMPTS;
        this.#settled = true;
        this.#deadline = now;
    }
    return true;
  }

  #due(now: Instant): boolean {
    return this.#deadline === undefined || now >= this.#deadline;
  }

  #skipDonor(now: Instant): Ask | undefined {
    this.#donors.shift();
    return this.#nextDonor(now);
  }

  #nextDonor(now: Instant): Ask | undefined {
    if (this.#donors.length === 0) {
      this.#phase = 'idle';
      this.#outcome = this.#allSaidNone ? 'pool-full' : 'no-answer';
      this.#deadline = after(now, this.#backoffMs * (0.75 + randomUnit(this.#random) / 2));
      this.#backoffMs = Math.min(this.#backoffMs * 2, ROUND_BACKOFF_LIMIT_MS);
      return undefined;
    }
    this.#phase = 'asking';
    this.#request = randomBelow(this.#random, 2 ** 32);
    this.#attempts = 0;
    this.#unknowns = 0;
    this.#settled = false;
    return this.#ask(now);
  }

  #ask(now: Instant): Ask {
    this.#attempts++;
    this.#deadline = after(now, ASK_TIMEOUT_MS);
    return { to: this.#donors[0]!, request: this.#request, families: this.#families };
  }
}
