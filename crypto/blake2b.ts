import { assert } from '../base/assert.ts';
import { secretBytes } from './secret-bytes.ts';
import { SODIUM_MESSAGE_MAX, sodium } from './sodium.ts';

/**
 * BLAKE2b (RFC 7693) of the concatenation of `parts`, `length` bytes long (16 to 64), keyed where `key`
 * (1 to 64 bytes) is given.
 */
export function blake2b(length: number, parts: readonly Uint8Array[], key?: Uint8Array): Uint8Array {
  const { lib, at: scratch } = sodium();
  const heap = lib.HEAPU8;
  assert(length >= 16 && length <= 64, 'length of a hash');
  const data = scratch.data;
  let total = 0;
  for (const part of parts) {
    assert(total + part.length <= SODIUM_MESSAGE_MAX, 'size of a hashed message');
    heap.set(part, data + total);
    total += part.length;
  }
  if (key !== undefined) {
    assert(key.length >= 1 && key.length <= 64, 'length of a hash key');
    heap.set(key, scratch.key);
  }
  const out = scratch.out;
  const keyAt = key === undefined ? 0 : scratch.key;
  const failed = lib._crypto_generichash(out, length, data, total, 0, keyAt, key?.length ?? 0);
  assert(failed === 0, 'libsodium hashes');
  // What comes out may be a key.
  const hash = secretBytes(length);
  hash.set(heap.subarray(out, out + length));
  heap.fill(0, out, out + length);
  heap.fill(0, data, data + total);
  heap.fill(0, scratch.key, scratch.key + 64);
  return hash;
}
