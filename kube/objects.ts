/**
 * The little that Weft reads of Kubernetes objects. Whatever comes from the API is taken for hostile: names,
 * annotations and data may have been written by anybody who may edit that object.
 */
export interface ObjectMeta {
  /** Empty for what lies in no namespace, as nodes do. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** A node, as far as it matters: who it is, where its host may be reached, which range was set aside for its pods. */
export interface KubeNode extends ObjectMeta {
  /** `status.addresses` of type InternalIP, unparsed. */
  readonly internalIps: readonly string[];
  /** `spec.podCIDRs`, unparsed. Empty where nobody deals them out. */
  readonly podCidrs: readonly string[];
  /** Its condition Ready is true. */
  readonly isReady: boolean;
}

/** A ConfigMap, of which only text counts. */
export interface ConfigMap extends ObjectMeta {
  readonly data: Readonly<Record<string, string>>;
}

/** A ServiceCIDR (networking.k8s.io/v1): where Services get their addresses from. */
export interface ServiceCidr extends ObjectMeta {
  /** `spec.cidrs`, unparsed. */
  readonly cidrs: readonly string[];
}

/** Addresses of one node that are looked at. */
const MAX_NODE_ADDRESSES = 8;
/** Ranges of one ServiceCIDR, or of one node; the API allows one of each family. */
const MAX_RANGES = 2;
/** A DNS subdomain, as names of objects are. */
const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
/** A DNS label, as names of namespaces are. */
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** An object of JSON: neither null nor a list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Undefined where `value` is no object of the API. */
export function readMeta(value: unknown): ObjectMeta | undefined {
  const metadata = isRecord(value) ? value.metadata : undefined;
  if (!isRecord(metadata)) return undefined;
  const { namespace = '', name, uid, resourceVersion } = metadata;
  if (typeof namespace !== 'string' || (namespace !== '' && !NAMESPACE.test(namespace))) return undefined;
  if (typeof name !== 'string' || !NAME.test(name)) return undefined;
  if (typeof uid !== 'string' || !/^[\w-]{1,64}$/.test(uid)) return undefined;
  if (typeof resourceVersion !== 'string' || !/^\w{1,64}$/.test(resourceVersion)) return undefined;
  return { namespace, name, uid, resourceVersion };
}

/** Undefined where it is no node. */
export function readNode(value: unknown): KubeNode | undefined {
  const meta = readMeta(value);
  if (meta === undefined || !isRecord(value)) return undefined;
  const addresses = isRecord(value.status) ? value.status.addresses : undefined;
  const internalIps = (Array.isArray(addresses) ? addresses : [])
    .slice(0, 4 * MAX_NODE_ADDRESSES)
    .filter((entry: unknown) => isRecord(entry) && entry.type === 'InternalIP')
    .map((entry: { readonly address?: unknown }) => entry.address)
    .filter((address) => typeof address === 'string')
    .slice(0, MAX_NODE_ADDRESSES);
  const ranges = isRecord(value.spec) ? value.spec.podCIDRs : undefined;
  const podCidrs = textsOf(ranges, MAX_RANGES);
  const conditions = isRecord(value.status) ? value.status.conditions : undefined;
  const isReady = (Array.isArray(conditions) ? conditions : []).some(
    (each: unknown) => isRecord(each) && each.type === 'Ready' && each.status === 'True',
  );
  return { ...meta, internalIps, podCidrs, isReady };
}

function textsOf(value: unknown, limit: number): string[] {
  const found: readonly unknown[] = Array.isArray(value) ? value.slice(0, limit) : [];
  return found.filter((text) => typeof text === 'string');
}

/** Undefined where it is no ConfigMap; entries that are no strings are left out. */
export function readConfigMap(value: unknown): ConfigMap | undefined {
  const meta = readMeta(value);
  if (meta === undefined || !isRecord(value)) return undefined;
  const data: Record<string, string> = {};
  for (const [key, text] of Object.entries(isRecord(value.data) ? value.data : {}))
    if (typeof text === 'string') data[key] = text;
  return { ...meta, data };
}

/** Undefined where it is no ServiceCIDR. */
export function readServiceCidr(value: unknown): ServiceCidr | undefined {
  const meta = readMeta(value);
  if (meta === undefined || !isRecord(value)) return undefined;
  return { ...meta, cidrs: textsOf(isRecord(value.spec) ? value.spec.cidrs : undefined, MAX_RANGES) };
}

/** How many objects a collection has, of which a list that was bounded holds some; undefined where it is no list. */
export function readCount(value: unknown): number | undefined {
  const list = readList(value);
  if (list === undefined) return undefined;
  const { metadata } = value as { readonly metadata: { readonly remainingItemCount?: unknown } };
  const remaining = Number.isSafeInteger(metadata.remainingItemCount)
    ? Number(metadata.remainingItemCount)
    : 0;
  return list.items.length + Math.max(0, remaining);
}

/** The items of a list, each as it is, and the version of the whole. */
export function readList(
  value: unknown,
): { readonly items: readonly unknown[]; readonly resourceVersion: string } | undefined {
  if (!isRecord(value) || !isRecord(value.metadata)) return undefined;
  const { resourceVersion } = value.metadata;
  if (typeof resourceVersion !== 'string') return undefined;
  return { items: Array.isArray(value.items) ? value.items : [], resourceVersion };
}
