import type { Address } from '../../base/address.ts';
import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import type { Range } from '../../base/range.ts';
import type { Warning } from '../../base/warning.ts';
import type { RemovalState } from './authority.ts';
import type { GivenIpamConfig } from './ipam-config.ts';
import type { IpamCounter } from './ipam-counters.ts';
import type { IpamStore } from './store.ts';

/** What an allocation belongs to: one interface of one container, as CNI names them. */
export interface AllocationKey {
  /** At most 255 characters of UTF-16. */
  readonly containerId: string;
  /** At most 15 characters, no `/`. */
  readonly ifname: string;
}

/** The node's own overlay address. A CNI container id starts with a letter or digit, so it cannot collide. */
export const NODE_KEY: AllocationKey = { containerId: '@node', ifname: 'weft0' };

/** The addresses of one interface, durable. */
export interface Allocation {
  readonly key: AllocationKey;
  /** One address for each family of the ring, IPv4 first. */
  readonly addresses: readonly Address[];
  /** The boot of the host in which it was made (or last confirmed). */
  readonly bootId: string;
}

/** What a node hands to its Ipam. */
export interface IpamOptions {
  readonly self: PeerId;
  /** This node's name, as the electorate lists it. */
  readonly name: string;
  /** /proc/sys/kernel/random/boot_id, or whatever else changes with every boot of the host. */
  readonly bootId: string;
  readonly random: RandomSource;
  readonly counters: Counters<IpamCounter>;
  readonly store: IpamStore;
  /** A message to the peer arrives as things are, without anything to be opened first. Default: all do. */
  readonly hasWayTo?: (peer: PeerId) => boolean;
  readonly config: GivenIpamConfig;
}

/** Numbers a call of {@link Ipam.allocate} or {@link Ipam.removePeer}; unique within one process. */
export type RequestId = number;

export type AllocateFailure =
  /** No ring yet: nobody started one, or it has not been seen. */
  | 'no-ring'
  /** Every peer that could give a range says that it has none. */
  | 'pool-full'
  /** Peers that have space did not answer in time. */
  | 'no-answer'
  /** Two rings met, the ranges differ, or this node's state was rolled back: see the status. */
  | 'fault'
  /** This node was removed from the ring. */
  | 'removed'
  /** More requests wait than the limit. */
  | 'busy'
  /** The key is too long or empty. */
  | 'bad-key';

/** Why a removal did not come about. */
export type RemoveFailure =
  | 'unknown-peer'
  | 'self'
  /** Gossip sees the peer alive, here or at a peer whose vote is needed. */
  | 'peer-alive'
  /** The peer's council is so small that it has no majority without the peer: start another node first. */
  | 'too-few-members'
  /** A majority of the peer's council did not answer in time. */
  | 'no-majority'
  | 'no-ring'
  | 'fault'
  | 'busy'
  /** The authority outside did not take the removal in time. */
  | 'no-authority'
  /** Another initiator's removal of the same peer won; the ranges went to that one. */
  | 'lost-race';

/** Why a node cannot leave at present. */
export type LeaveFailure =
  /** It has no part in a ring yet, or is at fault, or does not know yet what was decided while it was away. */
  | 'no-ring'
  /** Containers have addresses of this node. */
  | 'in-use'
  /** Nobody is alive that could take its range. */
  | 'no-heir'
  /** Its log has no room for the grants. */
  | 'log-full';

/** The votes that a removal lacks: how many are needed, of how many peers, and which peers have not voted. */
export interface MissingVotes {
  readonly needed: number;
  readonly of: number;
  readonly peers: readonly PeerId[];
}

/** How far a removal is that this node drives. */
export interface RemovalProgress {
  readonly peer: PeerId;
  /**
   * asking: for promises, or for the fence of the authority outside. waiting: until what the peer began has ended.
   * deciding: votes are collected, or the authority is asked for its decree.
   */
  readonly phase: 'asking' | 'waiting' | 'deciding';
  /** When the waiting ends, where it is known. */
  readonly waitUntil: Instant | undefined;
  /** Undefined where no votes are needed. */
  readonly missing: MissingVotes | undefined;
}

