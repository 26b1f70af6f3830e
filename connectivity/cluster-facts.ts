import { isRecord, readMeta } from '../kube/objects.ts';

/** A node on which Weft runs. */
export interface WeftNodeFacts {
  readonly name: string;
  /** Its addresses of type InternalIP. */
  readonly addresses: readonly string[];
}

/** A pod of the test, as the API has it. */
export interface PodFacts {
  readonly name: string;
  readonly phase: string;
  readonly isReady: boolean;
  readonly addresses: readonly string[];
  /** Why it does not run, where that is told. */
  readonly waitsFor: string;
}

/** The Service of the test. */
export interface ServiceFacts {
  readonly addresses: readonly string[];
  /** The port of each node for TCP; undefined where none was given. */
  readonly nodePort: number | undefined;
}

/** The image of Weft's DaemonSet; undefined where it is none of the manifest. */
export function readImage(daemonSet: unknown): string | undefined {
  const containers = at(daemonSet, 'spec', 'template', 'spec', 'containers');
  const weft = list(containers).find((each) => isRecord(each) && each.name === 'weft');
  const image = isRecord(weft) ? weft.image : undefined;
  return typeof image === 'string' && image !== '' ? image : undefined;
}

/** Names of the nodes on which a pod of Weft's DaemonSet is ready. */
export function readWeftNodes(pods: readonly unknown[]): string[] {
  return pods.flatMap((pod) => {
    const node = at(pod, 'spec', 'nodeName');
    return typeof node === 'string' && isConditionTrue(pod, 'Ready') ? [node] : [];
  });
}

/** Undefined where it is no pod. */
export function readPod(value: unknown): PodFacts | undefined {
  const meta = readMeta(value);
  if (meta === undefined) return undefined;
  const status = at(value, 'status');
  const ips = list(at(status, 'podIPs')).flatMap((each) => text(at(each, 'ip')) ?? []);
  const states = list(at(status, 'containerStatuses')).flatMap((each) => {
    const waiting = at(each, 'state', 'waiting');
    const ended = at(each, 'state', 'terminated');
    return [text(at(waiting, 'reason')), text(at(waiting, 'message')), text(at(ended, 'reason'))].filter(
      (word) => word !== undefined,
    );
  });
  return {
    name: meta.name,
    phase: text(at(status, 'phase')) ?? '',
    isReady: isConditionTrue(value, 'Ready'),
    addresses: ips,
    waitsFor: [...states, text(at(status, 'message'))].filter((word) => word !== undefined).join(': '),
  };
}

export function readService(value: unknown): ServiceFacts {
  const addresses = list(at(value, 'spec', 'clusterIPs')).flatMap((each) => text(each) ?? []);
  const ports = list(at(value, 'spec', 'ports'));
  const port = ports.map((each) => (at(each, 'protocol') === 'TCP' ? at(each, 'nodePort') : undefined));
  return { addresses, nodePort: port.find((each) => typeof each === 'number') };
}

function isConditionTrue(value: unknown, type: string): boolean {
  return list(at(value, 'status', 'conditions')).some(
    (each) => isRecord(each) && each.type === type && each.status === 'True',
  );
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) found = isRecord(found) ? found[key] : undefined;
  return found;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
