import type { PeerId } from '../../base/peer-id.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { ByteReader, ByteWriter } from './codec.ts';

/**
 * Datagrams between the Ipams of two peers. Any may be lost, doubled or late: requests are repeated, and answered
 * alike each time.
 *
 * ```
 * 1 ask      | request u32 | families u8 (bit 0: IPv4, bit 1: IPv6)        give me a range
 * 2 answer   | request u32 | outcome u8
 * 3 prepare  | subject 32 | round u32 | log length u32                     may I remove the subject?
 * 4 promise  | subject 32 | round u32 | log length u32 | 0
 *                                    … | 1 | round u32 | proposer 32 | heir 32 | cut u32   last accepted
 * 5 refuse   | subject 32 | round u32 | reason u8 | promised round u32 | log length u32
 * 6 propose  | subject 32 | round u32 | heir 32 | cut u32                  vote for it
 * ```
 * `round` is the sender's ballot in 3 and 6, and the addressee's in 4 and 5; `log length` is how much of the
 * subject's log the sender knows, in bytes.
 */
export type IpamMessage =
  | { readonly kind: 'ask'; readonly request: number; readonly families: number }
  | { readonly kind: 'answer'; readonly request: number; readonly outcome: AskOutcome }
  | { readonly kind: 'prepare'; readonly subject: PeerId; readonly round: number; readonly logLength: number }
  | {
      readonly kind: 'promise';
      readonly subject: PeerId;
      readonly round: number;
      readonly logLength: number;
      readonly accepted: AcceptedVote | undefined;
    }
  | {
      readonly kind: 'refuse';
      readonly subject: PeerId;
      readonly round: number;
      readonly reason: RefuseReason;
      readonly promisedRound: number;
      readonly logLength: number;
    }
  | {
      readonly kind: 'propose';
      readonly subject: PeerId;
      readonly round: number;
      readonly heir: PeerId;
      readonly cut: number;
    };

/** A vote that an acceptor has in its log. */
export interface AcceptedVote {
  readonly round: number;
  readonly proposer: PeerId;
  readonly heir: PeerId;
  readonly cut: number;
}

/**
 * granted: see my log. none: nothing to spare. unknown: your log has not reached me. busy: ask again later.
 * no-ring: I am in no ring, in another one, or out of order.
 */
const ASK_OUTCOMES = ['granted', 'none', 'unknown', 'busy', 'no-ring'] as const;
export type AskOutcome = (typeof ASK_OUTCOMES)[number];

/**
 * alive: gossip sees the subject alive. ballot: promised a higher one. length: our views of the subject's log differ.
 * unable: not a member, or the vote does not fit in the log.
 */
const REFUSE_REASONS = ['alive', 'ballot', 'length', 'unable'] as const;
export type RefuseReason = (typeof REFUSE_REASONS)[number];

const KINDS = ['ask', 'answer', 'prepare', 'promise', 'refuse', 'propose'] as const;

/** At most 146 bytes. */
export function encodeMessage(message: IpamMessage): Uint8Array {
  const out = new ByteWriter().u8(KINDS.indexOf(message.kind) + 1);
  switch (message.kind) {
    case 'ask':
      return out.u32(message.request).u8(message.families).finish();
    case 'answer':
      return out.u32(message.request).u8(ASK_OUTCOMES.indexOf(message.outcome)).finish();
    case 'prepare':
      return out.peer(message.subject).u32(message.round).u32(message.logLength).finish();
    case 'promise': {
      out
        .peer(message.subject)
        .u32(message.round)
        .u32(message.logLength)
        .u8(message.accepted ? 1 : 0);
      if (message.accepted) {
        const { round, proposer, heir, cut } = message.accepted;
        out.u32(round).peer(proposer).peer(heir).u32(cut);
      }
      return out.finish();
    }
    case 'refuse':
      out.peer(message.subject).u32(message.round).u8(REFUSE_REASONS.indexOf(message.reason));
      return out.u32(message.promisedRound).u32(message.logLength).finish();
    case 'propose':
      return out.peer(message.subject).u32(message.round).peer(message.heir).u32(message.cut).finish();
  }
}

/** Reads a datagram: all of it, or nothing. */
export function decodeMessage(bytes: Uint8Array): Result<IpamMessage, 'malformed'> {
  const reader = new ByteReader(bytes);
  const message = readBody(reader, KINDS[reader.u8() - 1]);
  return message && reader.finished ? ok(message) : fail('malformed');
}

function readBody(reader: ByteReader, kind: (typeof KINDS)[number] | undefined): IpamMessage | undefined {
  switch (kind) {
    case undefined:
      return undefined;
    case 'ask': {
      const [request, families] = [reader.u32(), reader.u8()];
      return families >= 1 && families <= 3 ? { kind, request, families } : undefined;
    }
    case 'answer': {
      const [request, outcome] = [reader.u32(), ASK_OUTCOMES[reader.u8()]];
      return outcome && { kind, request, outcome };
    }
    case 'prepare':
      return { kind, subject: reader.peer(), round: reader.u32(), logLength: reader.u32() };
    case 'promise': {
      const [subject, round, logLength, flag] = [reader.peer(), reader.u32(), reader.u32(), reader.u8()];
      if (flag > 1) return undefined;
      const accepted = flag
        ? { round: reader.u32(), proposer: reader.peer(), heir: reader.peer(), cut: reader.u32() }
        : undefined;
      return { kind, subject, round, logLength, accepted };
    }
    case 'refuse': {
      const [subject, round, reason] = [reader.peer(), reader.u32(), REFUSE_REASONS[reader.u8()]];
      const [promisedRound, logLength] = [reader.u32(), reader.u32()];
      return reason && { kind, subject, round, reason, promisedRound, logLength };
    }
    case 'propose':
      return { kind, subject: reader.peer(), round: reader.u32(), heir: reader.peer(), cut: reader.u32() };
  }
}
