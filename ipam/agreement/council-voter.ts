import type { PeerId } from '../../base/peer-id.ts';
import { ByteReader, ByteWriter } from '../model/codec.ts';
import type { AcceptedVote, IpamMessage, RefuseReason } from '../model/messages.ts';
import type { IpamStore } from '../model/store.ts';
import type { Ring } from '../ring/ring.ts';
import { type Ballot, compareBallots, type NewEntry } from '../ring/ring-log.ts';

/** What a voter needs of its node. */
export interface CouncilVoterHost {
  readonly self: PeerId;
  readonly ring: Ring;
  readonly store: IpamStore;
  /** Gossip sees the peer alive. */
  isAlive(peer: PeerId): boolean;
  send(to: PeerId, message: IpamMessage): void;
  /** Appends to our log, stages and publishes it. False where it does not fit, or this node may not. */
  append(entries: readonly NewEntry[]): boolean;
}

/** A bad peer must not use up the rounds. */
export const ROUND_JUMP_LIMIT = 10_000;

/**
 * The acceptor's part in the removal of a peer (Paxos): promises, which are on disk before they are sent, and votes,
 * which are entries in our log. council-removal.ts is the proposer's part.
 *
 * ```
 * store: removal/promise/<subject> → round u32 | proposer 32
 * ```
 */
export class CouncilVoter {
  readonly #host: CouncilVoterHost;

  constructor(host: CouncilVoterHost) {
    this.#host = host;
  }

  /** Answers with a promise, or with the reason why not. */
  handlePrepare(from: PeerId, message: IpamMessage & { kind: 'prepare' }): void {
    const { subject, round } = message;
    const refused = this.#objection(from, subject, round);
    if (refused !== undefined) {
      this.#refuse(from, subject, round, refused);
      return;
    }
    // Also where we have no vote as far as we know: the initiator may know more of the subject's log, and count us.
    this.promise(subject, { round, proposer: from });
    const accepted = this.voteOn(subject);
    this.#host.send(from, { kind: 'promise', subject, round, logLength: this.#lengthOf(subject), accepted });
  }

  /** Votes; answers only where it does not. */
  handlePropose(from: PeerId, message: IpamMessage & { kind: 'propose' }): void {
    const { subject, round } = message;
    const refused = this.vote(from, message);
    if (refused !== undefined) this.#refuse(from, subject, round, refused);
  }

  /** Votes for `proposer`'s proposal, unless there is a reason not to. */
  vote(proposer: PeerId, message: IpamMessage & { kind: 'propose' }): RefuseReason | undefined {
    const { subject, round, heir, cut } = message;
    const refused = this.#objection(proposer, subject, round);
    if (refused !== undefined) return refused;
    const { ring, self } = this.#host;
    if (!ring.council(subject)!.has(self) || heir === subject) return 'unable';
    if (!ring.log(subject)!.ends.includes(cut)) return 'length';
    // A cut that loses what we know the subject wrote is only right where it may have been decided already.
    if (cut !== this.#lengthOf(subject) && !this.#votedFor(subject, heir, cut)) return 'length';
    const ballot: Ballot = { round, proposer };
    const last = this.voteOn(subject);
    if (last && compareBallots(last, ballot) === 0)
      return last.heir === heir && last.cut === cut ? undefined : 'ballot';
    this.promise(subject, ballot);
    return this.#host.append([{ kind: 'accept', subject, ballot, heir, cut }]) ? undefined : 'unable';
  }

  /** The highest ballot that this node has promised. */
  promised(subject: PeerId): Ballot | undefined {
    const stored = this.#host.store.get(`removal/promise/${subject}`);
    const reader = stored && new ByteReader(stored);
    return reader && { round: reader.u32(), proposer: reader.peer() };
  }

  /** Promises to take part in no lower ballot. */
  promise(subject: PeerId, { round, proposer }: Ballot): void {
    this.#host.store.put(`removal/promise/${subject}`, new ByteWriter().u32(round).peer(proposer).finish());
  }

  /** Our last vote on the removal of `subject`. */
  voteOn(subject: PeerId): AcceptedVote | undefined {
    const vote = this.#host.ring
      .log(this.#host.self)
      ?.accepts.findLast((accept) => accept.subject === subject);
    return vote && { ...vote.ballot, heir: vote.heir, cut: vote.cut };
  }

  /** Why this node neither promises nor votes at this ballot. */
  #objection(proposer: PeerId, subject: PeerId, round: number): RefuseReason | undefined {
    const { ring, self } = this.#host;
    const { members } = ring.view;
    if (subject === self || this.#host.isAlive(subject)) return 'alive';
    if (!members.has(self) || !members.has(proposer) || ring.log(subject) === undefined) return 'unable';
    if (!members.has(subject) && ring.removal(subject) === undefined) return 'unable';
    const promised = this.promised(subject);
    if (round > (promised?.round ?? 0) + ROUND_JUMP_LIMIT) return 'unable';
    if (promised && compareBallots(promised, { round, proposer }) > 0) return 'ballot';
    return undefined;
  }

  #refuse(to: PeerId, subject: PeerId, round: number, reason: RefuseReason): void {
    const promisedRound = this.promised(subject)?.round ?? 0;
    this.#host.send(to, {
      kind: 'refuse',
      subject,
      round,
      reason,
      promisedRound,
      logLength: this.#lengthOf(subject),
    });
  }

  #lengthOf(subject: PeerId): number {
    return this.#host.ring.log(subject)?.bytes.length ?? 0;
  }

  /** Some member of the council has voted for this outcome, at whatever ballot. */
  #votedFor(subject: PeerId, heir: PeerId, cut: number): boolean {
    const { ring } = this.#host;
    return [...ring.council(subject)!].some((peer) =>
      ring
        .log(peer)
        ?.accepts.some((vote) => vote.subject === subject && vote.heir === heir && vote.cut === cut),
    );
  }
}
