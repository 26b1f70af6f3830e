import { formatRange, parseCidr, type Range } from '../base/range.ts';
import { isRecord } from './objects.ts';

/**
 * How a kube-proxy tells pods of its node from strangers (KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1).
 * What strangers send to a Service it masquerades, so the pod behind sees a node instead of the sender.
 */
interface KubeProxyConfig {
  readonly detectLocalMode: string;
  readonly clusterCidrs: readonly string[];
  readonly interfaceNamePrefix: string;
}

/** What a kube-proxy answers at `/configz`; undefined where it is something else. */
export function readKubeProxyConfig(value: unknown): KubeProxyConfig | undefined {
  const config = isRecord(value) ? value['kubeproxy.config.k8s.io'] : undefined;
  if (!isRecord(config)) return undefined;
  const { detectLocalMode: mode, clusterCIDR, detectLocal } = config;
  const prefix = isRecord(detectLocal) ? detectLocal.interfaceNamePrefix : undefined;
  return {
    detectLocalMode: typeof mode === 'string' && mode !== '' ? mode : 'ClusterCIDR',
    clusterCidrs: typeof clusterCIDR === 'string' ? clusterCIDR.split(',').filter((text) => text !== '') : [],
    interfaceNamePrefix: typeof prefix === 'string' ? prefix : '',
  };
}

/**
 * Why this kube-proxy takes Weft's pods for strangers, with what to do; undefined where it does not.
 *
 * @param linkPrefix with which the names of pods' interfaces on the host begin.
 */
export function kubeProxyWarning(
  config: KubeProxyConfig,
  ranges: readonly Range[],
  linkPrefix: string,
): string | undefined {
  const wanted = ranges.map(formatRange).join(',');
  const remedy = `give kube-proxy --cluster-cidr=${wanted} (clusterCIDR in its ConfigMap), or none, and restart it`;
  const lost = 'Services hide the senders of packets from their pods';
  switch (config.detectLocalMode) {
    case 'ClusterCIDR': {
      if (config.clusterCidrs.length === 0) return undefined;
      const cidrs = config.clusterCidrs.flatMap((text) => parseCidr(text.trim()) ?? []);
      const missed = ranges.filter((range) => {
        const ofFamily = cidrs.filter(({ family }) => family === range.family);
        return ofFamily.length > 0 && !ofFamily.some((cidr) => holds(cidr, range));
      });
      if (missed.length === 0) return undefined;
      const named = config.clusterCidrs.slice(0, 4).join(',').slice(0, 100);
      return `kube-proxy takes only ${named} for pods, which does not hold ${missed.map(formatRange).join(' and ')}: ${lost}; ${remedy}`;
    }
    case 'InterfaceNamePrefix':
      if (linkPrefix.startsWith(config.interfaceNamePrefix)) return undefined;
      return `kube-proxy takes only interfaces '${config.interfaceNamePrefix.slice(0, 15)}…' for those of pods, and Weft's are '${linkPrefix}…': ${lost}; ${remedy}`;
    case 'NodeCIDR':
      return `kube-proxy takes only a node's podCIDR for pods (detectLocalMode NodeCIDR), which Weft does not use: ${lost}; set detectLocalMode to ClusterCIDR, and ${remedy}`;
    default:
      return undefined;
  }
}

/**
 * The same where kube-proxy does not tell: ranges that were set aside for the pods of nodes, and are not Weft's, are what
 * a kube-proxy of the same installer was given.
 */
export function podCidrWarning(
  nodes: readonly { readonly name: string; readonly podCidrs: readonly string[] }[],
  ranges: readonly Range[],
): string | undefined {
  for (const { name, podCidrs } of nodes) {
    const outside = podCidrs.find((text) => {
      const cidr = parseCidr(text);
      const ofFamily = ranges.filter(({ family }) => family === cidr?.family);
      return cidr !== undefined && ofFamily.length > 0 && !ofFamily.some((range) => holds(range, cidr));
    });
    if (outside === undefined) continue;
    return (
      `node ${name} has the podCIDR ${outside}, which is outside of the pod range ${ranges.map(formatRange).join(' and ')}: ` +
      'a kube-proxy that takes it for the range of pods hides senders behind Services; ' +
      'see its --cluster-cidr, or start the cluster without podCIDRs (--allocate-node-cidrs=false)'
    );
  }
  return undefined;
}

function holds(outer: Range, inner: Range): boolean {
  return outer.family === inner.family && outer.start <= inner.start && inner.end <= outer.end;
}
