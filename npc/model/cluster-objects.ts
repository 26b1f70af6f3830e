import { formatAddress, parseAddress } from '../../base/address.ts';
import { isRecord, type ObjectMeta, readMeta } from '../../kube/objects.ts';
import { type LabelSets, type Labels, NAMESPACE_NAME_LABEL, sameLabels } from './labels.ts';

/** A namespace, of which only labels count. They hold its name under {@link NAMESPACE_NAME_LABEL} in any case. */
export interface PolicyNamespace extends ObjectMeta {
  readonly labels: Labels;
}

/** What policy needs to know of a node. Addresses are texts in the one way in which we write them. */
export interface PolicyNode extends ObjectMeta {
  readonly labels: Labels;
  /** `status.addresses` of type InternalIP. */
  readonly internalAddresses: readonly string[];
  /** Those of every other type: a `nodes` peer means them too. */
  readonly otherAddresses: readonly string[];
  /** Its condition `Ready` is true: its kubelet reports, and pods run there. */
  readonly ready: boolean;
}

/** Addresses of one node that are looked at. */
const MAX_NODE_ADDRESSES = 16;

/** Undefined where it is no namespace. */
export function readNamespace(value: unknown, labelSets: LabelSets): PolicyNamespace | undefined {
  const meta = readMeta(value);
  if (meta === undefined || !isRecord(value)) return undefined;
  const { labels } = value.metadata as { readonly labels?: unknown };
  const own = { ...(isRecord(labels) ? labels : {}), [NAMESPACE_NAME_LABEL]: meta.name };
  return { ...meta, labels: labelSets.read(own) };
}

/** Undefined where it is no node. */
export function readPolicyNode(value: unknown, labelSets: LabelSets): PolicyNode | undefined {
  const meta = readMeta(value);
  if (meta === undefined || !isRecord(value)) return undefined;
  const listed = isRecord(value.status) ? value.status.addresses : undefined;
  const entries = (Array.isArray(listed) ? (listed as unknown[]) : []).slice(0, MAX_NODE_ADDRESSES);
  const { labels } = value.metadata as { readonly labels?: unknown };
  return {
    ...meta,
    labels: labelSets.read(labels),
    internalAddresses: addressesOf(entries, (type) => type === 'InternalIP'),
    otherAddresses: addressesOf(entries, (type) => type !== 'InternalIP'),
    ready: isReady(value.status),
  };
}

function isReady(status: unknown): boolean {
  const conditions = isRecord(status) && Array.isArray(status.conditions) ? status.conditions : [];
  return conditions.some(
    (each: unknown) => isRecord(each) && each.type === 'Ready' && each.status === 'True',
  );
}

function addressesOf(entries: readonly unknown[], isWanted: (type: unknown) => boolean): readonly string[] {
  const found = new Set<string>();
  for (const entry of entries) {
    if (!isRecord(entry) || !isWanted(entry.type) || typeof entry.address !== 'string') continue;
    const address = parseAddress(entry.address);
    if (address !== undefined) found.add(formatAddress(address));
  }
  return [...found];
}

/** Whether policy sees no difference between two versions of a node. */
export function sameNode(a: PolicyNode, b: PolicyNode): boolean {
  return (
    sameLabels(a.labels, b.labels) &&
    a.internalAddresses.join() === b.internalAddresses.join() &&
    a.otherAddresses.join() === b.otherAddresses.join()
  );
}
