import { equal } from 'node:assert/strict';
import type {
  Cluster,
  ClusterNetworkPolicy,
  Flow,
  NetworkPolicySpec,
  Pod,
  Protocol,
} from '../../oracle/api-objects.ts';
import { familyOf } from '../../oracle/cidr.ts';
import { judge } from '../../oracle/oracle.ts';

/**
 * The cluster of upstream's tests: pods a, b, c in each of the namespaces x, y, z, all labelled `pod`, the namespaces
 * `ns`. The pods a run on n1, b on n2, c on n3. Each serves 80 as `serve-80` and 81, by TCP and UDP. Beside them are a
 * pod of n2's network, `y/host`, one that has ended, `y/ended`, and one that terminates, `y/ending`.
 */
export const UPSTREAM: Cluster = {
  namespaces: ['x', 'y', 'z'].map((ns) => ({
    metadata: { name: ns, labels: { ns, 'kubernetes.io/metadata.name': ns } },
  })),
  nodes: [1, 2, 3].map((number) => ({
    metadata: { name: `n${number}`, labels: { 'kubernetes.io/os': 'linux', number: `${number}` } },
    status: {
      addresses: [
        { type: 'InternalIP', address: `192.168.0.${number}` },
        { type: 'ExternalIP', address: `203.0.113.${number}` },
        { type: 'Hostname', address: `n${number}` },
      ],
    },
  })),
  pods: [
    ...['x', 'y', 'z'].flatMap((ns, i) =>
      ['a', 'b', 'c'].map((name, k) =>
        pod(ns, name, `n${k + 1}`, [`10.32.${i}.${k + 1}`, `fd77::${i}:${k + 1}`]),
      ),
    ),
    {
      ...pod('y', 'host', 'n2', ['192.168.0.2']),
      spec: { ...pod('y', 'host', 'n2', []).spec, hostNetwork: true },
    },
    pod('y', 'ended', 'n2', ['10.32.1.9'], 'Succeeded'),
    pod('y', 'ending', 'n2', ['10.32.1.10']),
  ],
  networkPolicies: [],
  clusterNetworkPolicies: [],
  overlayAddressesByNode: {
    n1: ['10.32.9.1', 'fd77::9:1'],
    n2: ['10.32.9.2', 'fd77::9:2'],
    n3: ['10.32.9.3'],
  },
};

function pod(namespace: string, name: string, nodeName: string, addresses: string[], phase = 'Running'): Pod {
  return {
    metadata: {
      name,
      namespace,
      uid: `${namespace}-${name}`,
      labels: { pod: name },
      ...(name === 'ending' ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: {
      nodeName,
      containers: [
        {
          name: 'serve',
          ports: [
            { name: 'serve-80', containerPort: 80 },
            { name: 'serve-80-udp', containerPort: 80, protocol: 'UDP' },
            { name: 'serve-81', containerPort: 81, protocol: 'TCP' },
          ],
        },
      ],
    },
    status: {
      phase,
      ...(addresses[0] === undefined ? {} : { podIP: addresses[0] }),
      podIPs: addresses.map((ip) => ({ ip })),
    },
  };
}

/** The upstream cluster with NetworkPolicies, each as `namespace` and what is in its spec. */
export function withPolicies(...policies: [namespace: string, spec: NetworkPolicySpec][]): Cluster {
  return {
    ...UPSTREAM,
    networkPolicies: policies.map(([namespace, spec], i) => ({
      metadata: { name: `p${i}`, namespace, uid: `p${i}` },
      spec,
    })),
  };
}

type ClusterSpec = ClusterNetworkPolicy['spec'];

/** A cluster with ClusterNetworkPolicies too, named p0, p1 and so on; Admin of priority 10 where nothing else is said. */
export function withClusterPolicies(
  cluster: Cluster,
  ...specs: (Pick<ClusterSpec, 'subject'> & Partial<ClusterSpec>)[]
): Cluster {
  return {
    ...cluster,
    clusterNetworkPolicies: specs.map((spec, i) => ({
      metadata: { name: `p${i}`, uid: `c${i}` },
      spec: { tier: 'Admin', priority: 10, ...spec },
    })),
  };
}

/**
 * Reads a flow: `x/a -> y/b TCP 80`, an address in place of a pod, no port with ICMP, and at the end `v6` for the pods'
 * other addresses and `service` for a flow that went through a Service.
 */
export function flowOf(text: string): Flow {
  const [from, arrow, to, protocol, ...rest] = text.split(' ');
  equal(arrow, '->', text);
  const end = (name: string): Flow['source'] => (name.includes('/') ? { pod: name } : { address: name });
  const port = rest.find((word) => /^\d+$/.test(word));
  const address = [from!, to!].find((name) => !name.includes('/'));
  return {
    family: rest.includes('v6') || (address !== undefined && familyOf(address) === 6) ? 6 : 4,
    source: end(from!),
    destination: end(to!),
    protocol: protocol as Protocol,
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(rest.includes('service') ? { viaService: true } : {}),
  };
}

/** Fails where a flow is not judged as said: `+ x/a -> y/b TCP 80` passes, `- …` does not. */
export function expectFlows(cluster: Cluster, ...lines: string[]): void {
  for (const line of lines) {
    const { allowed, why } = judge(cluster, flowOf(line.slice(2)));
    equal(allowed, line.startsWith('+'), `${line}\n  ${why.join('\n  ')}`);
  }
}
