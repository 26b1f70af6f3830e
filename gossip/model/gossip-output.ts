import type { Endpoint } from '../../base/endpoint.ts';
import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { NodeInfo } from './node-info.ts';
import type { SignedRecord, Slot, Version } from './record.ts';

/** A TCP connection after its handshake, numbered by the shell; never reused. */
export type LinkId = number;

/**
 * How a member stands, as we see it. `unknown`: its record is held (from disk or a peer), nothing was heard of its
 * life. `left`: it said goodbye. Ownership of addresses must never hang on this.
 */
export type MemberState = 'unknown' | 'alive' | 'suspect' | 'dead' | 'left';

/** Another peer whose `node` record is held. */
export interface Member {
  readonly peer: PeerId;
  readonly state: MemberState;
  /** When that state began, as far as we saw it. */
  readonly since: Instant;
  /** Of its `node` record. */
  readonly version: Version;
  readonly info: NodeInfo;
}

/** What `Gossip.poll()` hands out, in order. */
export type GossipOutput =
  /** One frame for the link's stream, at most 65,000 bytes. */
  | { readonly type: 'frame'; readonly link: LinkId; readonly bytes: Uint8Array }
  /** A SWIM datagram for the tunnel to `to` (without the channel byte), at most 1,099 bytes; may be lost. */
  | { readonly type: 'packet'; readonly to: PeerId; readonly bytes: Uint8Array }
  /** Connect; answer with `linkOpened` or `dialFailed`. `expected`: who should be there, as a hint only. */
  | { readonly type: 'dial'; readonly endpoint: Endpoint; readonly expected?: PeerId }
  /** Send what is queued, then close. No `linkClosed` is needed in answer; one is harmless. */
  | { readonly type: 'closeLink'; readonly link: LinkId; readonly reason: CloseReason }
  /**
   * A record, verified, newer than any held of its origin and slot (own ones too): persist, feed other cores.
   * `restored`: it came from disk by `Gossip.restore`, so it need not be persisted again.
   */
  | { readonly type: 'record'; readonly record: SignedRecord; readonly restored: boolean }
  /** It is not held any more, for want of room or since its origin is forgotten: delete it from disk. Never of slot `ring`. */
  | { readonly type: 'recordGone'; readonly origin: PeerId; readonly slot: Slot }
  /**
   * A peer holds a record of ours that we do not remember: our state folder was rolled back, or our identity runs
   * twice. The record is valid and now held. Merge it, persist an epoch above its, and call `raiseEpoch`.
   */
  | { readonly type: 'ownRecordAhead'; readonly record: SignedRecord }
  /** Proof that the origin signed two different records under one version. Once for each origin. */
  | { readonly type: 'equivocation'; readonly kept: SignedRecord; readonly other: SignedRecord }
  /** A peer told us a record of its own that breaks the rules, over a link with itself. It is dropped each time. */
  | { readonly type: 'recordRefused'; readonly peer: PeerId }
  /** What the core beyond a link said by `Gossip.sendMessage`; `from` was proven by the link's handshake. */
  | { readonly type: 'message'; readonly from: PeerId; readonly bytes: Uint8Array }
  | { readonly type: 'member'; readonly peer: PeerId; readonly state: Exclude<MemberState, 'unknown'> };

/**
 * Why we end a link. `self`: we met ourselves. `duplicate`: another one to the same peer stays. `surplus`: one too many
 * of our own; `full`: of those accepted. `offence`: forgeries or malformed frames; `banned`: that was lately. `silent`:
 * no word or no room for too long. `dead`: its peer counts as dead.
 */
export type CloseReason =
  | 'self'
  | 'duplicate'
  | 'surplus'
  | 'full'
  | 'offence'
  | 'banned'
  | 'silent'
  | 'dead'
  | 'leaving';
