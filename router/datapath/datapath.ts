import type { Counters } from '../../base/counters.ts';
import type { Endpoint } from '../../base/endpoint.ts';
import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { Range } from '../../base/range.ts';
import type { WeftError } from '../../base/weft-error.ts';
import type { Suite } from '../../crypto/suite.ts';
import type { DatapathCounter } from './datapath-counters.ts';
import type { SessionProgress } from './session-progress.ts';

/**
 * The border between the control core (`tunnels.ts`: handshakes, paths, rekeying) and whatever moves packets.
 *
 * The control core installs sessions and paths and never sees a data packet; a datapath seals, opens and routes
 * and knows nothing of handshakes. The sleeve implements this in TypeScript; a native datapath fits beside it
 * without a change to either side. Every packet that is not data goes up through {@link DatapathEvents.foreign}.
 *
 * {@link Datapath} and {@link DatapathEvents} are the two sides of the border. {@link DatapathKind} and
 * {@link OpenDatapath} are how a program gets a datapath without knowing which.
 */
export interface Datapath {
  /**
   * Makes `session` able to receive. It sends only after {@link use}. The datapath takes a copy of the keys. `before`: where
   * another datapath ended with these keys; nobody else may seal or open with them any more.
   */
  install(session: DataSession, before?: SessionProgress): void;
  /** How far a session was used; undefined where there is none of that index. */
  progress(localIndex: number): SessionProgress | undefined;
  /** From now on packets for the session's peer are sealed with it; waiting packets go out. */
  use(localIndex: number): void;
  /** Forgets the session and erases its keys. Unknown indices are ignored. */
  remove(localIndex: number): void;
  /** Where packets for `peer` go; undefined while there is no way. */
  setPath(peer: PeerId, path: Path | undefined): void;
  /** The largest IP packet, in bytes, that the path to `peer` carries; larger ones are answered with ICMP. */
  setMtu(peer: PeerId, bytes: number): void;
  /** Who owns which part of the pod range: disjoint ranges. The whole table is replaced. */
  setRoutes(routes: readonly Route[]): void;
  /**
   * Sends a control message over the tunnel to `peer`. `via` overrides the path (for probes and challenges of a
   * path not in use). `padTo`: pad the outer UDP payload to this many bytes (path MTU probes). `port`: the number, from 1,
   * of the further source port that it is to leave by, see {@link setPorts}; not from within an event.
   * False when there is no session or no path; the message is not kept.
   */
  sendControl(peer: PeerId, body: Uint8Array, options?: SendOptions): boolean;
  /**
   * By which further source ports, told with {@link DatapathEvents.busy}, flows to `peer` may leave: bit `n` for number
   * `n`, from 1. None by default, and from each new path on.
   */
  setPorts(peer: PeerId, ports: number): void;
  /**
   * Sends an outer packet that is not data (handshake, cookie) along `path`: plainly to an endpoint, or wrapped
   * in an envelope for a relay. False when the relay has no session.
   */
  sendForeign(path: Path, to: PeerId | undefined, packet: Uint8Array): boolean;
  /** Counters of the tunnel to `peer` since it was first installed. */
  stats(peer: PeerId): TunnelStats;
  /** What all tunnels have carried since the start, those that are gone included: it never falls. */
  totals(): TrafficTotals;
  /** Counts what a datapath before this one carried for `peer`; undefined: for peers that it had forgotten. */
  addTraffic(peer: PeerId | undefined, before: TunnelStats): void;
}

/** How a control message is to be sent; see {@link Datapath.sendControl}. */
export interface SendOptions {
  readonly via?: Path;
  readonly padTo?: number;
  readonly port?: number;
}

/** One direction-pair of keys between us and a peer, as the handshake left it. */
export interface DataSession {
  readonly peer: PeerId;
  /** Index that we chose and the peer writes into its packets; unique among our live sessions; not 0. */
  readonly localIndex: number;
  /** Index that the peer chose and we write into ours. */
  readonly remoteIndex: number;
  readonly suite: Suite;
  /** Whether the peer takes over congestion marks of outer headers, so that the network may set some. */
  readonly peerTakesMarks: boolean;
  /** 32 bytes each. */
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
}

/** A way to a peer: an endpoint of the underlay, or another peer that passes packets on. */
export type Path =
  | { readonly kind: 'direct'; readonly endpoint: Endpoint }
  | { readonly kind: 'relay'; readonly via: PeerId };

/** A part of the pod range and the peer that owns it. */
export interface Route {
  readonly range: Range;
  readonly owner: PeerId;
}

/** Counters of one tunnel. Packets and their bytes are those that were sealed or opened, of whatever kind. */
export interface TunnelStats {
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly droppedPackets: number;
  /** Bytes of IP packets alone, without what the tunnel itself says and what is relayed for others. */
  readonly sentIpBytes: number;
  readonly receivedIpBytes: number;
  /** When the last packet that opened came in. */
  readonly lastReceivedAt: Instant | undefined;
  /** When the last packet, data or control, was sealed. */
  readonly lastSentAt: Instant | undefined;
}

