import type { Range } from '../../base/range.ts';
import { isRecord, readMeta } from '../../kube/objects.ts';
import { mergeBlocks, readBlock } from './address-blocks.ts';
import { EVERYTHING, readLabelSelector } from './label-selector.ts';
import {
  type Direction,
  denyAll,
  type Peer,
  type PodSelector,
  type Policy,
  type PolicyRule,
  podsOfNamespaces,
  toldFaults,
} from './policy.ts';
import { allPorts, type PortMatch, PROTOCOLS, portNumber } from './port-match.ts';

const MAX_PRIORITY = 1000;
/** Of the name of a rule. */
const MAX_NAME_LENGTH = 100;
/** The keys of `protocols[]` that have ports, by the protocol they mean. */
const KEY_BY_PROTOCOL = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const;

/**
 * Reads a ClusterNetworkPolicy of policy.networking.k8s.io, v1alpha2 or v1beta1, which have one schema; undefined where
 * it is no object of the API at all. What is not understood fails closed, as the API has it: an Accept rule with a peer,
 * protocol or field that is not known matches nothing, a Deny or Pass rule with one denies all. A policy whose tier or
 * priority is not understood denies all in each direction for which it has rules. One whose subject is not understood
 * selects nobody: whom it was meant for is not known, and to take everybody would be one policy's fault on all pods.
 */
export function readClusterNetworkPolicy(value: unknown): Policy | undefined {
  const meta = readMeta(value);
  if (meta === undefined || !isRecord(value)) return undefined;
  const faults: string[] = [];
  const spec = isRecord(value.spec) ? value.spec : {};
  const subject = readSubject(spec.subject);
  if (typeof subject === 'string') faults.push(`subject: ${subject}, so the policy selects nobody`);
  const { tier, priority } = spec;
  const hasPlace =
    (tier === 'Admin' || tier === 'Baseline') &&
    typeof priority === 'number' &&
    Number.isInteger(priority) &&
    priority >= 0 &&
    priority <= MAX_PRIORITY;
  if (!hasPlace) faults.push('tier or priority is not understood, so the policy denies all');
  const rulesOf = (direction: Direction): readonly PolicyRule[] | undefined => {
    const rules = readRules(spec[direction], direction, faults);
    return rules === undefined || hasPlace ? rules : [denyAll('')];
  };
  return {
    ...meta,
    namespace: '',
    kind: 'ClusterNetworkPolicy',
    tier: hasPlace && tier === 'Baseline' ? 'Baseline' : 'Admin',
    priority: hasPlace ? priority : 0,
    subject: typeof subject === 'string' ? undefined : subject,
    rules: { ingress: rulesOf('ingress'), egress: rulesOf('egress') },
    faults: toldFaults(faults),
  };
}

/** Pods by namespaces alone, or by `pods`: exactly one of the two. */
function readSubject(value: unknown): PodSelector | string {
  const only = onlyField(value);
  if (only === undefined) return 'it has not exactly one field';
  const [field, content] = only;
  return readPodsField(field, content) ?? `its field ${field} is not known`;
}

/** What `namespaces` and `pods` mean, in a subject as in a peer; undefined for another field. */
function readPodsField(field: string, content: unknown): PodSelector | string | undefined {
  if (field === 'namespaces') {
    const namespaces = readLabelSelector(content);
    return typeof namespaces === 'string' ? namespaces : podsOfNamespaces(namespaces, EVERYTHING);
  }
  if (field !== 'pods') return undefined;
  if (!isRecord(content)) return 'pods is no object';
  if (Object.keys(content).some((key) => key !== 'namespaceSelector' && key !== 'podSelector'))
    return 'pods has a field that is not known';
  const namespaces = readLabelSelector(content.namespaceSelector);
  if (typeof namespaces === 'string') return namespaces;
  const pods = readLabelSelector(content.podSelector);
  return typeof pods === 'string' ? pods : podsOfNamespaces(namespaces, pods);
}

/** The one member of an object that is not null. */
function onlyField(value: unknown): readonly [string, unknown] | undefined {
  if (!isRecord(value)) return undefined;
  const fields = Object.entries(value).filter(([, content]) => content !== null && content !== undefined);
  return fields.length === 1 ? fields[0] : undefined;
}

function readRules(
  value: unknown,
  direction: Direction,
  faults: string[],
): readonly PolicyRule[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) {
    faults.push(`${direction} is no list, so the policy denies all there`);
    return [denyAll('')];
  }
  if (value.length === 0) return undefined;
  return (value as unknown[]).map((entry, i) => {
    const rule = readRule(entry, direction);
    if (typeof rule !== 'string') return rule;
    const accepts = isRecord(entry) && entry.action === 'Accept';
    const name = isRecord(entry) ? titleOf(entry) : '';
    faults.push(`${direction}[${i}]: ${rule}, so the rule ${accepts ? 'matches nothing' : 'denies all'}`);
    return accepts ? { name, action: 'Accept', peers: [], ports: [] } : denyAll(name);
  });
}

