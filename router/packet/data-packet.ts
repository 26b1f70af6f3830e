import { readU16LE, readU32LE, writeU32LE, writeU64LE } from '../../base/bytes.ts';

/**
 * The outer packet and what is sealed in it. All integers are little endian; docs/wire.md has the last word.
 *
 * ```
 * 0      1       2      4                8               16
 * | type | flags | zero | receiver index | counter (u64) | ciphertext … | tag (16)
 *  ╰──────────── additional data of the AEAD ───────────╯
 *
 * plaintext:
 * 0      1            2   3   4
 * | kind | pad length | a | b | body … | padding (zero)
 * ```
 *
 * | kind | a, b | body |
 * |---|---|---|
 * | 0 keepalive | 0 | empty |
 * | 1 IP packet | a = csumStart, b = csumOffset; a = 0: the transport checksum is complete | one IP packet |
 * | 2 control | a = high byte of the pad length (probes are long), b = 0 | a control message |
 * | 3 relay envelope | a = relays still allowed (≤ 2), b = 0 | destination (first 16 bytes of its PeerId), outer packet |
 *
 * DSCP and ECN of the IP header around it: ecn.ts.
 */

export const PACKET_INITIATION = 1;
export const PACKET_RESPONSE = 2;
export const PACKET_COOKIE = 3;
const PACKET_DATA = 4;

export const OUTER_HEADER_LENGTH = 16;
export const TAG_LENGTH = 16;
export const INNER_HEADER_LENGTH = 4;
/** What a data packet adds to its IP packet. */
export const DATA_OVERHEAD = OUTER_HEADER_LENGTH + INNER_HEADER_LENGTH + TAG_LENGTH;
/** Destination in a relay envelope. */
export const RELAY_ID_LENGTH = 16;
/** What a relay envelope adds to the outer packet in it. */
export const RELAY_OVERHEAD = DATA_OVERHEAD + RELAY_ID_LENGTH;
/** IPv6 and UDP header of the underlay. */
const UNDERLAY_OVERHEAD = 48;
/** Underlay MTU less this is the overlay MTU: what fits directly fits through relays as well. */
export const OVERLAY_OVERHEAD = UNDERLAY_OVERHEAD + DATA_OVERHEAD + RELAY_OVERHEAD;
/** The largest UDP payload: 65,535 less the IPv4 and UDP headers. */
export const MAX_OUTER_LENGTH = 65_507;

export const KIND_KEEPALIVE = 0;
export const KIND_IP = 1;
export const KIND_CONTROL = 2;
export const KIND_RELAY = 3;

/** Relays that a packet may pass. */
export const MAX_RELAYS = 2;
/** Plaintexts are padded to a multiple of this, so that lengths tell less. */
export const PAD_TO = 16;

/** Writes the 16 bytes of the outer header of a data packet at `at`; they are the AEAD's associated data. */
export function writeOuterHeader(out: Uint8Array, at: number, receiverIndex: number, counter: number): void {
  out[at] = PACKET_DATA;
  out[at + 1] = 0;
  out[at + 2] = 0;
  out[at + 3] = 0;
  writeU32LE(out, at + 4, receiverIndex);
  writeU64LE(out, at + 8, counter);
}

/** Whether the `length` bytes at `at` have the form of a data packet: type, zero fields, room for an inner header. */
export function isDataPacket(bytes: Uint8Array, at = 0, length = bytes.length - at): boolean {
  return length >= DATA_OVERHEAD && readU32LE(bytes, at) === PACKET_DATA;
}

/** Whether `packet` may be a handshake or cookie message, which the control core judges. */
export function isForeignPacket(packet: Uint8Array): boolean {
  return packet.length > 0 && packet[0]! >= PACKET_INITIATION && packet[0]! <= PACKET_COOKIE;
}

/** The receiver index of the packet at `at`, of at least 8 bytes. */
export function receiverIndexOf(bytes: Uint8Array, at = 0): number {
  return readU32LE(bytes, at + 4);
}

/**
 * The counter of the packet at `at`; −1 where it exceeds 2^53 − 1, which JavaScript cannot hold exactly and no sender
 * reaches.
 */
export function counterOf(bytes: Uint8Array, at = 0): number {
  const high = readU32LE(bytes, at + 12);
  return high >= 2 ** 21 ? -1 : high * 2 ** 32 + readU32LE(bytes, at + 8);
}

/**
 * Writes the inner header. `padding` is up to 65,535 for control messages, up to 255 for others.
 * `a` and `b` as in the table above (`a` is not used for control messages).
 */
export function writeInnerHeader(
  out: Uint8Array,
  at: number,
  kind: number,
  padding: number,
  a: number,
  b: number,
): void {
  out[at] = kind;
  out[at + 1] = padding & 255;
  out[at + 2] = kind === KIND_CONTROL ? padding >>> 8 : a;
  out[at + 3] = b;
}

/** Length of the body in a plaintext of `length` bytes at `at`; −1 where the padding exceeds it. */
export function bodyLength(bytes: Uint8Array, at: number, length: number): number {
  const padding = bytes[at] === KIND_CONTROL ? readU16LE(bytes, at + 1) : bytes[at + 1]!;
  return length >= INNER_HEADER_LENGTH + padding ? length - INNER_HEADER_LENGTH - padding : -1;
}

/** Padding that fills a plaintext with `length` bytes of body up to {@link PAD_TO}, within `limit` bytes of body. */
export function paddingFor(length: number, limit: number): number {
  const wanted = -(INNER_HEADER_LENGTH + length) & (PAD_TO - 1);
  return Math.max(0, Math.min(wanted, limit - length));
}
