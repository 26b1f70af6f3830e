import { readU32LE } from '../../base/bytes.ts';
import type { Counters } from '../../base/counters.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random.ts';
import { CookieJudge, type MacKeys, macKeysOf } from '../../crypto/cookie.ts';
import { SourceLimit, sourceOf } from '../../crypto/source-limit.ts';
import type { Origin } from '../datapath/datapath.ts';
import type { TunnelCounter } from './tunnel-counters.ts';

/**
 * Decides which initiations are worth their Diffie-Hellman, at the cost of a hash:
 *
 *  1. mac1 must hold, else silence: the sender does not know the cluster secret or does not mean us.
 *  2. While more than `loadPerSecond` such come in (only recordings of the cluster's own initiations can be
 *     flooded so), each must show a cookie that proves its address; who has none gets one in a packet that is
 *     smaller than its own.
 *  3. With the address proven, each source has 20 a second and bursts of 5. Not before: a limit on addresses
 *     that anyone can write on a packet would let a stranger use up a peer's share.
 *
 * An initiation out of a relay's envelope is not asked for a cookie, for there is no address to prove. Its relay is
 * an authenticated peer, and the limit is the relay's, at all times.
 */
export class Admission {
  readonly #counters: Counters<TunnelCounter>;
  readonly #loadPerSecond: number;
  readonly #keys: MacKeys;
  readonly #random: RandomSource;
  readonly #limit = new SourceLimit();
  #judge: CookieJudge | undefined;
  #windowStart: Instant | undefined;
  #inWindow = 0;
  #loadedUntil: Instant | undefined;

  /** `noiseKey`: our own static key. */
  constructor(options: {
    readonly mac1Key: Uint8Array;
    readonly noiseKey: Uint8Array;
    readonly random: RandomSource;
    readonly counters: Counters<TunnelCounter>;
    readonly loadPerSecond: number;
  }) {
    this.#counters = options.counters;
    this.#random = options.random;
    this.#loadPerSecond = options.loadPerSecond;
    this.#keys = macKeysOf(options.mac1Key, options.noiseKey);
  }

  /** The keys of messages to us: for the mac1 of responses. */
  get keys(): MacKeys {
    return this.#keys;
  }

  /** Judges an initiation (of the right length). 'cookie': send `reply` to where it came from, and no more. */
  judge(packet: Uint8Array, from: Origin, now: Instant): Admittance {
    this.#judge ??= new CookieJudge(this.#keys, this.#random, now);
    const source = from.kind === 'direct' ? from.endpoint : from.via;
    const macs = this.#judge.judge(packet, source, now);
    if (macs === 'none') return this.#refuse('handshake.badMac1');
    const loaded = this.#count(now);
    if (from.kind === 'relay') {
      return this.#limit.allow(`relay ${from.via}`, now) ? ADMIT : this.#refuse('handshake.limited');
    }
    if (!loaded) return ADMIT;
    if (macs === 'mac1') {
      this.#counters.add('handshake.cookiesSent');
      return { type: 'cookie', reply: this.#judge.reply(packet, readU32LE(packet, 4), source, now) };
    }
    return this.#limit.allow(sourceOf(from.endpoint), now) ? ADMIT : this.#refuse('handshake.limited');
  }

  /** Counts one message; whether there are too many. Load lasts a second beyond the second that was too full. */
  #count(now: Instant): boolean {
    if (this.#windowStart === undefined || now >= after(this.#windowStart, WINDOW_MS)) {
      this.#windowStart = now;
      this.#inWindow = 0;
    }
    this.#inWindow++;
    if (this.#inWindow > this.#loadPerSecond) this.#loadedUntil = after(now, WINDOW_MS);
    return this.#loadedUntil !== undefined && now < this.#loadedUntil;
  }

  #refuse(counter: TunnelCounter): Admittance {
    this.#counters.add(counter);
    return REFUSE;
  }
}

/** What is to be done with an initiation. */
type Admittance =
  | { readonly type: 'admit' }
  | { readonly type: 'refuse' }
  | { readonly type: 'cookie'; readonly reply: Uint8Array };

const ADMIT: Admittance = { type: 'admit' };
const REFUSE: Admittance = { type: 'refuse' };
const WINDOW_MS = 1000;
/** About a tenth of a core in Diffie-Hellman. */
export const DEFAULT_LOAD_PER_SECOND = 100;
