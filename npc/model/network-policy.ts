import type { Range } from '../../base/range.ts';
import { isRecord, readMeta } from '../../kube/objects.ts';
import { mergeBlocks, readBlock, subtractBlocks } from './address-blocks.ts';
import { EVERYTHING, readLabelSelector } from './label-selector.ts';
import {
  type Peer,
  type Policy,
  type PolicyRule,
  podsOfNamespace,
  podsOfNamespaces,
  toldFaults,
} from './policy.ts';
import { allPorts, isProtocol, type PortMatch, portNumber } from './port-match.ts';

/**
 * Reads a NetworkPolicy of networking.k8s.io/v1; undefined where it is no object of the API at all. What is not
 * understood allows nothing:
 * - A peer or a port that is not understood matches nothing; the other ones of the rule count.
 * - Where it is not understood which pods are meant, all pods of the policy's namespace are isolated and nothing is allowed.
 * - Where it is not understood which directions are meant, both are.
 */
export function readNetworkPolicy(value: unknown): Policy | undefined {
  const meta = readMeta(value);
  if (meta === undefined || meta.namespace === '' || !isRecord(value)) return undefined;
  const faults: string[] = [];
  if (!isRecord(value.spec)) faults.push('spec is no object');
  const spec = isRecord(value.spec) ? value.spec : {};
  const selector = isRecord(value.spec)
    ? readLabelSelector(spec.podSelector)
    : 'nothing says which pods are meant';
  const isUnderstood = typeof selector !== 'string';
  if (!isUnderstood) faults.push(`podSelector: ${selector}, so all pods of the namespace are isolated`);
  const types = directionsOf(spec, faults);
  const rulesOf = (direction: 'ingress' | 'egress'): readonly PolicyRule[] =>
    isUnderstood ? readRules(spec[direction], direction, meta.namespace, faults) : [];
  return {
    ...meta,
    kind: 'NetworkPolicy',
    tier: 'NetworkPolicy',
    priority: 0,
    subject: podsOfNamespace(meta.namespace, isUnderstood ? selector : EVERYTHING),
    rules: {
      ingress: types.ingress ? rulesOf('ingress') : undefined,
      egress: types.egress ? rulesOf('egress') : undefined,
    },
    faults: toldFaults(faults),
  };
}

/** `policyTypes`, or what the API server makes of it where it is absent: Ingress, and Egress if there are egress rules. */
function directionsOf(
  spec: Readonly<Record<string, unknown>>,
  faults: string[],
): { readonly ingress: boolean; readonly egress: boolean } {
  const { policyTypes = null, egress } = spec;
  if (policyTypes !== null && !Array.isArray(policyTypes)) {
    faults.push('policyTypes is no list, so both directions are isolated');
    return { ingress: true, egress: true };
  }
  const types: readonly unknown[] = policyTypes ?? [];
  if (types.length === 0) {
    return { ingress: true, egress: egress !== undefined && egress !== null && !isEmptyList(egress) };
  }
  const unknown = types.filter((type) => type !== 'Ingress' && type !== 'Egress');
  if (unknown.length === 0) return { ingress: types.includes('Ingress'), egress: types.includes('Egress') };
  faults.push('policyTypes has one that is not known, so both directions are isolated');
  return { ingress: true, egress: true };
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function readRules(
  value: unknown,
  direction: 'ingress' | 'egress',
  namespace: string,
  faults: string[],
): readonly PolicyRule[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    faults.push(`${direction} is no list, so it allows nothing`);
    return [];
  }
  const side = direction === 'ingress' ? 'from' : 'to';
  return (value as unknown[]).map((rule, i) => {
    const told = (fault: string): void => {
      faults.push(`${direction}[${i}]: ${fault}`);
    };
    const unknown = isRecord(rule) ? Object.keys(rule).find((key) => key !== side && key !== 'ports') : '';
    if (!isRecord(rule) || unknown !== undefined) {
      told('it is not understood, so it allows nothing');
      return { name: '', action: 'Accept', peers: [], ports: [] };
    }
    return {
      name: '',
      action: 'Accept',
      peers: readPeers(rule[side], namespace, told),
      ports: readPorts(rule.ports, told),
    };
  });
}

