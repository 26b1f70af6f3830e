import { AGENT_FOLDER } from './policy-prober.ts';
import {
  type ClusterPolicy,
  type ClusterRule,
  type Peer,
  PLACES,
  type Policy,
  protocolOf,
  type Rule,
} from './policy-shapes.ts';

/** A pod of the churn, as far as the API has told. */
export interface ChurnPod {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly role: string;
}

/** A pod with an agent. */
export function agentPod({ namespace, name, node, role }: ChurnPod): object {
  const uid = { fieldRef: { fieldPath: 'metadata.uid' } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels: { role, app: 'policy-chaos' } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'agent',
          image: 'lab.test/agnhost:1',
          command: ['/policy-agent', AGENT_FOLDER],
          env: [{ name: 'UID', valueFrom: uid }],
          volumeMounts: [{ name: 'told', mountPath: AGENT_FOLDER }],
        },
      ],
      volumes: [{ name: 'told', hostPath: { path: AGENT_FOLDER, type: 'DirectoryOrCreate' } }],
    },
  };
}

/** A NetworkPolicy, as Kubernetes has it. */
export function networkPolicy({ namespace, name, role, ingress, egress }: Policy): object {
  const rules = (list: readonly Rule[], peersKey: string): object[] =>
    list.map(({ peers, ports }) => ({
      ...(peers.length === 0 ? {} : { [peersKey]: peers.map(peerOf) }),
      ...(ports.length === 0 ? {} : { ports: ports.map((port) => ({ protocol: protocolOf(port), port })) }),
    }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name },
    spec: {
      podSelector: role === undefined ? {} : { matchLabels: { role } },
      policyTypes: [
        ...(ingress === undefined ? [] : ['Ingress']),
        ...(egress === undefined ? [] : ['Egress']),
      ],
      ...(ingress === undefined ? {} : { ingress: rules(ingress, 'from') }),
      ...(egress === undefined ? {} : { egress: rules(egress, 'to') }),
    },
  };
}

function peerOf({ role, team }: Peer): object {
  return {
    ...(role === undefined ? {} : { podSelector: { matchLabels: { role } } }),
    ...(team === undefined ? {} : { namespaceSelector: { matchLabels: { team } } }),
  };
}

/** A ClusterNetworkPolicy, as Kubernetes has it. */
export function clusterNetworkPolicy({ name, subject, ingress, egress }: ClusterPolicy): object {
  const place = PLACES.find((each) => each.name === name);
  if (place === undefined) throw new Error(`no place for ${name}`);
  const rules = (list: readonly ClusterRule[], peersKey: string): object[] =>
    list.map(({ action, peers, ports }) => ({
      action,
      [peersKey]: peers.map(selectedPods),
      ...(ports.length === 0 ? {} : { protocols: ports.map(protocolEntry) }),
    }));
  return {
    apiVersion: 'policy.networking.k8s.io/v1beta1',
    kind: 'ClusterNetworkPolicy',
    metadata: { name },
    spec: {
      tier: place.tier,
      priority: place.priority,
      subject: selectedPods(subject),
      ...(ingress === undefined ? {} : { ingress: rules(ingress, 'from') }),
      ...(egress === undefined ? {} : { egress: rules(egress, 'to') }),
    },
  };
}

/** By `namespaces` where pods need not be told apart, else by `pods`. */
function selectedPods({ role, team }: Peer): object {
  const namespaceSelector = team === undefined ? {} : { matchLabels: { team } };
  if (role === undefined) return { namespaces: namespaceSelector };
  return { pods: { namespaceSelector, podSelector: { matchLabels: { role } } } };
}

function protocolEntry(port: number): object {
  return { [protocolOf(port).toLowerCase()]: { destinationPort: { number: port } } };
}
