/**
 * Whose container a call is about, as far as CNI_ARGS tells.
 *
 * kubelet's runtimes write `IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=n;K8S_POD_INFRA_CONTAINER_ID=…;K8S_POD_UID=u`
 * (containerd and CRI-O, ocicni); older ones leave out the UID. Other runtimes name no pod.
 */
export type PodOfArgs =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string; readonly uid: string }
  /** No pod of Kubernetes: nothing of it is named. */
  | { readonly kind: 'none' }
  /** A pod is named, but not so that it could be one of Kubernetes, or in two ways. */
  | { readonly kind: 'unclear' };

const KEYS = ['K8S_POD_NAMESPACE', 'K8S_POD_NAME', 'K8S_POD_UID'] as const;

/** Characters of a namespace, a name, a UID. */
const MAX_NAMESPACE_LENGTH = 63;
const MAX_NAME_LENGTH = 253;
const MAX_UID_LENGTH = 128;

/** Whose container it is, for people: `pod default/web-0`, or `container 0123456789ab`. */
export function ownerText(pod: PodOfArgs, { containerId }: { readonly containerId: string }): string {
  return pod.kind === 'pod' ? `pod ${pod.namespace}/${pod.name}` : `container ${containerId.slice(0, 12)}`;
}

/** Reads the variable CNI_ARGS, `K=V;K=V`, of at most 16 KiB; nobody has checked it. */
export function podOfArgs(args: unknown): PodOfArgs {
  if (typeof args !== 'string') return { kind: 'none' };
  const valueByKey = new Map<string, string>();
  for (const part of args.split(';')) {
    const cut = part.indexOf('=');
    const key = part.slice(0, Math.max(cut, 0)).trim();
    if (!KEYS.some((known) => known === key)) continue;
    const value = part.slice(cut + 1).trim();
    if ((valueByKey.get(key) ?? value) !== value) return { kind: 'unclear' };
    valueByKey.set(key, value);
  }
  const [namespace = '', name = '', uid = ''] = KEYS.map((key) => valueByKey.get(key));
  if (namespace === '' && name === '' && uid === '') return { kind: 'none' };
  const fits =
    isLabels(namespace, MAX_NAMESPACE_LENGTH, /^[a-z0-9-]+$/) &&
    isLabels(name, MAX_NAME_LENGTH, /^[a-z0-9.-]+$/) &&
    uid.length <= MAX_UID_LENGTH &&
    /^[A-Za-z0-9._-]*$/.test(uid);
  return fits ? { kind: 'pod', namespace, name, uid } : { kind: 'unclear' };
}

function isLabels(text: string, maxLength: number, characters: RegExp): boolean {
  return (
    text.length <= maxLength && characters.test(text) && /^[a-z0-9]/.test(text) && /[a-z0-9]$/.test(text)
  );
}
