import { formatAddress, parseAddress } from '../base/address.ts';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import type {
  ExplainedDirection,
  ExplainedEnd,
  PolicyExplainResult,
  PolicyQuestion,
  UnhonouredPolicy,
} from '../control/npc-request.ts';
import { readYamlDocuments } from '../kube/yaml-documents.ts';
import { type ClusterIndex, podKey } from './compiler/cluster-index.ts';
import { type DirectionDecision, decide, type FlowEnd, type Judged } from './compiler/decide.ts';
import type { PolicyPod } from './model/pod.ts';
import { type Policy, policyTitle } from './model/policy.ts';
import { readPolicyManifest } from './model/policy-manifest.ts';
import type { Protocol } from './model/port-match.ts';

/**
 * Answers whether a connection would pass, and why, by the rules that the packet rules are made of. Policies that the
 * question brings count as if they were there. Throws E_POLICY_QUESTION for a pod or a port that is none, and for policies
 * that cannot be read.
 */
export function explain(judged: Judged, question: PolicyQuestion): PolicyExplainResult {
  const { port, protocol } = readPort(question.port);
  const added = question.with === undefined ? [] : readPolicies(question.with);
  const policies = added.length === 0 ? judged.policies : judged.policies.with(added);
  const { cluster } = judged;
  const source = readEnd(cluster, question.source);
  const destination = readEnd(cluster, question.destination);
  const decision = decide(
    { cluster, policies },
    { source: source.end, destination: destination.end, protocol, port },
  );
  if (typeof decision === 'string') throw fault(decision, 'ask about two ends that can speak to each other');
  return {
    source: source.told,
    destination: destination.told,
    protocol,
    port,
    passes: decision.allowed,
    egress: told(decision.egress),
    ingress: told(decision.ingress),
    unhonoured: unhonouredOf(added),
  };
}

/** What of policies cannot be honoured; those of which all can be are left out. */
function unhonouredOf(policies: Iterable<Policy>): UnhonouredPolicy[] {
  const found: UnhonouredPolicy[] = [];
  for (const policy of policies)
    if (policy.faults.length > 0) found.push({ policy: policyTitle(policy), reasons: policy.faults });
  return found;
}

function told({ allowed, reason, rule, selecting }: DirectionDecision): ExplainedDirection {
  return { passes: allowed, because: reason, rule: rule ?? null, selecting };
}

function readPort(text: string): { readonly port: number; readonly protocol: Protocol } {
  const [, number = '', name = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const port = Number(number);
  if (number === '' || port < 1 || port > 65_535)
    throw fault(`'${printable(text, 40)}' is no port`, 'give one like 80, 53/udp or 9/sctp');
  return { port, protocol: name.toUpperCase() as Protocol };
}

function readEnd(
  cluster: ClusterIndex,
  text: string,
): { readonly end: FlowEnd; readonly told: ExplainedEnd } {
  const address = parseAddress(text);
  if (address === undefined) {
    const [namespace = '', name = ''] = text.split('/');
    const pod = cluster.pod(namespace, name);
    if (pod === undefined)
      throw fault(
        `there is no pod ${printable(text, 320)}`,
        'give NAMESPACE/NAME of a pod that runs, or an address',
      );
    return { end: { pod: podKey(pod) }, told: endOf(cluster, text, pod) };
  }
  const canonical = formatAddress(address);
  const [pod] = cluster.podsAt(canonical);
  const [node] = cluster.nodesAt(canonical);
  const told =
    pod === undefined
      ? { text, pod: null, node: node?.name ?? null, addresses: [] }
      : endOf(cluster, text, pod);
  return { end: { address: canonical }, told };
}

function endOf(cluster: ClusterIndex, text: string, pod: PolicyPod): ExplainedEnd {
  return {
    text,
    pod: podKey(pod),
    node: pod.nodeName === '' ? null : pod.nodeName,
    addresses: cluster.addressesOf(pod),
  };
}

function readPolicies(text: string): Policy[] {
  let documents: readonly unknown[];
  try {
    documents = readYamlDocuments(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n', 1)[0]! : String(cause);
    throw fault(`the policies cannot be read: ${printable(why, 200)}`, 'give YAML or JSON');
  }
  const policies = readPolicyManifest(documents);
  if (typeof policies === 'string') throw fault(`the policies cannot be used: ${policies}`, 'mend them');
  return [...policies];
}

function fault(message: string, remedy: string): WeftError {
  return new WeftError('E_POLICY_QUESTION', message, remedy);
}
