import { bytesOfBase64, textOfBase64 } from './base64.ts';
import type { ConfigMap } from './objects.ts';

/** The label that all objects of Weft carry. */
export const PART_OF_WEFT = 'app.kubernetes.io/part-of=weft';

/**
 * The beginning of the cluster's ring, decided by who created this ConfigMap first. The API server lets one request
 * of all that create a name succeed, which is all the agreement that a genesis needs. `immutable` keeps it from being
 * edited.
 */
export const GENESIS_NAME = 'weft-genesis';

/**
 * The object that proposes `genesis`, to be created. `clusterId` (hex) names the secret of the nodes that share in this
 * ring, so that one with another secret is told. `founder` and `ranges` are for people.
 */
export function genesisObject(
  namespace: string,
  genesis: Uint8Array,
  told: { readonly clusterId: string; readonly founder: string; readonly ranges: readonly string[] },
): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: GENESIS_NAME, namespace, labels: labels() },
    immutable: true,
    data: {
      genesis: textOfBase64(genesis),
      cluster: told.clusterId,
      founder: told.founder,
      ranges: told.ranges.join(' '),
    },
  };
}

/** The genesis in the object; undefined where somebody wrote something else into it. */
export function genesisOf(object: ConfigMap): Uint8Array | undefined {
  const text = object.data.genesis;
  return text === undefined ? undefined : bytesOfBase64(text);
}

/** Hex of the cluster whose ring it is; undefined where the object does not say it, as those of earlier versions. */
export function clusterIdOf(object: ConfigMap): string | undefined {
  const text = object.data.cluster ?? '';
  return CLUSTER_ID.test(text) ? text : undefined;
}

const CLUSTER_ID = /^[0-9a-f]{32}$/;

/** The labels of an object of ours. */
export function labels(): Record<string, string> {
  const [name, value] = PART_OF_WEFT.split('=') as [string, string];
  return { [name]: value };
}
