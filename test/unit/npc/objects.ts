/** Objects as the API gives them, for tests of npc/. */

let version = 0;

/** What the API server writes into any object. Every call has another version. */
export function meta(name: string, namespace?: string, labels: Record<string, string> = {}): object {
  version++;
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid: `uid-${namespace ?? ''}-${name}`.replace(/[^\w-]/g, '-').slice(0, 60),
    resourceVersion: String(version),
    labels,
  };
}

/** A pod, by default one that runs on node `here`. */
export function pod(
  key: string,
  ips: readonly string[],
  labels: Record<string, string> = {},
  more: {
    readonly node?: string;
    readonly phase?: string;
    readonly hostNetwork?: boolean;
    readonly ports?: readonly object[];
  } = {},
): object {
  const [namespace, name] = key.split('/') as [string, string];
  return {
    metadata: meta(name, namespace, labels),
    spec: {
      nodeName: more.node ?? 'here',
      hostNetwork: more.hostNetwork ?? false,
      containers: [{ name: 'c', ports: more.ports ?? [] }],
    },
    status: { phase: more.phase ?? 'Running', podIPs: ips.map((ip) => ({ ip })) },
  };
}

export function namespace(name: string, labels: Record<string, string> = {}): object {
  return { metadata: meta(name, undefined, { 'kubernetes.io/metadata.name': name, ...labels }) };
}

export function node(name: string, ips: readonly string[], labels: Record<string, string> = {}): object {
  const addresses = ips.map((address) => ({ type: 'InternalIP', address }));
  return { metadata: meta(name, undefined, labels), status: { addresses } };
}

export function networkPolicy(key: string, spec: object): object {
  const [namespace, name] = key.split('/') as [string, string];
  return { kind: 'NetworkPolicy', metadata: meta(name, namespace), spec };
}

export function clusterPolicy(name: string, spec: object): object {
  return { kind: 'ClusterNetworkPolicy', metadata: meta(name), spec };
}
