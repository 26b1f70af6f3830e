import { assert } from '../../../base/assert.ts';
import type { SessionLedger } from '../sleeve/session-ledger.ts';
import type { FastLanes } from './fast-lanes.ts';

/** The ledger of a session that the lanes work with beside the sleeve: it lies with the lanes. */
export class FastLedger implements SessionLedger {
  readonly #lanes: FastLanes;
  readonly #localIndex: number;

  /** Requires that the lanes have the session. */
  constructor(lanes: FastLanes, localIndex: number) {
    this.#lanes = lanes;
    this.#localIndex = localIndex;
  }

  get sent(): number {
    return this.#lanes.used(this.#localIndex, 'sent');
  }

  get received(): number {
    return this.#lanes.used(this.#localIndex, 'received');
  }

  get failedOpens(): number {
    return this.#lanes.failedOpens(this.#localIndex, 0);
  }

  take(): number {
    const counter = this.#lanes.reserve(this.#localIndex);
    assert(counter >= 0, 'the lanes leave the last counters of a session to the sleeve');
    return counter;
  }

  check(counter: number): boolean {
    return this.#lanes.window(this.#localIndex, counter, false) !== 0;
  }

  accept(counter: number): 'newest' | 'older' | undefined {
    const order = this.#lanes.window(this.#localIndex, counter, true);
    return order === 0 ? undefined : order === 2 ? 'newest' : 'older';
  }

  countFailure(): void {
    this.#lanes.failedOpens(this.#localIndex, 1);
  }

  confirm(): void {
    this.#lanes.confirm(this.#localIndex);
  }

  saveWindow(): Uint8Array {
    const window = this.#lanes.replayWindow(this.#localIndex);
    assert(window !== undefined, 'the lanes have the session');
    return window;
  }
}
