import { earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { GossipConfig } from '../model/gossip-config.ts';
import type { MemberState } from '../model/gossip-output.ts';
import { compareVersions, type Version } from '../model/record.ts';
import { accuserOf, type Rumour, type RumourState } from '../model/rumour.ts';
import { Suspicion } from './suspicion.ts';

/**
 * Who is there, and how sure we are: SWIM's states on the ground of signed records. How long a suspicion
 * lasts is decided in suspicion.ts.
 *
 * ```
 *              hearsay "alive", heard                    timeout
 *   unknown ──────────────────────────▶ alive ──▶ suspect ─────────────────────▶ dead
 *                                         ▲  ◀──────┘ heard, newer record           │
 *                                         └─────────────────────────────────────────┘ heard, newer record + "alive"
 *   any ── record with `leaving` ──▶ left ── newer record ──▶ as its teller says
 * ```
 *
 * A member's *incarnation* is the version of its `node` record. So a refutation is a signature, which a liar cannot
 * make; a rumour about any version but the held one is ignored. Four sources of news, from strong to weak:
 *
 * 1. *Heard*: an authenticated packet or frame of the subject itself. It lives, whatever others say.
 * 2. *A newer record* of the subject: it lived when it wrote that. Clears suspicion.
 * 3. *Our own probe failed* (swim.ts): suspect.
 * 4. *Hearsay*. "suspect" is adopted, with the accuser counted as a confirmation, so that all timers run together.
 *    "dead" is one more accuser where we suspect too, and where we do not it only raises a *doubt*: we ask the
 *    subject. So slander alone kills nobody, since the shortest timeout leaves time to refute; and after a healed
 *    partition no stale obituary makes anybody's state flap.
 */
export class Membership {
  readonly #self: PeerId;
  readonly #config: GossipConfig;
  readonly #events: MembershipEvents;
  readonly #entryByPeer = new Map<PeerId, Entry>();
  readonly #suspects = new Map<PeerId, Suspicion>();
  #present = 0;

  constructor(options: {
    readonly self: PeerId;
    readonly config: GossipConfig;
    readonly events: MembershipEvents;
  }) {
    this.#self = options.self;
    this.#config = options.config;
    this.#events = options.events;
  }

  /** Live or suspected members, and ourselves. */
  get presentCount(): number {
    return this.#present + 1;
  }

  stateOf(peer: PeerId): MemberState | undefined {
    return this.#entryByPeer.get(peer)?.state;
  }

  /** Alive, or suspected of not being so: not to be given up yet. */
  isPresent(peer: PeerId): boolean {
    return isPresent(this.stateOf(peer));
  }

  /** When the state last changed. */
  since(peer: PeerId): Instant | undefined {
    return this.#entryByPeer.get(peer)?.since;
  }

  /** Whether anything came from `peer` itself at or after `instant`. */
  heardSince(peer: PeerId, instant: Instant): boolean {
    const heardAt = this.#entryByPeer.get(peer)?.heardAt;
    return heardAt !== undefined && heardAt >= instant;
  }

  *peers(): Generator<readonly [PeerId, MemberState]> {
    for (const [peer, entry] of this.#entryByPeer) yield [peer, entry.state];
  }

  /** A `node` record is held now. `told`: what its teller believes; `unknown` from disk. */
  know(peer: PeerId, version: Version, leaving: boolean, told: MemberState, now: Instant): void {
    const entry = this.#entryByPeer.get(peer);
    // The record carries its teller's belief to everybody, so no rumour is needed besides.
    const silently = { silently: true };
    if (!entry) {
      this.#entryByPeer.set(peer, { state: 'unknown', version, since: now });
      this.#set(peer, leaving ? 'left' : told === 'suspect' ? 'alive' : told, now, silently);
      return;
    }
    entry.version = version;
    if (leaving) this.#set(peer, 'left', now, silently);
    else if (entry.state === 'suspect') this.#set(peer, 'alive', now, silently);
    else if (entry.state === 'left') this.#set(peer, told === 'suspect' ? 'alive' : told, now, silently);
    else if (told === 'alive' || told === 'suspect') this.#set(peer, 'alive', now, silently);
    else if (told === 'dead' && entry.state === 'alive') this.#events.doubt(peer);
  }

  /** Its record is no longer held. */
  forget(peer: PeerId): void {
    const entry = this.#entryByPeer.get(peer);
    if (!entry) return;
    if (isPresent(entry.state)) this.#present--;
    this.#suspects.delete(peer);
    this.#entryByPeer.delete(peer);
  }

  /** Something authenticated came from `peer` itself. A member that said goodbye stays gone until a newer record. */
  heard(peer: PeerId, now: Instant): void {
    const entry = this.#entryByPeer.get(peer);
    if (!entry) return;
    entry.heardAt = now;
    if (entry.state !== 'left') this.#set(peer, 'alive', now);
  }

  /** Our own probe of `peer` failed. */
  suspect(peer: PeerId, now: Instant): void {
    const entry = this.#entryByPeer.get(peer);
    if (entry?.state === 'alive') this.#accuse(peer, entry, accuserOf(this.#self), now);
  }

  /** Hearsay about somebody else. */
  rumour(rumour: Rumour, now: Instant): void {
    const entry = this.#entryByPeer.get(rumour.subject);
    if (!entry || compareVersions(rumour.version, entry.version) !== 0) return;
    switch (rumour.state) {
      case 'alive':
        if (entry.state === 'unknown') this.#set(rumour.subject, 'alive', now);
        return;
      case 'suspect':
        if (isPresent(entry.state)) this.#accuse(rumour.subject, entry, rumour.accuser, now);
        return;
      case 'dead':
        if (entry.state === 'alive') this.#events.doubt(rumour.subject);
        else if (entry.state === 'suspect') this.#accuse(rumour.subject, entry, rumour.accuser, now);
        else if (entry.state === 'unknown') this.#set(rumour.subject, 'dead', now);
    }
  }

  /** What we would tell of `peer`; nothing of those we know nothing of, nor of those that left (their record says so). */
  rumourOf(peer: PeerId): Rumour | undefined {
    const entry = this.#entryByPeer.get(peer);
    if (!entry || entry.state === 'unknown' || entry.state === 'left') return undefined;
    const accuser = this.#suspects.get(peer)?.firstAccuser ?? accuserOf(this.#self);
    return { subject: peer, state: entry.state, accuser, version: entry.version };
  }

  tick(now: Instant): void {
    for (const [peer, suspicion] of this.#suspects) {
      if (suspicion.deadline <= now) this.#set(peer, 'dead', now);
    }
  }

  nextTimeout(): Instant | undefined {
    let first: Instant | undefined;
    for (const suspicion of this.#suspects.values()) first = earliest(first, suspicion.deadline);
    return first;
  }

  #accuse(peer: PeerId, entry: Entry, accuser: string, now: Instant): void {
    const suspicion = this.#suspects.get(peer);
    if (!suspicion) {
      const { probeIntervalMs } = this.#config;
      const members = this.presentCount;
      this.#suspects.set(peer, new Suspicion({ accuser, members, probeIntervalMs, now }));
      this.#set(peer, 'suspect', now);
    } else if (suspicion.confirm(accuser)) {
      this.#events.rumour({ subject: peer, state: 'suspect', accuser, version: entry.version });
    }
  }

  #set(peer: PeerId, state: MemberState, now: Instant, { silently = false } = {}): void {
    const entry = this.#entryByPeer.get(peer)!;
    if (entry.state === state) return;
    const before = entry.state;
    entry.state = state;
    entry.since = now;
    if (state !== 'suspect') this.#suspects.delete(peer);
    this.#present += Number(isPresent(state)) - Number(isPresent(before));
    // Of somebody never seen alive it is no news that he is dead.
    if (state !== 'unknown' && !(state === 'dead' && before === 'unknown')) this.#events.changed(peer, state);
    // "Alive" is only of use to those who know nothing; a refutation is a record and spreads by itself.
    if (silently || (state === 'alive' && before !== 'unknown')) return;
    const rumour = this.rumourOf(peer);
    if (rumour) this.#events.rumour(rumour);
  }
}

/** What membership tells its owner, at once, from within the call that caused it. */
interface MembershipEvents {
  changed(peer: PeerId, state: Exclude<MemberState, 'unknown'>): void;
  /** News to spread. */
  rumour(rumour: Rumour & { readonly state: RumourState }): void;
  /** Somebody says that a member we believe alive is dead: ask it. */
  doubt(peer: PeerId): void;
}

interface Entry {
  state: MemberState;
  version: Version;
  since: Instant;
  heardAt?: Instant;
}

function isPresent(state: MemberState | undefined): boolean {
  return state === 'alive' || state === 'suspect';
}
