import type { Instant } from '../../../base/instant.ts';
import { type Aead, createAead, type SuiteLimits } from '../../../crypto/aead.ts';
import { ReplayWindow } from '../../../crypto/replay-window.ts';
import { counterOf, OUTER_HEADER_LENGTH, TAG_LENGTH, writeOuterHeader } from '../../packet/data-packet.ts';
import type { DataSession } from '../datapath.ts';

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
  readonly #limits: SuiteLimits;
  readonly #sendAead: Aead;
  readonly #receiveAead: Aead;
  readonly #window = new ReplayWindow();
  #sendCounter = 0;
  #failedOpens = 0;
  #reported: 'rekey' | 'dead' | undefined;

  /** Whether a packet of the peer has opened yet. */
  confirmed = false;
  /** When the control core last heard that packets come from elsewhere. */
  movedReportedAt: Instant | undefined;

  constructor(session: DataSession, peer: Peer, limits: SuiteLimits) {
    this.peer = peer;
    this.localIndex = session.localIndex;
    this.remoteIndex = session.remoteIndex;
    this.#limits = limits;
    this.#sendAead = createAead(session.suite, session.sendKey);
    this.#receiveAead = createAead(session.suite, session.receiveKey);
  }

  /** Whether it may seal another packet. */
  get canSeal(): boolean {
    return this.#sendCounter < this.#limits.stopAfterMessages && !this.#tooManyFailures;
  }

  /**
   * Seals in place: `packet` begins with room for the outer header, then holds the plaintext, and ends with room
   * for the tag. Requires {@link canSeal}.
   */
  seal(packet: Uint8Array): void {
    const counter = this.#sendCounter++;
    writeOuterHeader(packet, 0, this.remoteIndex, counter);
    this.#sendAead.sealInto(
      counter,
      packet.subarray(0, OUTER_HEADER_LENGTH),
      packet.subarray(OUTER_HEADER_LENGTH, packet.length - TAG_LENGTH),
      packet,
      OUTER_HEADER_LENGTH,
    );
  }

  /**
   * Opens a data packet into `out` from `at`; the plaintext's length, or why not. A failed open changes nothing but
   * the count of failures. `newest` tells whether its counter is above all that opened before.
   */
  open(packet: Uint8Array, out: Uint8Array, at: number, verdict: { newest: boolean }): number | OpenFault {
    if (this.#tooManyFailures) return 'dead';
    const counter = counterOf(packet);
    if (counter < 0 || counter >= this.#limits.stopAfterMessages) return 'counter';
    if (!this.#window.check(counter)) return 'replay';
    const length = this.#receiveAead.openInto(
      counter,
      packet.subarray(0, OUTER_HEADER_LENGTH),
      packet.subarray(OUTER_HEADER_LENGTH),
      out,
      at,
    );
    if (length < 0) {
      this.#failedOpens++;
      return 'forged';
    }
    verdict.newest = counter > this.#window.newest;
    this.#window.accept(counter);
    return length;
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

  /** Wipes the keys. */
  erase(): void {
    this.#sendAead.erase();
    this.#receiveAead.erase();
    // Past the limit for good: a call that still holds this session cannot seal with an erased key.
    this.#sendCounter = this.#limits.stopAfterMessages;
    this.#reported = 'dead';
  }

  get #tooManyFailures(): boolean {
    return this.#failedOpens >= this.#limits.maxFailedOpens;
  }

  #reachedLimit(): 'rekey' | 'dead' | undefined {
    if (!this.canSeal) return 'dead';
    const messages = Math.max(this.#sendCounter, this.#window.newest + 1);
    return messages >= this.#limits.rekeyAfterMessages ? 'rekey' : undefined;
  }
}
