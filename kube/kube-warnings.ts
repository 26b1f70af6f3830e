import type { WarningTable } from '../base/warning.ts';

const API_FAILS = 'the API of Kubernetes {fault}, for {seconds} s now ({asked})';
const KNOWN_STAYS = 'what is known stays in use meanwhile';
const SENDERS_HIDDEN = 'Services hide the senders of packets from their pods';
const KUBE_PROXY_RANGES =
  'give kube-proxy --cluster-cidr={ranges} (clusterCIDR in its ConfigMap), or none, and restart it';

/** What is wrong with Kubernetes as a node sees it. */
export const KUBE_WARNINGS = {
  E_API_UNREACHED: {
    message: API_FAILS,
    remedy: `see that this node reaches the API server; ${KNOWN_STAYS}`,
  },
  E_API_UNTRUSTED: {
    message: API_FAILS,
    remedy:
      'compare ConfigMap kube-root-ca.crt in the namespace weft with the authority that signs for the API server; the kubelet brings a new one into this pod, within minutes',
  },
  E_API_UNAUTHORIZED: {
    message: API_FAILS,
    remedy: 'the token of the pod is no longer good: see that the kubelet renews it',
  },
  E_API_FORBIDDEN: {
    message: API_FAILS,
    remedy: 'apply the manifest again: the service account lacks a permission',
  },
  W_API_BUSY: { message: API_FAILS, remedy: `the server is busy; ${KNOWN_STAYS}` },
  E_API_BROKEN: { message: API_FAILS, remedy: `see the log of the API server; ${KNOWN_STAYS}` },
  E_RANGE_OVERLAP: {
    message: 'the pod range {range} overlaps {used}',
    remedy: 'take Weft off (weft-reset.yaml) and choose another range with {variable}',
  },
  W_KUBE_PROXY_RANGE: {
    message: `kube-proxy takes only {taken} for pods, which does not hold {missed}: ${SENDERS_HIDDEN}`,
    remedy: KUBE_PROXY_RANGES,
  },
  W_KUBE_PROXY_INTERFACES: {
    message: `kube-proxy takes only interfaces '{taken}…' for those of pods, and Weft's are '{prefix}…': ${SENDERS_HIDDEN}`,
    remedy: KUBE_PROXY_RANGES,
  },
  W_KUBE_PROXY_NODE_RANGE: {
    message: `kube-proxy takes only a node's podCIDR for pods (detectLocalMode NodeCIDR), which Weft does not use: ${SENDERS_HIDDEN}`,
    remedy: `set detectLocalMode to ClusterCIDR, and ${KUBE_PROXY_RANGES}`,
  },
  W_KUBE_PROXY_IPVS: {
    message:
      'kube-proxy works in ipvs mode, in which policies cannot be judged at the endpoint of a Service: a pod whose ingress is isolated gets nothing by Services, and what a pod sends to one is judged by the address of the Service',
    remedy: "set kube-proxy's mode to nftables or iptables, and restart it",
  },
  W_POD_CIDR: {
    message:
      'node {node} has the podCIDR {cidr}, which is outside of the pod range {ranges}: a kube-proxy that takes it for the range of pods hides senders behind Services',
    remedy: 'see its --cluster-cidr, or start the cluster without podCIDRs (--allocate-node-cidrs=false)',
  },
} as const satisfies WarningTable;
