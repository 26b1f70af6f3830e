import sodium from 'libsodium-wrappers';
import { assert } from '../base/assert.ts';
import { writeU64LE } from '../base/bytes.ts';

/**
 * The primitives, called on libsodium's WebAssembly directly. The only file that imports the library.
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

const TAG_LENGTH = 16;
const CHACHA_NONCE_LENGTH = 12;
const XCHACHA_NONCE_LENGTH = 24;

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

type AeadEncrypt = (
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

type AeadDecrypt = (
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

let module: SodiumModule | undefined;
let base = 0;

/** Compiles the library. Every other function asserts that this was awaited. May be called again. */
export async function loadSodium(): Promise<void> {
  await sodium.ready;
  if (module !== undefined) return;
  const raw = (sodium as unknown as { readonly libsodium: SodiumModule }).libsodium;
  assert(
    typeof raw?._malloc === 'function',
    'libsodium-wrappers exposes its WebAssembly module as `libsodium`',
  );
  base = raw._malloc(SCRATCH_LENGTH);
  assert(base !== 0, 'WebAssembly memory for the scratch area is there');
  module = raw;
}

/**
 * ChaCha20-Poly1305 (RFC 8439) with the nonce 4 zero bytes ‖ LE64(`counter`): writes ciphertext ‖ tag, that is
 * `plaintext.length` + 16 bytes, to `out` from `at`. The inputs may overlap `out`.
 * Requires a key of 32 bytes and 0 ≤ counter < 2^53. Nonces of 12 bytes in place of a counter are for the
 * published vectors, so that those judge this very code.
 */
export function chachaSeal(
  key: Uint8Array,
  counter: number | Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  out: Uint8Array,
  at: number,
): void {
  const lib = loaded();
  const heap = lib.HEAPU8;
  const length = plaintext.length;
  assert(
    key.length === 32 && length <= SODIUM_MESSAGE_MAX && aad.length <= SODIUM_AAD_MAX,
    'sizes of a seal',
  );
  assert(at + length + TAG_LENGTH <= out.length, 'room for ciphertext and tag');
  heap.set(key, base + KEY_AT);
  writeNonce(heap, counter);
  heap.set(aad, base + AAD_AT);
  heap.set(plaintext, base + DATA_AT);
  const data = base + DATA_AT;
  lib._crypto_aead_chacha20poly1305_ietf_encrypt(
    data,
    0,
    data,
    length,
    0,
    base + AAD_AT,
    aad.length,
    0,
    0,
    base + NONCE_AT,
    base + KEY_AT,
  );
  heap.fill(0, base + KEY_AT, base + KEY_AT + 32);
  out.set(heap.subarray(data, data + length + TAG_LENGTH), at);
}

/**
 * Opens what {@link chachaSeal} sealed, into `out` from `at`. Returns the length of the plaintext
 * (`ciphertext.length` − 16), or −1 where the tag is wrong or a size is out of bounds; then `out` is untouched.
 */
export function chachaOpen(
  key: Uint8Array,
  counter: number | Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
  out: Uint8Array,
  at: number,
): number {
  const lib = loaded();
  const length = ciphertext.length;
  assert(key.length === 32 && aad.length <= SODIUM_AAD_MAX, 'sizes of an open');
  if (length < TAG_LENGTH || length > SODIUM_MESSAGE_MAX + TAG_LENGTH) return -1;
  assert(at + length - TAG_LENGTH <= out.length, 'room for the plaintext');
  const heap = lib.HEAPU8;
  heap.set(key, base + KEY_AT);
  writeNonce(heap, counter);
  heap.set(aad, base + AAD_AT);
  heap.set(ciphertext, base + DATA_AT);
  const data = base + DATA_AT;
  const failed = lib._crypto_aead_chacha20poly1305_ietf_decrypt(
    data,
    0,
    0,
    data,
    length,
    0,
    base + AAD_AT,
    aad.length,
    0,
    base + NONCE_AT,
    base + KEY_AT,
  );
  heap.fill(0, base + KEY_AT, base + KEY_AT + 32);
  if (failed !== 0) return -1;
  out.set(heap.subarray(data, data + length - TAG_LENGTH), at);
  return length - TAG_LENGTH;
}

