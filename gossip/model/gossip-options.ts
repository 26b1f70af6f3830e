import type { Counters } from '../../base/counters.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import type { GossipConfig } from './gossip-config.ts';
import type { GossipCounter } from './gossip-counters.ts';
import type { NodeInfo } from './node-info.ts';
import type { RecordCrypto } from './record.ts';

/** What a `Gossip` is made of. */
export interface GossipOptions {
  readonly self: PeerId;
  /** 16 bytes; records of another cluster do not verify. */
  readonly clusterId: Uint8Array;
  /** Boot epoch: higher than at any start before. */
  readonly epoch: number;
  readonly crypto: RecordCrypto;
  readonly random: RandomSource;
  readonly counters: Counters<GossipCounter>;
  readonly config?: Partial<GossipConfig>;
}

/** What the daemon knows of its own node; gossip adds the overlay links and `leaving`. */
export type OwnInfo = Omit<NodeInfo, 'links' | 'leaving'>;
