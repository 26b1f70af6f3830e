import { WeftError } from '../../base/weft-error.ts';

/** A restored backup needs one; a second weftd on a copy of the folder would go on for ever. */
export const MAX_EPOCH_RAISES = 3;

/**
 * What to do where peers remember later records of this node than it does itself: count the epoch past them. That
 * puts a folder right which was restored from a backup. Where it keeps happening, the same identity runs twice.
 */
export class EpochRaiser {
  readonly #persist: (epoch: number) => void;
  readonly #apply: (epoch: number) => void;
  #raises = 0;

  /** `persist` makes the epoch durable before it returns; then `apply` puts it to use. */
  constructor(options: {
    readonly persist: (epoch: number) => void;
    readonly apply: (epoch: number) => void;
  }) {
    this.#persist = options.persist;
    this.#apply = options.apply;
  }

  /** Raises the epoch above `seen`. Throws E_IDENTITY_TWICE where it was raised too often already. */
  raiseAbove(seen: number): void {
    if (++this.#raises > MAX_EPOCH_RAISES) {
      throw new WeftError(
        'E_IDENTITY_TWICE',
        'another weftd with the identity of this one is running',
        'see that no other host has a copy of this state folder; a copy needs an empty folder of its own',
      );
    }
    this.#persist(seen + 1);
    this.#apply(seen + 1);
  }
}
