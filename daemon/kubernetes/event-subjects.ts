import type { GROUND_WARNINGS } from '../../ground/ground-warnings.ts';
import type { METRICS_WARNINGS } from '../../host/metrics/metrics-warnings.ts';
import type { IPAM_WARNINGS } from '../../ipam/ipam-warnings.ts';
import type { KUBE_WARNINGS } from '../../kube/kube-warnings.ts';
import type { DAEMON_WARNINGS } from '../daemon-warnings.ts';
import type { POD_WARNINGS } from '../pods/pod-warnings.ts';
import type { GATE_WARNINGS } from '../policy/gate-warnings.ts';

/**
 * Whom a warning concerns, and so who tells of it by an event of Kubernetes. `node`: this node, on its Node. `cluster`: all
 * nodes, on the DaemonSet, and only the caretaker tells it. `nobody`: it asks nobody to act, or cannot be told while it
 * stands, or is the same on every node and no more than a loss of speed.
 */
export type EventSubject = 'node' | 'cluster' | 'nobody';

type DeclaredCode =
  | keyof typeof DAEMON_WARNINGS
  | keyof typeof GATE_WARNINGS
  | keyof typeof GROUND_WARNINGS
  | keyof typeof IPAM_WARNINGS
  | keyof typeof KUBE_WARNINGS
  | keyof typeof METRICS_WARNINGS
  | keyof typeof POD_WARNINGS;

/** For each warning of weftd. Types let none be forgotten. */
const SUBJECT_BY_CODE: Readonly<Record<DeclaredCode, EventSubject>> = {
  // Addresses and the ring.
  E_REMOVED: 'node',
  E_FENCE_PENDING: 'node',
  E_RING_ROLLBACK: 'node',
  E_RING_FORK: 'node',
  E_RANGE_MISMATCH: 'node',
  E_TWO_RINGS: 'node',
  E_RIVAL_RING: 'cluster',
  E_NAME_TAKEN: 'node',
  E_PEER_FORK: 'cluster',
  E_RING_LOG_FULL: 'node',
  W_RING_LOG_FILLING: 'node',
  W_RING_CROWDED: 'cluster',
  // The host's network.
  W_REPAIR_UNDONE: 'node',
  E_ROUTE_MASKS_PODS: 'node',
  E_RULE_MASKS_PODS: 'node',
  E_ADDRESS_MASKS_PODS: 'node',
  E_NO_RULE_TO_MAIN: 'node',
  E_LINK_NOT_FORWARDING: 'node',
  E_FORWARD_DROPPED: 'node',
  E_HOST_NETWORK: 'node',
  // Interfaces in pods.
  W_POD_UNDONE: 'node',
  W_POD_NOT_MENDED: 'node',
  W_POD_CUT_OFF: 'node',
  // Kubernetes. What nobody can tell the API about: that it does not answer.
  E_API_UNREACHED: 'nobody',
  E_API_UNTRUSTED: 'nobody',
  E_API_UNAUTHORIZED: 'nobody',
  E_API_FORBIDDEN: 'cluster',
  W_API_BUSY: 'nobody',
  E_API_BROKEN: 'cluster',
  E_RANGE_OVERLAP: 'cluster',
  W_KUBE_PROXY_RANGE: 'cluster',
  W_KUBE_PROXY_INTERFACES: 'cluster',
  W_KUBE_PROXY_NODE_RANGE: 'cluster',
  W_KUBE_PROXY_IPVS: 'cluster',
  W_POD_CIDR: 'cluster',
  // The gate for policies.
  E_POLICY_NEVER_COMPLETE: 'node',
  E_PODS_AT_GATE: 'node',
  W_NPC_ABSENT: 'node',
  E_GATE: 'node',
  W_GATE_CONTESTED: 'node',
  W_POD_FILES: 'node',
  // The node and its surroundings.
  E_GENESIS_DAMAGED: 'cluster',
  E_OTHER_SECRET: 'cluster',
  E_OTHER_RING: 'cluster',
  W_POLICIES_UNENFORCED: 'cluster',
  W_NODES_UNREACHED: 'cluster',
  E_CONTROL_SOCKET: 'node',
  E_STATE_LOST: 'node',
  E_NO_POD_ADDRESS: 'node',
  E_CNI_CONFIG_ORDER: 'node',
  E_NO_LOOPBACK_PLUGIN: 'node',
  W_NO_PORTMAP_PLUGIN: 'node',
  W_CNI_FILES_CONTESTED: 'node',
  W_UNDERLAY_MTU: 'node',
  W_PEER_RECORD_REFUSED: 'cluster',
  W_STRANGER_REFUSED: 'node',
  W_PEER_NOT_REACHED: 'node',
  W_FEATURE_WRONG: 'nobody',
  W_SHARED_NAME: 'cluster',
  W_FOREIGN_ADDRESS: 'node',
  W_REMOVAL_PENDING: 'nobody',
  W_METRICS_PORT: 'node',
};

/** Whom the warning `code` concerns. A fault of the host that is declared elsewhere, as a full disk, is of this node. */
export function eventSubject(code: string): EventSubject {
  return (SUBJECT_BY_CODE as Readonly<Record<string, EventSubject>>)[code] ?? 'node';
}
