import { type Address, type Family, parseAddress } from '../base/address.ts';
import { assert } from '../base/assert.ts';
import { type AttachmentKey, isContainerId, isInterfaceName, isNetworkName, keyText } from './key.ts';

/**
 * # An attachment
 *
 * A pod hangs on its node by one veth pair and nothing shared with other pods:
 *
 *     pod's namespace                               host's namespace
 *     eth0  10.32.0.7/32, fd…::7/128  ◀── veth ──▶  wv1a2b3c4d5e6
 *       default via 169.254.1.1 onlink                10.32.0.7/32 dev wv1a2b3c4d5e6
 *       default via fe80::1 onlink                    fd…::7/128 dev wv1a2b3c4d5e6
 *       169.254.1.1, fe80::1 at the host's MAC        10.32.0.7, fd…::7 at the pod's MAC
 *
 * Neither gateway exists anywhere: the neighbour entries on both sides are permanent, so no ARP and no neighbour
 * discovery is ever needed, and none can be forged.
 *
 * Everything but the addresses follows from the key. So a DEL, a reconciliation or the next daemon finds what belongs to
 * an attachment, though nothing about it is stored.
 */
export interface Attachment {
  readonly key: AttachmentKey;
  /** Name of the network in the config that the pod was attached by; what GC goes by. */
  readonly network: string;
  /** `wv` and 11 hex digits. The prefix is what the host's source check matches. */
  readonly hostName: string;
  readonly hostMac: Uint8Array;
  readonly podMac: Uint8Array;
  /** One of each family at most, IPv4 first; at least one. */
  readonly addresses: readonly Address[];
  /** MTU of both ends: the overlay's. */
  readonly mtu: number;
}

/** What a pool deals out for one attachment: an address of each family it has a range for. */
export interface PodAddresses {
  readonly v4?: Address;
  readonly v6?: Address;
}

/** What the names of the hosts' ends begin with; the packet rules match it. */
export const HOST_LINK_PREFIX = 'wv';

/** The next hop that every pod is told; link-local, so that it can clash with nothing. */
export const GATEWAY: Readonly<Record<Family, Address>> = {
  4: knownAddress('169.254.1.1'),
  6: knownAddress('fe80::1'),
};

/** The least MTU that carries IPv6 (RFC 8200 §5). */
export const MIN_MTU = 1280;

const MAX_MTU = 65_535;

/** What is to be made for `key`. `addresses` holds at least one; `mtu` lies in [{@link MIN_MTU}, {@link MAX_MTU}]. */
export function planAttachment(
  key: AttachmentKey,
  network: string,
  addresses: PodAddresses,
  mtu: number,
): Attachment {
  const both = [addresses.v4, addresses.v6].filter((address) => address !== undefined);
  assert(both.length > 0, 'an attachment has an address');
  assert(addresses.v4 === undefined || addresses.v4.family === 4, 'v4 is an IPv4 address');
  assert(addresses.v6 === undefined || addresses.v6.family === 6, 'v6 is an IPv6 address');
  assert(mtu >= MIN_MTU && mtu <= MAX_MTU, 'the MTU carries IPv6');
  return {
    key,
    network,
    hostName: hostLinkName(key),
    hostMac: macOf(key, 'host'),
    podMac: macOf(key, 'pod'),
    addresses: both,
    mtu,
  };
}

/** Name of the host's end of the pair of `key`. Of 30 million nodes with 1,000 pods, one has a name twice. */
export function hostLinkName(key: AttachmentKey): string {
  return HOST_LINK_PREFIX + hash(keyText(key)).toString(16).padStart(16, '0').slice(0, 11);
}

/** True for names that only {@link hostLinkName} gives out. */
export function isHostLinkName(name: string): boolean {
  return /^wv[0-9a-f]{11}$/.test(name);
}

/** `containerId/ifname/network`, the alias of the host's end; under the kernel's 255 bytes by the limits of the parts. */
export function linkAlias(key: AttachmentKey, network: string): string {
  return `${keyText(key)}/${network}`;
}

/** What an alias says, or undefined where it is none of ours. */
export function parseLinkAlias(alias: string): { key: AttachmentKey; network: string } | undefined {
  const [containerId, ifname, network, ...rest] = alias.split('/');
  if (containerId === undefined || ifname === undefined || network === undefined || rest.length > 0)
    return undefined;
  if (!isContainerId(containerId) || !isInterfaceName(ifname) || !isNetworkName(network)) return undefined;
  return { key: { containerId, ifname }, network };
}

/** `02:00:5e:10:00:01` form. */
export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** A unicast address of the locally administered space (the two low bits of the first byte: 1, 0). */
function macOf(key: AttachmentKey, end: 'host' | 'pod'): Uint8Array {
  let value = hash(`${end}/${keyText(key)}`);
  const mac = new Uint8Array(6);
  for (let i = 0; i < 6; i++) {
    mac[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  mac[0] = (mac[0]! & 0xfc) | 0x02;
  return mac;
}

/**
 * FNV-1a of 64 bits (Fowler, Noll, Vo) with the finaliser of MurmurHash3, which spreads the last characters over
 * all bits. Not for anything that an adversary may choose: container ids are the runtime's random numbers.
 */
function hash(text: string): bigint {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  value = BigInt.asUintN(64, (value ^ (value >> 33n)) * 0xff51afd7ed558ccdn);
  value = BigInt.asUintN(64, (value ^ (value >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return value ^ (value >> 33n);
}

function knownAddress(text: string): Address {
  const address = parseAddress(text);
  assert(address, 'a constant is an address');
  return address;
}
