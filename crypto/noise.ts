import { assert } from '../base/assert.ts';
import { concat } from '../base/bytes.ts';
import type { RandomSource } from '../base/random.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { TAG_LENGTH } from './aead-engine.ts';
import { type HandshakePattern, handshakePattern, type Token } from './noise-patterns.ts';
import { erase } from './secret-bytes.ts';
import { SymmetricState } from './symmetric-state.ts';
import { generateKeyPair, type KeyPair, X25519_LENGTH, x25519 } from './x25519.ts';

/**
 * A handshake of the Noise Protocol Framework, revision 34, in the suite 25519_ChaChaPoly_BLAKE2b.
 *
 * Two strangers end up with keys that only they have. Each message of a pattern is a row of tokens. `e` sends a
 * fresh public key, `s` the permanent one (sealed, once there is a key to seal with), a pair of letters mixes
 * the Diffie-Hellman of the two keys it names into the chaining key `ck`, `psk` mixes a secret that both had
 * before. Behind the tokens each message carries a payload of the caller's. Whatever is sent goes into the hash
 * `h`, and `h` is authenticated by every seal, so the two sides can only finish if they have seen the same bytes
 * in the same order, from the prologue on.
 *
 * Weft uses two patterns. `IKpsk0` for tunnels over UDP: the responder's static key is known from its signed
 * record, and one round trip is enough. `XXpsk0` for gossip over TCP: the sides learn each other's keys. In both
 * the cluster's secret is mixed before anything else, so without it not even the first message can be formed or
 * read, and traffic that was recorded stays closed to whoever breaks X25519 later.
 *
 * What a handshake does not do: it does not know time or freshness (the first message of IK can be replayed; the
 * caller orders them by boot epoch and sequence in the payload), and the payload of message 1 has no forward
 * secrecy.
 *
 * One interpreter walks the tokens for writing and reading. A message that cannot be read leaves no trace: the
 * state is as it was and the true message can still come.
 */

/** Noise §3: no message is longer, in bytes. */
export const NOISE_MESSAGE_MAX = 65_535;
/** Bytes of a pre-shared key. */
const PSK_LENGTH = 32;

const CIPHER_SUITE = '25519_ChaChaPoly_BLAKE2b';

export type NoiseRole = 'initiator' | 'responder';

interface HandshakeOptions {
  /** IK or XX with psk modifiers: `IKpsk0`, `XXpsk0`, `IKpsk0+psk2`. An unknown one asserts. */
  readonly pattern: string;
  readonly role: NoiseRole;
  /** What both sides must agree on beforehand: label, cluster id, clear headers. At most 64 KiB. */
  readonly prologue: Uint8Array;
  /** Our permanent key pair. Kept, never written to. */
  readonly staticKey: KeyPair;
  /** The peer's permanent key, 32 bytes: for the initiator of IK, else absent. */
  readonly remoteStatic?: Uint8Array;
  /** As many keys of 32 bytes as the pattern has psk modifiers, in their order. Kept, never written to. */
  readonly psks: readonly Uint8Array[];
  /** Gives 32 bytes for each ephemeral key. */
  readonly random: RandomSource;
}

/**
 * - `zero-point`: the peer's key is a point of small order, so the shared secret would be known to all
 */
export type NoiseWriteFault = 'zero-point';

/**
 * - `too-long`, `too-short`: no message of this pattern has that length
 * - `zero-point`: as for writing
 * - `bad-tag`: another secret, another prologue, another peer, or altered bytes
 */
export type NoiseReadFault = NoiseWriteFault | 'too-long' | 'too-short' | 'bad-tag';

/** What a finished handshake leaves behind: 32 bytes a key, 64 the hash. Owned by the caller, who erases it. */
export interface SplitKeys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
  /** Names this very handshake; equal on both sides and no secret. */
  readonly handshakeHash: Uint8Array;
}

/** The HandshakeState of the Noise specification (revision 34, §5.3), for one side of one handshake. */
export class HandshakeState {
  readonly #pattern: HandshakePattern;
  readonly #role: NoiseRole;
  readonly #staticKey: KeyPair;
  readonly #psks: readonly Uint8Array[];
  readonly #random: RandomSource;
  readonly #symmetric: SymmetricState;
  #next = 0;
  #pskUsed = 0;
  #ephemeral: KeyPair | undefined;
  #remoteStatic: Uint8Array | undefined;
  #remoteEphemeral: Uint8Array | undefined;
  #over = false;

