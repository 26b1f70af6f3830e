import { assert } from '../base/assert.ts';
import { concat, readU32LE, utf8, writeU32LE } from '../base/bytes.ts';
import { after, type Instant } from '../base/instant.ts';
import type { RandomSource } from '../base/random.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { deriveKey, keyedBlake2b } from './hash.ts';
import { constantTimeEqual, erase } from './secret-bytes.ts';
import { xchachaOpen, xchachaSeal } from './xchacha20-poly1305.ts';

/**
 * What stands between a flood of handshake packets and the Diffie-Hellman they ask for (WireGuard §5.3, §5.4.4,
 * §5.4.7, with keys out of the cluster's secret). Every handshake packet ends in two MACs:
 *
 * ```
 *  0                          n−32     n−16     n
 *  | handshake packet …       | mac1 16 | mac2 16 |
 *  mac1 = BLAKE2b-128(key: mac1 key of the receiver, bytes 0 to n−32)
 *  mac2 = BLAKE2b-128(key: cookie,                   bytes 0 to n−16), zero without a cookie
 * ```
 *
 * mac1 shows that the sender holds the cluster's secret and means this receiver; without it there is no answer
 * at all. Under load the receiver does nothing for a packet without mac2, but answers with a cookie: a MAC of the
 * sender's address under a secret that changes every 120 s, which only who receives at that address can give
 * back. The receiver remembers nothing for it.
 *
 * ```
 *  cookie reply, 64 bytes
 *  0   1       2      4                8          32                           64
 *  | 3 | flags | zero | receiver index | nonce 24 | sealed cookie 16 ‖ tag 16 |
 *  XChaCha20-Poly1305, key: cookie key of the replier, AAD: the mac1 that is answered
 * ```
 */

const MAC_LENGTH = 16;
/** Bytes of mac1 ‖ mac2 at the end of a handshake packet. */
export const MACS_LENGTH = 2 * MAC_LENGTH;
/** The first byte of a cookie reply (docs/wire.md has all types). */
const COOKIE_REPLY_TYPE = 3;
export const COOKIE_REPLY_LENGTH = 64;
/** How long a cookie secret is in force; a cookie holds at least this long and at most twice. */
export const COOKIE_SECRET_LIFE_MS = 120_000;
/** How long a sender makes use of a cookie: as long as it surely holds, less a while on the way. */
export const COOKIE_USE_MS = 115_000;

const NONCE_LENGTH = 24;
const SEALED_AT = 8 + NONCE_LENGTH;
const ZERO_MAC = new Uint8Array(MAC_LENGTH);

assert(COOKIE_USE_MS < COOKIE_SECRET_LIFE_MS, 'cookies are dropped before they are refused');
assert(COOKIE_REPLY_LENGTH === SEALED_AT + MAC_LENGTH + 16, 'the diagram of a cookie reply');

/** The keys, 32 bytes each, of packets *to* the holder of one static key and of its cookie replies. */
export interface MacKeys {
  readonly mac1: Uint8Array;
  readonly cookie: Uint8Array;
}

/** The MAC keys of the node with X25519 key `staticKey`, from the cluster's `mac1Key` ({@link ClusterKeys}). */
export function macKeysOf(mac1Key: Uint8Array, staticKey: Uint8Array): MacKeys {
  assert(staticKey.length === 32, 'an X25519 key of 32 bytes');
  return {
    mac1: deriveKey(mac1Key, utf8('weft mac1 key'), staticKey),
    cookie: deriveKey(mac1Key, utf8('weft cookie key'), staticKey),
  };
}

/** How far a packet's MACs go: `mac1` for a valid mac1 alone, `mac2` for both. */
type MacVerdict = 'none' | 'mac1' | 'mac2';

/** The receiver's side: judges MACs and bakes cookies. Remembers two secrets and nothing of any sender. */
export class CookieJudge {
  readonly #keys: MacKeys;
  readonly #random: RandomSource;
  #secret: Uint8Array;
  #previousSecret: Uint8Array | undefined;
  #secretSince: Instant;

  /** `keys` are those of our own static key. */
  constructor(keys: MacKeys, random: RandomSource, now: Instant) {
    this.#keys = keys;
    this.#random = random;
    this.#secret = random.bytes(32);
    this.#secretSince = now;
  }