/** What is added up of all tunnels. */
export type TrafficTotals = Pick<
  TunnelStats,
  'sentPackets' | 'sentBytes' | 'receivedPackets' | 'receivedBytes' | 'sentIpBytes' | 'receivedIpBytes'
>;

/** The counters of a tunnel that has carried nothing. */
export const NO_STATS: TunnelStats = {
  sentPackets: 0,
  sentBytes: 0,
  receivedPackets: 0,
  receivedBytes: 0,
  droppedPackets: 0,
  sentIpBytes: 0,
  receivedIpBytes: 0,
  lastReceivedAt: undefined,
  lastSentAt: undefined,
};

/** What a datapath tells the control core. Called synchronously from the datapath's inputs. */
export interface DatapathEvents {
  /** A packet for `peer` waits (bounded) because there is no session or no path. */
  sessionWanted(peer: PeerId, now: Instant): void;
  /** The first packet of an installed session opened: the peer holds the keys. */
  confirmed(localIndex: number, from: Origin, now: Instant): void;
  /** A valid packet, newer than all before it, came from elsewhere than the path of its peer. */
  moved(localIndex: number, from: Origin, now: Instant): void;
  /** A control message of the peer (kind 2), the bytes owned by the callee. */
  control(peer: PeerId, body: Uint8Array, localIndex: number, from: Origin, now: Instant): void;
  /** The session nears its limit of messages (rekey) or reached it (dead). */
  exhausted(localIndex: number, limit: 'rekey' | 'dead', now: Instant): void;
  /**
   * Much goes straight to `peer`, and there are `ports` further source ports to spread it over. Told once, until
   * {@link Datapath.setPorts} says that there are none for it.
   */
  busy(peer: PeerId, ports: number, now: Instant): void;
  /** A packet that is not data, the bytes owned by the callee. */
  foreign(packet: Uint8Array, from: Origin, now: Instant): void;
  /** A data packet for an index we do not have (the peer may have outlived our restart). */
  unknownIndex(receiverIndex: number, from: Origin, now: Instant): void;
}

/** Where a packet came from: an endpoint of the underlay, or out of the envelope of a relay we have a session with. */
export type Origin = Path;

/**
 * A kind of datapath, as the program knows it before it runs one. `choose-datapath.ts` picks among the kinds,
 * `datapaths.io.ts` lists those of this build.
 */
export interface DatapathKind {
  /** What `--datapath` calls it. */
  readonly name: string;
  /** Why it cannot run on this host, as the end of "because …"; undefined where it can. Changes nothing. */
  unfit(): string | undefined;
  /**
   * Opens its sockets and its TUN device. All or nothing; no packet moves before {@link OpenDatapath.start}.
   * Throws a WeftError that says what is wrong and what to do.
   */
  open(options: DatapathOptions): Promise<OpenDatapath>;
}

/** What a datapath runs on. */
export interface DatapathOptions {
  readonly self: PeerId;
  /** UDP. */
  readonly port: number;
  /** Numeric addresses; none: all of the host. */
  readonly listen: readonly string[];
  /** Name of the TUN device, which is created where there is none and stays when the datapath closes. */
  readonly tunName: string;
  /** The largest inner packet, bytes. */
  readonly overlayMtu: number;
  readonly counters: Counters<DatapathCounter>;
  readonly clock: () => Instant;
  /** What the weftd before left open, in place of which nothing is opened. */
  readonly inherited?: InheritedDevices | undefined;
}

/**
 * The TUN device and the sockets of another process, which still reads them: their descriptors stay the giver's, and nothing
 * is read before {@link OpenDatapath.start}.
 */
export interface InheritedDevices {
  readonly tun: number;
  readonly sockets: readonly number[];
}

/** A datapath that was opened. */
export interface OpenDatapath {
  readonly name: string;
  /** What it can seal with here. */
  readonly suites: readonly Suite[];
  /** Whether it takes over congestion marks of outer headers (`router/packet/ecn.ts`). */
  readonly takesMarks: boolean;
  /** What of it works on this host, and why not where it does not; for `weft report`. */
  readonly features: readonly DatapathFeature[];
  /** Its side of the border. */
  readonly datapath: Datapath;
  /**
   * Begins to move packets. Once. `onFault` hears, at most once, of what ends it for good (the TUN was deleted).
   */
  start(events: DatapathEvents, onFault: (error: WeftError) => void): void;
  /** Its descriptors, for a process that is to go on with them; undefined where it cannot tell all of them. */
  readonly devices: InheritedDevices | undefined;
  /**
   * Reads no more, for good. What was read has gone its way when this returns; what comes then waits in the kernel. Sessions
   * can still be asked, until {@link close}.
   */
  stop(): void;
  /** Ends all. Harmless when repeated. */
  close(): void;
}

/** A part of a datapath that a host may lack. */
export interface DatapathFeature {
  /** In words: `TCP super-packets to the TUN`. */
  readonly name: string;
  /** Whether the host says that it has it, and then got it wrong when it was tried. */
  readonly wrong: boolean;
  /** Why it does not work here; undefined where it does. */
  readonly fault: string | undefined;
}
