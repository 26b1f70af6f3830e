import { equalBytes } from '../../base/bytes.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random.ts';

/**
 * Guards one peer's handshake initiations against replay, without a clock.
 *
 * Each initiation carries (boot epoch, sequence): the epoch rises with each start of the peer, the sequence with
 * each initiation. Only what rises is taken at once. WireGuard uses the time of day here, and one initiation
 * from a wrong future locks a key out for good (CVE-2021-46873). Here nothing is ever locked out: an initiation
 * that falls back (a peer restored from a snapshot, or one whose key was abused to raise the mark) is answered
 * with a token, sealed so that only who made *this* initiation reads it; the next initiation echoes the token
 * and proves with it that it was made just now. The mark never goes down, so a peer that fell back pays one more
 * round trip for each handshake until its epoch has passed the mark, and old recordings stay worthless.
 *
 * The mark lives in memory: after our own restart a recorded initiation may be taken once. It yields a session
 * that nobody can confirm, and an unconfirmed session changes nothing (tunnel.ts).
 */
export class HandshakeGuard {
  readonly #random: RandomSource;
  #epoch = -1;
  #sequence = -1;
  #token: { readonly bytes: Uint8Array; readonly issuedAt: Instant } | undefined;

  constructor(options: { readonly random: RandomSource }) {
    this.#random = options.random;
  }

  /** The highest boot epoch that an initiation proved; -1 before the first. */
  get epoch(): number {
    return this.#epoch;
  }

  /**
   * Judges an authentic initiation. `token` is its echo, all zero for none. Each accepted one moves the mark or
   * spends the token, so no initiation is accepted twice.
   */
  judge(epoch: number, sequence: number, token: Uint8Array, now: Instant): 'accept' | 'replay' | 'regressed' {
    const echoes = this.echoes(token, now);
    if (echoes) this.#token = undefined;
    if (epoch > this.#epoch || (epoch === this.#epoch && sequence > this.#sequence)) {
      this.#epoch = epoch;
      this.#sequence = sequence;
      return 'accept';
    }
    if (echoes) return 'accept';
    return epoch === this.#epoch && sequence === this.#sequence ? 'replay' : 'regressed';
  }

  /** Whether `token` is the one that was given out and lives. */
  echoes(token: Uint8Array, now: Instant): boolean {
    const issued = this.#token;
    const live = issued !== undefined && now <= after(issued.issuedAt, TOKEN_LIFETIME_MS);
    return live && equalBytes(issued.bytes, token);
  }

  /**
   * The token to answer a regressed initiation with. It stays the same while it lives, so that replays by others
   * cannot take the peer's own token away from under it.
   */
  token(now: Instant): Uint8Array {
    if (this.#token === undefined || now > after(this.#token.issuedAt, TOKEN_LIFETIME_MS)) {
      this.#token = { bytes: this.#random.bytes(GUARD_TOKEN_LENGTH), issuedAt: now };
    }
    return this.#token.bytes;
  }
}

export const GUARD_TOKEN_LENGTH = 16;
/** Long enough for the slowest path and a few lost packets. */
export const TOKEN_LIFETIME_MS = 10_000;
