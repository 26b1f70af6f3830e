import { type Address, addressBytes, formatAddress } from '../base/address.ts';
import { writeU16LE, writeU32LE } from '../base/bytes.ts';
import { familyNumber } from './interface-address.ts';
import { attribute, join, NLM_F_CREATE, NLM_F_REPLACE } from './netlink-message.ts';
import { command, type NetlinkRequest } from './netlink-request.ts';

const RTM_NEWNEIGH = 28;
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