  /** Noise: Initialize(). Options that do not fit the pattern are a bug of the caller's and assert. */
  constructor(options: HandshakeOptions) {
    const pattern = handshakePattern(options.pattern);
    assert(pattern !== undefined, `a known handshake pattern, not ${options.pattern}`);
    const needsRemote = pattern.responderStaticKnown && options.role === 'initiator';
    assert(
      (options.remoteStatic !== undefined) === needsRemote,
      'a remote static key where the pattern has one',
    );
    assert(
      options.remoteStatic === undefined || options.remoteStatic.length === X25519_LENGTH,
      'a key of 32 bytes',
    );
    assert(options.psks.length === pattern.pskCount, 'as many pre-shared keys as modifiers');
    for (const psk of options.psks) assert(psk.length === PSK_LENGTH, 'pre-shared keys of 32 bytes');
    this.#pattern = pattern;
    this.#role = options.role;
    this.#staticKey = options.staticKey;
    this.#remoteStatic = options.remoteStatic?.slice();
    this.#psks = options.psks;
    this.#random = options.random;
    this.#symmetric = new SymmetricState(`Noise_${pattern.name}_${CIPHER_SUITE}`);
    this.#symmetric.mixHash(options.prologue);
    if (pattern.responderStaticKnown) {
      this.#symmetric.mixHash(needsRemote ? this.#remoteStatic! : this.#staticKey.publicKey);
    }
  }

  /** Whether all messages are through and {@link split} is due. */
  get finished(): boolean {
    return this.#next === this.#pattern.messages.length;
  }

