import { assert } from '../../base/assert.ts';
import { equalBytes } from '../../base/bytes.ts';
import { after, earliest, type Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random.ts';
import { DATA_OVERHEAD } from '../packet/data-packet.ts';
import { IPV6_MINIMUM_MTU } from '../packet/ip-packet.ts';
import { CONTROL_TOKEN_LENGTH } from './control-message.ts';

/**
 * How large a packet the path to one peer carries, found by padded probes inside the tunnel (RFC 8899, Datagram
 * PLPMTUD; states of its §5.2 in brackets). No ICMP is believed: anyone on the underlay can forge it.
 *
 * Sizes here are bytes of the inner IP packet. A probe's control message has exactly that size, so it meets the
 * path as a packet of that size would, with {@link DATA_OVERHEAD} more bytes of UDP payload.
 *
 * Unlike RFC 8899 the search starts at the top and not at the base: the underlay's MTU is configured or read from
 * the interface and nearly always right, while a low first value would be harmful for long: a TCP connection
 * opened in that moment keeps the small segment size that it was clamped to. So the MTU is *full* until three
 * probes of that size are lost (about a second; what was too large in that second is lost and sent again). Then
 * it falls to 1280, which IPv6 must have, and if that is lost too to the base of 1164 (a UDP payload of 1200,
 * RFC 8899 §5.1.2); from there the search goes up by halves [SEARCHING], ends within {@link SEARCH_STEP} bytes
 * [SEARCH_COMPLETE], and is begun anew every ten minutes. A size in use is confirmed again while packets are sent, so
 * that a path that shrinks [black hole, §4.3] is noticed: see `TunnelMtu.look`.
 */
export class PathMtu {
  readonly #full: number;
  readonly #random: RandomSource;
  #confirmed = 0;
  /** The smallest size known not to pass, while a search lasts. */
  #failed: number;
  #effective: number;
  #probe: { token: Uint8Array; size: number; tries: number; retryAt: Instant } | undefined;
  #searchAgainAt: Instant | undefined;

  /** `full`: the largest inner IP packet worth trying, {@link IPV6_MINIMUM_MTU} to 65,535 bytes. */
  constructor(options: { readonly full: number; readonly random: RandomSource }) {
    assert(options.full >= IPV6_MINIMUM_MTU && options.full <= 65_535, 'a full MTU from 1280 to 65535');
    this.#full = options.full;
    this.#random = options.random;
    this.#failed = options.full + 1;
    this.#effective = options.full;
  }

  get full(): number {
    return this.#full;
  }

  /** The inner MTU to use now, in bytes. */
  get effective(): number {
    return this.#effective;
  }

  /** Whether a probe of the size in use was acknowledged on this path. */
  get confirmed(): boolean {
    return this.#confirmed >= this.#effective;
  }

  /** A new path: nothing is known of it. The search starts at the top and probes at the next {@link tick}. */
  restart(now: Instant): void {
    this.#confirmed = 0;
    this.#failed = this.#full + 1;
    this.#effective = this.#full;
    this.#startProbe(this.#full, now);
  }

  /**
   * A path on which another weftd of this node had a packet of `size` bytes arrive. It is proven once more when it is due,
   * and a larger one is searched for where there may be one.
   */
  resume(size: number, now: Instant): void {
    this.restart(now);
    if (size < BASE_MTU || size > this.#full) return;
    this.#probe = undefined;
    this.#confirmed = size;
    this.#effective = size;
    this.#searchAgainAt = after(now, size === this.#full ? SEARCH_AGAIN_MS : 0);
  }

  /** No path: probing stops; {@link effective} stays as it is. */
  stop(): void {
    this.#probe = undefined;
    this.#searchAgainAt = undefined;
  }

  /** Probes the size in use once more (for a path under load), unless a probe is under way. */
  verify(now: Instant): void {
    const searchAgainAt = this.#searchAgainAt;
    if (this.#probe !== undefined || searchAgainAt === undefined) return;
    this.#startProbe(this.#effective, now);
    // Traffic, which has the size verified again and again, must not put off the search for a larger one for ever.
    this.#searchAgainAt = searchAgainAt;
  }

  /** An acknowledgement from the peer. False when it answers no outstanding probe: it changes nothing then. */
  acknowledged(token: Uint8Array, size: number, now: Instant): boolean {
    const probe = this.#probe;
    if (probe === undefined || probe.size !== size || !equalBytes(probe.token, token)) return false;
    this.#probe = undefined;
    this.#confirmed = Math.max(this.#confirmed, size);
    this.#effective = this.#confirmed;
    this.#searchOn(now);
    return true;
  }

  /** The probe to send now, if one is due. Call again until undefined. */
  tick(now: Instant): { readonly token: Uint8Array; readonly size: number } | undefined {
    if (this.#searchAgainAt !== undefined && this.#searchAgainAt <= now && this.#probe === undefined) {
      this.#searchAgainAt = undefined;
      this.#failed = this.#full + 1;
      this.#startProbe(this.#full, now);
    }
    const probe = this.#probe;
    if (probe === undefined || probe.retryAt > now) return undefined;
    if (probe.tries === PROBE_TRIES) {
      this.#lost(probe.size, now);
      return this.tick(now);
    }
    probe.tries++;
    probe.retryAt = after(now, PROBE_TIMEOUT_MS);
    return { token: probe.token, size: probe.size };
  }

  nextTimeout(): Instant | undefined {
    return earliest(this.#probe?.retryAt, this.#probe === undefined ? this.#searchAgainAt : undefined);
  }

  /** A size did not pass in {@link PROBE_TRIES} tries. */
  #lost(size: number, now: Instant): void {
    this.#probe = undefined;
    this.#failed = Math.min(this.#failed, size);
    if (size > this.#confirmed) {
      // Nothing smaller is proven yet while the search falls through the two fixed sizes.
      if (this.#confirmed === 0) this.#effective = size > IPV6_MINIMUM_MTU ? IPV6_MINIMUM_MTU : BASE_MTU;
    } else {
      // What used to pass no longer does: all knowledge is void, and the search falls from the top of the rest.
      this.#confirmed = 0;
      this.#effective = size > IPV6_MINIMUM_MTU ? IPV6_MINIMUM_MTU : BASE_MTU;
    }
    this.#searchOn(now);
  }

  /** Chooses the next size to try, or ends the search. */
  #searchOn(now: Instant): void {
    if (this.#confirmed === 0) {
      // Not even the base passes: the path is dead rather than narrow, and that is for the pings to find.
      if (this.#failed <= BASE_MTU) this.#searchAgainAt = after(now, BASE_RETRY_MS);
      else this.#startProbe(this.#effective, now);
      return;
    }
    if (this.#failed - this.#confirmed <= SEARCH_STEP || this.#confirmed >= this.#full) {
      this.#searchAgainAt ??= after(now, SEARCH_AGAIN_MS);
      return;
    }
    // While nothing larger has failed the top itself is the best guess.
    const middle = this.#confirmed + Math.floor((this.#failed - this.#confirmed) / 2);
    this.#startProbe(this.#failed > this.#full ? this.#full : middle, now);
  }

  #startProbe(size: number, now: Instant): void {
    this.#searchAgainAt = undefined;
    this.#probe = { token: this.#random.bytes(CONTROL_TOKEN_LENGTH), size, tries: 0, retryAt: now };
  }
}

/** A UDP payload of 1200 bytes, the base of RFC 8899 §5.1.2, without the tunnel's overhead. */
export const BASE_MTU = 1200 - DATA_OVERHEAD;
/** A search ends when a size that passes and one that does not are this close, bytes. */
export const SEARCH_STEP = 8;
const PROBE_TRIES = 3;
const PROBE_TIMEOUT_MS = 300;
/** RFC 8899 §5.1.1, PMTU_RAISE_TIMER. */
export const SEARCH_AGAIN_MS = 600_000;
/** When even the base was lost. */
const BASE_RETRY_MS = 30_000;
