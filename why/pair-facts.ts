import type { Address } from '../base/address.ts';
import type { Warning } from '../base/warning.ts';
import type { PolicyExplainResult } from '../control/npc-request.ts';
import type { PeersResult } from '../control/peer-status.ts';
import type { WhyPort } from './why-port.ts';

/** A pod of this node, as its kernel has it. */
export interface LocalPod {
  /** The host's end, `wv` and 11 hex digits. */
  readonly link: string;
  readonly containerId: string;
  /** Undefined where the kernel has no such interface. */
  readonly state: { readonly index: number; readonly up: boolean; readonly mtu: number } | undefined;
  /** The interface to which this node's own route for the pod's address leads; undefined where there is none. */
  readonly routedTo: string | undefined;
}

/** One end of the pair. */
export interface PairEnd {
  /** As it was asked for. */
  readonly text: string;
  /** `namespace/name`, where somebody knows it. */
  readonly pod: string | null;
  readonly address: Address;
  /** Who has the address: this node or a peer, by name; null where it is of no node. */
  readonly node: string | null;
  readonly place:
    | { readonly is: 'pod'; readonly local: LocalPod }
    /** An address of this node's range, or its own, that no pod has. */
    | { readonly is: 'node' | 'nobody' }
    | { readonly is: 'peer'; readonly peer: PeersResult['peers'][number] }
    /** `inRange`: of the pod range, but no node owns it. */
    | { readonly is: 'outside'; readonly inRange: boolean };
}

/** Which route the kernel takes for a packet of the source that comes in by its interface. */
export type RouteFact =
  | { readonly is: 'route'; readonly link: string; readonly gateway: Address | undefined }
  /** The kernel's error code. */
  | { readonly is: 'refused'; readonly code: string }
  | { readonly is: 'unknown' };

/** What weft-npc says about the pair. */
export type PolicyFact =
  | { readonly is: 'judged'; readonly explained: PolicyExplainResult }
  /** This node keeps no gate and has no weft-npc. */
  | { readonly is: 'not-enforced' }
  | { readonly is: 'unknown'; readonly why: string };

/** All that was looked up about a pair, on the source's node. */
export interface PairFacts {
  readonly asked: WhyPort;
  /** Of this node. */
  readonly nodeName: string;
  readonly source: PairEnd;
  readonly target: PairEnd;
  readonly policy: PolicyFact;
  /** Links for whose pods the gate is open; undefined where there is no gate. */
  readonly decided: ReadonlySet<string> | undefined;
  /** Of the family of the pair: `1` where the kernel forwards; undefined where it cannot be read. */
  readonly forwarding: string | undefined;
  readonly route: RouteFact;
  /** What other programs do to packets of pods, and programs whose rules cannot be read here. */
  readonly masks: readonly Warning[];
  readonly drops: readonly Warning[];
  readonly unread: readonly string[];
  /** The TUN interface, `weft0`. */
  readonly tun: string;
}
