/**
 * What a weftd that stands by finds at a look: a weftd holds the state folder; nobody does, but a successor waits to
 * take it; or nobody does.
 */
export type Look = 'held' | 'claimed' | 'free';

/** Looks at which a lock was held until it counts as taken: another weftd that stands by holds it for an instant. */
export const LOOKS_TAKEN = 2;
/**
 * Looks in a row at which nobody held the folder until it counts as given up. Between two weftds that hand it on it is
 * free for some milliseconds, on a busy host for some hundred.
 */
export const LOOKS_VACANT = 4;
/** As many looks the successor that waits for the folder has to take it, once it is free. It may hang. */
export const LOOKS_CLAIMED = 12;

/** Judges, by looks at the state folder, whether a weftd that stands by has to serve the node again. */
export class Vacancy {
  #held = 0;
  #freeInARow = 0;
  #claimedInARow = 0;

  /**
   * One more look. True where nobody serves the node any more.
   *
   * @param isEarly our own successor may still be about to take the folder. It has failed where it let the folder go, and
   * no successor of its own waits for it.
   */
  looked(look: Look, isEarly: boolean): boolean {
    if (look === 'held') {
      this.#held++;
      this.#freeInARow = 0;
      this.#claimedInARow = 0;
      return false;
    }
    if (look === 'claimed' && (isEarly || ++this.#claimedInARow < LOOKS_CLAIMED)) return false;
    this.#freeInARow++;
    return isEarly ? this.#held >= LOOKS_TAKEN : this.#freeInARow >= LOOKS_VACANT;
  }
}
