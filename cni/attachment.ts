import { type Address, type Family, parseAddress } from '../base/address.ts';
import { assert } from '../base/assert.ts';
import { hostLinkName } from './host-link-name.ts';
import { type AttachmentKey, keyText } from './key.ts';
import { keyHash } from './key-hash.ts';

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

/** `02:00:5e:10:00:01` form. */
export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** A unicast address of the locally administered space (the two low bits of the first byte: 1, 0). */
function macOf(key: AttachmentKey, end: 'host' | 'pod'): Uint8Array {
  let value = keyHash(`${end}/${keyText(key)}`);
  const mac = new Uint8Array(6);
  for (let i = 0; i < 6; i++) {
    mac[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  mac[0] = (mac[0]! & 0xfc) | 0x02;
  return mac;
}

function knownAddress(text: string): Address {
  const address = parseAddress(text);
  assert(address, 'a constant is an address');
  return address;
}
