import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';

/**
 * Spreads the first initiations to many peers over time: each costs some X25519 multiplications, and a node that
 * starts wants tunnels to all peers at once. At most {@link STARTS_PER_TURN} in {@link START_TURN_MS}.
 */
export class StartTurns {
  /** Bounded by the peers of the caller and their relays. */
  readonly #waiting = new Set<PeerId>();
  #turnBegan: Instant | undefined;
  #starts = 0;
  #held: boolean;

  /** `held`: nobody starts before {@link release}. */
  constructor(held = false) {
    this.#held = held;
  }

  get held(): boolean {
    return this.#held;
  }

  release(): void {
    this.#held = false;
  }

  /** Whether one more may start now; counts it if so. */
  take(now: Instant): boolean {
    if (this.#held) return false;
    if (this.#turnBegan === undefined || now >= after(this.#turnBegan, START_TURN_MS)) {
      this.#turnBegan = now;
      this.#starts = 0;
    }
    if (this.#starts >= STARTS_PER_TURN) return false;
    this.#starts++;
    return true;
  }

  /** `peer` starts in a later turn. */
  wait(peer: PeerId, now: Instant): void {
    this.#waiting.add(peer);
    this.#turnBegan ??= now;
  }

  remove(peer: PeerId): void {
    this.#waiting.delete(peer);
  }

  /** The next peer whose turn it is; call until undefined. */
  next(now: Instant): PeerId | undefined {
    for (const peer of this.#waiting) {
      if (!this.take(now)) return undefined;
      this.#waiting.delete(peer);
      return peer;
    }
    return undefined;
  }

  nextTimeout(): Instant | undefined {
    if (this.#held || this.#waiting.size === 0 || this.#turnBegan === undefined) return undefined;
    return after(this.#turnBegan, START_TURN_MS);
  }
}

/** First initiations in one turn, and the length of a turn. */
const STARTS_PER_TURN = 32;
const START_TURN_MS = 50;
