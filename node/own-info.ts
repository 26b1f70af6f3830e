import type { Address } from '../base/address.ts';
import type { Endpoint } from '../base/endpoint.ts';
import { suiteBitmap } from '../crypto/suite.ts';
import type { OwnInfo } from '../gossip/model/gossip-options.ts';
import { MTU_MAX, MTU_MIN } from '../gossip/model/node-info.ts';
import type { FreeHints } from '../ipam/model/types.ts';
import type { NodeOptions } from './node-types.ts';

/** What a node tells its peers of itself, beside its links. */
export function ownInfoOf(
  { self, underlay, overlay, ipam }: NodeOptions,
  now: {
    readonly endpoints: readonly Endpoint[];
    readonly addresses: readonly Address[];
    readonly free: FreeHints;
    /** See `NodeInfo.sessionsSince`. */
    readonly sessionsSince: number | undefined;
  },
): OwnInfo {
  const { endpoints, addresses, free, sessionsSince } = now;
  return {
    ...{ endpoints, addresses, free },
    ...(sessionsSince === undefined ? {} : { sessionsSince }),
    name: self.name,
    noiseKey: self.identity.noise.publicKey,
    version: self.version,
    suites: suiteBitmap(overlay.suites),
    mtu: Math.min(Math.max(underlay.mtu, MTU_MIN), MTU_MAX),
    ...(ipam.init.mode === 'authority' ? { authority: true } : {}),
  };
}
