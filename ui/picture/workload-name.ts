import type { FlowEnd } from '../../control/flow-request.ts';
import { shown } from './shown-text.ts';

/** Whom an end of a flow belongs to. */
export interface WorkloadEnd {
  readonly id: string;
  readonly kind: 'workload' | 'address' | 'node' | 'outside';
  readonly namespace: string | null;
  readonly name: string;
  /** The pod, or the address, itself. */
  readonly pod: string;
}

/** The id of all that is outside of the cluster and has no row of its own. */
export const OUTSIDE = 'outside';

/** What Kubernetes makes random ends of names from: no vowels, and nothing that looks like one. */
const SAFE = '[bcdfghjklmnpqrstvwxz2456789]';
/** Names that controllers give to pods, the longest pattern first: the workload's name, then what they put behind it. */
const GENERATED: readonly RegExp[] = [
  // Deployment: the hash of the template, then a random end.
  new RegExp(`^(.+)-${SAFE}{6,10}-${SAFE}{5}$`),
  // CronJob: the minute for which the Job is, then a random end.
  new RegExp(`^(.+)-\\d{8,10}-${SAFE}{5}$`),
  // DaemonSet, Job, ReplicaSet.
  new RegExp(`^(.+)-${SAFE}{5}$`),
  // StatefulSet.
  /^(.+)-\d{1,5}$/,
];

/**
 * The name of the workload of a pod, as the pod's own name tells: nobody is asked for the owner of each pod. A name that
 * somebody chose to look like a generated one is taken for that.
 */
export function workloadOfPod(pod: string): string {
  for (const pattern of GENERATED) {
    const [, name] = pattern.exec(pod) ?? [];
    if (name !== undefined) return name;
  }
  return pod;
}

/** Whom `end` belongs to; null: somebody outside of the cluster. */
export function workloadOfEnd(end: FlowEnd | null): WorkloadEnd {
  if (end === null)
    return { id: OUTSIDE, kind: 'outside', namespace: null, name: 'outside of the cluster', pod: '' };
  const address = shown(end.address);
  if (end.pod !== null) {
    const [namespace = '', ...rest] = shown(end.pod).split('/');
    const pod = rest.join('/');
    const name = workloadOfPod(pod);
    return { id: `w:${namespace}/${name}`, kind: 'workload', namespace, name, pod };
  }
  if (end.node === null)
    return { id: `o:${address}`, kind: 'outside', namespace: null, name: address, pod: address };
  if (!end.isNode)
    return { id: `a:${address}`, kind: 'address', namespace: null, name: address, pod: address };
  const node = shown(end.node);
  return { id: `n:${node}`, kind: 'node', namespace: null, name: node, pod: node };
}
