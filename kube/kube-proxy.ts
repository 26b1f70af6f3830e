import { formatRange, parseCidr, type Range } from '../base/range.ts';
import { type Warning, warningOf } from '../base/warning.ts';
import { KUBE_WARNINGS } from './kube-warnings.ts';
import { isRecord } from './objects.ts';

/**
 * How a kube-proxy works, and how it tells pods of its node from strangers (KubeProxyConfiguration,
 * kubeproxy.config.k8s.io/v1alpha1). What strangers send to a Service it masquerades, so the pod behind sees a node
 * instead of the sender.
 */
interface KubeProxyConfig {
  /** `iptables`, `nftables`, `ipvs`; empty where it takes what the host offers. */
  readonly mode: string;
  readonly detectLocalMode: string;
  readonly clusterCidrs: readonly string[];
  readonly interfaceNamePrefix: string;
}

/** What a kube-proxy answers at `/configz`; undefined where it is something else. */
export function readKubeProxyConfig(value: unknown): KubeProxyConfig | undefined {
  const config = isRecord(value) ? value['kubeproxy.config.k8s.io'] : undefined;
  if (!isRecord(config)) return undefined;
  const { mode, detectLocalMode, clusterCIDR, detectLocal } = config;
  const prefix = isRecord(detectLocal) ? detectLocal.interfaceNamePrefix : undefined;
  return {
    mode: typeof mode === 'string' ? mode : '',
    detectLocalMode:
      typeof detectLocalMode === 'string' && detectLocalMode !== '' ? detectLocalMode : 'ClusterCIDR',
    clusterCidrs: typeof clusterCIDR === 'string' ? clusterCIDR.split(',').filter((text) => text !== '') : [],
    interfaceNamePrefix: typeof prefix === 'string' ? prefix : '',
  };
}

/**
 * A warning where this kube-proxy takes Weft's pods for strangers; undefined where it does not.
 *
 * @param linkPrefix with which the names of pods' interfaces on the host begin.
 */
export function kubeProxyWarning(
  config: KubeProxyConfig,
  ranges: readonly Range[],
  linkPrefix: string,
): Warning | undefined {
  const wanted = ranges.map(formatRange).join(',');
  switch (config.detectLocalMode) {
    case 'ClusterCIDR': {
      if (config.clusterCidrs.length === 0) return undefined;
      const cidrs = config.clusterCidrs.flatMap((text) => parseCidr(text.trim()) ?? []);
      const missed = ranges.filter((range) => {
        const ofFamily = cidrs.filter(({ family }) => family === range.family);
        return ofFamily.length > 0 && !ofFamily.some((cidr) => holds(cidr, range));
      });
      if (missed.length === 0) return undefined;
      return warningOf(KUBE_WARNINGS, 'W_KUBE_PROXY_RANGE', {
        taken: config.clusterCidrs.slice(0, 4).join(',').slice(0, 100),
        missed: missed.map(formatRange).join(' and '),
        ranges: wanted,
      });
    }
    case 'InterfaceNamePrefix':
      if (linkPrefix.startsWith(config.interfaceNamePrefix)) return undefined;
      return warningOf(KUBE_WARNINGS, 'W_KUBE_PROXY_INTERFACES', {
        taken: config.interfaceNamePrefix.slice(0, 15),
        prefix: linkPrefix,
        ranges: wanted,
      });
    case 'NodeCIDR':
      return warningOf(KUBE_WARNINGS, 'W_KUBE_PROXY_NODE_RANGE', { ranges: wanted });
    default:
      return undefined;
  }
}

/**
 * A warning where this kube-proxy carries requests to Services past the hook at which weft-npc judges them (ipvs,
 * deprecated by Kubernetes); undefined where it does not, or where somebody else enforces policies.
 *
 * @param engine who enforces NetworkPolicies on this host.
 */
export function kubeProxyModeWarning(
  { mode }: KubeProxyConfig,
  engine: string | undefined,
): Warning | undefined {
  const passesBy = mode === 'ipvs' && engine === 'weft-npc';
  return passesBy ? warningOf(KUBE_WARNINGS, 'W_KUBE_PROXY_IPVS') : undefined;
}

/**
 * The same where kube-proxy does not tell: ranges that were set aside for the pods of nodes, and are not Weft's, are what
 * a kube-proxy of the same installer was given.
 */
export function podCidrWarning(
  nodes: readonly { readonly name: string; readonly podCidrs: readonly string[] }[],
  ranges: readonly Range[],
): Warning | undefined {
  for (const { name, podCidrs } of nodes) {
    const outside = podCidrs.find((text) => {
      const cidr = parseCidr(text);
      const ofFamily = ranges.filter(({ family }) => family === cidr?.family);
      return cidr !== undefined && ofFamily.length > 0 && !ofFamily.some((range) => holds(range, cidr));
    });
    if (outside === undefined) continue;
    const named = ranges.map(formatRange).join(' and ');
    return warningOf(KUBE_WARNINGS, 'W_POD_CIDR', { node: name, cidr: outside, ranges: named });
  }
  return undefined;
}

function holds(outer: Range, inner: Range): boolean {
  return outer.family === inner.family && outer.start <= inner.start && inner.end <= outer.end;
}
