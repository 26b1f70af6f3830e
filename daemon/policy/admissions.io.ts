import type { Instant } from '../../base/instant.ts';

interface Admission {
  readonly done: PromiseWithResolvers<void>;
  readonly beganAt: Instant;
}

/** Starts of pods that wait at the gate, by link. */
export class Admissions {
  readonly #admissionByLink = new Map<string, Admission>();

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
    await admission.done.promise;
    if (this.#admissionByLink.get(link) === admission) this.#admissionByLink.delete(link);
    return now() - admission.beganAt;
  }

  /** It failed, and nobody waits for it. */
  drop(link: string): void {
    this.answer(link);
    this.#admissionByLink.delete(link);
  }
}
