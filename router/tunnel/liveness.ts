import { equalBytes } from '../../base/bytes.ts';
import { after, type Instant } from '../../base/instant.ts';
import { type RandomSource, randomUnit } from '../../base/random.ts';
import type { TunnelStats } from '../datapath/datapath.ts';
import { CONTROL_TOKEN_LENGTH } from './control-message.ts';

/**
 * Whether the path to a peer still carries packets, from two sources: the datapath's packet counters, looked at
 * every few seconds, and pings.
 *
 * A ping goes out when packets were sent and none came back (the path may be dead), when nothing came in for
 * {@link IDLE_PING_MS} (an idle path may be dead), and when packets came in and none went out for
 * {@link KEEPALIVE_MS} (the peer has to know that we live; WireGuard's passive keepalive). Only a pong ends the
 * suspicion, not any packet that comes in: a path that is dead in our direction alone must be found too.
 * {@link PINGS_LOST} pings in a row without a pong: the path is dead, 10 to 15 s after it died under traffic
 * (a check finds silence after 2.5 to 8 s, the pings take 7.5 s).
 *
 * Idle cost: a ping and a pong per {@link IDLE_PING_MS} and peer, about 5 bytes a second.
 */
export class Liveness {
  readonly #random: RandomSource;
  #checkAt: Instant | undefined;
  /** Pings without a pong so far, oldest first; at most {@link PINGS_LOST}. */
  #unanswered: { readonly token: Uint8Array; readonly sentAt: Instant }[] = [];
  #hurried = false;
  #receivedPackets = 0;
  #startedAt: Instant | undefined;
  #rttMs: number | undefined;
  /** What became of the pings of the last {@link FATES_MS}, at most {@link MAX_FATES}. */
  #fates: { readonly isLost: boolean; readonly at: Instant }[] = [];

  constructor(options: { readonly random: RandomSource }) {
    this.#random = options.random;
  }

  /** Smoothed round trip time (RFC 6298 §2, α = 1/8); undefined before the first pong. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /**
   * Of the pings of the last ten minutes the share that no pong came for, 0 to 1; undefined where there were fewer than
   * {@link FATES_NEEDED}, as under traffic in both directions, when none is needed.
   */
  get loss(): number | undefined {
    if (this.#fates.length < FATES_NEEDED) return undefined;
    return this.#fates.filter(({ isLost }) => isLost).length / this.#fates.length;
  }

  /** What was measured before. */
  resumeRtt(rttMs: number | undefined): void {
    this.#rttMs = rttMs;
  }

  /** A session was established: watching begins with a first ping, which also confirms the session. */
  start(stats: TunnelStats, now: Instant): void {
    this.#receivedPackets = stats.receivedPackets;
    this.#startedAt = now;
    this.#unanswered = [];
    this.#hurried = false;
    this.#checkAt = after(now, this.#jittered(CHECK_MS));
  }

  stop(): void {
    this.#checkAt = undefined;
    this.#unanswered = [];
  }

  /** Somebody doubts the path: pings go out fast from now on, and judgement falls within about a second. */
  hurry(now: Instant): void {
    if (this.#checkAt === undefined || this.#hurried) return;
    this.#hurried = true;
    this.#unanswered = [];
    this.#checkAt = now;
  }

  /** Whether pings are outstanding so long that the path is in doubt. */
  get doubtful(): boolean {
    return this.#unanswered.length >= 2;
  }

  /** A new ping to send: remembers and returns its token. */
  ping(now: Instant): Uint8Array {
    const token = this.#random.bytes(CONTROL_TOKEN_LENGTH);
    this.#unanswered.push({ token, sentAt: now });
    if (this.#unanswered.length > PINGS_LOST) {
      this.#unanswered.shift();
      this.#note(true, now);
    }
    this.#checkAt = after(now, this.#hurried ? HURRIED_PING_MS : PING_RETRY_MS);
    return token;
  }

  /** A pong; false when it answers no ping of the latest few. */
  pong(token: Uint8Array, now: Instant): boolean {
    const ping = this.#unanswered.find((sent) => equalBytes(sent.token, token));
    if (ping === undefined) return false;
    // Those before it are lost, or so late that packets like them are; of those after it nothing is known yet.
    for (const sent of this.#unanswered) {
      this.#note(sent !== ping, now);
      if (sent === ping) break;
    }
    const sample = Math.max(now - ping.sentAt, 0);
    this.#rttMs = this.#rttMs === undefined ? sample : this.#rttMs + (sample - this.#rttMs) / 8;
    this.#unanswered = [];
    this.#hurried = false;
    this.#checkAt = after(now, this.#jittered(CHECK_MS));
    return true;
  }

  /** Judges when a check is due. 'ping': send one (see {@link ping}). 'dead': the caller looks for another path. */
  tick(stats: TunnelStats, now: Instant): 'ping' | 'dead' | undefined {
    if (this.#checkAt === undefined || this.#checkAt > now) return undefined;
    this.#checkAt = after(now, this.#jittered(CHECK_MS));
    const received = stats.receivedPackets !== this.#receivedPackets;
    this.#receivedPackets = stats.receivedPackets;
    this.#fates = this.#fates.filter(({ at }) => now < after(at, FATES_MS));
    if (this.#unanswered.length >= PINGS_LOST) {
      for (const _ of this.#unanswered) this.#note(true, now);
      this.stop();
      return 'dead';
    }
    if (this.#unanswered.length > 0 || this.#hurried) return 'ping';
    if (isUnanswered(stats) && isOver(stats.lastReceivedAt, CHECK_MS / 2, now)) return 'ping';
    if (isOver(stats.lastReceivedAt ?? this.#startedAt, IDLE_PING_MS, now)) return 'ping';
    // Half a check early, so that it comes after ten seconds and not after fifteen.
    if (received && isOver(stats.lastSentAt ?? this.#startedAt, KEEPALIVE_MS - CHECK_MS / 2, now))
      return 'ping';
    return undefined;
  }

  nextTimeout(): Instant | undefined {
    return this.#checkAt;
  }

  #note(isLost: boolean, at: Instant): void {
    this.#fates.push({ isLost, at });
    if (this.#fates.length > MAX_FATES) this.#fates.shift();
  }

  #jittered(ms: number): number {
    return ms * (0.9 + 0.2 * randomUnit(this.#random));
  }
}

/** Whether we sent after we last received. */
function isUnanswered({ lastSentAt, lastReceivedAt }: TunnelStats): boolean {
  return lastSentAt !== undefined && (lastReceivedAt === undefined || lastSentAt > lastReceivedAt);
}

function isOver(since: Instant | undefined, ms: number, now: Instant): boolean {
  return since !== undefined && now >= after(since, ms);
}

const CHECK_MS = 5000;
const KEEPALIVE_MS = 10_000;
/** With the time between two checks it stays below the 30 s after which NATs of clouds forget a flow. */
export const IDLE_PING_MS = 20_000;
const PING_RETRY_MS = 1500;
const HURRIED_PING_MS = 250;
const FATES_MS = 600_000;
const MAX_FATES = 64;
const FATES_NEEDED = 4;
/** Pings in a row without a pong that mean death. */
export const PINGS_LOST = 5;
