import { concat, writeU16BE, writeU16LE, writeU32BE } from '../../base/bytes.ts';
import { frameOf, ipPacket, naiveChecksum, pattern, pseudoHeader } from '../unit/router/packet/ip-packets.ts';
import type { Noise } from './inputs.ts';

/**
 * IP packets of every shape that hosts may send, sound ones and some that are not: options, fragments, chains of extension
 * headers, all transports, checksums that are complete, partial, wrong or left out, and super-packets. Each is a function
 * of the noise that it is drawn from.
 */

/** Addresses of one family to draw from, the usual one first. */
interface Addresses {
  readonly source: readonly string[];
  readonly destination: readonly string[];
}

/** From our pods to those of peers: with a session and a path, without one, behind a relay; ours, nobody's, many. */
const OUTBOUND: Readonly<Record<4 | 6, Addresses>> = {
  4: {
    source: ['10.32.0.1', '10.33.0.1', '127.0.0.1', '0.0.0.0'],
    destination: [
      '10.33.0.1',
      '10.33.255.254',
      '10.34.0.1',
      '10.35.0.1',
      '10.32.0.9',
      '8.8.8.8',
      '224.0.0.1',
      '255.255.255.255',
    ],
  },
  6: {
    source: ['fd00::1', 'fd00:1::1', '::', 'fe80::1'],
    destination: ['fd00:1::1', 'fd00:1::ffff', 'fd00::9', '2001:db8::1', 'ff02::1', 'fe80::2'],
  },
};
const INBOUND: Readonly<Record<4 | 6, Addresses>> = {
  4: {
    source: ['10.33.0.1', '10.33.7.7', '10.35.0.1', '10.32.0.1', '10.34.0.1', '8.8.8.8'],
    destination: ['10.32.0.1', '10.32.9.9', '10.33.0.1', '8.8.8.8', '224.0.0.1', '255.255.255.255'],
  },
  6: {
    source: ['fd00:1::1', 'fd00:1::7', 'fd00::1', '2001:db8::1', '::'],
    destination: ['fd00::1', 'fd00::9', 'fd00:1::1', '2001:db8::1', 'ff02::1'],
  },
};

const BYTES = pattern(66_000);

/** The usual one three times of four. */
function usual<T>(noise: Noise, of: readonly T[]): T {
  return noise.below(4) > 0 ? of[0]! : of[noise.below(of.length)]!;
}

function any<T>(noise: Noise, of: readonly T[]): T {
  return of[noise.below(of.length)]!;
}

/** Bytes behind the headers: none, few, about what a path of 1280 or 1400 bytes carries, and more. */
function payloadLength(noise: Noise): number {
  switch (noise.below(8)) {
    case 0:
      return noise.below(3);
    case 1:
      return 1400 - 20 - 20 - 4 + noise.below(9);
    case 2:
      return 1280 - 40 - 8 - 4 + noise.below(9);
    case 3:
      return 1400 - 40 - 20 - 4 + noise.below(60);
    case 4:
      return noise.below(3000);
    default:
      return noise.below(200);
  }
}

type Checksum = 'complete' | 'partial' | 'wrong' | 'none';

interface Transport {
  readonly protocol: number;
  readonly bytes: Uint8Array;
  readonly checksumOffset: number;
}

/** A transport header and what it carries; `payload`: its bytes, where that is not to be drawn. */
function transport(
  noise: Noise,
  family: 4 | 6,
  ends: { source: string; destination: string },
  checksum: Checksum,
  payload = payloadLength(noise),
): Transport {
  const kind = noise.below(10);
  const from = noise.below(256);
  const body = BYTES.subarray(from, from + payload);
  let protocol: number;
  let bytes: Uint8Array;
  let offset = 0;
  if (kind < 4) {
    protocol = 6;
    offset = 16;
    const options = noise.below(3) === 0 ? 4 * noise.below(11) : 0;
    const header = new Uint8Array(20 + options);
    writeU16BE(header, 0, 1000 + noise.below(3));
    writeU16BE(header, 2, 80);
    writeU32BE(header, 4, any(noise, [1, 0xfffff000, noise.below(2 ** 31)]));
    writeU32BE(header, 8, 7);
    header[12] = usual(noise, [header.length << 2, 0x40, 0xf0, noise.below(256)]);
    header[13] = usual(noise, [0x10, 0x18, 0x11, 0x02, 0x04, 0x99, 0xd0, noise.below(256)]);
    writeU16BE(header, 14, 512);
    if (noise.below(16) === 0) writeU16BE(header, 18, noise.below(65_536));
    bytes = concat(header, body);
  } else if (kind < 7) {
    protocol = 17;
    offset = 6;
    const header = new Uint8Array(8);
    writeU16BE(header, 0, 5353);
    writeU16BE(header, 2, 5354);
    const length = 8 + body.length;
    writeU16BE(
      header,
      4,
      usual(noise, [length, length, length - 1, length + 1, 0, noise.below(65_536)]) & 0xffff,
    );
    bytes = concat(header, body);
  } else if (kind < 9) {
    protocol = usual(noise, family === 4 ? [1, 58] : [58, 1]);
    offset = 2;
    const echo = family === 4 ? [8, 0, 3, 5, 9, 11, 12, 13] : [128, 129, 1, 2, 3, 133, 134, 135, 136, 137];
    bytes = concat(Uint8Array.of(usual(noise, echo), noise.below(5), 0, 0, 1, 2, 3, 4), body);
  } else {
    protocol = any(noise, [2, 4, 41, 47, 50, 51, 59, 89, 132, 135, 253, 255]);
    bytes = body.slice();
  }
  if (noise.below(32) === 0) bytes = bytes.subarray(0, noise.below(24));
  if (offset > 0 && bytes.length >= offset + 2) {
    bytes[offset] = bytes[offset + 1] = 0;
    const pseudo = pseudoHeader(ends.source, ends.destination, protocol, bytes.length);
    const whole = protocol === 1 ? bytes : concat(pseudo, bytes);
    const sum = checksum === 'partial' ? 0xffff - naiveChecksum(pseudo) : naiveChecksum(whole);
    const wrong = checksum === 'wrong' ? 1 + noise.below(0xfffe) : 0;
    if (checksum !== 'none') writeU16BE(bytes, offset, (sum + wrong) & 0xffff);
  }
  return { protocol, bytes, checksumOffset: offset };
}

