import { type Address, type Family, formatAddress, parseAddress } from '../../base/address.ts';
import { blocksContain } from '../model/address-blocks.ts';
import type { PolicyNode } from '../model/cluster-objects.ts';
import { selects } from '../model/label-selector.ts';
import type { PolicyPod } from '../model/pod.ts';
import {
  type Direction,
  type Peer,
  type Policy,
  type PolicyRule,
  policyTitle,
  type Tier,
} from '../model/policy.ts';
import type { PortMatch } from '../model/port-match.ts';
import type { ClusterIndex } from './cluster-index.ts';
import type { DirectedPolicy, PolicyIndex } from './policy-index.ts';

/** One end of a flow: a pod by `namespace/name`, or an address. An address that a pod has means that pod. */
export type FlowEnd = { readonly pod: string } | { readonly address: string };

/** A flow as its first packet has it at the node of a pod: after a Service's address became that of an endpoint. */
export interface Flow {
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP' | 'ICMP';
  /** Of the destination; absent with ICMP. */
  readonly port?: number;
  /** Of the addresses, where pods have both; else that of the first address they have in common. */
  readonly family?: Family;
  /** It went through a Service, which matters where a pod reaches itself. */
  readonly viaService?: boolean;
}

/** What becomes of a flow. */
export interface Decision {
  /** Both directions allow it. */
  readonly allowed: boolean;
  readonly egress: DirectionDecision;
  readonly ingress: DirectionDecision;
}

/** What one direction makes of a flow. */
export interface DirectionDecision {
  readonly allowed: boolean;
  /** A clause that says why. */
  readonly reason: string;
  /** The tier that decided; absent where none did. */
  readonly tier?: Tier;
  /** The rule that decided. Absent where no rule matched a pod that policies isolate. */
  readonly rule?: { readonly policy: string; readonly index: number; readonly name: string };
  /** Every policy that selects the pod on this side, in the order in which they are asked. */
  readonly selecting: readonly { readonly policy: string; readonly tier: Tier }[];
}

/** An end, as the rules see it: by its address. */
interface Endpoint {
  /** The pod that the flow starts at or goes to, where it is one that policies may select. */
  readonly subject: PolicyPod | undefined;
  readonly address: Address | undefined;
  /** Pods that peers mean by this address. */
  readonly pods: readonly PolicyPod[];
  readonly nodes: readonly PolicyNode[];
  /** It may be any pod: see {@link ClusterIndex}. */
  readonly isStranger: boolean;
}

/** What a flow is judged by. */
export interface Judged {
  readonly cluster: ClusterIndex;
  readonly policies: PolicyIndex;
}

/** Judges a flow by the same rules that the packet rules are made of. A text says what is wrong with the question. */
export function decide({ cluster, policies }: Judged, flow: Flow): Decision | string {
  const ends = endpointsOf(cluster, flow);
  if (typeof ends === 'string') return ends;
  const [source, destination] = ends;
  const self = source.subject !== undefined && source.subject === destination.subject;
  if (self && flow.viaService !== true) {
    const free: DirectionDecision = {
      allowed: true,
      reason: 'a pod always reaches its own address',
      selecting: [],
    };
    return { allowed: true, egress: free, ingress: free };
  }
  const judge = (direction: Direction, own: Endpoint, peer: Endpoint): DirectionDecision => {
    if (own.subject === undefined) return { allowed: true, reason: 'no policy can select it', selecting: [] };
    const isOwnNode =
      peer.subject === undefined &&
      peer.address !== undefined &&
      cluster.isOfNode(own.subject.nodeName, formatAddress(peer.address));
    if (direction === 'ingress' && isOwnNode)
      return {
        allowed: true,
        reason: 'what comes from the own node of a pod is never judged',
        selecting: [],
      };
    return judgeDirection(cluster, policies, direction, own.subject, { peer, destination, flow, self });
  };
  const egress = judge('egress', source, destination);
  const ingress = judge('ingress', destination, source);
  return { allowed: egress.allowed && ingress.allowed, egress, ingress };
}

