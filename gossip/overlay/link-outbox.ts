import { after, earliest, type Instant } from '../../base/instant.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import type { RecordKey } from '../model/record.ts';
import type { Rumour } from '../model/rumour.ts';

/** Rumours waiting on one link; one for each subject and state, the oldest falls out. */
export const MAX_LINK_RUMOURS = 1024;
/** Answers to digests and the like: at once, and a second. More are dropped: the next digest asks again. */
const ANSWER_BURST = 40;
const ANSWERS_PER_SECOND = 10;
/** Messages for other cores: at once, and a second. */
const MESSAGE_BURST = 64;
const MESSAGES_PER_SECOND = 32;

/**
 * What waits to be sent on one link. Records wait as keys of the record store, and become bytes at the last moment:
 * so a slow link costs a set of names bounded by the store, gets only the newest of what changed meanwhile, and a
 * peer that asks for everything again and again gets it once.
 */
export class LinkOutbox {
  /** Records to send in full. */
  readonly eager = new Set<RecordKey>();
  /** Records to announce by version: the far end asks for what it lacks. */
  readonly lazy = new Set<RecordKey>();
  readonly #rumours = new Map<string, Rumour>();
  readonly answers = new TokenBucket(ANSWER_BURST, ANSWERS_PER_SECOND);
  /** What the far end may hand to the cores beyond us. */
  readonly messages = new TokenBucket(MESSAGE_BURST, MESSAGES_PER_SECOND);
  /** When `eager` and the rumours go out. */
  flushAt: Instant | undefined;
  /** When `lazy` goes out. */
  announceAt: Instant | undefined;
  /** The shell's buffer is full: nothing goes out until it says otherwise. */
  congestedSince: Instant | undefined;
  /** Digest exchanges in a row that found a difference and mended nothing. */
  fruitless = 0;
  /** No digest to this link before. */
  digestNotBefore: Instant | undefined;

  addRumour(rumour: Rumour): void {
    const key: string = `${rumour.subject}/${rumour.state}${rumour.state === 'suspect' ? rumour.accuser : ''}`;
    this.#rumours.delete(key);
    this.#rumours.set(key, rumour);
    if (this.#rumours.size > MAX_LINK_RUMOURS) {
      const oldest = this.#rumours.keys().next();
      if (!oldest.done) this.#rumours.delete(oldest.value);
    }
  }

  takeRumours(): Rumour[] {
    const out = [...this.#rumours.values()];
    this.#rumours.clear();
    return out;
  }

  get rumourCount(): number {
    return this.#rumours.size;
  }

  flushSoon(delayMs: number, now: Instant): void {
    this.flushAt ??= after(now, delayMs);
  }

  announceSoon(delayMs: number, now: Instant): void {
    this.announceAt ??= after(now, delayMs);
  }

  nextTimeout(): Instant | undefined {
    return this.congestedSince === undefined ? earliest(this.flushAt, this.announceAt) : undefined;
  }
}
