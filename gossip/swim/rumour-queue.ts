import type { PeerId } from '../../base/peer-id.ts';
import type { Rumour } from '../model/rumour.ts';

/** Subjects in the queue; the oldest falls out, since links carry rumours too. */
const MAX_QUEUED_RUMOURS = 1024;

/**
 * Rumours that ride on SWIM packets: each is told λ·log10(n) times (SWIM §4.1), the least told first, one for a
 * subject. Bounded in subjects.
 */
export class RumourQueue {
  readonly #bySubject = new Map<PeerId, { readonly rumour: Rumour; left: number }>();

  get size(): number {
    return this.#bySubject.size;
  }

  /** Replaces what was told of the subject. `members`: size of the cluster. */
  put(rumour: Rumour, members: number): void {
    this.#bySubject.delete(rumour.subject);
    this.#bySubject.set(rumour.subject, { rumour, left: transmissions(members) });
    if (this.#bySubject.size > MAX_QUEUED_RUMOURS) {
      const oldest = this.#bySubject.keys().next();
      if (!oldest.done) this.#bySubject.delete(oldest.value);
    }
  }

  drop(subject: PeerId): void {
    this.#bySubject.delete(subject);
  }

  /** Up to `max` rumours for one packet. */
  take(max: number): Rumour[] {
    const out: Rumour[] = [];
    // Told ones move to the end of the map, so the front is what was told longest ago.
    for (const [subject, entry] of [...this.#bySubject.entries()].slice(0, max)) {
      out.push(entry.rumour);
      this.#bySubject.delete(subject);
      if (--entry.left > 0) this.#bySubject.set(subject, entry);
    }
    return out;
  }
}

/** 3·⌈log10(n + 1)⌉, as memberlist's LAN profile has it with 4. */
function transmissions(members: number): number {
  return 3 * Math.ceil(Math.log10(members + 1));
}
