import type { Warning } from '../../base/warning.ts';
import type { SilentNode } from '../../control/flow-request.ts';
import type { PeerStatus } from '../../control/peer-status.ts';

/**
 * What the page shows: the nodes with their tunnels, the workloads with what they say to each other, what was dropped and
 * why, and how all that went over time. Made from answers of weftd and weft-npc only (make-picture.ts).
 *
 * Times are milliseconds since 1970. Texts hold no control characters, and are shown as text alone. Each row of a list has
 * an `id` that no other row of the list has, and that stays.
 */
export interface Picture extends PictureHead {
  readonly nodes: readonly NodeRow[];
  readonly tunnels: readonly TunnelRow[];
  readonly workloads: readonly WorkloadRow[];
  readonly edges: readonly EdgeRow[];
  /** Packets that policies denied, the last one last; at most {@link MAX_DENIED}. Of all nodes that told. */
  readonly denied: readonly DeniedRow[];
  readonly series: Series;
}

/** What is told anew as a whole when it changes. */
export interface PictureHead {
  /** Rises by one with each change. */
  readonly number: number;
  readonly at: number;
  /** The node whose weftd is asked, and the version of it. */
  readonly node: string;
  readonly version: string;
  /** Nodes that told of their flows, with this one; and those that did not, with the reason. */
  readonly told: number;
  readonly silent: readonly SilentNode[];
  /** Seconds of which the amounts in edges are. */
  readonly seconds: number;
  /** Whether the kernel counts bytes; where it does not, they are 0 and mean nothing. */
  readonly counted: boolean;
  /** What weftd and weft-npc warn of, the worst first. */
  readonly warnings: readonly Warning[];
  /** What is missing in the picture, a sentence each. */
  readonly notes: readonly string[];
  /** Why weftd does not answer at present: the rest is as it was last known. Null while it does. */
  readonly away: string | null;
  /** What weft-npc says of policies; null where none answers. */
  readonly policy: PolicyHead | null;
  readonly viewer: Viewer;
}

/** Who looks, and what of the cluster they are shown. */
export interface Viewer {
  /** The user's name in Kubernetes; null for who came by the link, and is shown everything. */
  readonly user: string | null;
  /** Namespaces that are shown; null: all. */
  readonly namespaces: readonly string[] | null;
  /** Whether nodes and tunnels are shown. */
  readonly seesNodes: boolean;
}

/** How the policies of the node stand that was asked. */
export interface PolicyHead {
  readonly complete: boolean;
  /** Pods of this node that policies select; null where nothing was loaded yet. */
  readonly selected: number | null;
  /** Pods for whom nobody has spoken yet: `namespace/name`, or the link. */
  readonly waiting: readonly string[];
  readonly unhonoured: readonly { readonly policy: string; readonly reasons: readonly string[] }[];
}

/** A node of the cluster. */
export interface NodeRow {
  /** The peer id. */
  readonly id: string;
  readonly name: string;
  /** The node that was asked. */
  readonly isSelf: boolean;
  readonly version: string;
  readonly state: PeerStatus['state'] | 'self';
  /** Overlay addresses. */
  readonly addresses: readonly string[];
  /** Endpoints of the underlay that it announces. */
  readonly endpoints: readonly string[];
  /** Workloads of it that are shown, and whether it told of its flows; null where it was not asked. */
  readonly told: boolean | null;
}

/** A tunnel, as the node at its one end sees it. */
export interface TunnelRow {
  /** `FROM>TO`, the ids of nodes; the node at `from` tells. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly state: PeerStatus['state'];
  /** direct: packets go to the endpoint. relayed: by another node. none: no packets go. */
  readonly path: 'direct' | 'relayed' | 'none';
  readonly endpoint: string | null;
  /** The name of the relay. */
  readonly via: string | null;
  /** What moves its packets: `fast` are the lanes in C++, `sleeve` is the way in TypeScript. */
  readonly datapath: string | null;
  /** The cipher. */
  readonly suite: string | null;
  readonly rttMs: number | null;
  /** Of its pings of the last ten minutes the share that was not answered, 0 to 1; null where these were too few. */
  readonly loss: number | null;
  /** The largest packet of a pod that it takes, bytes; null where it is not known. Whether that is proven. */
  readonly mtu: number | null;
  readonly mtuConfirmed: boolean;
  /** Sealed bytes a second, as `from` sees it; null where it is not known yet. */
  readonly sentBytesPerS: number | null;
  readonly receivedBytesPerS: number | null;
  /** Whether the two gossip over a TCP connection of their own. */
  readonly hasLink: boolean;
}