function readPeers(
  value: unknown,
  namespace: string,
  told: (fault: string) => void,
): 'any' | readonly Peer[] {
  if (value === undefined || value === null || isEmptyList(value)) return 'any';
  if (!Array.isArray(value)) {
    told('its peers are no list, so it allows nothing');
    return [];
  }
  const peers: Peer[] = [];
  const blocks: Range[] = [];
  for (const entry of value as unknown[]) {
    const peer = readPeer(entry, namespace);
    if (typeof peer === 'string') told(`a peer matches nothing: ${peer}`);
    else if (peer.kind === 'blocks') blocks.push(...peer.blocks);
    else peers.push(peer);
  }
  return blocks.length > 0 ? [...peers, { kind: 'blocks', blocks: mergeBlocks(blocks) }] : peers;
}

function readPeer(value: unknown, namespace: string): Peer | string {
  if (!isRecord(value)) return 'it is no object';
  const unknown = Object.keys(value).find(
    (key) => key !== 'podSelector' && key !== 'namespaceSelector' && key !== 'ipBlock',
  );
  if (unknown !== undefined) return 'it has a field that is not known';
  const { podSelector = null, namespaceSelector = null, ipBlock = null } = value;
  if (ipBlock !== null) {
    if (podSelector !== null || namespaceSelector !== null) return 'it has an ipBlock and a selector';
    return readIpBlock(ipBlock);
  }
  if (podSelector === null && namespaceSelector === null) return 'it says nothing';
  const pods = readLabelSelector(podSelector);
  if (typeof pods === 'string') return pods;
  if (namespaceSelector === null) return { kind: 'pods', pods: podsOfNamespace(namespace, pods) };
  const namespaces = readLabelSelector(namespaceSelector);
  if (typeof namespaces === 'string') return namespaces;
  return { kind: 'pods', pods: podsOfNamespaces(namespaces, pods) };
}

function readIpBlock(value: unknown): Peer | string {
  if (!isRecord(value) || typeof value.cidr !== 'string') return 'its ipBlock has no cidr';
  if (Object.keys(value).some((key) => key !== 'cidr' && key !== 'except'))
    return 'its ipBlock has a field that is not known';
  const block = readBlock(value.cidr);
  if (block === undefined) return 'its cidr is none';
  const { except = null } = value;
  if (except === null) return { kind: 'blocks', blocks: [block] };
  if (!Array.isArray(except)) return 'its except is no list';
  const holes: Range[] = [];
  for (const text of except as unknown[]) {
    const hole = typeof text === 'string' ? readBlock(text) : undefined;
    if (hole === undefined) return 'an entry of except is no CIDR';
    holes.push(hole);
  }
  return { kind: 'blocks', blocks: subtractBlocks(block, holes) };
}

function readPorts(value: unknown, told: (fault: string) => void): 'any' | readonly PortMatch[] {
  if (value === undefined || value === null || isEmptyList(value)) return 'any';
  if (!Array.isArray(value)) {
    told('its ports are no list, so it allows nothing');
    return [];
  }
  const ports: PortMatch[] = [];
  for (const entry of value as unknown[]) {
    const port = readPort(entry);
    if (typeof port === 'string') told(`a port matches nothing: ${port}`);
    else ports.push(port);
  }
  return ports;
}

/** A NetworkPolicyPort: `protocol` is TCP where it is absent, `endPort` goes with a number only. */
function readPort(value: unknown): PortMatch | string {
  if (!isRecord(value)) return 'it is no object';
  if (Object.keys(value).some((key) => key !== 'protocol' && key !== 'port' && key !== 'endPort'))
    return 'it has a field that is not known';
  const { port = null, endPort = null } = value;
  const protocol = value.protocol ?? 'TCP';
  if (!isProtocol(protocol)) return 'its protocol is not known';
  if (port === null) return endPort === null ? allPorts(protocol) : 'it has an endPort and no port';
  if (typeof port === 'string')
    return endPort === null ? { kind: 'named', protocol, name: port } : 'it has an endPort and a name';
  const first = portNumber(port);
  if (first === undefined) return 'its number is none of a port';
  if (endPort === null) return { kind: 'range', protocol, first, last: first };
  const last = portNumber(endPort);
  if (last === undefined || last < first) return 'its endPort lies below its port, or is none';
  return { kind: 'range', protocol, first, last };
}
