import type { Address } from '../base/address.ts';
import type { Counters } from '../base/counters.ts';
import type { Endpoint } from '../base/endpoint.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { RandomSource } from '../base/random.ts';
import type { WeftError } from '../base/weft-error.ts';
import type { ClusterKeys } from '../crypto/cluster-secret.ts';
import type { Identity } from '../crypto/identity.ts';
import type { Suite } from '../crypto/suite.ts';
import type { GossipConfig } from '../gossip/model/gossip-config.ts';
import type { MemberState } from '../gossip/model/gossip-output.ts';
import type { SignedRecord, Slot } from '../gossip/model/record.ts';
import type { GivenIpamConfig } from '../ipam/model/ipam-config.ts';
import type { IpamStore } from '../ipam/model/store.ts';
import type { IpamOutput } from '../ipam/model/types.ts';
import type { Datapath, Path } from '../router/datapath/datapath.ts';
import type { LinkOutput } from '../router/link/control-links.ts';
import type { TunnelState } from '../router/tunnel/tunnel-status.ts';
import type { NodeCounter } from './node-counters.ts';
import type { QuestionOutput } from './peer-questions.ts';

/** Who a node is, in its cluster and over time. */
interface NodeSelf {
  readonly identity: Identity;
  readonly clusterKeys: ClusterKeys;
  readonly name: string;
  readonly version: string;
  /** Rises with every start of the node. */
  readonly bootEpoch: number;
  /** Another one with every boot of the host. */
  readonly bootId: string;
}

/** What a `WeftNode` is made of. */
export interface NodeOptions {
  readonly self: NodeSelf;
  readonly underlay: {
    /** Where peers may reach us, TCP and UDP alike. */
    readonly endpoints: readonly Endpoint[];
    /** Bytes. */
    readonly mtu: number;
  };
  readonly overlay: {
    /** Bytes of the largest packet. */
    readonly mtu: number;
    /** Its events are to be sent to `WeftNode.datapathEvents`. */
    readonly datapath: Datapath;
    /** What `datapath` can seal with. */
    readonly suites: readonly Suite[];
    /** Whether `datapath` takes over congestion marks of outer headers. */
    readonly takesMarks: boolean;
  };
  /**
   * Another weftd of this node may hand its tunnels over: no handshake is begun, and no record published, until
   * `SessionHandover.resume` is called.
   */
  readonly held?: boolean;
  readonly store: IpamStore;
  readonly ipam: GivenIpamConfig;
  readonly gossip?: Partial<GossipConfig>;
  readonly random: RandomSource;
  readonly counters: Counters<NodeCounter>;
}

/** What a node tells its shell, in order. */
export type NodeOutput =
  | LinkOutput
  | QuestionOutput
  /** To be kept on disk, so that a restart finds its peers; and to be dropped from there. */
  | { readonly type: 'keepRecord'; readonly record: SignedRecord }
  | { readonly type: 'dropRecord'; readonly origin: PeerId; readonly slot: Slot }
  /** The node's own overlay addresses, IPv4 first: new or other ones. */
  | { readonly type: 'ownAddresses'; readonly addresses: readonly Address[] }
  /** Answers to requests of addresses and removals, and its news. */
  | Extract<
      IpamOutput,
      {
        type:
          | 'allocated'
          | 'allocateFailed'
          | 'genesisWanted'
          | 'removalProposed'
          | 'removed'
          | 'removeFailed'
          | 'fault'
          | 'selfRemoved';
      }
    >
  | { readonly type: 'member'; readonly peer: PeerId; readonly name: string; readonly state: MemberState }
  | {
      readonly type: 'tunnel';
      readonly peer: PeerId;
      readonly name: string;
      readonly state: TunnelState;
      readonly path: Path | undefined;
    }
  /** What a peer says about a probe; `bytes` are not trusted. */
  | { readonly type: 'probeMessage'; readonly from: PeerId; readonly bytes: Uint8Array }
  /** The disk has become full, or has room again: see `FlushGate`. */
  | { readonly type: 'disk'; readonly fault: WeftError | undefined }
  /** A peer's own record breaks the rules of this version, and is dropped: to us that peer does not exist. */
  | { readonly type: 'recordRefused'; readonly peer: PeerId }
  /** Somebody connected to us who does not hold the cluster's secret. */
  | { readonly type: 'strangerRefused'; readonly remote: Endpoint }
  /** A peer signed two records under one version: it lies, was cloned, or was restored from a backup. */
  | { readonly type: 'equivocation'; readonly peer: PeerId }
  /**
   * Peers hold a later record of ours than we do (not of the ring, of which ipam reports a fault): the state folder was restored from a backup, or another weftd runs
   * on a copy of it. The shell counts the epoch past `epoch`, on disk, and tells `Gossip.raiseEpoch`.
   */
  | { readonly type: 'rolledBack'; readonly epoch: number };
