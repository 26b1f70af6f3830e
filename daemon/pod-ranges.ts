import { addressFromBytes } from '../base/address.ts';
import { concat } from '../base/bytes.ts';
import { parseCidr, type Range } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import type { ClusterKeys } from '../crypto/cluster-secret.ts';
import { sameUniverses } from '../ipam/model/genesis.ts';
import type { IpamFault } from '../ipam/model/types.ts';
import { type Config, DEFAULT_RANGE4 } from './settings/config.ts';

/**
 * The cluster's pod ranges, IPv4 first: those of the settings. By default IPv4 is that of `ring`, the ranges of the ring
 * to which the node belongs already or which it joins, if any, and IPv6 comes from the cluster's own prefix.
 */
export function podRanges(
  config: Pick<Config, 'range4' | 'range6'>,
  keys: Pick<ClusterKeys, 'ula'>,
  ring?: readonly Range[],
): Range[] {
  const default4 = ring ? ring.find(({ family }) => family === 4) : parseCidr(DEFAULT_RANGE4);
  const range4 = config.range4 === 'default' ? default4 : config.range4;
  const range6 = config.range6 === 'derived' ? uniqueLocalRange(keys.ula) : config.range6;
  return [range4, range6].filter((range) => range !== undefined);
}

/**
 * The ranges of a ring, where a node that names none may go by them: it has no part in a ring, and its settings leave
 * them open. Undefined where its settings say otherwise.
 */
export function adoptableRanges(
  config: Pick<Config, 'range4' | 'range6'>,
  keys: Pick<ClusterKeys, 'ula'>,
  ring: readonly Range[],
): readonly Range[] | undefined {
  return sameUniverses(podRanges(config, keys, ring), ring) ? ring : undefined;
}

/**
 * Throws E_RANGE_MISMATCH where this node's part of the ring was made with other ranges than the settings name: to serve
 * with those would take the routes from pods that run. A node that has no ring yet learns of it later.
 */
export function refuseOtherRanges(faults: readonly IpamFault[]): void {
  const found = faults.find(({ code }) => code === 'E_RANGE_MISMATCH');
  if (found !== undefined) throw new WeftError(found.code, found.message, found.remedy);
}

/** The /64 with subnet id 0 below fd00::/8 and `globalId`, 5 bytes (RFC 4193 §3.1). */
function uniqueLocalRange(globalId: Uint8Array): Range {
  const prefix = concat(Uint8Array.of(0xfd), globalId, new Uint8Array(10));
  const start = addressFromBytes(prefix)!.value;
  return { family: 6, start, end: start + (1n << 64n) };
}
