import { assert } from '../base/assert.ts';
import { chachaOpen, chachaSeal } from './chacha20-poly1305.ts';
import { erase } from './secret-bytes.ts';
import type { Suite } from './suite.ts';

/** Bytes that sealing adds: the tag, behind the ciphertext. The same in both suites. */
export const TAG_LENGTH = 16;
/** Bytes of a key. The same in both suites. */
export const KEY_LENGTH = 32;

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
 * One key in one direction. The caller counts: a counter never seals twice, and is advanced *before* sealing
 * so that a crash cannot repeat it. The nonce is 4 zero bytes ‖ LE64(counter) (Noise §12.3, ChaChaPoly).
 * Nothing here keeps a buffer of the caller.
 */
export interface Aead {
  readonly suite: Suite;
  /** Ciphertext ‖ tag in fresh bytes. Requires counter < 2^53. */
  seal(counter: number, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /**
   * Writes ciphertext ‖ tag, `plaintext.length` + 16 bytes, to `out` from `at`. `aad` and `plaintext` may be
   * parts of `out`, so a packet is sealed where it was built.
   */
  sealInto(counter: number, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, at: number): void;
  /** The plaintext in fresh bytes, or undefined where anything is not as it was sealed. */
  open(counter: number, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined;
  /**
   * Writes the plaintext to `out` from `at` and returns its length; −1, with `out` untouched, where anything is
   * not as it was sealed. `out` needs room for `ciphertext.length` − 16 bytes; it may overlap the inputs.
   */
  openInto(counter: number, aad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array, at: number): number;
  /** Wipes the key. Sealing afterwards is a bug and asserts; opening fails. */
  erase(): void;
}

/** An AEAD of this node's TypeScript: chacha20-poly1305 only (see SLEEVE_SUITES). Takes a copy of `key`. */
export function createAead(suite: Suite, key: Uint8Array): Aead {
  assert(suite === 'chacha20-poly1305', `the TypeScript datapath has no ${suite}`);
  return new ChaChaAead(key);
}

class ChaChaAead implements Aead {
  readonly suite = 'chacha20-poly1305';
  readonly #key: Uint8Array;
  #erased = false;

  constructor(key: Uint8Array) {
    assert(key.length === KEY_LENGTH, 'an AEAD key of 32 bytes');
    this.#key = key.slice();
  }

  seal(counter: number, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const out = new Uint8Array(plaintext.length + TAG_LENGTH);
    this.sealInto(counter, aad, plaintext, out, 0);
    return out;
  }

  sealInto(counter: number, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, at: number): void {
    assert(!this.#erased, 'an erased key seals nothing');
    chachaSeal(this.#key, counter, aad, plaintext, out, at);
  }

  open(counter: number, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined {
    if (ciphertext.length < TAG_LENGTH) return undefined;
    const out = new Uint8Array(ciphertext.length - TAG_LENGTH);
    return this.openInto(counter, aad, ciphertext, out, 0) < 0 ? undefined : out;
  }

  openInto(counter: number, aad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array, at: number): number {
    // Counters come off the wire: one that is no exact number would stand for a thousand others.
    if (this.#erased || !Number.isSafeInteger(counter)) return -1;
    return chachaOpen(this.#key, counter, aad, ciphertext, out, at);
  }

  erase(): void {
    erase(this.#key);
    this.#erased = true;
  }
}