/**
 * workload: pods of one Deployment, DaemonSet, StatefulSet or Job, as their names tell, or one pod. address: an address of
 * the cluster's range of which nobody knows the name. node: a node itself. outside: an address outside of the cluster, or,
 * with the id `outside`, all that have no row of their own. other: what this viewer may not see.
 */
type WorkloadKind = 'workload' | 'address' | 'node' | 'outside' | 'other';

/** Somebody who talks, or is talked to. */
export interface WorkloadRow {
  readonly id: string;
  readonly kind: WorkloadKind;
  /** Null where it has none. */
  readonly namespace: string | null;
  readonly name: string;
  /** The pods of it that were seen talking, at most {@link MAX_PODS}; of other kinds the address alone. */
  readonly pods: readonly { readonly name: string; readonly node: string | null; readonly address: string }[];
  /** All of them, also those that are not listed. */
  readonly podCount: number;
  /** Names of the nodes they are on. */
  readonly nodes: readonly string[];
}

/** What one workload says to another one: connections that the source began. */
export interface EdgeRow {
  /** `SOURCE>TARGET`, the ids of workloads. */
  readonly id: string;
  readonly source: string;
  readonly target: string;
  /** dropped: only denied packets were seen. mixed: some passed and some were denied. idle: neither, lately. */
  readonly verdict: 'forwarded' | 'dropped' | 'mixed' | 'idle';
  readonly open: number;
  /** Over {@link PictureHead.seconds}. */
  readonly beganPerS: number;
  readonly droppedPerS: number;
  readonly sentBytesPerS: number;
  readonly receivedBytesPerS: number;
  /** The same for each port, the busiest first; at most {@link MAX_PORTS}. */
  readonly ports: readonly EdgePort[];
  /** From which node to which, by name; at most {@link MAX_WAYS}. Null: outside of the cluster. */
  readonly ways: readonly { readonly from: string | null; readonly to: string | null }[];
  /** Policies that denied packets of it, of those that were told: `NetworkPolicy ns/name`. */
  readonly policies: readonly string[];
}

/** One port of an edge. */
export interface EdgePort {
  /** `TCP`, `UDP` … */
  readonly protocol: string;
  /** Of the Service where there is one; null where there is none. */
  readonly port: number | null;
  /** The address of the Service to which clients sent it. */
  readonly service: string | null;
  readonly open: number;
  readonly beganPerS: number;
  readonly droppedPerS: number;
  readonly sentBytesPerS: number;
  readonly receivedBytesPerS: number;
}

/** A packet that was denied: a sample, for the kernel tells of some a second only. */
export interface DeniedRow {
  readonly id: string;
  readonly at: number;
  readonly source: DeniedEnd;
  readonly target: DeniedEnd;
  readonly protocol: string;
  readonly port: number | null;
  /** ingress: what may reach the target. egress: what may leave the source. */
  readonly way: 'ingress' | 'egress';
  readonly policies: readonly string[];
}

/** One end of a denied packet. */
export interface DeniedEnd {
  /** The id of its workload. */
  readonly workload: string;
  readonly pod: string | null;
  readonly address: string;
  readonly node: string | null;
}

/** Numbers over time, since somebody began to watch: a point each {@link SERIES_STEP_MS}, at most {@link SERIES_POINTS}. */
export interface Series {
  /** When each point was taken, the last one last. */
  readonly at: readonly number[];
  readonly lines: readonly SeriesLine[];
}

/** One number over time. */
export interface SeriesLine {
  /** `open`, `began`, `denied`, `sent`, `received`, `rtt`, and `drop:NAME` for each reason for which packets were dropped. */
  readonly id: string;
  readonly name: string;
  /** What it is, in a sentence. */
  readonly help: string;
  readonly unit: 'connections' | 'connections/s' | 'packets/s' | 'bytes/s' | 'ms';
  /** As many as there are points; null: not known. */
  readonly values: readonly (number | null)[];
}

export const MAX_DENIED = 200;
export const MAX_PODS = 20;
export const MAX_PORTS = 16;
export const MAX_WAYS = 16;
export const SERIES_STEP_MS = 2_000;
export const SERIES_POINTS = 300;
