/** A peer as this node sees it. */
export interface PeerStatus {
  readonly name: string;
  readonly peerId: string;
  /**
   * connected: packets flow, directly or by a relay. connecting: a handshake is under way. idle: alive, and nothing
   * was sent there yet. unreachable: alive, but no way leads there. suspect, dead, left: what gossip says.
   */
  readonly state: 'connected' | 'connecting' | 'idle' | 'unreachable' | 'suspect' | 'dead' | 'left';
  /** `192.0.2.1:6783` of the direct path, or null. */
  readonly endpoint: string | null;
  /** Name or id of the relay, or null. */
  readonly via: string | null;
  readonly datapath: string | null;
  readonly suite: string | null;
  readonly rttMs: number | null;
}

/** A peer that this node was told to look for, by `--peer` or `weft connect`. */
export interface SeedStatus {
  /** As it was given, in canonical text. */
  readonly seed: string;
  /**
   * connected: a peer was met there. no-udp: it was, but tunnels to it are not answered. trying: nothing came of it yet, or it is not needed at present.
   * self: it is this node. failed: it is not reached.
   */
  readonly state: 'connected' | 'no-udp' | 'trying' | 'self' | 'failed';
  /** Of the peer that was met there. */
  readonly name: string | null;
  /** What is wrong, and what to do. */
  readonly reason: string | null;
  readonly remedy: string | null;
  /** Seconds for which that has been so. */
  readonly sinceS: number | null;
  /** Seconds until it is tried again. */
  readonly nextTryS: number | null;
}

/** Answer to `weft peers`. */
export interface PeersResult {
  readonly peers: readonly (PeerStatus & {
    readonly sentBytes: number;
    readonly receivedBytes: number;
    /** Of its weftd; empty where it has not told yet. */
    readonly version: string;
    /** Endpoints that the peer announces. */
    readonly endpoints: readonly string[];
    readonly addresses: readonly string[];
    /** The largest packet of the overlay to there, bytes, and whether a packet of that size was seen to arrive. */
    readonly mtu: number;
    readonly mtuConfirmed: boolean;
    /**
     * Of the tunnel's pings of the last ten minutes the share that was not answered, 0 to 1; null where these were too few,
     * as while packets go both ways. Earlier versions do not say.
     */
    readonly loss?: number | null;
    /** Who made the TCP connection over which the two gossip; null where they gossip by others. */
    readonly link: 'ours' | 'theirs' | null;
  })[];
  readonly hidden?: number;
  /** What `--peer` and `weft connect` gave, and what came of it. */
  readonly seeds: readonly string[];
  readonly seedStates?: readonly SeedStatus[];
}
