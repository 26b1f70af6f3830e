import type { Instant } from '../../base/instant.ts';

interface Admission {
  readonly done: PromiseWithResolvers<void>;
  readonly beganAt: Instant;
}

/** The start of a pod waits for the word of weft-npc no longer than that. */
const ADMISSION_WAIT_MS = 2_000;

/** Starts of pods that wait at the gate, by link. */
export class Admissions {
  readonly #onLate: (link: string) => void;
  readonly #admissionByLink = new Map<string, Admission>();

  /** `onLate` says what becomes of a pod for which weft-npc has not spoken in time; it answers, now or later. */
  constructor(onLate: (link: string) => void) {
    this.#onLate = onLate;
  }

  begin(link: string, now: Instant): void {
    this.answer(link);
    this.#admissionByLink.set(link, { done: Promise.withResolvers<void>(), beganAt: now });
  }

  has(link: string): boolean {
    return this.#admissionByLink.has(link);
  }

  /** It waits no longer. Harmless where none waits. */
  answer(link: string): void {
    this.#admissionByLink.get(link)?.done.resolve();
  }

  answerAll(): void {
    for (const link of this.#admissionByLink.keys()) this.answer(link);
  }

  /** Resolves, with how many milliseconds it took, when it was answered; undefined where none was begun. */
  async end(link: string, now: () => Instant): Promise<number | undefined> {
    const admission = this.#admissionByLink.get(link);
    if (admission === undefined) return undefined;
    const late = setTimeout(() => this.#onLate(link), ADMISSION_WAIT_MS);
    await admission.done.promise;
    clearTimeout(late);
    if (this.#admissionByLink.get(link) === admission) this.#admissionByLink.delete(link);
    return now() - admission.beganAt;
  }

  /** It failed, and nobody waits for it. */
  drop(link: string): void {
    this.answer(link);
    this.#admissionByLink.delete(link);
  }
}
