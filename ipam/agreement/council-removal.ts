import { after, earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { AcceptedVote, IpamMessage } from '../model/messages.ts';
import type { MissingVotes, RemovalProgress, RemoveFailure, RequestId } from '../model/types.ts';
import { type Ballot, compareBallots, councilOf } from '../ring/ring-log.ts';
import { CouncilVoter, type CouncilVoterHost, ROUND_JUMP_LIMIT } from './council-voter.ts';
import type { RemovalDone, RemovalProtocol } from './removal-protocol.ts';

/** What a removal by votes needs of its node. */
interface CouncilRemovalHost extends CouncilVoterHost {
  readonly safeWaitMs: number;
  readonly done: RemovalDone;
}

/** Removals that this node drives at the same time. */
const REMOVAL_LIMIT = 16;
/** Peers beside the council that are asked what they know of the subject. */
const WITNESS_LIMIT = 240;
const RETRY_MS = 500;
const RETRY_LIMIT_MS = 5000;
/** How long the promises, and later the votes, may take. */
const AGREE_LIMIT_MS = 30_000;

interface Attempt {
  readonly request: RequestId;
  readonly subject: PeerId;
  phase: 'prepare' | 'wait' | 'propose';
  round: number;
  promises: Map<PeerId, AcceptedVote | undefined>;
  readonly answered: Set<PeerId>;
  readonly sawAlive: Set<PeerId>;
  /** The longest log of the subject that anybody reports. */
  longest: number;
  retryAt: Instant;
  retryMs: number;
  /** Set once, when the first majority has promised: what the wait is for does not depend on ballots. */
  waitUntil: Instant | undefined;
  deadline: Instant;
}

/**
 * Taking over the ranges of a peer that is gone for good: alive → suspect → fenced → removed.
 *
 * The subject's own log names its council, so nobody but the subject chooses its judges. The council agrees by Paxos,
 * one instance per subject, on (heir, cut): who gets the ranges, and how much of the subject's log counts.
 *
 *   1. *prepare*: the initiator asks the council for promises. A member promises only if its own gossip does not see
 *      the subject alive, and says how much of the subject's log it knows. Other live peers are asked too, for that
 *      length alone.
 *   2. *wait* `safeWaitMs`: sessions with the subject end, and what it wrote last spreads. If it is seen alive
 *      meanwhile, the removal is off.
 *   3. *propose*: the council votes, each member by an entry in its own log. A member whose view of the subject's log
 *      is longer or shorter than the cut does not vote yet.
 *   4. With a majority of votes in their logs every peer's evaluation moves the ranges (ring-view.ts). Votes are never
 *      taken back: the removal is permanent, and the subject sees it when it returns.
 *
 * An initiator that dies halfway is no harm: the next one has a higher ballot, and has to finish what may have been
 * decided already, as Paxos demands; and only that.
 */
export class CouncilRemoval implements RemovalProtocol {
  readonly #host: CouncilRemovalHost;
  readonly #voter: CouncilVoter;
  readonly #attemptBySubject = new Map<PeerId, Attempt>();

  constructor(host: CouncilRemovalHost) {
    this.#host = host;
    this.#voter = new CouncilVoter(host);
  }

  pending(): RemovalProgress[] {
    return [...this.#attemptBySubject.values()].map((attempt) => ({
      peer: attempt.subject,
      phase: attempt.phase === 'prepare' ? 'asking' : attempt.phase === 'wait' ? 'waiting' : 'deciding',
      waitUntil: attempt.waitUntil,
      missing: this.#missingVotes(attempt),
    }));
  }

  remove(request: RequestId, subject: PeerId, now: Instant): void {
    const { ring, self } = this.#host;
    const finish = (failure: RemoveFailure | undefined): void => this.#host.done(request, subject, failure);
    if (subject === self) {
      finish('self');
      return;
    }
    const removal = ring.removal(subject);
    if (removal !== undefined) {
      finish(removal.heir === self ? undefined : 'lost-race');
      return;
    }
    const council = ring.view.members.has(subject) ? ring.council(subject) : undefined;
    if (council === undefined) {
      finish('unknown-peer');
      return;
    }
    if (this.#host.isAlive(subject)) {
      finish('peer-alive');
      return;
    }
    if (2 * (council.size - 1) <= council.size) {
      const peers = [...council].filter((peer) => peer !== subject && peer !== self);
      const missing = { needed: majorityOf(council), of: council.size, peers };
      this.#host.done(request, subject, 'too-few-members', missing);
      return;
    }
    if (this.#attemptBySubject.size >= REMOVAL_LIMIT || this.#attemptBySubject.has(subject)) {
      finish('busy');
      return;
    }
    const round = (this.#voter.promised(subject)?.round ?? 0) + 1;
    this.#attemptBySubject.set(subject, {
      request,
      subject,
      phase: 'prepare',
      round,
      promises: new Map(),
      answered: new Set(),
      sawAlive: new Set(),
      longest: 0,
      retryAt: now,
      retryMs: RETRY_MS,
      waitUntil: undefined,
      deadline: after(now, AGREE_LIMIT_MS),
    });
    this.tick(now);
  }

  handle(from: PeerId, message: IpamMessage, now: Instant): void {
    switch (message.kind) {
      case 'prepare':
        this.#voter.handlePrepare(from, message);
        break;
      case 'propose':
        this.#voter.handlePropose(from, message);
        break;
      case 'promise':
      case 'refuse':
        this.#handleAnswer(from, message, now);
    }
  }

  tick(now: Instant): void {
    for (const attempt of [...this.#attemptBySubject.values()]) this.#drive(attempt, now);
  }

  nextTimeout(): Instant | undefined {
    let first: Instant | undefined;
    for (const attempt of this.#attemptBySubject.values()) {
      first = earliest(
        first,
        attempt.retryAt,
        attempt.phase === 'wait' ? attempt.waitUntil : attempt.deadline,
      );
    }
    return first;
  }

  #drive(attempt: Attempt, now: Instant): void {
    const { ring, self } = this.#host;
    const { subject } = attempt;
    const removal = ring.removal(subject);
    if (removal !== undefined) {
      this.#finish(attempt, removal.heir === self ? undefined : 'lost-race');
      return;
    }
    if (this.#host.isAlive(subject)) {
      this.#finish(attempt, 'peer-alive');
      return;
    }
    const council = ring.council(subject)!;
    const majority = majorityOf(council);
    const aliveVotes = [...attempt.sawAlive].filter((peer) => council.has(peer)).length;
    if (council.size - 1 - aliveVotes < majority) {
      this.#finish(attempt, 'peer-alive');
      return;
    }
    const promised = [...attempt.promises.keys()].filter((peer) => council.has(peer)).length;
    if (attempt.phase === 'prepare' && promised >= majority) {
      attempt.phase = 'wait';
      attempt.waitUntil ??= after(now, this.#host.safeWaitMs);
    }
    if (attempt.phase === 'wait' && now >= attempt.waitUntil!) {
      if (promised < majority) {
        // A higher ballot came in between; ask again with a higher one still.
        attempt.phase = 'prepare';
      } else attempt.phase = 'propose';
      attempt.deadline = after(now, AGREE_LIMIT_MS);
      attempt.retryAt = now;
      attempt.retryMs = RETRY_MS;
    }
    if (attempt.phase !== 'wait' && now >= attempt.deadline) {
      this.#finish(attempt, attempt.sawAlive.size > 0 ? 'peer-alive' : 'no-majority');
      return;
    }
    if (now < attempt.retryAt) return;
    attempt.retryAt = after(now, attempt.retryMs);
    attempt.retryMs = Math.min(attempt.retryMs * 2, RETRY_LIMIT_MS);
    if (attempt.phase === 'propose') this.#propose(attempt, council, now);
    else this.#prepare(attempt, council);
  }

  #prepare(attempt: Attempt, council: ReadonlySet<PeerId>): void {
    const { ring, self } = this.#host;
    const { subject, round } = attempt;
    const witnesses = [...ring.view.members].filter((peer) => !council.has(peer) && this.#host.isAlive(peer));
    const message = { kind: 'prepare', subject, round, logLength: ring.log(subject)!.bytes.length } as const;
    for (const peer of [...council, ...witnesses.slice(0, WITNESS_LIMIT)]) {
      if (peer === subject || peer === self || attempt.answered.has(peer)) continue;
      this.#host.send(peer, message);
    }
    // The initiator promises itself, on disk, also where it has no vote: so it never uses a ballot twice.
    const own: Ballot = { round, proposer: self };
    const promised = this.#voter.promised(subject);
    if (promised && compareBallots(promised, own) > 0) {
      this.#startOver(attempt, promised.round);
      return;
    }
    this.#voter.promise(subject, own);
    attempt.promises.set(self, this.#voter.voteOn(subject));
  }

  #propose(attempt: Attempt, council: ReadonlySet<PeerId>, now: Instant): void {
    const { ring, self } = this.#host;
    const { subject, round } = attempt;
    const length = ring.log(subject)!.bytes.length;
    const accepted = this.#mayBeDecided(attempt);
    // Somebody says it knows more of the subject's log than we: that should come by gossip first. A liar cannot hold
    // us up for ever; and whoever has a vote and does know more will not vote for too short a cut.
    const patient = now < after(attempt.deadline, -AGREE_LIMIT_MS / 2);
    if (accepted === undefined && attempt.longest > length && patient) return;
    const message = {
      kind: 'propose',
      subject,
      round,
      heir: accepted?.heir ?? self,
      cut: accepted?.cut ?? length,
    } as const;
    for (const peer of council) {
      if (peer === subject || peer === self) continue;
      this.#host.send(peer, message);
    }
    if (council.has(self)) this.#voter.vote(self, message);
  }

  /**
   * The vote that may have been decided at a lower ballot, so that no other may be proposed: the highest one whose
   * judges, without those that have promised us and not voted for it, are a majority still. Plain Paxos would take the
   * highest vote of all. But votes of an attempt that was called off stay in the logs for ever, and the subject may
   * have lived and granted for months since: what surely was not decided must not void those grants.
   */
  #mayBeDecided({ subject, promises }: Attempt): AcceptedVote | undefined {
    const log = this.#host.ring.log(subject)!;
    const votes = [...promises.values()].flatMap((vote) => (vote ? [vote] : []));
    return votes
      .sort((a, b) => compareBallots(b, a))
      .find(({ heir, cut }) => {
        if (cut > log.bytes.length) return true;
        const judges = councilOf(subject, log, cut);
        const majority = Math.floor(judges.size / 2) + 1;
        judges.delete(subject);
        for (const [peer, vote] of promises)
          if (vote === undefined || vote.heir !== heir || vote.cut !== cut) judges.delete(peer);
        return judges.size >= majority;
      });
  }

  #handleAnswer(from: PeerId, message: IpamMessage & { kind: 'promise' | 'refuse' }, now: Instant): void {
    const attempt = this.#attemptBySubject.get(message.subject);
    if (attempt === undefined || message.round !== attempt.round) return;
    if (!this.#host.ring.view.members.has(from)) return;
    if (message.kind === 'promise' && attempt.phase !== 'propose') {
      attempt.longest = Math.max(attempt.longest, message.logLength);
      attempt.answered.add(from);
      attempt.sawAlive.delete(from);
      attempt.promises.set(from, message.accepted);
    } else if (message.kind === 'refuse') {
      if (message.reason === 'alive') attempt.sawAlive.add(from);
      if (message.reason === 'ballot' && message.promisedRound <= attempt.round + ROUND_JUMP_LIMIT)
        this.#startOver(attempt, message.promisedRound);
    }
    this.#drive(attempt, now);
  }

  /** Begins again above `round`; the time already waited counts. */
  #startOver(attempt: Attempt, round: number): void {
    attempt.round = Math.max(attempt.round, round) + 1;
    attempt.promises = new Map();
    attempt.answered.clear();
    if (attempt.phase === 'propose') attempt.phase = 'prepare';
  }

  #finish(attempt: Attempt, failure: RemoveFailure | undefined): void {
    const missing = failure === 'no-majority' ? this.#missingVotes(attempt) : undefined;
    this.#attemptBySubject.delete(attempt.subject);
    this.#host.done(attempt.request, attempt.subject, failure, missing);
  }

  /** Who of the council has not promised yet, or where votes are collected, has not voted. */
  #missingVotes({ subject, phase, promises, round }: Attempt): MissingVotes | undefined {
    const { ring, self } = this.#host;
    const council = ring.council(subject);
    if (council === undefined) return undefined;
    const hasVoted = (peer: PeerId): boolean =>
      ring
        .log(peer)
        ?.accepts.some(
          ({ subject: of, ballot }) => of === subject && ballot.round === round && ballot.proposer === self,
        ) ?? false;
    const isThere = phase === 'propose' ? hasVoted : (peer: PeerId): boolean => promises.has(peer);
    const peers = [...council].filter((peer) => peer !== subject && !isThere(peer));
    return { needed: majorityOf(council), of: council.size, peers };
  }
}

/** How many of a council have to agree, the subject counted in. */
function majorityOf(council: ReadonlySet<PeerId>): number {
  return Math.floor(council.size / 2) + 1;
}
