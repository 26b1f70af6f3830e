import type { Instant } from '../../../base/instant.ts';
import type { Aead, CreateAead, SuiteLimits } from '../../../crypto/aead.ts';
import type { PacketRun } from '../../../crypto/aead-engine.ts';
import { writeOuterHeader } from '../../packet/data-packet.ts';
import type { DataSession } from '../datapath.ts';
import type { SessionProgress } from '../session-progress.ts';
import type { SessionLedger } from './session-ledger.ts';

/** Why a packet of a session was dropped. */
export type OpenFault = 'counter' | 'replay' | 'forged' | 'dead';

/**
 * The keys of one session at work: counts, seals, opens, and refuses replays.
 *
 * Invariants: no counter seals twice (it advances before sealing); the replay window moves only for packets whose
 * tag verified (RFC 6479); past its limits a session neither seals nor opens.
 */
export class SleeveSession<Peer> {
  /** The far end, in whatever form the owner of the session keeps its peers. */
  readonly peer: Peer;
  readonly localIndex: number;
  readonly remoteIndex: number;
  /** Whether the peer takes over congestion marks of outer headers. */
  readonly peerTakesMarks: boolean;
  readonly #limits: SuiteLimits;
  readonly #sendAead: Aead;
  readonly #receiveAead: Aead;
  readonly #ledger: SessionLedger;
  #erased = false;
  #confirmed = false;
  #reported: 'rekey' | 'dead' | undefined;

  /** When the control core last heard that packets come from elsewhere. */
  movedReportedAt: Instant | undefined;

  constructor(
    session: DataSession,
    peer: Peer,
    limits: SuiteLimits,
    createAead: CreateAead,
    ledger: SessionLedger,
  ) {
    this.peer = peer;
    this.#ledger = ledger;
    this.localIndex = session.localIndex;
    this.remoteIndex = session.remoteIndex;
    this.peerTakesMarks = session.peerTakesMarks;
    this.#limits = limits;
    this.#sendAead = createAead(session.suite, session.sendKey);
    this.#receiveAead = createAead(session.suite, session.receiveKey);
  }

  /** Whether its keys are wiped. */
  get erased(): boolean {
    return this.#erased;
  }

  /** Whether it may seal another packet. */
  get canSeal(): boolean {
    return !this.#erased && this.#ledger.sent < this.#limits.stopAfterMessages && !this.#tooManyFailures;
  }

  /**
   * Writes the outer header of the next packet to `bytes` at `at`; the counter that is in it. It must be sealed under
   * that counter or not at all. Requires {@link canSeal}.
   */
  stamp(bytes: Uint8Array, at: number): number {
    const counter = this.#ledger.take();
    writeOuterHeader(bytes, at, this.remoteIndex, counter);
    return counter;
  }

  /** Seals packets that were stamped one after the other, the first with `counter`. */
  sealRun(counter: number, run: PacketRun): void {
    this.#sendAead.sealRun(counter, run);
  }

  /** Why a packet with this counter will not be opened; undefined where it is worth a try. Changes nothing. */
  refusal(counter: number): OpenFault | undefined {
    if (this.#tooManyFailures) return 'dead';
    if (counter < 0 || counter >= this.#limits.stopAfterMessages) return 'counter';
    return this.#ledger.check(counter) ? undefined : 'replay';
  }

  /**
   * Opens packets of this session, numbered from `counter` on, where they lie: those from the first up to the first
   * that is forged, which is counted and lost. How many opened. What opened is not taken before {@link accept}.
   */
  openRun(counter: number, run: PacketRun): number {
    const opened = this.#receiveAead.openRun(counter, run);
    if (opened * run.segment < run.length) this.#ledger.countFailure();
    return opened;
  }

  /** Takes a packet that opened: whether its counter is above all that were taken before. Undefined: a replay. */
  accept(counter: number): 'newest' | 'older' | undefined {
    return this.#ledger.accept(counter);
  }

  /** Whether a packet of the peer has opened yet. */
  get confirmed(): boolean {
    return this.#confirmed;
  }

  /** A packet of the peer has opened. */
  confirm(): void {
    this.#confirmed = true;
    this.#ledger.confirm();
  }

  /** How far it was used. */
  progress(): SessionProgress {
    const { sent, failedOpens } = this.#ledger;
    return { sent, failedOpens, confirmed: this.#confirmed, replayWindow: this.#ledger.saveWindow() };
  }

  /** Whether a limit was reached that {@link takeExhausted} has not told yet. */
  get isWorn(): boolean {
    const limit = this.#reachedLimit();
    return limit !== undefined && limit !== this.#reported;
  }

  /** The limit that was reached; each is told once. */
  takeExhausted(): 'rekey' | 'dead' | undefined {
    const limit = this.#reachedLimit();
    if (limit === this.#reported) return undefined;
    this.#reported = limit;
    return limit;
  }

  /** Wipes the keys. What was stamped and not sealed yet is never sealed. */
  erase(): void {
    this.#erased = true;
    this.#sendAead.erase();
    this.#receiveAead.erase();
    this.#reported = 'dead';
  }

  get #tooManyFailures(): boolean {
    return this.#ledger.failedOpens >= this.#limits.maxFailedOpens;
  }

  #reachedLimit(): 'rekey' | 'dead' | undefined {
    if (!this.canSeal) return 'dead';
    const messages = Math.max(this.#ledger.sent, this.#ledger.received);
    return messages >= this.#limits.rekeyAfterMessages ? 'rekey' : undefined;
  }
}