  /** Whether the next message is ours to write. */
  get ourTurn(): boolean {
    return !this.finished && (this.#next % 2 === 0) === (this.#role === 'initiator');
  }

  /** The peer's permanent key once it is known and its message was read whole; a copy. */
  get remoteStatic(): Uint8Array | undefined {
    return this.#remoteStatic?.slice();
  }

  /** The hash of everything sent so far, 64 bytes; a copy. Final when {@link finished}. */
  get handshakeHash(): Uint8Array {
    return this.#symmetric.handshakeHash;
  }

  /**
   * The next message with `payload` in it, in fresh bytes. Asserts that it is our turn and that the message stays
   * within {@link NOISE_MESSAGE_MAX}. A failure changes nothing.
   */
  writeMessage(payload: Uint8Array): Result<Uint8Array, NoiseWriteFault> {
    assert(!this.#over && this.ourTurn, 'our turn in the handshake');
    const parts: Uint8Array[] = [];
    const fault = this.#attempt((): NoiseWriteFault | undefined => {
      for (const token of this.#pattern.messages[this.#next]!) {
        if (token === 'e') parts.push(this.#makeEphemeral());
        else if (token === 's') parts.push(this.#symmetric.encryptAndHash(this.#staticKey.publicKey));
        else if (!this.#mix(token)) return 'zero-point';
      }
      parts.push(this.#symmetric.encryptAndHash(payload));
      return undefined;
    });
    if (fault !== undefined) return fail(fault);
    const message = concat(...parts);
    assert(message.length <= NOISE_MESSAGE_MAX, 'a handshake message of at most 65,535 bytes');
    return ok(message);
  }

  /**
   * The payload of the peer's next message, in fresh bytes; `message` is not kept. Asserts that it is the peer's
   * turn. A failure changes nothing, so that the true message can still be read.
   */
  readMessage(message: Uint8Array): Result<Uint8Array, NoiseReadFault> {
    assert(!this.#over && !this.finished && !this.ourTurn, "the peer's turn in the handshake");
    if (message.length > NOISE_MESSAGE_MAX) return fail('too-long');
    let payload: Uint8Array | undefined;
    let at = 0;
    const take = (length: number): Uint8Array | undefined => {
      if (message.length - at < length) return undefined;
      at += length;
      return message.subarray(at - length, at);
    };
    const fault = this.#attempt((): NoiseReadFault | undefined => {
      for (const token of this.#pattern.messages[this.#next]!) {
        if (token === 'e') {
          const key = take(X25519_LENGTH);
          if (key === undefined) return 'too-short';
          this.#takeEphemeral(key.slice());
        } else if (token === 's') {
          const sealed = take(X25519_LENGTH + (this.#symmetric.hasKey ? TAG_LENGTH : 0));
          if (sealed === undefined) return 'too-short';
          this.#remoteStatic = this.#symmetric.decryptAndHash(sealed);
          if (this.#remoteStatic === undefined) return 'bad-tag';
        } else if (!this.#mix(token)) return 'zero-point';
      }
      const rest = message.subarray(at);
      if (this.#symmetric.hasKey && rest.length < TAG_LENGTH) return 'too-short';
      payload = this.#symmetric.decryptAndHash(rest);
      return payload === undefined ? 'bad-tag' : undefined;
    });
    return fault === undefined ? ok(payload!) : fail(fault);
  }

  /** Noise: Split(). Once, when {@link finished}; wipes the handshake. */
  split(): SplitKeys {
    assert(this.finished && !this.#over, 'a finished handshake is split once');
    const [fromInitiator, fromResponder] = this.#symmetric.split();
    const keys = { handshakeHash: this.#symmetric.handshakeHash };
    this.erase();
    return this.#role === 'initiator'
      ? { ...keys, send: fromInitiator, receive: fromResponder }
      : { ...keys, send: fromResponder, receive: fromInitiator };
  }

  /** Wipes what is secret of this handshake (not the static key and the PSKs, which are the caller's). */
  erase(): void {
    this.#symmetric.erase();
    erase(this.#ephemeral?.privateKey);
    this.#over = true;
  }

  /** Runs one message and takes all of it back where it comes to a fault. */
  #attempt<Fault extends string>(run: () => Fault | undefined): Fault | undefined {
    const before = {
      symmetric: this.#symmetric.snapshot(),
      pskUsed: this.#pskUsed,
      ephemeral: this.#ephemeral,
      remoteStatic: this.#remoteStatic,
      remoteEphemeral: this.#remoteEphemeral,
    };
    const fault = run();
    if (fault === undefined) {
      this.#symmetric.discard(before.symmetric);
      this.#next++;
      return undefined;
    }
    if (this.#ephemeral !== before.ephemeral) erase(this.#ephemeral?.privateKey);
    this.#symmetric.restore(before.symmetric);
    this.#pskUsed = before.pskUsed;
    this.#ephemeral = before.ephemeral;
    this.#remoteStatic = before.remoteStatic;
    this.#remoteEphemeral = before.remoteEphemeral;
    return fault;
  }

  #makeEphemeral(): Uint8Array {
    this.#ephemeral = generateKeyPair(this.#random);
    this.#mixEphemeral(this.#ephemeral.publicKey);
    return this.#ephemeral.publicKey;
  }

  #takeEphemeral(publicKey: Uint8Array): void {
    this.#remoteEphemeral = publicKey;
    this.#mixEphemeral(publicKey);
  }

  /** Noise §9.2: where there is a PSK the ephemeral key is mixed into `ck` as well, for a nonce of its own. */
  #mixEphemeral(publicKey: Uint8Array): void {
    this.#symmetric.mixHash(publicKey);
    if (this.#pattern.pskCount > 0) this.#symmetric.mixKey(publicKey);
  }

  /** A token that sends nothing. False where the peer's key is a zero point. */
  #mix(token: Exclude<Token, 'e' | 's'>): boolean {
    if (token === 'psk') {
      this.#symmetric.mixKeyAndHash(this.#psks[this.#pskUsed++]!);
      return true;
    }
    // The first letter names the initiator's key, the second the responder's.
    const ours = this.#role === 'initiator' ? token[0] : token[1];
    const theirs = this.#role === 'initiator' ? token[1] : token[0];
    const keyPair = ours === 'e' ? this.#ephemeral : this.#staticKey;
    const remote = theirs === 'e' ? this.#remoteEphemeral : this.#remoteStatic;
    assert(keyPair !== undefined && remote !== undefined, 'a pattern mixes only keys that were sent');
    const shared = x25519(keyPair.privateKey, remote);
    if (shared === undefined) return false;
    this.#symmetric.mixKey(shared);
    erase(shared);
    return true;
  }
}
