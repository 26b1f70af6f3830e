import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import type { MacKeys } from '../../crypto/cookie.ts';
import type { Datapath, Path } from '../datapath/datapath.ts';
import type { Initiation } from '../handshake/handshake.ts';
import type { PeerKey } from '../handshake/peer-key.ts';
import type { TunnelCounter } from './tunnel-counters.ts';
import type { TunnelIndices } from './tunnel-indices.ts';

/** What one tunnel needs of all of them together. */
export interface TunnelContext {
  readonly datapath: Datapath;
  readonly random: RandomSource;
  readonly counters: Counters<TunnelCounter>;
  readonly self: { readonly noiseKey: Uint8Array; readonly epoch: number };
  readonly offer: TunnelOffer;
  /** By the peer whose session or initiation it is. At most {@link INDICES_OF_PEER_MAX} a peer. */
  readonly indices: TunnelIndices<PeerId>;
  readonly handshakes: HandshakeSender;
  /** A message of an upper layer came. */
  message(from: PeerId, channel: number, bytes: Uint8Array): void;
}

/** What we say of ourselves in a handshake. */
interface TunnelOffer {
  /** Bitmaps: what our datapath has, and what the cluster permits. */
  readonly suites: number;
  readonly suiteFloor: number;
  /** Whether our datapath takes over congestion marks of outer headers. */
  readonly takesMarks: boolean;
  /** The largest inner packet we take, bytes. */
  readonly mtu: number;
}

/** How a tunnel's handshakes leave the node. */
interface HandshakeSender {
  /** A fresh initiation with a sequence of its own; undefined where the peer's key is no key. */
  initiate(to: PeerKey, localIndex: number, token: Uint8Array): Initiation | undefined;
  /** The keys of the MACs of packets to the holder of `noiseKey`. */
  macKeys(noiseKey: Uint8Array): MacKeys;
  /** Sends a handshake packet along `path`. False when the relay cannot be reached. */
  send(packet: Uint8Array, to: PeerId, path: Path, now: Instant): boolean;
}

/** Three sessions and an initiation. */
export const INDICES_OF_PEER_MAX = 4;
