import { after, type Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random.ts';
import { Backoff, type BackoffLimits } from '../../kube/backoff.ts';

/** Between two repairs, where something undoes them. */
const PACE: BackoffLimits = { firstMs: 100, mostMs: 60_000 };
/** Whoever leaves a repair alone for so long does not fight. Milliseconds. */
const QUIET_MS = 150_000;
/** So many repairs without such a rest are a fight. */
const FIGHT = 4;

/** How often something is repaired that somebody else undoes: at once, then ever more rarely. */
export class RepairPace {
  readonly #backoff: Backoff;
  #count = 0;
  #lastAt: Instant | undefined;
  #restsUntil: Instant | undefined;

  constructor(random: RandomSource) {
    this.#backoff = new Backoff(random, PACE);
  }

  /** When the next repair may be made; undefined: now. */
  restsUntil(now: Instant): Instant | undefined {
    return this.#restsUntil !== undefined && now < this.#restsUntil ? this.#restsUntil : undefined;
  }

  /** A repair was made, or tried. */
  repaired(now: Instant): void {
    if (this.#isQuiet(now)) {
      this.#count = 0;
      this.#backoff.reset();
    }
    this.#count++;
    this.#lastAt = now;
    this.#restsUntil = after(now, this.#backoff.next());
  }

  /** Something undoes each repair: how many there were. Undefined where nothing does. */
  fought(now: Instant): number | undefined {
    return this.#count >= FIGHT && !this.#isQuiet(now) ? this.#count : undefined;
  }

  #isQuiet(now: Instant): boolean {
    return this.#lastAt === undefined || now - this.#lastAt > QUIET_MS;
  }
}
