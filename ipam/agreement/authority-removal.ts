import { after, earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { Authority, RemovalState } from '../model/authority.ts';
import type { RequestId } from '../model/types.ts';
import type { Ring } from '../ring/ring.ts';
import { councilOf, type NewEntry } from '../ring/ring-log.ts';
import type { RemovalDone, RemovalProtocol } from './removal-protocol.ts';

/** What taking over by the word of an authority needs of its node. */
export interface AuthorityRemovalHost {
  readonly self: PeerId;
  readonly ring: Ring;
  readonly authority: Authority;
  readonly safeWaitMs: number;
  /** Gossip sees the peer alive. */
  isAlive(peer: PeerId): boolean;
  /** Asks the authority to take this state for its subject, in place of the one that it showed last. */
  propose(state: RemovalState): void;
  /** As in `CouncilRemovalHost`. */
  append(entries: readonly NewEntry[]): boolean;
  readonly done: RemovalDone;
}

/** A proposal that the authority does not show is made again after this. */
export const PROPOSE_RETRY_MS = 5_000;
/** How long the authority may take to show a fence, before a request for it fails. */
export const FENCE_LIMIT_MS = 60_000;
/** Above all ballots that a council reaches: a vote that repeats the authority's word. */
const DECREE_ROUND = 0xffff_ffff;

interface Attempt {
  request: RequestId | undefined;
  readonly startedAt: Instant;
  proposeAt: Instant;
  /** When the fence has stood for long enough, since this process saw it. */
  waitUntil: Instant | undefined;
}

/**
 * Taking over the ranges of a peer that is gone for good, where an authority outside decides: alive → fenced →
 * removed. No majority of peers is needed, so it works also where most of a cluster has gone.
 *
 *   1. The heir proposes a fence. Of several who propose one at once the authority takes one.
 *   2. Everybody sees the fence: the subject, if it lives, deals out nothing more, nobody gives it anything, and
 *      gossip shows that it is alive: then the heir lifts the fence.
 *   3. After `safeWaitMs`, in which sessions end and what the subject wrote last spreads, the heir proposes the
 *      removal with the subject's log as far as it is known. Once that is shown it is decided for everybody and ever.
 *
 * An heir that dies halfway is no harm: whoever is asked next fences anew in its own name. A decree whose object was
 * deleted is proposed again by its heir, for nodes that are yet to come. Who sits in the subject's council repeats the
 * decree as a vote in its own log, for the sake of peers that have no access to the authority.
 */
export class AuthorityRemoval implements RemovalProtocol {
  readonly #host: AuthorityRemovalHost;
  readonly #attemptBySubject = new Map<PeerId, Attempt>();
  /** Subjects whose decree our log repeats as a vote, as far as that is ours to do. */
  readonly #repeated = new Set<PeerId>();
  /** When a decree of ours whose object is gone may be proposed again. */
  readonly #restoreAtBySubject = new Map<PeerId, Instant>();

  constructor(host: AuthorityRemovalHost) {
    this.#host = host;
  }

  pending(): PeerId[] {
    return [...this.#attemptBySubject.keys()];
  }

  remove(request: RequestId, subject: PeerId, now: Instant): void {
    const { ring, self, done, isAlive } = this.#host;
    const removal = ring.removal(subject);
    if (subject === self) done(request, subject, 'self');
    else if (removal !== undefined) done(request, subject, removal.heir === self ? undefined : 'lost-race');
    else if (!ring.view.members.has(subject)) done(request, subject, 'unknown-peer');
    else if (isAlive(subject)) done(request, subject, 'peer-alive');
    else if (this.#attemptBySubject.get(subject)?.request !== undefined) done(request, subject, 'busy');
    else {
      this.#attemptBySubject.set(subject, { ...this.#newAttempt(now), request });
      this.tick(now);
    }
  }

  /** Councils do not vote where an authority decides. */
  handle(): void {}

  tick(now: Instant): void {
    const { authority, self, ring } = this.#host;
    // Fences of ours from before a restart go on.
    for (const subject of authority.fenced) {
      if (authority.state(subject)?.heir === self && !this.#attemptBySubject.has(subject))
        this.#attemptBySubject.set(subject, this.#newAttempt(now));
    }
    for (const [subject, attempt] of [...this.#attemptBySubject]) this.#drive(subject, attempt, now);
    let mayAppend = true;
    for (const [subject, { heir, cut }] of authority.decreeBySubject) {
      if (ring.removal(subject) === undefined) continue;
      if (mayAppend) mayAppend = this.#repeatAsVote(subject, heir, cut);
      if (heir === self && authority.shown && authority.state(subject) === undefined)
        this.#restore(subject, cut, now);
    }
  }

  nextTimeout(): Instant | undefined {
    let first: Instant | undefined;
    for (const { proposeAt, waitUntil } of this.#attemptBySubject.values())
      first = earliest(first, waitUntil !== undefined && waitUntil > proposeAt ? waitUntil : proposeAt);
    return first;
  }

  #drive(subject: PeerId, attempt: Attempt, now: Instant): void {
    const { ring, self, authority, isAlive, safeWaitMs } = this.#host;
    const removal = ring.removal(subject);
    const shown = authority.state(subject);
    const ours = shown?.phase === 'fenced' && shown.heir === self;
    if (removal !== undefined) {
      this.#finish(subject, attempt, removal.heir === self ? undefined : 'lost-race');
      return;
    }
    if (isAlive(subject)) {
      if (!ours) this.#finish(subject, attempt, 'peer-alive');
      else this.#propose(subject, 'lifted', 0, attempt, now);
      return;
    }
    if (ours) {
      attempt.waitUntil ??= after(now, safeWaitMs);
      if (now < attempt.waitUntil) return;
      this.#propose(subject, 'removed', ring.log(subject)?.bytes.length ?? 0, attempt, now);
      return;
    }
    if (shown?.phase === 'fenced' && isAlive(shown.heir)) {
      this.#finish(subject, attempt, 'busy');
    } else if (now >= after(attempt.startedAt, FENCE_LIMIT_MS)) {
      this.#finish(subject, attempt, 'no-authority');
    } else this.#propose(subject, 'fenced', 0, attempt, now);
  }

  #propose(subject: PeerId, phase: RemovalState['phase'], cut: number, attempt: Attempt, now: Instant): void {
    if (now < attempt.proposeAt) return;
    attempt.proposeAt = after(now, PROPOSE_RETRY_MS);
    if (phase === 'lifted') attempt.waitUntil = undefined;
    this.#host.propose({ subject, phase, heir: this.#host.self, cut });
  }

  #restore(subject: PeerId, cut: number, now: Instant): void {
    if (now < (this.#restoreAtBySubject.get(subject) ?? now)) return;
    this.#restoreAtBySubject.set(subject, after(now, PROPOSE_RETRY_MS));
    this.#host.propose({ subject, phase: 'removed', heir: this.#host.self, cut });
  }

  /** False where our log takes no vote: it is full, or this node may not vote at present. */
  #repeatAsVote(subject: PeerId, heir: PeerId, cut: number): boolean {
    if (this.#repeated.has(subject)) return true;
    const { ring, self, append } = this.#host;
    const voted = ring
      .log(self)
      ?.accepts.some((vote) => vote.subject === subject && vote.ballot.round === DECREE_ROUND);
    if (!voted && councilOf(subject, ring.log(subject)!, cut).has(self)) {
      const ballot = { round: DECREE_ROUND, proposer: heir };
      if (!append([{ kind: 'accept', subject, ballot, heir, cut }])) return false;
    }
    this.#repeated.add(subject);
    return true;
  }

  #finish(subject: PeerId, { request }: Attempt, failure: Parameters<RemovalDone>[2]): void {
    this.#attemptBySubject.delete(subject);
    if (request !== undefined) this.#host.done(request, subject, failure);
  }

  #newAttempt(now: Instant): Attempt {
    return { request: undefined, startedAt: now, proposeAt: now, waitUntil: undefined };
  }
}