const OPTIONS = [
  [1, 1, 1, 0],
  [148, 4, 0, 0],
  [7, 7, 4, 0, 0, 0, 0, 0],
  [68, 8, 5, 0, 0, 0, 0, 0],
  [131, 7, 4, 1, 2, 3, 4, 0],
  [137, 3, 4, 0],
  [68, 0, 0, 0],
  [7, 200, 0, 0],
  [130, 1, 0, 0],
].map((bytes) => Uint8Array.from(bytes));

/** Flags and offset: whole, a first fragment, others, one within a TCP header, the reserved flag. */
const FRAGMENTS4 = [0x4000, 0, 0x2000, 0x2001, 0x0001, 0x0064, 0x2064, 0x6000, 0x8000, 0xffff];

/** Extension headers before a transport header: their bytes, and the protocol of the first. */
function extensionHeaders(noise: Noise, protocol: number): { first: number; bytes: Uint8Array } {
  let bytes: Uint8Array = new Uint8Array(0);
  let next = protocol;
  for (let left = usual(noise, [0, 1, 1, 2, 3, 7]); left > 0; left--) {
    const kind = any(noise, [0, 44, 44, 43, 51, 60, 60, 135, 139, 59]);
    const header = new Uint8Array(kind === 44 ? 8 : 8 * (1 + noise.below(3)));
    header[0] = next;
    if (kind === 44) writeU16BE(header, 2, any(noise, [0, 1, 8, 9, 0x500, 0xffff]));
    else header[1] = kind === 51 ? header.length / 4 - 2 : header.length / 8 - 1;
    if (noise.below(16) === 0) header[1] = noise.below(256);
    bytes = concat(header, bytes);
    next = kind;
  }
  return { first: next, bytes };
}

interface Drawn {
  readonly packet: Uint8Array;
  readonly family: 4 | 6;
  readonly protocol: number;
  /** Where the transport header begins, and its checksum within. */
  readonly checksumStart: number;
  readonly checksumOffset: number;
  readonly partial: boolean;
}

function drawn(noise: Noise, ways: typeof OUTBOUND, payload?: number): Drawn {
  const family = noise.below(2) === 0 ? 4 : 6;
  const source = usual(noise, ways[family].source);
  const destination = usual(noise, ways[family].destination);
  const checksum = any<Checksum>(noise, ['complete', 'complete', 'partial', 'partial', 'wrong', 'none']);
  const { protocol, bytes, checksumOffset } = transport(
    noise,
    family,
    { source, destination },
    checksum,
    payload,
  );
  const tos = usual(noise, [0, 1, 2, 3, 0xb8, 0xbb, noise.below(256)]);
  const ttl = usual(noise, [64, 0, 1, 255]);
  let packet: Uint8Array;
  let before = 0;
  if (family === 4) {
    const options = usual(noise, [new Uint8Array(0), ...OPTIONS]);
    const flagsAndOffset = usual(noise, FRAGMENTS4);
    const id = noise.below(65_536);
    packet = ipPacket({ source, destination, protocol, tos, ttl, id, flagsAndOffset, options }, bytes);
    if (noise.below(24) === 0) packet[0] = 0x40 | noise.below(16);
    if (noise.below(24) === 0) packet[10]! ^= 1 + noise.below(255);
    if (noise.below(32) === 0) writeU16BE(packet, 2, noise.below(65_536));
    before = 20 + options.length;
  } else {
    const { first, bytes: headers } = extensionHeaders(noise, protocol);
    const flowLabel = noise.below(2 ** 20);
    packet = ipPacket({ source, destination, protocol: first, tos, ttl, flowLabel }, concat(headers, bytes));
    if (noise.below(32) === 0) writeU16BE(packet, 4, noise.below(65_536));
    before = 40 + headers.length;
  }
  if (noise.below(64) === 0) packet = packet.slice(0, noise.below(packet.length));
  return { packet, family, protocol, checksumStart: before, checksumOffset, partial: checksum === 'partial' };
}