/** log2 of the largest free run of addresses, rounded down, by family; absent where there is nothing to give. */
export interface FreeHints {
  readonly 4?: number;
  readonly 6?: number;
}

/** What stops this node from allocating, or what an operator should know of. All are declared in ipam-warnings.ts. */
export type IpamFault = Warning;

export type IpamOutput =
  /** To be signed and spread by gossip as our record of that slot. */
  | { readonly type: 'publish'; readonly slot: 'ring' | 'paxos'; readonly payload: Uint8Array }
  /** An unreliable datagram for the peer's Ipam (channel 2; the channel byte is the shell's), ≤ 1,000 bytes. */
  | { readonly type: 'message'; readonly to: PeerId; readonly bytes: Uint8Array }
  | { readonly type: 'allocated'; readonly request: RequestId; readonly allocation: Allocation }
  | {
      readonly type: 'allocateFailed';
      readonly request: RequestId;
      readonly key: AllocationKey;
      readonly reason: AllocateFailure;
    }
  /**
   * Mode 'authority': there is no ring to be seen. The shell asks the authority for its genesis and, where that has
   * none, proposes this one; what the authority then has it tells by `Ipam.genesisDecided`. Comes once.
   */
  | { readonly type: 'genesisWanted'; readonly proposal: Uint8Array }
  /**
   * Mode 'authority': to be put in place of what the authority last showed of that subject (nothing, where it showed
   * none), unless that has changed. Comes again while the authority shows something else.
   */
  | { readonly type: 'removalProposed'; readonly state: RemovalState }
  /** The peer's ranges have moved to this node. */
  | { readonly type: 'removed'; readonly request: RequestId; readonly peer: PeerId }
  | {
      readonly type: 'removeFailed';
      readonly request: RequestId;
      readonly peer: PeerId;
      readonly reason: RemoveFailure;
      /** Of 'no-majority' and 'too-few-members'. */
      readonly missing?: MissingVotes;
    }
  /** {@link Ipam.owners} has changed, or a peer was removed: routes are to be replaced, and tunnels ended. */
  | { readonly type: 'ringChanged'; readonly revision: number }
  /** {@link Ipam.freeHints} has changed: the node record is to be published again. */
  | { readonly type: 'freeChanged' }
  /** A fault that was not there before, once each time that it appears. */
  | { readonly type: 'fault'; readonly fault: IpamFault }
  /** This node was removed from the ring: it allocates no more, for good. Comes once per start. */
  | { readonly type: 'selfRemoved' };

/** The state of a node's address management, for people and for STATUS. */
export interface IpamStatus {
  readonly state: 'waiting' | 'ready' | 'removed' | 'fault';
  /** One sentence for the user: what is waited for, or what is wrong and what to do. Empty when ready. */
  readonly detail: string;
  readonly faults: readonly IpamFault[];
  /** Hex of the ring's genesis id. */
  readonly ring: string | undefined;
  /** The pod ranges of that ring, whether this node has a part in it or not. */
  readonly ringRanges: readonly Range[] | undefined;
  readonly revision: number;
  /** What this node owns. */
  readonly ranges: readonly Range[];
  /** Addresses owned, in use, and free to be handed out, by family. Some owned ones are neither: a range's first. */
  readonly owned: { readonly 4: bigint; readonly 6: bigint };
  readonly used: { readonly 4: number; readonly 6: number };
  readonly free: { readonly 4: bigint; readonly 6: bigint };
  /** Allocations that lie in ranges which this node does not own (any more): restart those pods. */
  readonly orphaned: readonly Allocation[];
  readonly pending: { readonly allocations: number; readonly removals: readonly RemovalProgress[] };
  /** Removed peers and who got their ranges. */
  readonly removed: readonly { readonly peer: PeerId; readonly heir: PeerId }[];
  /** Bytes of our ring log, of at most {@link RING_LOG_LIMIT}. */
  readonly logBytes: number;
}
