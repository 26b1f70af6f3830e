import { assert } from '../base/assert.ts';
import { writeU64LE } from '../base/bytes.ts';
import { type AeadEngine, NONCE_LENGTH, type PacketRun, TAG_LENGTH } from './aead-engine.ts';
import { ChaChaEngine } from './chacha-engine.ts';
import { PORTABLE_SUITES, type Suite } from './suite.ts';

/** How long one key of a suite may serve. */
export interface SuiteLimits {
  /** Messages after which a new session is wanted. */
  readonly rekeyAfterMessages: number;
  /** Messages after which the key must not seal any more: counters stay below this. */
  readonly stopAfterMessages: number;
  /** Failed opens after which the session dies (RFC 9147 §4.5.3). */
  readonly maxFailedOpens: number;
}

/**
 * AES-GCM: RFC 8446 §5.5 stops at 2^24.5 records of 16 KiB, which is as many blocks as 2^28 packets of ours.
 * ChaCha20-Poly1305: the stop would be 2^60 as in WireGuard, but a counter must stay an exact number.
 */
export const SUITE_LIMITS: Record<Suite, SuiteLimits> = {
  'chacha20-poly1305': {
    rekeyAfterMessages: 2 ** 40,
    stopAfterMessages: Math.min(2 ** 60, 2 ** 53),
    maxFailedOpens: 2 ** 36,
  },
  'aes-256-gcm': { rekeyAfterMessages: 2 ** 27, stopAfterMessages: 2 ** 28, maxFailedOpens: 2 ** 36 },
};

/**
 * Makes an AEAD of a key of 32 bytes, of which it takes a copy. Whoever has better engines than {@link createAead}
 * makes one of these (`choose-aeads.ts`).
 */
export type CreateAead = (suite: Suite, key: Uint8Array) => Aead;

/** An AEAD that works everywhere, for {@link PORTABLE_SUITES} only. Takes a copy of `key`. */
export function createAead(suite: Suite, key: Uint8Array): Aead {
  assert(PORTABLE_SUITES.includes(suite), `a suite that works everywhere, not ${suite}`);
  return new Aead(suite, new ChaChaEngine(key));
}

/**
 * One key in one direction. The caller counts: a counter never seals twice, and is advanced *before* sealing
 * so that a crash cannot repeat it. The nonce is 4 zero bytes ‖ LE64(counter) (Noise §12.3, ChaChaPoly).
 * Nothing here keeps a buffer of the caller.
 *
 * Nonces of 12 bytes in place of a counter are for published vectors, so that those judge this very code.
 */
export class Aead {
  readonly suite: Suite;
  readonly #engine: AeadEngine;
  readonly #nonce = new Uint8Array(NONCE_LENGTH);
  #erased = false;

  /** The engine is ours from now on. */
  constructor(suite: Suite, engine: AeadEngine) {
    this.suite = suite;
    this.#engine = engine;
  }

  /**
   * Seals the packets of `run` under `counter` and those after it. Requires that all counters are below 2^53 and that
   * each packet holds at least its clear part and room for the tag.
   */
  sealRun(counter: number | Uint8Array, run: PacketRun): void {
    assert(!this.#erased, 'an erased key seals nothing');
    assert(isExact(counter, run), 'a counter below 2^53');
    assert(isWellFormed(run), 'packets with room for a tag');
    this.#setNonce(counter);
    this.#engine.sealRun(this.#nonce, run);
  }

  /**
   * Opens the packets of `run`, sealed under `counter` and those after it, from the first up to the first where
   * anything is not as it was sealed; the text of that one is lost, those behind it are untouched. How many opened.
   */
  openRun(counter: number | Uint8Array, run: PacketRun): number {
    // Counters come off the wire: one that is no exact number would stand for a thousand others.
    if (this.#erased || !isExact(counter, run) || !isWellFormed(run)) return 0;
    this.#setNonce(counter);
    return this.#engine.openRun(this.#nonce, run);
  }

  /** Ciphertext ‖ tag of one message, in fresh bytes. */
  seal(counter: number | Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(aad.length + plaintext.length + TAG_LENGTH);
    bytes.set(aad);
    bytes.set(plaintext, aad.length);
    this.sealRun(counter, runOfOne(bytes, aad.length));
    return bytes.slice(aad.length);
  }

  /** The plaintext of one message in fresh bytes, or undefined where anything is not as it was sealed. */
  open(counter: number | Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined {
    const bytes = new Uint8Array(aad.length + ciphertext.length);
    bytes.set(aad);
    bytes.set(ciphertext, aad.length);
    if (this.openRun(counter, runOfOne(bytes, aad.length)) === 0) return undefined;
    return bytes.slice(aad.length, bytes.length - TAG_LENGTH);
  }

  /** Wipes the key. Sealing afterwards is a bug and asserts; opening fails. */
  erase(): void {
    if (this.#erased) return;
    this.#erased = true;
    this.#engine.close();
  }

  #setNonce(counter: number | Uint8Array): void {
    if (typeof counter === 'number') {
      this.#nonce.fill(0, 0, NONCE_LENGTH - 8);
      writeU64LE(this.#nonce, NONCE_LENGTH - 8, counter);
    } else {
      assert(counter.length === NONCE_LENGTH, 'a nonce of 12 bytes');
      this.#nonce.set(counter);
    }
  }
}

function runOfOne(bytes: Uint8Array, aadLength: number): PacketRun {
  return { bytes, at: 0, length: bytes.length, segment: bytes.length, aadLength };
}

function isExact(counter: number | Uint8Array, run: PacketRun): boolean {
  if (typeof counter !== 'number') return true;
  const last = counter + Math.ceil(run.length / run.segment) - 1;
  return Number.isSafeInteger(counter) && counter >= 0 && Number.isSafeInteger(last);
}

function isWellFormed({ bytes, at, length, segment, aadLength }: PacketRun): boolean {
  const last = length % segment || segment;
  return last >= aadLength + TAG_LENGTH && length >= last && at + length <= bytes.length;
}