/** A frame as the TUN gives it: a virtio header, mostly the kernel's own, and a packet or super-packet. */
export function generatedFrame(noise: Noise): Uint8Array {
  const large = noise.below(3) === 0;
  const most = noise.below(16) === 0 ? 60_000 : 6000;
  const of = drawn(noise, OUTBOUND, large ? noise.below(most) : undefined);
  const { packet, family, protocol, checksumStart, checksumOffset } = of;
  if (!large && !of.partial && noise.below(8) > 0) return frameOf(packet, { flags: usual(noise, [0, 2]) });
  const gsoOfKind = protocol === 17 ? 5 : family === 4 ? 1 : 4;
  return frameOf(packet, {
    flags: usual(noise, [1, 0, 2, 3]),
    gsoType: large
      ? usual(noise, [gsoOfKind, gsoOfKind | 0x80, 0, 1, 3, 4, 5, noise.below(256)])
      : usual(noise, [0, 1, 5]),
    gsoSize: large
      ? any(noise, [1000, 1200, 500, 1340, 1360, 1380, 1400, 200, 48, 1, 0, 65_535])
      : noise.below(2) * 1000,
    headerLength: noise.below(100),
    csumStart: usual(noise, [checksumStart, 0, 20, 40, noise.below(65_536)]),
    csumOffset: usual(noise, [checksumOffset, 6, 16, 0, noise.below(65_536)]),
  });
}

/** What a peer may do to a datagram before it sends it, or the network on the way. */
export const FATES = ['sound', 'bit', 'cut', 'longer', 'clear', 'noise'] as const;

/** Bytes of {@link generatedMessage} before the plaintext of a datagram. */
export const DATAGRAM_HEAD = 8;

/**
 * A message of one or several datagrams of a hostile member and those who are none, as {@link DATAGRAM_HEAD} bytes and a
 * plaintext each, behind two bytes for all.
 *
 *   | tos | from elsewhere |  fate | session | counter's step (2) | damage (2) | plaintext's length (2) | plaintext …
 */
export function generatedMessage(noise: Noise): Uint8Array {
  const parts: Uint8Array[] = [
    Uint8Array.of(noise.below(4) === 0 ? noise.below(256) : 0, noise.below(8) === 0 ? 1 : 0),
  ];
  const many = noise.below(4) === 0 ? 2 + noise.below(12) : 1;
  for (let left = many; left > 0; left--) {
    const plaintext = generatedPlaintext(noise, many > 1);
    const head = new Uint8Array(DATAGRAM_HEAD);
    head[0] = usual(noise, [0, 0, 1, 2, 3, 4, 5]);
    head[1] = usual(noise, [0, 0, 1, 2]);
    // Forward by one, the same again, back, or far ahead.
    writeU16LE(head, 2, usual(noise, [1, 1, 0, 2, 0xffff, 0xff00, 0x7fff, noise.below(65_536)]));
    writeU16LE(head, 4, noise.below(65_536));
    writeU16LE(head, 6, plaintext.length);
    parts.push(head, plaintext);
  }
  return concat(...parts);
}

/** What is sealed: kind, padding, checksum's start and offset, and mostly a packet for one of our pods. */
function generatedPlaintext(noise: Noise, short: boolean): Uint8Array {
  if (noise.below(32) === 0) return BYTES.slice(0, noise.below(64));
  const { packet, checksumStart, checksumOffset, partial } = drawn(
    noise,
    INBOUND,
    short ? any(noise, [100, 100, 100, 60, noise.below(200)]) : undefined,
  );
  const padding = usual(noise, [0, (16 - ((packet.length + 4) & 15)) & 15, noise.below(256)]);
  const marked = partial ? noise.below(8) > 0 : noise.below(16) === 0;
  const inner = Uint8Array.of(
    usual(noise, [1, 1, 0, 2, 3, noise.below(256)]),
    padding,
    marked ? usual(noise, [checksumStart, 0, noise.below(256)]) : 0,
    marked ? usual(noise, [checksumOffset, 0, noise.below(256)]) : 0,
  );
  return concat(inner, packet, new Uint8Array(noise.below(16) > 0 ? padding : noise.below(padding + 1)));
}