/** A text says why the rule cannot be honoured. */
function readRule(value: unknown, direction: Direction): PolicyRule | string {
  if (!isRecord(value)) return 'it is no object';
  const side = direction === 'ingress' ? 'from' : 'to';
  const unknown = Object.keys(value).some((key) => !['name', 'action', side, 'protocols'].includes(key));
  if (unknown) return 'it has a field that is not known';
  const { action, protocols = null } = value;
  if (action !== 'Accept' && action !== 'Deny' && action !== 'Pass') return 'its action is not known';
  const peers = readPeers(value[side], direction);
  if (typeof peers === 'string') return peers;
  const rule = { name: titleOf(value), action, peers } as const;
  if (protocols === null) return { ...rule, ports: 'any' };
  const ports = readProtocols(protocols);
  return typeof ports === 'string' ? ports : { ...rule, ports };
}

function titleOf({ name }: Readonly<Record<string, unknown>>): string {
  return typeof name === 'string' ? name.slice(0, MAX_NAME_LENGTH) : '';
}

function readPeers(value: unknown, direction: Direction): readonly Peer[] | string {
  if (!Array.isArray(value) || value.length === 0) return 'it has no peers';
  const peers: Peer[] = [];
  const blocks: Range[] = [];
  for (const entry of value as unknown[]) {
    const peer = readPeer(entry, direction);
    if (typeof peer === 'string') return peer;
    if (peer.kind === 'blocks') blocks.push(...peer.blocks);
    else peers.push(peer);
  }
  return blocks.length > 0 ? [...peers, { kind: 'blocks', blocks: mergeBlocks(blocks) }] : peers;
}

function readPeer(value: unknown, direction: Direction): Peer | string {
  const only = onlyField(value);
  if (only === undefined) return 'a peer has not exactly one field';
  const [field, content] = only;
  const pods = readPodsField(field, content);
  if (pods !== undefined) return typeof pods === 'string' ? `a peer: ${pods}` : { kind: 'pods', pods };
  if (direction === 'egress' && field === 'nodes') {
    const nodes = readLabelSelector(content);
    return typeof nodes === 'string' ? `a peer: ${nodes}` : { kind: 'nodes', nodes };
  }
  if (direction === 'egress' && field === 'networks') {
    if (!Array.isArray(content) || content.length === 0) return 'a peer has no networks';
    const blocks: Range[] = [];
    for (const text of content as unknown[]) {
      const block = typeof text === 'string' ? readBlock(text) : undefined;
      if (block === undefined) return 'a network of a peer is no CIDR';
      blocks.push(block);
    }
    return { kind: 'blocks', blocks };
  }
  return `a peer has ${field.slice(0, 40)}, which is not supported`;
}

function readProtocols(value: unknown): readonly PortMatch[] | string {
  if (!Array.isArray(value) || value.length === 0) return 'its protocols are no list, or an empty one';
  const ports: PortMatch[] = [];
  for (const entry of value as unknown[]) {
    const port = readProtocol(entry);
    if (typeof port === 'string') return port;
    ports.push(port);
  }
  return ports;
}

function readProtocol(value: unknown): PortMatch | string {
  const only = onlyField(value);
  if (only === undefined) return 'a protocol has not exactly one field';
  const [field, content] = only;
  if (field === 'destinationNamedPort') {
    if (typeof content !== 'string' || content === '') return 'a named port has no name';
    return { kind: 'named', protocol: undefined, name: content };
  }
  const protocol = PROTOCOLS.find((each) => KEY_BY_PROTOCOL[each] === field);
  if (protocol === undefined) return 'a protocol is not known';
  if (!isRecord(content) || Object.keys(content).some((key) => key !== 'destinationPort'))
    return 'a protocol has a field that is not known';
  const { destinationPort = null } = content;
  if (destinationPort === null) return allPorts(protocol);
  const port = onlyField(destinationPort);
  if (port?.[0] === 'number') {
    const number = portNumber(port[1]);
    if (number !== undefined) return { kind: 'range', protocol, first: number, last: number };
  }
  if (port?.[0] === 'range' && isRecord(port[1])) {
    const [first, last] = [portNumber(port[1].start), portNumber(port[1].end)];
    if (first !== undefined && last !== undefined && first <= last)
      return { kind: 'range', protocol, first, last };
  }
  return 'a destination port is not understood';
}
