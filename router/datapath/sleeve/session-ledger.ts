import { ReplayWindow } from '../../../crypto/replay-window.ts';
import type { SessionProgress } from '../session-progress.ts';

/**
 * What is counted of one session, apart from its keys. Where another datapath seals and opens with the same keys beside
 * the sleeve, both count in one ledger, so that no counter seals twice and none opens twice.
 */
export interface SessionLedger {
  /** Counters taken to seal with: one above the highest. */
  readonly sent: number;
  /** One above the highest counter that was accepted; 0 before the first. */
  readonly received: number;
  readonly failedOpens: number;
  /** Takes the next counter to seal with; it is nobody else's. */
  take(): number;
  /** Whether `counter`, from the wire and below 2^53, may still be accepted. */
  check(counter: number): boolean;
  /** Marks `counter` as seen: whether it is above all that were. Undefined where it was seen or is too old. */
  accept(counter: number): 'newest' | 'older' | undefined;
  /** A packet did not open. */
  countFailure(): void;
  /** The first packet opened, and the control core was told. */
  confirm(): void;
  /** What was accepted: `ReplayWindow.save`. */
  saveWindow(): Uint8Array;
}

/** The ledger of a session that only the sleeve works with. */
export class OwnLedger implements SessionLedger {
  readonly #window: ReplayWindow;
  #sent: number;
  #failedOpens: number;

  /** `before`: where another one of the same keys ended. */
  constructor(before?: SessionProgress) {
    this.#window = new ReplayWindow(before?.replayWindow);
    this.#sent = before?.sent ?? 0;
    this.#failedOpens = before?.failedOpens ?? 0;
  }

  get sent(): number {
    return this.#sent;
  }

  get received(): number {
    return this.#window.newest + 1;
  }

  get failedOpens(): number {
    return this.#failedOpens;
  }

  take(): number {
    return this.#sent++;
  }

  check(counter: number): boolean {
    return this.#window.check(counter);
  }

  accept(counter: number): 'newest' | 'older' | undefined {
    const newest = counter > this.#window.newest;
    if (!this.#window.accept(counter)) return undefined;
    return newest ? 'newest' : 'older';
  }

  countFailure(): void {
    this.#failedOpens++;
  }

  confirm(): void {}

  saveWindow(): Uint8Array {
    return this.#window.save();
  }
}
