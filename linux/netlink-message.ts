import { readU16LE, readU32LE, utf8, writeU16LE, writeU32LE } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/result.ts';

/**
 * Netlink's framing. Integers are in the host's order, which is little endian on every machine weft runs on.
 *
 * ```
 *   message   0        4      6       8          12       16
 *             | length | type | flags | sequence | port id| payload … | pad to 4
 *   attribute 0        2      4
 *             | length | type | value … | pad to 4                       (length counts its own 4 bytes)
 * ```
 */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Of the socket that asked for what this answers, or did what this tells. 0 for what the kernel does by itself. */
  readonly port: number;
  /** A view into the parsed bytes. */
  readonly payload: Uint8Array;
}

const NLMSG_HEADER_LENGTH = 16;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x001;
export const NLM_F_ACK = 0x004;
/** In an answer: the list changed while it was dumped, so it may be inconsistent. */
export const NLM_F_DUMP_INTR = 0x010;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** In an error: attributes follow, for instance the kernel's own words. */
export const NLM_F_ACK_TLVS = 0x200;

/** Marks an attribute that holds attributes; kernels since 5.2 want it set where it applies. */
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const ATTRIBUTE_HEADER_LENGTH = 4;

/** One message: nlmsghdr and payload, padded to 4 bytes (netlink(7)). */
export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  payload: Uint8Array,
): Uint8Array {
  const length = NLMSG_HEADER_LENGTH + payload.length;
  const out = new Uint8Array(align(length));
  writeU32LE(out, 0, length);
  writeU16LE(out, 4, type);
  writeU16LE(out, 6, flags);
  writeU32LE(out, 8, sequence);
  out.set(payload, NLMSG_HEADER_LENGTH);
  return out;
}

/** Every message in `bytes`; the last may lack its padding. Nothing where any part is malformed. */
export function parseMessages(bytes: Uint8Array): Result<NetlinkMessage[], 'malformedMessage'> {
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < NLMSG_HEADER_LENGTH) return fail('malformedMessage');
    const length = readU32LE(bytes, at);
    if (length < NLMSG_HEADER_LENGTH || length > bytes.length - at) return fail('malformedMessage');
    messages.push({
      type: readU16LE(bytes, at + 4),
      flags: readU16LE(bytes, at + 6),
      sequence: readU32LE(bytes, at + 8),
      port: readU32LE(bytes, at + 12),
      payload: bytes.subarray(at + NLMSG_HEADER_LENGTH, at + length),
    });
    at += align(length);
  }
  return ok(messages);
}

/** Attribute values by type (without the flag bits), as views. A type that repeats keeps its last value. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

/** The attributes in `bytes`, all of it. */
export function parseAttributes(bytes: Uint8Array): Result<Attributes, 'malformedAttribute'> {
  const valueByType = new Map<number, Uint8Array>();
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < ATTRIBUTE_HEADER_LENGTH) return fail('malformedAttribute');
    const length = readU16LE(bytes, at);
    if (length < ATTRIBUTE_HEADER_LENGTH || length > bytes.length - at) return fail('malformedAttribute');
    const type = readU16LE(bytes, at + 2) & NLA_TYPE_MASK;
    valueByType.set(type, bytes.subarray(at + ATTRIBUTE_HEADER_LENGTH, at + length));
    at += align(length);
  }
  return ok(valueByType);
}

/** Value of a u32 attribute; undefined where it is missing or of another length. */
export function attributeU32(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value?.length === 4 ? readU32LE(value, 0) : undefined;
}

/** Value of a text attribute up to its NUL, bytes beyond ASCII replaced; undefined where it is missing. */
export function attributeText(attributes: Attributes, type: number): string | undefined {
  const value = attributes.get(type);
  if (!value) return undefined;
  let text = '';
  for (const byte of value) {
    if (byte === 0) break;
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?';
  }
  return text;
}

// -- building -------------------------------------------------------------------------------------------------

/** One attribute with its padding. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const length = ATTRIBUTE_HEADER_LENGTH + value.length;
  const out = new Uint8Array(align(length));
  writeU16LE(out, 0, length);
  writeU16LE(out, 2, type);
  out.set(value, ATTRIBUTE_HEADER_LENGTH);
  return out;
}

/** An attribute of one unsigned byte. */
export function u8Attribute(type: number, value: number): Uint8Array {
  return attribute(type, Uint8Array.of(value));
}

/** An attribute of an unsigned 32-bit number, in the machine's order (little endian). */
export function u32Attribute(type: number, value: number): Uint8Array {
  return attribute(type, u32(value));
}

/** Text with its NUL. */
export function textAttribute(type: number, text: string): Uint8Array {
  return attribute(type, utf8(`${text}\0`));
}

/** An attribute that holds attributes, flagged NLA_F_NESTED. */
export function nestedAttribute(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return attribute(type | NLA_F_NESTED, join(parts));
}

/** Four bytes of an unsigned (or, in two's complement, signed) integer. */
function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  writeU32LE(out, 0, value);
  return out;
}

/** The parts behind one another, in fresh bytes. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
