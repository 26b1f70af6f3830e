import { after, earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { Authority, RemovalState } from '../model/authority.ts';
import type { RemovalProgress, RequestId } from '../model/types.ts';
import type { Ring } from '../ring/ring.ts';
import { councilOf, type NewEntry } from '../ring/ring-log.ts';
import type { RemovalDone, RemovalProtocol } from './removal-protocol.ts';

/** What taking over by the word of an authority needs of its node. */
interface AuthorityRemovalHost {
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
const PROPOSE_RETRY_MS = 5_000;
/** How long the authority may take to show a fence, before a request for it fails. */
const FENCE_LIMIT_MS = 60_000;
/** Above all ballots that a council reaches: a vote that repeats the authority's word. */
const DECREE_ROUND = 0xffff_ffff;

interface Attempt {
  request: RequestId | undefined;
  readonly startedAt: Instant;
  proposeAt: Instant;
  /** The fence has stood for long enough. */
  deciding: boolean;
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
 *   3. While the fence stands, whoever knows more of the subject's log than the authority shows puts it there.
 *   4. After `safeWaitMs`, in which sessions end and what the subject wrote last spreads, the heir proposes the
 *      removal with the subject's log as far as it is known, log and all: so the decree can be judged by nodes that
 *      come when nobody else is left who has that log. Once it is shown it is decided for everybody and ever.
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
  /** When the authority may be told again what we know of a subject's log. */
  readonly #witnessAtBySubject = new Map<PeerId, Instant>();
  /** When a decree of ours whose object is gone may be proposed again. */
  readonly #restoreAtBySubject = new Map<PeerId, Instant>();

  constructor(host: AuthorityRemovalHost) {
    this.#host = host;
  }

  pending(): RemovalProgress[] {
    return [...this.#attemptBySubject].map(([peer, { waitUntil, deciding }]) => ({
      peer,
      phase: deciding ? 'deciding' : waitUntil === undefined ? 'asking' : 'waiting',
      waitUntil,
      missing: undefined,
    }));
  }

  remove(request: RequestId, subject: PeerId, now: Instant): void {
    const { ring, self, done, isAlive } = this.#host;
    const removal = ring.removal(subject);
    if (subject === self) done(request, subject, 'self');
    else if (removal !== undefined) done(request, subject, removal.heir === self ? undefined : 'lost-race');
    // An owner of whom nobody here ever heard a word is removed like any other: the genesis may name one.
    else if (!ring.view.members.has(subject) && ring.rangesOf(subject).length === 0)
      done(request, subject, 'unknown-peer');
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
    for (const subject of authority.fenced) this.#bearWitness(subject, now);
    let mayAppend = true;
    for (const [subject, { heir, cut, log }] of authority.decreeBySubject) {
      if (ring.removal(subject) === undefined) continue;
      if (mayAppend) mayAppend = this.#repeatAsVote(subject, heir, cut);
      if (heir === self && authority.shown && authority.state(subject) === undefined)
        this.#restore({ subject, phase: 'removed', heir, cut, ...(log ? { log } : {}) }, now);
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
      else this.#propose(subject, 'lifted', attempt, now);
      return;
    }
    if (ours) {
      attempt.waitUntil ??= after(now, safeWaitMs);
      attempt.deciding = now >= attempt.waitUntil;
      if (!attempt.deciding) return;
      this.#propose(subject, 'removed', attempt, now);
      return;
    }
    if (shown?.phase === 'fenced' && isAlive(shown.heir)) {
      this.#finish(subject, attempt, 'busy');
    } else if (now >= after(attempt.startedAt, FENCE_LIMIT_MS)) {
      this.#finish(subject, attempt, 'no-authority');
    } else this.#propose(subject, 'fenced', attempt, now);
  }

  #propose(subject: PeerId, phase: RemovalState['phase'], attempt: Attempt, now: Instant): void {
    if (now < attempt.proposeAt) return;
    attempt.proposeAt = after(now, PROPOSE_RETRY_MS);
    if (phase === 'lifted') {
      attempt.waitUntil = undefined;
      attempt.deciding = false;
    }
    this.#host.propose({ subject, phase, heir: this.#host.self, ...this.#evidence(subject) });
  }

  /**
   * A fence of another's, for a subject of whose log we know more than the authority shows: that goes there, so that
   * what the subject granted is not lost, though the heir and we may not reach one another. The authority takes it or
   * the removal, whichever comes first.
   */
  #bearWitness(subject: PeerId, now: Instant): void {
    const shown = this.#host.authority.state(subject);
    if (shown === undefined || shown.heir === this.#host.self || subject === this.#host.self) return;
    const evidence = this.#evidence(subject);
    if (evidence.cut <= shown.cut || now < (this.#witnessAtBySubject.get(subject) ?? now)) return;
    this.#witnessAtBySubject.set(subject, after(now, PROPOSE_RETRY_MS));
    this.#host.propose({ ...shown, ...evidence });
  }

  /** The longest log of the subject that we or the authority have. */
  #evidence(subject: PeerId): { readonly cut: number; readonly log?: Uint8Array } {
    const known = this.#host.ring.log(subject)?.bytes;
    const shown = this.#host.authority.state(subject)?.log;
    const log = (known?.length ?? 0) >= (shown?.length ?? 0) ? known : shown;
    return log === undefined ? { cut: 0 } : { cut: log.length, log };
  }

  #restore(state: RemovalState, now: Instant): void {
    const { subject } = state;
    if (now < (this.#restoreAtBySubject.get(subject) ?? now)) return;
    this.#restoreAtBySubject.set(subject, after(now, PROPOSE_RETRY_MS));
    this.#host.propose(state);
  }

  /** False where our log takes no vote: it is full, or this node may not vote at present. */
  #repeatAsVote(subject: PeerId, heir: PeerId, cut: number): boolean {
    if (this.#repeated.has(subject)) return true;
    const { ring, self, append } = this.#host;
    const voted = ring
      .log(self)
      ?.accepts.some((vote) => vote.subject === subject && vote.ballot.round === DECREE_ROUND);
    const log = ring.log(subject);
    if (!voted && log !== undefined && councilOf(subject, log, cut).has(self)) {
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
    return { request: undefined, startedAt: now, proposeAt: now, deciding: false, waitUntil: undefined };
  }
}
