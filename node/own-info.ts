import type { Address } from '../base/address.ts';
import type { Endpoint } from '../base/endpoint.ts';
import { suiteBitmap } from '../crypto/suite.ts';
import type { OwnInfo } from '../gossip/model/gossip-options.ts';
import { MTU_MAX, MTU_MIN } from '../gossip/model/node-info.ts';
import type { FreeHints } from '../ipam/model/types.ts';
import type { NodeOptions } from './node-types.ts';

/** What a node tells its peers of itself, beside its links. */
export function ownInfoOf(
  options: NodeOptions,
  now: {
    readonly endpoints: readonly Endpoint[];
    readonly addresses: readonly Address[];
    readonly free: FreeHints;
  },
): OwnInfo {
  const { name, identity, version, suites, underlayMtu, ipam } = options;
  return {
    ...now,
    name,
    noiseKey: identity.noise.publicKey,
    version,
    suites: suiteBitmap(suites),
    mtu: Math.min(Math.max(underlayMtu, MTU_MIN), MTU_MAX),
    ...(ipam.init.mode === 'authority' ? { authority: true } : {}),
  };
}
