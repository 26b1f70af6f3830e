import { type Address, formatAddress, parseAddress } from '../../base/address.ts';
import { isGatedLink } from '../../linux/policy-gate.ts';

/** A pod, as a container runtime names it. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  /** Of a static pod it is the annotation `kubernetes.io/config.hash` of its mirror pod. Empty where the runtime tells none. */
  readonly uid: string;
}

/**
 * Who hangs on one link of this node: what weftd tells weft-npc of it, by a file `RUN_DIR/pods/<link>.json` that is there
 * before the link is up and until it is gone, and in answers to `policyWait`.
 *
 * ```
 * {"version": 1, "link": "wv0123456789a", "serial": "k2x…-17", "addresses": ["10.32.0.5", "fd00::5"],
 *  "pod": {"namespace": "ns", "name": "n", "uid": "u"}, "containerId": "…"}
 * ```
 *
 * A member that is not known is passed over. To a version of the format that is not known belongs a file that cannot be
 * read.
 */
export interface GateAttachment {
  /** The host's end, `wv` and 11 hex digits. */
  readonly link: string;
  /** Another one for each attachment: a link that is removed and made again for the same container has a new one. */
  readonly serial: string;
  /** One of each family at most, IPv4 first. */
  readonly addresses: readonly Address[];
  /** Null where it is not known: it was attached by a weftd that wrote no such file, or its runtime named no pod. */
  readonly pod: PodIdentity | null;
  /** `pod` was found by what the API tells of the addresses, so it is who the API tells has them. Absent: false. */
  readonly byAddress?: boolean;
  readonly containerId: string;
  /** It is no pod of Kubernetes, so no policy can select it, and weftd itself opens the gate for it. Absent: false. */
  readonly ungoverned: boolean;
}

const VERSION = 1;

/** The name of the mark in RUN_DIR that weftd makes when it has laid a gate, and removes with it. */
export const GATE_MARK = 'policy-gate';

/** Longest file that is read. */
export const MAX_ATTACHMENT_BYTES = 8 * 1024;

const MAX_SERIAL_LENGTH = 64;
const MAX_CONTAINER_ID_LENGTH = 128;
const MAX_UID_LENGTH = 128;

/** The name of the file of `link` within `RUN_DIR/pods`. */
export function attachmentFileName(link: string): string {
  return `${link}.json`;
}

/** The link whose file has that name; undefined where it is no name of such a file. */
export function linkOfFileName(name: string): string | undefined {
  const link = /^(wv[0-9a-f]{11})\.json$/.exec(name)?.[1];
  return link;
}

/** What stands in the file, and in an answer to `policyWait`. */
export function attachmentJson(attachment: GateAttachment): Record<string, unknown> {
  const { link, serial, addresses, pod, byAddress, containerId, ungoverned } = attachment;
  return {
    version: VERSION,
    link,
    serial,
    addresses: addresses.map(formatAddress),
    pod: pod && { namespace: pod.namespace, name: pod.name, uid: pod.uid },
    containerId,
    ...(ungoverned ? { ungoverned } : {}),
    ...(byAddress ? { byAddress } : {}),
  };
}

/** Reads what {@link attachmentJson} makes, which is not trusted; undefined where it is anything else. */
export function parseAttachment(value: unknown): GateAttachment | undefined {
  if (!isRecord(value) || value.version !== VERSION) return undefined;
  const { link, serial, addresses, pod, byAddress = false, containerId, ungoverned = false } = value;
  if (typeof link !== 'string' || !isGatedLink(link)) return undefined;
  if (typeof serial !== 'string' || !/^[\w.-]+$/.test(serial) || serial.length > MAX_SERIAL_LENGTH)
    return undefined;
  if (typeof containerId !== 'string' || !isContainerId(containerId)) return undefined;
  if (typeof ungoverned !== 'boolean' || (ungoverned && pod !== null)) return undefined;
  if (typeof byAddress !== 'boolean') return undefined;
  const known = pod === null ? null : podIdentity(pod);
  const parsed = parseAddresses(addresses);
  if (known === undefined || parsed === undefined) return undefined;
  const attachment = { link, serial, addresses: parsed, pod: known, containerId, ungoverned };
  return byAddress ? { ...attachment, byAddress } : attachment;
}

/** The text of a file as {@link parseAttachment} reads its value. */
export function parseAttachmentText(text: string): GateAttachment | undefined {
  if (text.length > MAX_ATTACHMENT_BYTES) return undefined;
  try {
    return parseAttachment(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** A pod by names that Kubernetes would take; undefined for anything else. Members beyond are passed over. */
export function podIdentity(value: unknown): PodIdentity | undefined {
  if (!isRecord(value)) return undefined;
  const { namespace, name, uid } = value;
  if (!isNamespaceName(namespace) || !isPodName(name)) return undefined;
  if (typeof uid !== 'string' || uid.length > MAX_UID_LENGTH || !/^[A-Za-z0-9._-]*$/.test(uid))
    return undefined;
  return { namespace, name, uid };
}

/** A label of RFC 1123, as namespaces have it. */
export function isNamespaceName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(value);
}

/** A subdomain of RFC 1123, as pods have it. */
function isPodName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(value);
}

/** CNI 1.1.0, Parameters. */
function isContainerId(text: string): boolean {
  return text.length <= MAX_CONTAINER_ID_LENGTH && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(text);
}

function parseAddresses(value: unknown): Address[] | undefined {
  if (!Array.isArray(value) || value.length > 2) return undefined;
  const addresses: Address[] = [];
  for (const text of value as unknown[]) {
    const address = typeof text === 'string' ? parseAddress(text) : undefined;
    if (address === undefined || addresses.some(({ family }) => family === address.family)) return undefined;
    addresses.push(address);
  }
  return addresses.sort((a, b) => a.family - b.family);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
