import { after, earliest, type Instant, instant } from '../base/instant.ts';
import type { Repaired } from './repair.ts';

/** Changes come in bursts: a look waits this long for the rest of one. */
export const BURST_MS = 20;
/** Between two looks at least, so that a host on which pods come and go all the time costs little. */
export const LEAST_PAUSE_MS = 500;
/** A look without any event, for what the kernel tells nobody: kernel settings, lost events. */
export const SLOW_LOOK_MS = 60_000;
/** As many repairs of one thing within {@link CONTEST_WINDOW_MS} mean that somebody undoes them. */
export const CONTEST_REPAIRS = 5;
const CONTEST_WINDOW_MS = 60_000;
/** Nobody undid it for so long: the contest is over. */
export const CONTEST_END_MS = 300_000;
/** Pause between looks while something is contested or cannot be repaired: doubles from the first to the second. */
export const FIRST_BACK_OFF_MS = 1_000;
export const LAST_BACK_OFF_MS = 60_000;
/** Things whose repairs are remembered; beyond it the one repaired least recently is forgotten. */
export const MAX_THINGS = 256;

interface Thing {
  readonly times: Instant[];
  last: Repaired;
  /** Since when somebody undoes it; undefined: nobody does. */
  contestedSince: Instant | undefined;
  /** Repairs since then. */
  undone: number;
}

interface LookScheduleOptions {
  /** Between two looks without any event; default {@link SLOW_LOOK_MS}, infinite for none. */
  readonly slowLookMs?: number;
  /** Between two looks at least; default {@link LEAST_PAUSE_MS}. */
  readonly leastPauseMs?: number;
}

/** What somebody keeps undoing. */
interface Contest {
  readonly found: string;
  /** How often it was put right since it began. */
  readonly repairs: number;
  readonly sinceMs: number;
  /** The program that undoes it, where the kernel said so. */
  readonly by: string | undefined;
}

/**
 * Says when to look at the ground, and whether somebody undoes what is repaired.
 *
 * A change is looked at at once, changes in a row together. What is undone again and again is repaired ever more
 * rarely: Weft holds its ground, but does not fight for it with all of a processor. The same for what cannot be
 * repaired. Nothing is due but the slow look while nothing happens.
 */
export class LookSchedule {
  readonly #thingByWords = new Map<string, Thing>();
  #dueAt: Instant;
  #slowAt: Instant;
  #lastLookAt: Instant | undefined;
  /** Looks in a row that found contested things, or failed. */
  #troubles = 0;

  readonly #options: LookScheduleOptions;

  constructor(now: Instant, options: LookScheduleOptions = {}) {
    this.#options = options;
    this.#dueAt = NEVER;
    this.#slowAt = this.#nextSlowLook(now);
  }

  /** When to look next. */
  get nextLook(): Instant {
    return earliest(this.#dueAt, this.#slowAt)!;
  }

  /** Something changed that may be ours. */
  stirred(now: Instant): void {
    const burst = after(now, BURST_MS);
    const least = this.#lastLookAt === undefined ? burst : after(this.#lastLookAt, this.#pauseMs());
    this.#dueAt = earliest(this.#dueAt, burst > least ? burst : least)!;
  }

  /** A look begins: what changes from now on may escape it and is looked at after it. */
  begin(): void {
    this.#dueAt = NEVER;
  }

  /**
   * A look is over and put right what it `found`, each thing once. It `failed` where something could not be read or put
   * right: that is tried again, ever more rarely.
   */
  looked(now: Instant, found: readonly Repaired[], { failed = false } = {}): void {
    for (const repaired of found) this.#note(now, repaired);
    const contested = found.some(
      ({ found: words }) => this.#thingByWords.get(words)?.contestedSince !== undefined,
    );
    this.#troubles = contested || failed ? this.#troubles + 1 : 0;
    this.#over(now);
    if (failed) this.#dueAt = earliest(this.#dueAt, after(now, this.#pauseMs()))!;
  }

  /** What somebody keeps undoing, the oldest first. */
  contests(now: Instant): Contest[] {
    const contests: Contest[] = [];
    for (const { last, contestedSince, undone, times } of this.#thingByWords.values()) {
      if (contestedSince === undefined || now - times.at(-1)! >= CONTEST_END_MS) continue;
      contests.push({ found: last.found, repairs: undone, sinceMs: now - contestedSince, by: last.by });
    }
    return contests.sort((a, b) => b.sinceMs - a.sinceMs);
  }

  #over(now: Instant): void {
    this.#lastLookAt = now;
    this.#slowAt = this.#nextSlowLook(now);
    if (this.#dueAt !== NEVER) this.#dueAt = after(now, this.#pauseMs());
  }

  #nextSlowLook(now: Instant): Instant {
    return after(now, this.#options.slowLookMs ?? SLOW_LOOK_MS);
  }

  #pauseMs(): number {
    if (this.#troubles === 0) return this.#options.leastPauseMs ?? LEAST_PAUSE_MS;
    return Math.min(FIRST_BACK_OFF_MS * 2 ** Math.min(this.#troubles - 1, 16), LAST_BACK_OFF_MS);
  }

  #note(now: Instant, repaired: Repaired): void {
    const known = this.#thingByWords.get(repaired.found);
    const thing: Thing = known ?? { times: [], last: repaired, contestedSince: undefined, undone: 0 };
    const { times } = thing;
    if (times.length > 0 && now - times.at(-1)! >= CONTEST_END_MS) {
      times.length = 0;
      thing.contestedSince = undefined;
    }
    times.push(now);
    if (times.length > CONTEST_REPAIRS) times.shift();
    const many = times.length === CONTEST_REPAIRS && now - times[0]! <= CONTEST_WINDOW_MS;
    if (thing.contestedSince !== undefined) thing.undone++;
    else if (many) {
      thing.contestedSince = times[0];
      thing.undone = CONTEST_REPAIRS;
    }
    // Who did it is told with some changes only.
    thing.last = { ...repaired, by: repaired.by ?? thing.last.by };
    this.#thingByWords.delete(repaired.found);
    if (this.#thingByWords.size >= MAX_THINGS)
      this.#thingByWords.delete(this.#thingByWords.keys().next().value!);
    this.#thingByWords.set(repaired.found, thing);
  }
}

const NEVER = instant(Number.POSITIVE_INFINITY);
