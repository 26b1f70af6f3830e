import { type Address, addressBytes, addressFromBytes, formatAddress } from '../../base/address.ts';
import { readU16LE, readU32LE, writeU16LE, writeU32LE } from '../../base/bytes.ts';
import {
  attribute,
  join,
  type NetlinkMessage,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  parseAttributes,
} from '../netlink-message.ts';
import { command, dump, type NetlinkRequest } from '../netlink-request.ts';
import { familyNumber, familyOf } from './interface-address.ts';

/** An entry of the neighbour table (ARP, neighbour discovery) as the kernel lists it. */
export interface Neighbour {
  /** The interface's index. */
  readonly link: number;
  readonly address: Address;
  /** Hardware address; undefined while it is being asked for. */
  readonly mac: Uint8Array | undefined;
  /** Set for good, so that nothing learned replaces it. */
  readonly permanent: boolean;
}

const RTM_NEWNEIGH = 28;
const RTM_GETNEIGH = 30;
const HEADER_LENGTH = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;

/**
 * Says for good which hardware address (6 bytes) `address` has on interface `link`, so that neither ARP nor
 * neighbour discovery is needed or believed. Replaces what was known.
 *
 * ```
 *   0        1       4            8       10      11     12
 *   | family | pad   | link index | state | flags | type |
 * ```
 */
export function setNeighbour(link: number, address: Address, mac: Uint8Array): NetlinkRequest {
  const header = new Uint8Array(HEADER_LENGTH);
  header[0] = familyNumber(address.family);
  writeU32LE(header, 4, link);
  writeU16LE(header, 8, NUD_PERMANENT);
  const body = join([header, attribute(NDA_DST, addressBytes(address)), attribute(NDA_LLADDR, mac)]);
  return command(`set neighbour ${formatAddress(address)}`, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body);
}

/** All entries of both families. */
export function dumpNeighbours(): NetlinkRequest {
  return dump('list neighbours', RTM_GETNEIGH, new Uint8Array(HEADER_LENGTH));
}

/** Reads a neighbour message; undefined where it is another message, malformed, or of another family (a bridge). */
export function parseNeighbour(message: NetlinkMessage): Neighbour | undefined {
  const { type, payload } = message;
  if (type !== RTM_NEWNEIGH || payload.length < HEADER_LENGTH) return undefined;
  const attributes = parseAttributes(payload.subarray(HEADER_LENGTH));
  if (!attributes.ok) return undefined;
  const value = attributes.value.get(NDA_DST);
  const address = value && addressFromBytes(value);
  if (!address || address.family !== familyOf(payload[0]!)) return undefined;
  return {
    link: readU32LE(payload, 4),
    address,
    mac: attributes.value.get(NDA_LLADDR)?.slice(),
    permanent: (readU16LE(payload, 8) & NUD_PERMANENT) !== 0,
  };
}