/** XChaCha20-Poly1305: ciphertext ‖ tag under a key of 32 bytes and a random nonce of 24. */
export function xchachaSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const lib = loaded();
  assert(key.length === 32 && nonce.length === XCHACHA_NONCE_LENGTH, 'sizes of key and nonce');
  assert(plaintext.length <= SODIUM_MESSAGE_MAX && aad.length <= SODIUM_AAD_MAX, 'sizes of a seal');
  const heap = lib.HEAPU8;
  heap.set(key, base + KEY_AT);
  heap.set(nonce, base + NONCE_AT);
  heap.set(aad, base + AAD_AT);
  heap.set(plaintext, base + DATA_AT);
  const data = base + DATA_AT;
  lib._crypto_aead_xchacha20poly1305_ietf_encrypt(
    data,
    0,
    data,
    plaintext.length,
    0,
    base + AAD_AT,
    aad.length,
    0,
    0,
    base + NONCE_AT,
    base + KEY_AT,
  );
  heap.fill(0, base + KEY_AT, base + KEY_AT + 32);
  return heap.slice(data, data + plaintext.length + TAG_LENGTH);
}

/** Opens what {@link xchachaSeal} sealed; undefined where the tag is wrong or a size is out of bounds. */
export function xchachaOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array | undefined {
  const lib = loaded();
  const length = ciphertext.length;
  assert(key.length === 32 && nonce.length === XCHACHA_NONCE_LENGTH, 'sizes of key and nonce');
  if (length < TAG_LENGTH || length > SODIUM_MESSAGE_MAX + TAG_LENGTH || aad.length > SODIUM_AAD_MAX)
    return undefined;
  const heap = lib.HEAPU8;
  heap.set(key, base + KEY_AT);
  heap.set(nonce, base + NONCE_AT);
  heap.set(aad, base + AAD_AT);
  heap.set(ciphertext, base + DATA_AT);
  const data = base + DATA_AT;
  const failed = lib._crypto_aead_xchacha20poly1305_ietf_decrypt(
    data,
    0,
    0,
    data,
    length,
    0,
    base + AAD_AT,
    aad.length,
    0,
    base + NONCE_AT,
    base + KEY_AT,
  );
  heap.fill(0, base + KEY_AT, base + KEY_AT + 32);
  if (failed !== 0) return undefined;
  const plaintext = heap.slice(data, data + length - TAG_LENGTH);
  heap.fill(0, data, data + length);
  return plaintext;
}

/**
 * BLAKE2b (RFC 7693) of the concatenation of `parts`, `length` bytes long (16 to 64), keyed where `key`
 * (1 to 64 bytes) is given.
 */
export function blake2b(length: number, parts: readonly Uint8Array[], key?: Uint8Array): Uint8Array {
  const lib = loaded();
  const heap = lib.HEAPU8;
  assert(length >= 16 && length <= 64, 'length of a hash');
  const data = base + DATA_AT;
  let total = 0;
  for (const part of parts) {
    assert(total + part.length <= SODIUM_MESSAGE_MAX, 'size of a hashed message');
    heap.set(part, data + total);
    total += part.length;
  }
  if (key !== undefined) {
    assert(key.length >= 1 && key.length <= 64, 'length of a hash key');
    heap.set(key, base + KEY_AT);
  }
  const out = base + OUT_AT;
  const keyAt = key === undefined ? 0 : base + KEY_AT;
  const failed = lib._crypto_generichash(out, length, data, total, 0, keyAt, key?.length ?? 0);
  assert(failed === 0, 'libsodium hashes');
  const hash = heap.slice(out, out + length);
  heap.fill(0, out, out + length);
  heap.fill(0, data, data + total);
  heap.fill(0, base + KEY_AT, base + KEY_AT + 64);
  return hash;
}

/**
 * X25519 (RFC 7748) of a 32-byte scalar and a 32-byte point. Undefined where the result is zero, as for every
 * point of small order: such a peer is refused, quietly.
 */
