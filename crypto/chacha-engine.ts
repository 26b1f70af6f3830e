import { assert } from '../base/assert.ts';
import { type AeadEngine, KEY_LENGTH, NONCE_LENGTH, type PacketRun, TAG_LENGTH } from './aead-engine.ts';
import { chachaOpen, chachaSeal } from './chacha20-poly1305.ts';
import { erase } from './secret-bytes.ts';

/** ChaCha20-Poly1305 by libsodium's WebAssembly: slower than native code, and there wherever Node is. */
export class ChaChaEngine implements AeadEngine {
  readonly #key: Uint8Array;

  /** Takes a copy of `key`, 32 bytes. */
  constructor(key: Uint8Array) {
    assert(key.length === KEY_LENGTH, 'an AEAD key of 32 bytes');
    this.#key = key.slice();
  }

  sealRun(nonce: Uint8Array, run: PacketRun): void {
    const { bytes, at, length, segment, aadLength } = run;
    for (let from = at; from < at + length; from += segment) {
      const text = from + aadLength;
      const end = Math.min(from + segment, at + length) - TAG_LENGTH;
      chachaSeal(this.#key, nonce, bytes.subarray(from, text), bytes.subarray(text, end), bytes, text);
      countUp(nonce);
    }
  }

  openRun(nonce: Uint8Array, run: PacketRun): number {
    const { bytes, at, length, segment, aadLength } = run;
    let opened = 0;
    for (let from = at; from < at + length; from += segment) {
      const text = from + aadLength;
      const end = Math.min(from + segment, at + length);
      const clear = bytes.subarray(from, text);
      if (chachaOpen(this.#key, nonce, clear, bytes.subarray(text, end), bytes, text) < 0) break;
      countUp(nonce);
      opened++;
    }
    return opened;
  }

  close(): void {
    erase(this.#key);
  }
}

/** Adds one to the number in the last 8 bytes of a nonce. */
function countUp(nonce: Uint8Array): void {
  for (let at = NONCE_LENGTH - 8; at < NONCE_LENGTH; at++) {
    const byte = (nonce[at]! + 1) & 255;
    nonce[at] = byte;
    if (byte !== 0) return;
  }
}
