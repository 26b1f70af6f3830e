import { formatAddress, parseAddress } from '../../base/address.ts';

/** Policies of these kinds, of each ten hundreds, are another with another port. */
export const KINDS_WITH_PORT = [2, 3, 4];

/** How large the cluster of the benchmark is. */
export interface ClusterSize {
  readonly pods: number;
  readonly policies: number;
  /** Of the pods, those of the node that is looked at. */
  readonly local: number;
}

/** A pod as the API gives it, and where it hangs on its node. */
export interface BenchPod {
  readonly object: object;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly addresses: readonly [v4: string, v6: string];
  readonly link: string;
}

export const NODE = 'n0';
const NAMESPACES = 100;
const APPS = 10;
const TEAMS = 5;

/** The number-th pod; those of the first nodes come first, so the local ones are the first of all. */
export function benchPod(
  number: number,
  size: ClusterSize,
  {
    labels = {},
    namespace = `ns-${number % NAMESPACES}`,
    node = `n${Math.floor(number / size.local)}`,
  }: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly namespace?: string;
    readonly node?: string;
  } = {},
): BenchPod {
  const name = `pod-${number}`;
  const uid = `uid-${number}`;
  const v4 = `10.${40 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
  const v6 = formatAddress(parseAddress(`fd00:40::1:${number.toString(16)}`)!);
  const object = {
    metadata: {
      ...{ namespace, name, uid, resourceVersion: '1' },
      labels: {
        app: `app-${(number + Math.floor(number / NAMESPACES)) % APPS}`,
        release: `r-${number % 7}`,
        ...labels,
      },
    },
    spec: {
      nodeName: node,
      containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080 + (number % 3) }] }],
    },
    status: { phase: 'Running', podIPs: [{ ip: v4 }, { ip: v6 }] },
  };
  const link = `wv${number.toString(16).padStart(11, '0')}`;
  return { object, namespace, name, uid, addresses: [v4, v6], link };
}

/** All namespaces, each of a team. */
export function benchNamespaces(): object[] {
  return Array.from({ length: NAMESPACES }, (_, i) => ({
    metadata: {
      name: `ns-${i}`,
      uid: `uid-ns-${i}`,
      resourceVersion: '1',
      labels: { team: `team-${i % TEAMS}` },
    },
  }));
}

/**
 * The number-th policy. They are of the kinds that clusters have: a default that denies, one's own namespace, an app's
 * clients by two selectors, a port by its name, the outside by blocks, both directions. Each selects a pod that is here.
 */
export function benchPolicy(number: number, port = 80): object {
  // One of the three apps that a namespace has on this node.
  const app = `app-${(number + (Math.floor(number / NAMESPACES) % 3)) % APPS}`;
  const team = { matchLabels: { team: `team-${number % TEAMS}` } };
  const client = { matchLabels: { app: `app-${(number * 7) % APPS}` } };
  const kinds = [
    { podSelector: {}, policyTypes: ['Ingress'] },
    { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] },
    {
      podSelector: { matchLabels: { app } },
      ingress: [{ from: [{ namespaceSelector: team, podSelector: client }], ports: [{ port }] }],
    },
    {
      podSelector: { matchLabels: { app } },
      ingress: [
        {
          from: [{ podSelector: client }],
          ports: [{ port: 'web' }, { port: 9000 + port, endPort: 9100 + port }],
        },
      ],
    },
    {
      podSelector: { matchLabels: { app } },
      policyTypes: ['Egress'],
      egress: [
        { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '192.168.0.0/16'] } }] },
        { to: [{ namespaceSelector: team }], ports: [{ protocol: 'UDP', port: 53 }, { port }] },
      ],
    },
  ];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      namespace: `ns-${number % NAMESPACES}`,
      name: `policy-${number}`,
      uid: `uid-policy-${number}`,
      resourceVersion: String(port),
    },
    spec: kinds[Math.floor(number / NAMESPACES) % kinds.length],
  };
}
