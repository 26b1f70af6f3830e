import { formatAddress, parseAddress } from '../../base/address.ts';
import { isRecord, type ObjectMeta, readMeta } from '../../kube/objects.ts';
import { type LabelSets, type Labels, sameLabels } from './labels.ts';
import { isProtocol, type Protocol } from './port-match.ts';
import { SharedValues } from './shared-values.ts';

/** A port that a container names or only numbers. */
interface ContainerPort {
  /** Empty where it has none. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** What policy needs to know of a pod. */
export interface PolicyPod extends ObjectMeta {
  readonly labels: Labels;
  /** `status.podIPs`, in the one way in which we write addresses; empty until the kubelet has told them. */
  readonly addresses: readonly string[];
  /** Empty until it is scheduled. */
  readonly nodeName: string;
  /** Succeeded or Failed: its addresses are no longer its own. A pod that is being deleted has not ended. */
  readonly hasEnded: boolean;
  /** It has the addresses of its node, so no policy selects it, as subject or as peer. */
  readonly hostNetwork: boolean;
  /** Of all containers, sidecars among them, that have a name; nothing else is ever asked for. */
  readonly namedPorts: readonly ContainerPort[];
  /** `kubernetes.io/config.hash`, by which runtimes know a static pod; empty for all others. */
  readonly configHash: string;
}

/** Addresses of one pod: one of each family. */
const MAX_ADDRESSES = 2;
/** Ports of one pod that are looked at. */
const MAX_PORTS = 1024;
const NO_PORTS: readonly ContainerPort[] = [];
/** The pods of one workload share their ports. */
const PORT_LISTS = new SharedValues<readonly ContainerPort[]>();
const CONFIG_HASH = 'kubernetes.io/config.hash';

/** Undefined where it is no pod. `labelSets` keeps the labels, shared with those of others. */
export function readPod(value: unknown, labelSets: LabelSets): PolicyPod | undefined {
  const meta = readMeta(value);
  if (meta === undefined || meta.namespace === '' || !isRecord(value)) return undefined;
  const metadata = value.metadata as Readonly<Record<string, unknown>>;
  const spec = isRecord(value.spec) ? value.spec : {};
  const status = isRecord(value.status) ? value.status : {};
  const configHash = isRecord(metadata.annotations) ? metadata.annotations[CONFIG_HASH] : undefined;
  // All fields in one place: objects that are made by spreading take a third more memory.
  return {
    namespace: meta.namespace,
    name: meta.name,
    uid: meta.uid,
    resourceVersion: meta.resourceVersion,
    labels: labelSets.read(metadata.labels),
    addresses: addressesOf(status),
    nodeName: typeof spec.nodeName === 'string' ? spec.nodeName : '',
    hasEnded: status.phase === 'Succeeded' || status.phase === 'Failed',
    hostNetwork: spec.hostNetwork === true,
    namedPorts: namedPortsOf(spec),
    configHash: typeof configHash === 'string' ? configHash : '',
  };
}

function addressesOf(status: Readonly<Record<string, unknown>>): readonly string[] {
  const listed = Array.isArray(status.podIPs) ? (status.podIPs as unknown[]) : [];
  const texts = listed.map((entry) => (isRecord(entry) ? entry.ip : undefined));
  const found = new Set<string>();
  for (const text of texts.length > 0 ? texts : [status.podIP]) {
    const address = typeof text === 'string' ? parseAddress(text) : undefined;
    if (address !== undefined && found.size < MAX_ADDRESSES) found.add(formatAddress(address));
  }
  return [...found];
}

/** Containers, and init containers that run on beside them. */
function namedPortsOf(spec: Readonly<Record<string, unknown>>): readonly ContainerPort[] {
  const containers = Array.isArray(spec.containers) ? (spec.containers as unknown[]) : [];
  const initial = Array.isArray(spec.initContainers) ? (spec.initContainers as unknown[]) : [];
  const sidecars = initial.filter((each) => isRecord(each) && each.restartPolicy === 'Always');
  const named: ContainerPort[] = [];
  for (const container of [...containers, ...sidecars]) {
    const ports = isRecord(container) && Array.isArray(container.ports) ? (container.ports as unknown[]) : [];
    for (const entry of ports) {
      if (!isRecord(entry) || named.length >= MAX_PORTS) continue;
      const { name, containerPort: port, protocol = 'TCP' } = entry;
      if (typeof name !== 'string' || name === '' || typeof port !== 'number' || !isProtocol(protocol))
        continue;
      if (Number.isInteger(port) && port >= 1 && port <= 65_535) named.push({ name, protocol, port });
    }
  }
  return named.length > 0 ? PORT_LISTS.of(JSON.stringify(named), () => [...named]) : NO_PORTS;
}

/** Whether policy sees no difference between two versions of a pod. */
export function samePod(a: PolicyPod, b: PolicyPod): boolean {
  return (
    sameLabels(a.labels, b.labels) &&
    a.addresses.join() === b.addresses.join() &&
    a.nodeName === b.nodeName &&
    a.hasEnded === b.hasEnded &&
    a.hostNetwork === b.hostNetwork &&
    a.configHash === b.configHash &&
    (a.namedPorts === b.namedPorts || JSON.stringify(a.namedPorts) === JSON.stringify(b.namedPorts))
  );
}
