import type { PeerId } from '../base/peer-id.ts';

/** Packets and bytes of one direction. */
export interface FlowCount {
  readonly packets: number;
  readonly bytes: number;
}

/** One connection, as connection tracking of this node has it. Addresses as text. */
export interface Flow {
  readonly source: string;
  /** −1 where the protocol has none. */
  readonly sourcePort: number;
  /** Where the client sent it: a Service, where it was one. */
  readonly destination: string;
  readonly destinationPort: number;
  /** Where it went. Differs from the destination where that was translated. */
  readonly target: string;
  readonly targetPort: number;
  /** 6, 17 … */
  readonly protocol: number;
  /** The nodes that own these addresses; undefined: outside of the cluster's range. */
  readonly sourceOwner: PeerId | undefined;
  readonly targetOwner: PeerId | undefined;
  readonly direction: FlowDirection;
  /** Milliseconds since 1970 when it began; undefined where it was there already and the kernel does not note it. */
  readonly startedAtMs: number | undefined;
}

/** Seen from the node that tells: to somewhere else, from outside, within the node, or sent on to another node. */
export type FlowDirection = 'out' | 'in' | 'local' | 'through';

/**
 * start: it began. live: a dump found it, and its beginning was not seen. update: a dump found that it moved more. end: the
 * kernel forgot it. gone: a dump did not find it any more, and its end was not seen.
 */
export type FlowEventKind = 'start' | 'live' | 'update' | 'end' | 'gone';

/** What became of a connection. */
export interface FlowEvent {
  readonly kind: FlowEventKind;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly flow: Flow;
  /** Whether packets went both ways; false in a `start`. */
  readonly isReplied: boolean;
  /** Since it began; undefined where the kernel does not count. */
  readonly sent: FlowCount | undefined;
  readonly received: FlowCount | undefined;
  /** It began while this node watched, and no event before this one told of it. */
  readonly isNew: boolean;
  /** What it moved since the event before this one, in each direction; undefined where the kernel does not count. */
  readonly moved: { readonly sent: FlowCount; readonly received: FlowCount } | undefined;
}

/** A packet that a policy denied, as weft-npc tells it. */
export interface FlowDrop {
  readonly kind: 'drop';
  readonly atMs: number;
  readonly source: string;
  readonly sourcePort: number;
  readonly target: string;
  readonly targetPort: number;
  /** `TCP`, `UDP`, `ICMP`, `protocol 47`. */
  readonly protocol: string;
  /** ingress: what may reach the target. egress: what may leave the source. */
  readonly way: 'ingress' | 'egress';
  /** `NetworkPolicy ns/name` */
  readonly policies: readonly string[];
  readonly sourceOwner: PeerId | undefined;
  readonly targetOwner: PeerId | undefined;
}

/** Why events are missing. */
type GapReason =
  /** The kernel had more than its buffer for us takes. */
  | 'overrun'
  /** More came than this node is willing to read, so it stopped reading for a moment. */
  | 'flood'
  /** weft-npc had more denied packets than it keeps. */
  | 'drops';

/** Some events are missing here. */
interface FlowGap {
  readonly kind: 'gap';
  readonly atMs: number;
  /** When the last event before it came. */
  readonly fromMs: number;
  readonly reason: GapReason;
  /** How many are known to be missing; undefined: nobody counted. */
  readonly count: number | undefined;
}

/** After a gap a dump was compared with what was known. */
interface FlowRepair {
  readonly kind: 'repaired';
  readonly atMs: number;
  /** Connections that nothing was known of, and that had gone. */
  readonly found: number;
  readonly gone: number;
}

/** One thing that a reader of flows is told. */
export type FlowRecord = FlowEvent | FlowDrop | FlowGap | FlowRepair;
