import { writeU16BE, writeU16LE } from '../base/bytes.ts';

const SEGMENT = 100;
const PAYLOAD = 2 * SEGMENT;
const VNET = 10;
const NEEDS_CSUM = 1;
const KINDS = {
  tcp: { protocol: 6, header: 20, checksumAt: 16, gso: { 4: 1, 6: 4 } },
  udp: { protocol: 17, header: 8, checksumAt: 6, gso: { 4: 5, 6: 5 } },
} as const;

/**
 * Frames with a virtio header that a sound kernel's TUN takes as super-packets of two segments, IPv4 and IPv6, and
 * whose packets its IP layer then drops unseen: the IPv4 header's checksum is wrong, the IPv6 source is multicast.
 * Some kernels refuse such writes with EINVAL; on those nothing may be coalesced.
 */
export function tunSelfTestFrames(kind: 'tcp' | 'udp'): Uint8Array[] {
  return [frame(kind, 4), frame(kind, 6)];
}

function frame(kind: 'tcp' | 'udp', family: 4 | 6): Uint8Array {
  const { protocol, header, checksumAt, gso } = KINDS[kind];
  const ipHeader = family === 4 ? 20 : 40;
  const out = new Uint8Array(VNET + ipHeader + header + PAYLOAD);
  out[0] = NEEDS_CSUM;
  out[1] = gso[family];
  writeU16LE(out, 2, ipHeader + header);
  writeU16LE(out, 4, SEGMENT);
  writeU16LE(out, 6, ipHeader);
  writeU16LE(out, 8, checksumAt);
  const ip = out.subarray(VNET);
  if (family === 4) {
    ip[0] = 0x45;
    writeU16BE(ip, 2, ip.length);
    ip[8] = 1; // time to live: it must not travel
    ip[9] = protocol;
    writeU16BE(ip, 10, 0xdead); // the header's checksum would be 0xb9.. or so: never this
    ip.set([192, 0, 2, 1, 192, 0, 2, 2], 12); // TEST-NET-1, RFC 5737
  } else {
    ip[0] = 0x60;
    writeU16BE(ip, 4, header + PAYLOAD);
    ip[6] = protocol;
    ip[7] = 1;
    ip.set([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 8); // a multicast source is invalid, RFC 4291 §2.7
    ip.set([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 24); // documentation, RFC 3849
  }
  const transport = ip.subarray(ipHeader);
  if (kind === 'tcp') {
    transport[12] = 5 << 4; // data offset, in words
    transport[13] = 0x10; // ACK
  } else writeU16BE(transport, 4, header + PAYLOAD);
  return out;
}