function endpointsOf(cluster: ClusterIndex, flow: Flow): readonly [Endpoint, Endpoint] | string {
  const listed: (readonly Address[])[] = [];
  const pods: (PolicyPod | undefined)[] = [];
  for (const end of [flow.source, flow.destination]) {
    if ('address' in end) {
      const address = parseAddress(end.address);
      if (address === undefined) return `${end.address.slice(0, 64)} is no address`;
      listed.push([address]);
      pods.push(undefined);
      continue;
    }
    const [namespace = '', name = ''] = end.pod.split('/');
    const pod = cluster.pod(namespace, name);
    if (pod === undefined) return `there is no pod ${end.pod.slice(0, 320)}`;
    const own = cluster.addressesOf(pod);
    listed.push((own.length > 0 ? own : pod.addresses).map((text) => parseAddress(text)!));
    pods.push(pod);
  }
  const [sources, destinations] = listed as [readonly Address[], readonly Address[]];
  const families = (flow.family === undefined ? ([4, 6] as const) : [flow.family]).filter((family) =>
    [sources, destinations].every((list) => list.some((address) => address.family === family)),
  );
  const preferred = sources.find(({ family }) => families.includes(family))?.family;
  const canHaveNone = [sources, destinations].some((list, i) => list.length === 0 && pods[i] !== undefined);
  if (preferred === undefined && !canHaveNone) return 'the two have no addresses of one family';
  const family = preferred ?? flow.family ?? [...sources, ...destinations][0]?.family;
  const endpoint = (i: 0 | 1): Endpoint => {
    const address = listed[i]!.find((each) => each.family === family);
    const text = address === undefined ? undefined : formatAddress(address);
    const at = text === undefined ? [] : cluster.podsAt(text);
    const named = pods[i];
    const mine = named === undefined || named.hostNetwork || named.hasEnded ? undefined : named;
    return {
      subject: mine ?? (named === undefined ? at[0] : undefined),
      address,
      pods: mine === undefined || at.includes(mine) ? at : [...at, mine],
      nodes: text === undefined ? [] : cluster.nodesAt(text),
      isStranger: mine === undefined && text !== undefined && cluster.isStranger(text),
    };
  };
  return [endpoint(0), endpoint(1)];
}

/** What the rules of one direction are matched with. */
interface Question {
  readonly peer: Endpoint;
  readonly destination: Endpoint;
  readonly flow: Flow;
  /** A pod that reaches itself through a Service. */
  readonly self: boolean;
}

function judgeDirection(
  cluster: ClusterIndex,
  policies: PolicyIndex,
  direction: Direction,
  pod: PolicyPod,
  question: Question,
): DirectionDecision {
  const tiers = policies.selecting(cluster, pod, direction);
  const inOrder = [...tiers.Admin, ...tiers.NetworkPolicy, ...tiers.Baseline];
  const selecting = inOrder.map(({ policy }) => ({ policy: policyTitle(policy), tier: policy.tier }));
  const find = (asked: readonly DirectedPolicy[]): Found | undefined =>
    firstMatch(cluster, pod, asked, question);
  const { isStranger, address } = question.peer;
  const why = isStranger
    ? `; nobody is known to have ${formatAddress(address!)}, so it may be that of any pod`
    : '';
  const decided = (found: Found, allowed: boolean): DirectionDecision => {
    const { policy, index, rule } = found;
    const title = policyTitle(policy);
    const reason = `rule ${index} of ${title} ${allowed ? 'allows' : 'denies'} it${why}`;
    return { allowed, reason, tier: policy.tier, rule: { policy: title, index, name: rule.name }, selecting };
  };
  const admin = find(tiers.Admin);
  if (admin !== undefined && admin.action !== 'Pass') return decided(admin, admin.action === 'Accept');
  if (tiers.NetworkPolicy.length > 0) {
    const tier = 'NetworkPolicy';
    const found = find(tiers.NetworkPolicy);
    if (found !== undefined) return decided(found, true);
    if (question.self)
      return { allowed: true, reason: 'no NetworkPolicy keeps a pod from itself', tier, selecting };
    const reason = `policies isolate the pod for ${direction}, and none of their rules allows it${why}`;
    return { allowed: false, reason, tier, selecting };
  }
  const baseline = find(tiers.Baseline);
  if (baseline !== undefined && baseline.action !== 'Pass')
    return decided(baseline, baseline.action === 'Accept');
  const reason = inOrder.length === 0 ? 'no policy selects the pod' : 'no rule denies it';
  return { allowed: true, reason, selecting };
}

