import { assert } from '../base/assert.ts';
import { utf8 } from '../base/bytes.ts';
import { TAG_LENGTH } from './aead-engine.ts';
import { chachaOpen, chachaSeal } from './chacha20-poly1305.ts';
import { blake2b512, HASH_LENGTH, noiseHkdf2, noiseHkdf3 } from './hash.ts';
import { erase, secretBytes } from './secret-bytes.ts';

const EMPTY = new Uint8Array(0);
const CIPHER_KEY_LENGTH = 32;

/**
 * Noise §5.1 and §5.2: what both sides of a handshake have in common at each moment, under the specification's
 * names. Every change replaces an array, none is written to, so {@link snapshot} is a shallow copy; keys that are
 * neither current nor in the snapshot are wiped.
 *
 * - `ck` the chaining key: all secrets so far
 * - `h` the hash of everything sent so far, which is the additional data of every seal
 * - `k`, `n` the cipher key, undefined until the first MixKey, and its counter
 */
export class SymmetricState {
  #ck: Uint8Array;
  #h: Uint8Array;
  #k: Uint8Array | undefined;
  #n = 0;
  #kept: SymmetricSnapshot | undefined;

  /** Noise: InitializeSymmetric(protocol_name). */
  constructor(protocolName: string) {
    const name = utf8(protocolName);
    this.#h = new Uint8Array(HASH_LENGTH);
    if (name.length <= HASH_LENGTH) this.#h.set(name);
    else this.#h = blake2b512(name);
    this.#ck = this.#h.slice();
  }

  /** Whether payloads are sealed yet. */
  get hasKey(): boolean {
    return this.#k !== undefined;
  }

  /** Noise: GetHandshakeHash(). A copy of `h`. */
  get handshakeHash(): Uint8Array {
    return this.#h.slice();
  }

  mixKey(input: Uint8Array): void {
    const [ck, tempK] = noiseHkdf2(this.#ck, input);
    this.#replaceKeys(ck, tempK);
  }

  mixHash(data: Uint8Array): void {
    this.#h = blake2b512(this.#h, data);
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [ck, tempH, tempK] = noiseHkdf3(this.#ck, input);
    this.mixHash(tempH);
    erase(tempH);
    this.#replaceKeys(ck, tempK);
  }

  /** Ciphertext ‖ tag, or the plaintext itself while there is no key. */
  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    let ciphertext = plaintext;
    if (this.#k !== undefined) {
      ciphertext = new Uint8Array(plaintext.length + TAG_LENGTH);
      chachaSeal(this.#k, this.#n++, this.#h, plaintext, ciphertext, 0);
    }
    this.mixHash(ciphertext);
    return ciphertext;
  }

  /** The plaintext in fresh bytes, or undefined where the tag is wrong. */
  decryptAndHash(ciphertext: Uint8Array): Uint8Array | undefined {
    let plaintext: Uint8Array;
    if (this.#k === undefined) plaintext = ciphertext.slice();
    else {
      if (ciphertext.length < TAG_LENGTH) return undefined;
      plaintext = new Uint8Array(ciphertext.length - TAG_LENGTH);
      if (chachaOpen(this.#k, this.#n, this.#h, ciphertext, plaintext, 0) < 0) return undefined;
      this.#n++;
    }
    this.mixHash(ciphertext);
    return plaintext;
  }

  /** Noise: Split(). The key from initiator to responder, then the other. */
  split(): [Uint8Array, Uint8Array] {
    const [first, second] = noiseHkdf2(this.#ck, EMPTY);
    const keys: [Uint8Array, Uint8Array] = [secretBytes(CIPHER_KEY_LENGTH), secretBytes(CIPHER_KEY_LENGTH)];
    keys[0].set(first.subarray(0, CIPHER_KEY_LENGTH));
    keys[1].set(second.subarray(0, CIPHER_KEY_LENGTH));
    erase(first, second);
    return keys;
  }

  /** The state as it is now, kept until {@link restore} or {@link discard}. One at a time. */
  snapshot(): SymmetricSnapshot {
    assert(this.#kept === undefined, 'one snapshot at a time');
    this.#kept = { ck: this.#ck, h: this.#h, k: this.#k, n: this.#n };
    return this.#kept;
  }

  /** Takes back everything since `snapshot`, and wipes it. */
  restore(snapshot: SymmetricSnapshot): void {
    assert(this.#kept === snapshot, 'the snapshot in force');
    if (snapshot.ck !== this.#ck) erase(this.#ck);
    if (snapshot.k !== this.#k) erase(this.#k);
    this.#ck = snapshot.ck;
    this.#h = snapshot.h;
    this.#k = snapshot.k;
    this.#n = snapshot.n;
    this.#kept = undefined;
  }

  /** Lets go of `snapshot` and wipes those of its keys that are no longer in use. */
  discard(snapshot: SymmetricSnapshot): void {
    assert(this.#kept === snapshot, 'the snapshot in force');
    if (snapshot.ck !== this.#ck) erase(snapshot.ck);
    if (snapshot.k !== this.#k) erase(snapshot.k);
    this.#kept = undefined;
  }

  /** Wipes the keys. The state is of no use afterwards. */
  erase(): void {
    erase(this.#ck, this.#k);
  }

  /** A new `ck`, and InitializeKey(temp_k); wipes `tempK`. */
  #replaceKeys(ck: Uint8Array, tempK: Uint8Array): void {
    if (this.#ck !== this.#kept?.ck) erase(this.#ck);
    if (this.#k !== this.#kept?.k) erase(this.#k);
    this.#ck = ck;
    this.#k = tempK.slice(0, CIPHER_KEY_LENGTH); // Noise §5.2: HASHLEN 64 is truncated to 32
    this.#n = 0;
    erase(tempK);
  }
}

/** What a failed read puts back. */
interface SymmetricSnapshot {
  readonly ck: Uint8Array;
  readonly h: Uint8Array;
  readonly k: Uint8Array | undefined;
  readonly n: number;
}
