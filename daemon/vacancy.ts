/** Looks at which the folder was held until it counts as taken: another weftd that stands by holds it for an instant. */
const LOOKS_TAKEN = 2;
/**
 * Looks in a row at which nobody held the folder until it counts as given up. Between two weftds that hand it on it is
 * free for some milliseconds, on a busy host for some hundred.
 */
export const LOOKS_VACANT = 4;

/** Judges, by looks at the state folder, whether a weftd that stands by has to serve the node again. */
export class Vacancy {
  #held = 0;
  #freeInARow = 0;

  /**
   * One more look. True where nobody serves the node any more.
   *
   * @param isEarly our own successor may still be about to take the folder. It has failed where it let the folder go.
   */
  looked(isHeld: boolean, isEarly: boolean): boolean {
    if (isHeld) {
      this.#held++;
      this.#freeInARow = 0;
      return false;
    }
    this.#freeInARow++;
    return isEarly ? this.#held >= LOOKS_TAKEN : this.#freeInARow >= LOOKS_VACANT;
  }
}
