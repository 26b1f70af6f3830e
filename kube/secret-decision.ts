import { WeftError } from '../base/weft-error.ts';
import { GENESIS_NAME } from './ring-object.ts';
import { SECRET_NAME } from './secret-object.ts';

/** A cluster's secret, and the cluster that it names. */
export interface ClusterSecret {
  readonly text: string;
  /** Hex. */
  readonly clusterId: string;
}

/** What a node that is about to start knows of its cluster's secret. */
export interface SecretEvidence {
  /** The Secret in the API; undefined where there is none. */
  readonly secret: ClusterSecret | undefined;
  /** The object that began the ring, and the cluster that it names: undefined where an earlier version made it. */
  readonly genesis: { readonly clusterId: string | undefined } | undefined;
  /** What this node kept on its disk. Only a node that has a part in a ring keeps it. */
  readonly kept: ClusterSecret | undefined;
  /** Another node is Ready: it may have a part in a ring, and be about to put the Secret back. */
  readonly mayOthersHold: boolean;
  /** Since the first look that found no Secret. */
  readonly waitedMs: number;
}

export type SecretDecision =
  /** Take the Secret that is there. */
  | { readonly step: 'use'; readonly text: string }
  /** Create the objects that this node kept. */
  | { readonly step: 'put-back' }
  /** Create a Secret with a new secret. */
  | { readonly step: 'make' }
  /** Look again soon. `why` is for the user. */
  | { readonly step: 'wait'; readonly why: string }
  /** This node would not reach the others, or would be refused by its own state folder. */
  | { readonly step: 'refuse'; readonly fault: WeftError };

/** Nodes of a cluster whose manifest was deleted and applied again have so long to put their Secret back. */
export const PUT_BACK_MS = 10_000;

/**
 * Which secret a node starts with. The Secret can be lost while nodes live (somebody deleted it, or its namespace with
 * the manifest): then nobody may make a new one beside them, for nodes of two secrets never reach each other. So a node
 * that has a part in a ring puts its own back, and one that has none makes a new one only where no ring is known.
 */
export function decideSecret(evidence: SecretEvidence): SecretDecision {
  const { secret, genesis, kept, mayOthersHold, waitedMs } = evidence;
  const best = secret ?? kept;
  if (secret !== undefined && kept !== undefined && secret.clusterId !== kept.clusterId)
    return { step: 'refuse', fault: otherThanKept(secret.clusterId, kept.clusterId) };
  if (best !== undefined && genesis?.clusterId !== undefined && genesis.clusterId !== best.clusterId)
    return { step: 'refuse', fault: otherThanRing(best.clusterId, genesis.clusterId, secret !== undefined) };
  if (secret !== undefined) return { step: 'use', text: secret.text };
  if (kept !== undefined) return { step: 'put-back' };
  if (genesis !== undefined) return { step: 'wait', why: RING_WITHOUT_SECRET };
  if (mayOthersHold && waitedMs < PUT_BACK_MS) return { step: 'wait', why: OTHERS_FIRST };
  return { step: 'make' };
}

const RING_WITHOUT_SECRET =
  `there is a ring (ConfigMap ${GENESIS_NAME}) and no Secret ${SECRET_NAME}; ` +
  'waiting for a node of that ring to put the Secret back; ' +
  `if no such node is left, delete the ConfigMap, and a new cluster begins`;
const OTHERS_FIRST = `there is no Secret ${SECRET_NAME}; waiting whether another node puts it back`;

function otherThanKept(secretId: string, keptId: string): WeftError {
  return new WeftError(
    'E_SECRET_OTHER',
    `Secret ${SECRET_NAME} is of cluster ${short(secretId)}, and this node has a part in the ring of cluster ${short(keptId)}`,
    `if the cluster is ${short(keptId)}, delete the Secret, and this node puts the right one back; else run weft-reset.yaml on this node`,
  );
}

function otherThanRing(id: string, ringId: string, isSecret: boolean): WeftError {
  const what = isSecret ? `Secret ${SECRET_NAME}` : 'the secret that this node kept';
  const mend = isSecret
    ? 'delete the Secret, and a node of that ring puts the right one back'
    : 'run weft-reset.yaml on this node';
  return new WeftError(
    'E_SECRET_OTHER',
    `${what} is of cluster ${short(id)}, and the ring (ConfigMap ${GENESIS_NAME}) of cluster ${short(ringId)}`,
    `${mend}; if no node of that ring is left, delete the ConfigMap instead`,
  );
}

function short(clusterId: string): string {
  return `${clusterId.slice(0, 8)}…`;
}
