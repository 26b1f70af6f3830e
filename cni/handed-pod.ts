import { MIN_MTU } from './attachment.ts';
import { isObject } from './config.ts';
import { CNI_CODE, CniFault } from './fault.ts';
import { type AttachmentKey, isContainerId, isInterfaceName, isNetworkName } from './key.ts';
import type { HeldPod } from './needs.ts';

/** A held pod as one weftd hands it to the next; what follows from its key is not told again. */
export interface HandedPod extends Omit<HeldPod, 'attachment'> {
  readonly key: AttachmentKey;
  readonly network: string;
  readonly mtu: number;
}

const MAX_TEXT_LENGTH = 400;
/** Of an interface with two addresses there are nine parts. */
const MAX_PARTS = 16;
const MAX_MTU = 65_535;

/** What is said of a pod that is handed over, as JSON. */
export function handedPod({ attachment, ...rest }: HeldPod): HandedPod {
  const { key, network, mtu } = attachment;
  return { ...rest, key, network, mtu };
}

/** Reads what {@link handedPod} wrote, which is not trusted. @throws {CniFault} */
export function parseHandedPod(value: unknown): HandedPod {
  const given = isObject(value) ? value : {};
  const { key, network, mtu, link, carrierLosses, owner, netnsName, leftAlone } = given;
  const { containerId, ifname } = isObject(key) ? key : {};
  if (
    typeof containerId !== 'string' ||
    !isContainerId(containerId) ||
    typeof ifname !== 'string' ||
    !isInterfaceName(ifname) ||
    typeof network !== 'string' ||
    !isNetworkName(network) ||
    !isWithin(mtu, MIN_MTU, MAX_MTU) ||
    !isWithin(link, 1, 2 ** 31 - 1) ||
    !isWithin(carrierLosses, 0, 2 ** 32 - 1) ||
    !isText(owner) ||
    !isText(netnsName) ||
    !(leftAlone === undefined || isParts(leftAlone))
  )
    throw new CniFault(CNI_CODE.decode, 'what is said of a pod that is handed over cannot be read');
  return {
    ...{ key: { containerId, ifname }, network, mtu, link, carrierLosses },
    ...{ owner, netnsName, leftAlone },
  };
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT_LENGTH;
}

function isParts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MAX_PARTS && value.every(isText);
}
