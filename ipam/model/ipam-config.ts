import type { Range } from '../../base/range.ts';
import { DEFAULT_SAFE_WAIT_MS } from './safe-wait.ts';
import { DEFAULT_SEED_WAIT_MS } from './seed-wait.ts';

/** How this node comes to a ring where its store holds none. A ring that peers show is adopted in every mode. */
export type RingInit =
  /** This node starts the ring, unless a peer shows one within `seedWaitMs`. */
  | { readonly mode: 'seed' }
  /** The listed nodes, by name, agree on one ring; a majority of the list has to take part. */
  | { readonly mode: 'consensus'; readonly electorate: readonly string[] }
  /** An object outside that can be created only once decides: see `genesisWanted` and `Ipam.genesisDecided`. */
  | { readonly mode: 'authority' }
  /** Waits for a ring made by others. */
  | { readonly mode: 'observer' }
  /** As observer; the status tells the user that nobody was told to start the ring. */
  | { readonly mode: 'none' };

/** Settings of address management. */
export interface IpamConfig {
  /** The whole pod range: at most one of each family, each at least 4 addresses. */
  readonly ranges: readonly Range[];
  readonly init: RingInit;
  /** How long a seed listens for an existing ring before it starts one. Milliseconds; 0 where it knows no peer. */
  readonly seedWaitMs: number;
  /** How long an allocation may wait for a range from another node. Milliseconds. */
  readonly allocateTimeoutMs: number;
  /** See {@link DEFAULT_SAFE_WAIT_MS}. */
  readonly safeWaitMs: number;
}

/** What has to be given, and what need not be: the rest is as in {@link DEFAULT_IPAM_CONFIG}. */
export type GivenIpamConfig = Pick<IpamConfig, 'ranges' | 'init'> & Partial<IpamConfig>;

/** What a daemon runs with where nothing else is given. */
export const DEFAULT_IPAM_CONFIG: Omit<IpamConfig, 'ranges' | 'init'> = {
  seedWaitMs: DEFAULT_SEED_WAIT_MS,
  allocateTimeoutMs: 10_000,
  safeWaitMs: DEFAULT_SAFE_WAIT_MS,
};
