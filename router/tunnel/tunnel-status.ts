import type { Endpoint } from '../../base/endpoint.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { Suite } from '../../crypto/suite.ts';
import type { Path } from '../datapath/datapath.ts';

/** What the peer's signed record says of it. */
export interface PeerInfo {
  /** X25519 static key, 32 bytes. */
  readonly noiseKey: Uint8Array;
  readonly endpoints: readonly Endpoint[];
  /** The boot epoch from which on the peer has lost no session: a rise means that it has restarted and lost those of before. */
  readonly epoch: number;
}

/** See the diagram in tunnel.ts. */
export type TunnelState = 'idle' | 'handshaking' | 'established' | 'unreachable';

/** A tunnel as `weft status` shows it. */
export interface TunnelStatus {
  readonly peer: PeerId;
  readonly state: TunnelState;
  readonly path: Path | undefined;
  readonly suite: Suite | undefined;
  /** Smoothed, milliseconds. */
  readonly rttMs: number | undefined;
  /** Of its pings of the last ten minutes the share that was not answered, 0 to 1; undefined where these were too few. */
  readonly loss: number | undefined;
  /** The largest inner packet of the path, bytes, and whether a probe of that size came through. */
  readonly mtu: number;
  readonly mtuConfirmed: boolean;
}

/** What the tunnels tell the upper layers. */
export type TunnelEvent =
  /** A message of an upper layer; `bytes` are the receiver's. */
  | { readonly type: 'message'; readonly from: PeerId; readonly channel: number; readonly bytes: Uint8Array }
  /** What is now so; changes in between may have been skipped. */
  | {
      readonly type: 'peerState';
      readonly peer: PeerId;
      readonly state: TunnelState;
      readonly path: Path | undefined;
      readonly suite: Suite | undefined;
      readonly rttMs: number | undefined;
    };

/** Why a peer's record gives no tunnel: it is our own, there are too many peers, its static key is no key or ours. */
export type PeerFault = 'isSelf' | 'tooMany' | 'badKey';