export function x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  const lib = loaded();
  assert(privateKey.length === 32 && publicKey.length === 32, 'X25519 keys of 32 bytes');
  const heap = lib.HEAPU8;
  heap.set(privateKey, base + KEY_AT);
  heap.set(publicKey, base + DATA_AT);
  const out = base + OUT_AT;
  const failed = lib._crypto_scalarmult(out, base + KEY_AT, base + DATA_AT);
  const shared = heap.slice(out, out + 32);
  heap.fill(0, out, out + 32);
  heap.fill(0, base + KEY_AT, base + KEY_AT + 32);
  return failed === 0 ? shared : undefined;
}

/** The X25519 public key of a 32-byte scalar. */
export function x25519Base(privateKey: Uint8Array): Uint8Array {
  const lib = loaded();
  assert(privateKey.length === 32, 'X25519 key of 32 bytes');
  const heap = lib.HEAPU8;
  heap.set(privateKey, base + KEY_AT);
  const out = base + OUT_AT;
  lib._crypto_scalarmult_base(out, base + KEY_AT);
  heap.fill(0, base + KEY_AT, base + KEY_AT + 32);
  return heap.slice(out, out + 32);
}

/** The Ed25519 key pair (RFC 8032) of a 32-byte seed. The private key is seed ‖ public key, 64 bytes. */
export function ed25519FromSeed(seed: Uint8Array): {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
} {
  const lib = loaded();
  assert(seed.length === 32, 'Ed25519 seed of 32 bytes');
  const heap = lib.HEAPU8;
  heap.set(seed, base + SEED_AT);
  const out = base + OUT_AT;
  lib._crypto_sign_seed_keypair(out, base + KEY_AT, base + SEED_AT);
  const pair = {
    publicKey: heap.slice(out, out + 32),
    privateKey: heap.slice(base + KEY_AT, base + KEY_AT + 64),
  };
  heap.fill(0, base + SEED_AT, base + SEED_AT + 32);
  heap.fill(0, base + KEY_AT, base + KEY_AT + 64);
  return pair;
}

/** The 64-byte Ed25519 signature of `message` by a 64-byte private key. */
export function ed25519Sign(privateKey: Uint8Array, message: Uint8Array): Uint8Array {
  const lib = loaded();
  assert(privateKey.length === 64 && message.length <= SODIUM_MESSAGE_MAX, 'sizes of a signature');
  const heap = lib.HEAPU8;
  heap.set(privateKey, base + KEY_AT);
  heap.set(message, base + DATA_AT);
  const out = base + OUT_AT;
  lib._crypto_sign_detached(out, 0, base + DATA_AT, message.length, 0, base + KEY_AT);
  heap.fill(0, base + KEY_AT, base + KEY_AT + 64);
  return heap.slice(out, out + 64);
}

/** Whether `signature` over `message` is by `publicKey`. Wrong lengths are wrong signatures. */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const lib = loaded();
  if (publicKey.length !== 32 || signature.length !== 64 || message.length > SODIUM_MESSAGE_MAX) return false;
  const heap = lib.HEAPU8;
  heap.set(publicKey, base + KEY_AT);
  heap.set(signature, base + OUT_AT);
  heap.set(message, base + DATA_AT);
  return (
    lib._crypto_sign_verify_detached(base + OUT_AT, base + DATA_AT, message.length, 0, base + KEY_AT) === 0
  );
}

function writeNonce(heap: Uint8Array, counter: number | Uint8Array): void {
  if (typeof counter !== 'number') {
    assert(counter.length === CHACHA_NONCE_LENGTH, 'a nonce of 12 bytes');
    heap.set(counter, base + NONCE_AT);
    return;
  }
  assert(Number.isSafeInteger(counter) && counter >= 0, 'a counter below 2^53');
  const at = base + NONCE_AT;
  heap.fill(0, at, at + CHACHA_NONCE_LENGTH - 8);
  writeU64LE(heap, at + CHACHA_NONCE_LENGTH - 8, counter);
}

function loaded(): SodiumModule {
  assert(module !== undefined, '`await cryptoReady` comes before any cryptography');
  return module;
}