  /**
   * Judges a handshake packet of any bytes that came from `source`, the text of its origin (an endpoint, port
   * included). Two short hashes for a stranger's packet at most, no Diffie-Hellman, no memory.
   */
  judge(packet: Uint8Array, source: string, now: Instant): MacVerdict {
    if (!checkMac1(this.#keys, packet)) return 'none';
    const mac2 = packet.subarray(packet.length - MAC_LENGTH);
    if (constantTimeEqual(mac2, ZERO_MAC)) return 'mac1';
    this.#rotate(now);
    for (const secret of [this.#secret, this.#previousSecret]) {
      if (secret !== undefined && constantTimeEqual(mac2, mac2Of(bake(secret, source), packet)))
        return 'mac2';
    }
    return 'mac1';
  }

  /**
   * The answer to `packet`, which must have passed with `mac1`: a cookie for `source`, for the sender whose index
   * (u32) the packet names. Shorter than any handshake packet, so that it amplifies nothing.
   */
  reply(packet: Uint8Array, senderIndex: number, source: string, now: Instant): Uint8Array {
    assert(packet.length >= MACS_LENGTH, 'a packet that was judged');
    this.#rotate(now);
    const nonce = this.#random.bytes(NONCE_LENGTH);
    const out = new Uint8Array(COOKIE_REPLY_LENGTH);
    out[0] = COOKIE_REPLY_TYPE;
    writeU32LE(out, 4, senderIndex);
    out.set(nonce, 8);
    out.set(xchachaSeal(this.#keys.cookie, nonce, mac1In(packet), bake(this.#secret, source)), SEALED_AT);
    return out;
  }

  #rotate(now: Instant): void {
    if (now < after(this.#secretSince, COOKIE_SECRET_LIFE_MS)) return;
    const missedOne = now >= after(this.#secretSince, 2 * COOKIE_SECRET_LIFE_MS);
    erase(this.#previousSecret);
    if (missedOne) erase(this.#secret);
    this.#previousSecret = missedOne ? undefined : this.#secret;
    this.#secret = this.#random.bytes(32);
    this.#secretSince = now;
  }
}

/**
 * - `malformed`: not a cookie reply
 * - `unasked`: no packet of ours is waiting for one
 * - `bad-tag`: not of this peer, or not an answer to our last packet
 */
export type CookieFault = 'malformed' | 'unasked' | 'bad-tag';

/** The sender's side for one peer: stamps handshake packets and keeps the peer's cookie. */
export class CookieJar {
  readonly #keys: MacKeys;
  #cookie: Uint8Array | undefined;
  #cookieSince: Instant | undefined;
  #waitingMac1: Uint8Array | undefined;

  /** `keys` are those of the peer's static key. */
  constructor(keys: MacKeys) {
    this.#keys = keys;
  }

  /** Writes mac1 and mac2 into the last 32 bytes of `packet`, in place. */
  stamp(packet: Uint8Array, now: Instant): void {
    assert(packet.length >= MACS_LENGTH, 'room for two MACs');
    const mac1 = mac1Of(this.#keys, packet);
    packet.set(mac1, packet.length - MACS_LENGTH);
    const cookie = this.#cookieAt(now);
    packet.set(cookie === undefined ? ZERO_MAC : mac2Of(cookie, packet), packet.length - MAC_LENGTH);
    this.#waitingMac1 = mac1;
  }

  /** Reads the peer's answer to the packet stamped last; the next ones carry its cookie. */
  take(reply: Uint8Array, now: Instant): Result<undefined, CookieFault> {
    const formed = reply.length === COOKIE_REPLY_LENGTH && readU32LE(reply, 0) === COOKIE_REPLY_TYPE;
    if (!formed) return fail('malformed');
    if (this.#waitingMac1 === undefined) return fail('unasked');
    const nonce = reply.subarray(8, SEALED_AT);
    const cookie = xchachaOpen(this.#keys.cookie, nonce, this.#waitingMac1, reply.subarray(SEALED_AT));
    if (cookie === undefined) return fail('bad-tag');
    this.#cookie = cookie;
    this.#cookieSince = now;
    this.#waitingMac1 = undefined;
    return ok(undefined);
  }

  #cookieAt(now: Instant): Uint8Array | undefined {
    const fresh = this.#cookieSince !== undefined && now < after(this.#cookieSince, COOKIE_USE_MS);
    return fresh ? this.#cookie : undefined;
  }
}

/** Whether `packet` ends in a mac1 for the holder of `keys`. For responses, which need no cookie. */
export function checkMac1(keys: MacKeys, packet: Uint8Array): boolean {
  return packet.length >= MACS_LENGTH && constantTimeEqual(mac1In(packet), mac1Of(keys, packet));
}

function mac1In(packet: Uint8Array): Uint8Array {
  return packet.subarray(packet.length - MACS_LENGTH, packet.length - MAC_LENGTH);
}

function mac1Of(keys: MacKeys, packet: Uint8Array): Uint8Array {
  return keyedBlake2b(keys.mac1, MAC_LENGTH, packet.subarray(0, packet.length - MACS_LENGTH));
}

function mac2Of(cookie: Uint8Array, packet: Uint8Array): Uint8Array {
  return keyedBlake2b(cookie, MAC_LENGTH, packet.subarray(0, packet.length - MAC_LENGTH));
}

/** The cookie of a source: a MAC of the text that names it. */
function bake(secret: Uint8Array, source: string): Uint8Array {
  return keyedBlake2b(secret, MAC_LENGTH, concat(utf8('weft cookie'), utf8(source)));
}
