import type { Range } from '../../base/range.ts';
import { type ClusterKeys, parseClusterSecret } from '../../crypto/cluster-secret.ts';
import { cryptoReady } from '../../crypto/ready.ts';
import { podRanges } from '../pod-ranges.ts';
import type { Config } from '../settings/config.ts';
import { readSecretFile } from '../state/secret-file.io.ts';

/** The cluster that a node belongs to. */
export interface Cluster {
  /** Everything that is derived from the cluster's secret. */
  readonly keys: ClusterKeys;
  /** The pod ranges, IPv4 first. */
  readonly ranges: readonly Range[];
}

/** Reads the secret file and the ranges of the settings. Rejects with E_SECRET_…. */
export async function readCluster(
  config: Pick<Config, 'secretFile' | 'range4' | 'range6'>,
): Promise<Cluster> {
  await cryptoReady;
  const keys = parseClusterSecret(readSecretFile(config.secretFile));
  return { keys, ranges: podRanges(config, keys) };
}
