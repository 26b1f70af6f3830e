import { assert } from '../../base/assert.ts';
import { after, earliest, type Instant } from '../../base/instant.ts';
import { type RandomSource, randomUnit } from '../../base/random.ts';
import type { Suite } from '../../crypto/suite.ts';
import type { Datapath, DataSession } from '../datapath/datapath.ts';
import { skippedAhead } from '../datapath/session-progress.ts';
import { type HandedSession, SESSION_ROLES, type SessionRole } from './handover/handed-tunnels.ts';

/**
 * The sessions with one peer, in three places:
 *
 *  - *current*: we send with it, and receive;
 *  - *next*: we answered an initiation and receive on it, but send nothing, for nobody has shown yet that they
 *    hold its keys. The first packet that opens makes it current (key confirmation): whoever merely has the
 *    peer's or our static key, or a recording, gets no further than here;
 *  - *previous*: replaced, kept for packets still on their way.
 *
 * So a rekey loses nothing: both ends can receive on the new session before either sends on it. Each session
 * ends {@link REJECT_AFTER_MS} after it began, whatever happens, and its keys are erased (by the datapath, the
 * only one that keeps them).
 */
export class Sessions {
  readonly #datapath: Datapath;
  #current: Session | undefined;
  #previous: Session | undefined;
  #next: Session | undefined;
  readonly #released: (localIndex: number) => void;

  /** `released` hears of every index that is free again. */
  constructor(options: { readonly datapath: Datapath; readonly released: (localIndex: number) => void }) {
    this.#datapath = options.datapath;
    this.#released = options.released;
  }

  get current(): Session | undefined {
    return this.#current;
  }

  get next(): Session | undefined {
    return this.#next;
  }

  /** At most 3. */
  get size(): number {
    return [this.#current, this.#next, this.#previous].filter((session) => session !== undefined).length;
  }

  /** Our initiation was answered, so the peer holds the keys: the session is current at once. Sends nothing yet. */
  installInitiated(keys: DataSession, facts: SessionFacts, now: Instant): void {
    this.#datapath.install(keys);
    this.#drop(this.#previous);
    this.#previous = this.#current;
    this.#current = sessionOf(keys, facts, true, now);
  }

  /** We answered an initiation: the session waits for its confirmation. An older one that waited is dropped. */
  installResponded(keys: DataSession, facts: SessionFacts, now: Instant): void {
    this.#datapath.install(keys);
    this.#drop(this.#next);
    this.#next = sessionOf(keys, facts, false, now);
  }

  /** All there are, for the weftd that is to go on with them. */
  get standing(): readonly (Session & { readonly role: SessionRole })[] {
    const places = { current: this.#current, next: this.#next, previous: this.#previous };
    return SESSION_ROLES.flatMap((role) => {
      const session = places[role];
      return session === undefined ? [] : [{ ...session, role }];
    });
  }

  /** A session that another weftd of this node made goes on here, in its place, which is free. Sends nothing yet. */
  resume(handed: HandedSession): void {
    this.#datapath.install(handed, skippedAhead(handed.progress));
    const { localIndex, suite, initiator, establishedAt, peerEpoch, peerMtu } = handed;
    const session = { localIndex, suite, initiator, establishedAt, peerEpoch, peerMtu };
    if (handed.role === 'current') this.#current = session;
    else if (handed.role === 'next') this.#next = session;
    else this.#previous = session;
  }

  /** The first packet opened on the session with `localIndex`. True when that made it current. */
  confirm(localIndex: number): boolean {
    if (this.#next?.localIndex !== localIndex) return false;
    this.#drop(this.#previous);
    this.#previous = this.#current;
    this.#current = this.#next;
    this.#next = undefined;
    return true;
  }

  /** Ends one session. */
  end(localIndex: number): void {
    if (this.#current?.localIndex === localIndex) {
      this.#drop(this.#current);
      this.#current = undefined;
    } else if (this.#previous?.localIndex === localIndex) {
      this.#drop(this.#previous);
      this.#previous = undefined;
    } else if (this.#next?.localIndex === localIndex) {
      this.#drop(this.#next);
      this.#next = undefined;
    }
  }

  /** Ends those whose time is over. */
  tick(now: Instant): void {
    for (const session of [this.#current, this.#previous]) {
      if (session !== undefined && now >= after(session.establishedAt, REJECT_AFTER_MS)) {
        this.end(session.localIndex);
      }
    }
    const next = this.#next;
    if (next !== undefined && now >= after(next.establishedAt, CONFIRM_WITHIN_MS)) this.end(next.localIndex);
  }

  nextTimeout(): Instant | undefined {
    const next = this.#next;
    return earliest(
      ...[this.#current, this.#previous].map(
        (session) => session && after(session.establishedAt, REJECT_AFTER_MS),
      ),
      next && after(next.establishedAt, CONFIRM_WITHIN_MS),
    );
  }

  clear(): void {
    for (const session of [this.#current, this.#previous, this.#next]) this.#drop(session);
    this.#current = undefined;
    this.#previous = undefined;
    this.#next = undefined;
  }

  #drop(session: Session | undefined): void {
    if (session === undefined) return;
    this.#datapath.remove(session.localIndex);
    this.#released(session.localIndex);
  }
}

/** What the handshake told of the peer. */
interface SessionFacts {
  readonly peerEpoch: number;
  /** The peer's own largest inner packet, bytes. */
  readonly peerMtu: number;
}

/** A session as the control core remembers it: without its keys. */
interface Session extends SessionFacts {
  readonly localIndex: number;
  readonly suite: Suite;
  readonly initiator: boolean;
  readonly establishedAt: Instant;
}

/** When to renew a session that becomes current now. */
export function rekeyTime({ initiator }: Session, random: RandomSource, now: Instant): Instant {
  const jitter = REKEY_JITTER_MS * randomUnit(random);
  return initiator ? after(now, REKEY_AFTER_MS - jitter) : after(now, RESPONDER_REKEY_AFTER_MS + jitter);
}

function sessionOf(keys: DataSession, facts: SessionFacts, initiator: boolean, now: Instant): Session {
  const { localIndex, suite } = keys;
  return { localIndex, suite, initiator, establishedAt: now, ...facts };
}

/** WireGuard §6.1. The initiator of a session renews it at this age (less up to {@link REKEY_JITTER_MS}). */
const REKEY_AFTER_MS = 120_000;
const REKEY_JITTER_MS = 10_000;
/** No session is renewed before, however many packets it carried. */
export const REKEY_AT_LEAST_MS = 5000;
/** The responder renews it when the initiator has not. */
const RESPONDER_REKEY_AFTER_MS = 150_000;
/** No session lives longer. */
export const REJECT_AFTER_MS = 180_000;
/** An answered initiation that nobody confirms is forgotten. */
export const CONFIRM_WITHIN_MS = 30_000;

assert(REKEY_AFTER_MS < RESPONDER_REKEY_AFTER_MS, 'the initiator renews first');
assert(RESPONDER_REKEY_AFTER_MS + 20_000 < REJECT_AFTER_MS, 'time for a rekey before the session ends');