/** A rule that matches. */
interface Found {
  readonly policy: Policy;
  readonly rule: PolicyRule;
  /** Its place among the rules of its direction, from 0. */
  readonly index: number;
  /** What it does: an Accept does no more than a Pass where one before it may have meant a stranger. */
  readonly action: PolicyRule['action'];
}

/** The rule that decides. Of a stranger it is the one that lets through the least of what any pod could be. */
function firstMatch(
  cluster: ClusterIndex,
  pod: PolicyPod,
  policies: readonly DirectedPolicy[],
  question: Question,
): Found | undefined {
  let mayBePassed = false;
  for (const { policy, direction, rules } of policies) {
    for (const [index, rule] of rules.entries()) {
      const { action } = rule;
      if (ruleMatches(cluster, rule, direction, pod, question))
        return { policy, rule, index, action: mayBePassed && action === 'Accept' ? 'Pass' : action };
      if (!mayMatchStranger(rule, direction, pod, question)) continue;
      if (action === 'Deny') return { policy, rule, index, action };
      if (action === 'Pass') mayBePassed = true;
    }
  }
  return undefined;
}

/** Whether a rule would match if the other end were some pod or other. */
function mayMatchStranger(
  { peers, ports }: PolicyRule,
  direction: Direction,
  subject: PolicyPod,
  { peer, flow }: Question,
): boolean {
  if (!peer.isStranger || peers === 'any' || !peers.some(({ kind }) => kind === 'pods')) return false;
  if (ports === 'any') return true;
  return ports.some((port) => {
    if (port.kind === 'range' || direction === 'ingress') return portMatches(port, flow, [subject]);
    return flow.port !== undefined && (port.protocol ?? flow.protocol) === flow.protocol;
  });
}

function ruleMatches(
  cluster: ClusterIndex,
  rule: PolicyRule,
  direction: Direction,
  subject: PolicyPod,
  { peer: end, flow }: Question,
): boolean {
  const peers = rule.peers === 'any' ? [undefined] : rule.peers;
  return peers.some((peer) => {
    const pods = podsMeant(cluster, peer, end);
    if (pods === undefined) return false;
    if (rule.ports === 'any') return true;
    const owners = direction === 'ingress' ? [subject] : pods;
    return rule.ports.some((port) => portMatches(port, flow, owners));
  });
}

/** The pods at `end` that a peer means, perhaps none; undefined where the peer does not mean that end at all. */
function podsMeant(
  cluster: ClusterIndex,
  peer: Peer | undefined,
  end: Endpoint,
): readonly PolicyPod[] | undefined {
  if (peer === undefined) return end.pods;
  switch (peer.kind) {
    case 'pods': {
      const meant = end.pods.filter((pod) => cluster.selectsPod(peer.pods, pod));
      return meant.length > 0 ? meant : undefined;
    }
    case 'blocks': {
      const { address } = end;
      if (address === undefined) return undefined;
      const text = formatAddress(address);
      const holds = (other: string): boolean => blocksContain(peer.blocks, parseAddress(other)!);
      const byNode = end.nodes.some(
        (node) => cluster.overlayOf(node).includes(text) && node.internalAddresses.some(holds),
      );
      return byNode || blocksContain(peer.blocks, address) ? end.pods : undefined;
    }
    case 'nodes':
      return end.nodes.some((node) => selects(peer.nodes, node.labels)) ? end.pods : undefined;
  }
}

/** `owners` are the pods whose names of ports count. */
function portMatches(match: PortMatch, { protocol, port }: Flow, owners: readonly PolicyPod[]): boolean {
  if (match.kind === 'range') {
    if (match.protocol !== protocol) return false;
    return port === undefined ? match.first === 0 : match.first <= port && port <= match.last;
  }
  if (match.protocol !== undefined && match.protocol !== protocol) return false;
  return owners.some(({ namedPorts }) =>
    namedPorts.some((each) => each.name === match.name && each.protocol === protocol && each.port === port),
  );
}
