import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import type { MacKeys } from '../../crypto/cookie.ts';
import type { Datapath, Path } from '../datapath/datapath.ts';
import type { Initiation } from './handshake.ts';
import type { TunnelCounter } from './tunnel-counters.ts';

/** What one tunnel needs of all of them together. */
export interface TunnelContext {
  readonly datapath: Datapath;
  readonly random: RandomSource;
  readonly counters: Counters<TunnelCounter>;
  readonly self: { readonly noiseKey: Uint8Array; readonly epoch: number };
  /** Bitmaps: what our datapath has, and what the cluster permits. */
  readonly suites: number;
  readonly suiteFloor: number;
  /** The largest inner packet we take, bytes. */
  readonly mtu: number;
  allocateIndex(peer: PeerId): number;
  releaseIndex(localIndex: number): void;
  /** A fresh initiation with a sequence of its own; undefined where the peer's key is no key. */
  initiate(to: PeerId, noiseKey: Uint8Array, localIndex: number, token: Uint8Array): Initiation | undefined;
  /** The keys of the MACs of packets to the holder of `noiseKey`. */
  macKeys(noiseKey: Uint8Array): MacKeys;
  /** Sends a handshake packet along `path`. False when the relay cannot be reached. */
  sendHandshake(packet: Uint8Array, to: PeerId, path: Path, now: Instant): boolean;
  /** A message of an upper layer came. */
  message(from: PeerId, channel: number, bytes: Uint8Array): void;
}
