import libsodium from 'libsodium-wrappers';
import { assert } from '../base/assert.ts';

/**
 * libsodium's WebAssembly and the scratch area through which the primitives call it: `chacha20-poly1305.ts`,
 * `xchacha20-poly1305.ts`, `blake2b.ts`, `x25519.ts`, `ed25519.ts`. The only file that imports the library.
 *
 * The wrappers around the same functions allocate five times a call, throw an `Error` with a stack trace for
 * every packet that fails (a flooder's lever), and free keys without wiping them. Here all inputs are copied
 * into one scratch area that is never freed, and what was secret there is wiped after the call. Measured on a
 * packet of 1400 bytes: 2.5 µs instead of 3.4 to 3.8, of which 2.4 are the cipher itself.
 *
 * ```
 * scratch  0     64      96     160    192        4288                 135424
 *          | key | nonce | out  | seed | AAD 4096 | data 131072 + tag 64 |
 * ```
 *
 * No function keeps or returns a view of the scratch area, and none calls another while it uses it.
 */

/** Largest message of any call, in bytes: twice the largest frame or record. */
export const SODIUM_MESSAGE_MAX = 131_072;
/** Largest additional data of an AEAD, in bytes. */
export const SODIUM_AAD_MAX = 4096;

const KEY_AT = 0;
const NONCE_AT = 64;
const OUT_AT = 96;
const SEED_AT = 160;
const AAD_AT = 192;
const DATA_AT = AAD_AT + SODIUM_AAD_MAX;
const SCRATCH_LENGTH = DATA_AT + SODIUM_MESSAGE_MAX + 64;

/** The WebAssembly exports in use. Pointers are offsets into `HEAPU8`; a 64-bit length is two arguments. */
interface SodiumModule {
  /** Replaced when the memory grows: never kept across a call. */
  readonly HEAPU8: Uint8Array;
  _malloc(length: number): number;
  _crypto_aead_chacha20poly1305_ietf_encrypt: AeadEncrypt;
  _crypto_aead_chacha20poly1305_ietf_decrypt: AeadDecrypt;
  _crypto_aead_xchacha20poly1305_ietf_encrypt: AeadEncrypt;
  _crypto_aead_xchacha20poly1305_ietf_decrypt: AeadDecrypt;
  _crypto_generichash(
    out: number,
    outLength: number,
    message: number,
    lengthLow: number,
    lengthHigh: number,
    key: number,
    keyLength: number,
  ): number;
  _crypto_scalarmult(out: number, scalar: number, point: number): number;
  _crypto_scalarmult_base(out: number, scalar: number): number;
  _crypto_sign_seed_keypair(publicKey: number, privateKey: number, seed: number): number;
  _crypto_sign_detached(
    signature: number,
    lengthOut: number,
    message: number,
    lengthLow: number,
    lengthHigh: number,
    privateKey: number,
  ): number;
  _crypto_sign_verify_detached(
    signature: number,
    message: number,
    lengthLow: number,
    lengthHigh: number,
    publicKey: number,
  ): number;
}

/** As libsodium has it; lengths of 64 bits are two arguments. */
export type AeadEncrypt = (
  out: number,
  lengthOut: number,
  message: number,
  lengthLow: number,
  lengthHigh: number,
  aad: number,
  aadLengthLow: number,
  aadLengthHigh: number,
  secretNonce: number,
  nonce: number,
  key: number,
) => number;

/** As libsodium has it. Answers 0 where the tag is right. */
export type AeadDecrypt = (
  out: number,
  lengthOut: number,
  secretNonce: number,
  ciphertext: number,
  lengthLow: number,
  lengthHigh: number,
  aad: number,
  aadLengthLow: number,
  aadLengthHigh: number,
  nonce: number,
  key: number,
) => number;

/** The library, and where the parts of the scratch area begin in its `HEAPU8`. */
interface Sodium {
  readonly lib: SodiumModule;
  readonly at: {
    readonly key: number;
    readonly nonce: number;
    readonly out: number;
    readonly seed: number;
    readonly aad: number;
    readonly data: number;
  };
}

let loaded: Sodium | undefined;

/** Compiles the library. Every other function asserts that this was awaited. May be called again. */
export async function loadSodium(): Promise<void> {
  await libsodium.ready;
  if (loaded !== undefined) return;
  const raw = (libsodium as unknown as { readonly libsodium: SodiumModule }).libsodium;
  assert(
    typeof raw?._malloc === 'function',
    'libsodium-wrappers exposes its WebAssembly module as `libsodium`',
  );
  const base = raw._malloc(SCRATCH_LENGTH);
  assert(base !== 0, 'WebAssembly memory for the scratch area is there');
  loaded = {
    lib: raw,
    at: {
      key: base + KEY_AT,
      nonce: base + NONCE_AT,
      out: base + OUT_AT,
      seed: base + SEED_AT,
      aad: base + AAD_AT,
      data: base + DATA_AT,
    },
  };
}

/** The library. Asserts that {@link loadSodium} was awaited. */
export function sodium(): Sodium {
  assert(loaded !== undefined, '`await cryptoReady` comes before any cryptography');
  return loaded;
}
