import { Packr } from 'msgpackr/pack'; // without its native addon for strings
import { readU16BE, readU32BE, utf8Text } from '../../base/bytes.ts';

/**
 * MessagePack for hostile input.
 *
 * msgpackr is quick, and knows more than we want to accept: records, extensions, dates, shared structures, maps with
 * any key. So the bytes are walked once first ({@link isPlainMsgpack}), and only what is plain reaches it: nil,
 * booleans, numbers, strings, byte strings, arrays, and maps with short string keys that are no names of the
 * prototype chain; one value, nothing behind it, bounded in depth and in number of values.
 */
const packr = new Packr({
  useRecords: false,
  moreTypes: false,
  structuredClone: false,
  mapsAsObjects: true,
  variableMapSize: true,
  int64AsType: 'number',
});

interface MsgpackBounds {
  /** Levels of arrays and maps. */
  readonly maxDepth: number;
  /** Values in all, keys and containers included. */
  readonly maxValues: number;
}

/** A fresh array of exactly the encoded bytes. `undefined` fields must have been left out. */
export function encodeMsgpack(value: unknown): Uint8Array {
  return new Uint8Array(packr.pack(value));
}

/** The value, or undefined where the bytes are anything but one plain value within `bounds`. Never throws. */
export function decodeMsgpack(
  bytes: Uint8Array,
  bounds: MsgpackBounds,
): { readonly value: unknown } | undefined {
  if (!isPlainMsgpack(bytes, bounds)) return undefined;
  try {
    return { value: packr.unpack(bytes) };
  } catch {
    return undefined;
  }
}

const MAX_KEY_LENGTH = 32;
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype', 'toJSON', 'toString', 'valueOf']);

/** Whether `bytes` hold exactly one plain value (see above). Linear in their length, no allocation but a stack. */
export function isPlainMsgpack(bytes: Uint8Array, bounds: MsgpackBounds): boolean {
  // Values still to come on each level; in a map keys count too, so an even rest means that a key is due.
  const left: number[] = [1];
  const isMap: boolean[] = [false];
  let at = 0;
  let values = 0;
  for (;;) {
    while (left.length > 0 && left[left.length - 1] === 0) {
      left.pop();
      isMap.pop();
    }
    const top = left.length - 1;
    if (top < 0) return at === bytes.length;
    if (++values > bounds.maxValues || at >= bytes.length) return false;
    const keyDue = isMap[top]! && left[top]! % 2 === 0;
    left[top]!--;
    const token = readToken(bytes, at);
    if (!token || token.end > bytes.length) return false;
    if (keyDue && !isPlainKey(bytes, token)) return false;
    at = token.end;
    if (token.children > 0) {
      // A container cannot have more values than there are bytes left: refuses huge counts at once.
      if (left.length > bounds.maxDepth || token.children > bytes.length - at) return false;
      left.push(token.children);
      isMap.push(token.kind === 'map');
    }
  }
}

interface Token {
  readonly kind: 'scalar' | 'string' | 'array' | 'map';
  /** Offset of the content of a string. */
  readonly start: number;
  /** Offset behind the token; behind the header alone where it is a container. */
  readonly end: number;
  /** Values inside a container: two for each entry of a map. */
  readonly children: number;
}

function readToken(bytes: Uint8Array, at: number): Token | undefined {
  const byte = bytes[at]!;
  if (byte <= 0x7f || byte >= 0xe0) return scalar(at + 1);
  if (byte <= 0x8f) return { kind: 'map', start: at, end: at + 1, children: 2 * (byte & 0x0f) };
  if (byte <= 0x9f) return { kind: 'array', start: at, end: at + 1, children: byte & 0x0f };
  if (byte <= 0xbf) return text(at + 1, byte & 0x1f);
  const room = bytes.length - at - 1;
  const u8 = room >= 1 ? bytes[at + 1]! : 0;
  const u16 = room >= 2 ? readU16BE(bytes, at + 1) : 0;
  const u32 = room >= 4 ? readU32BE(bytes, at + 1) : 0;
  switch (byte) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return scalar(at + 1);
    case 0xc4: // bin 8, 16, 32
      return scalar(at + 2 + u8);
    case 0xc5:
      return scalar(at + 3 + u16);
    case 0xc6:
      return scalar(at + 5 + u32);
    case 0xcc: // uint 8, int 8
    case 0xd0:
      return scalar(at + 2);
    case 0xcd: // uint 16, int 16
    case 0xd1:
      return scalar(at + 3);
    case 0xca: // float 32, uint 32, int 32
    case 0xce:
    case 0xd2:
      return scalar(at + 5);
    case 0xcb: // float 64, uint 64, int 64
    case 0xcf:
    case 0xd3:
      return scalar(at + 9);
    case 0xd9: // str 8, 16, 32
      return text(at + 2, u8);
    case 0xda:
      return text(at + 3, u16);
    case 0xdb:
      return text(at + 5, u32);
    case 0xdc: // array 16, 32
      return { kind: 'array', start: at, end: at + 3, children: u16 };
    case 0xdd:
      return { kind: 'array', start: at, end: at + 5, children: u32 };
    case 0xde: // map 16, 32
      return { kind: 'map', start: at, end: at + 3, children: 2 * u16 };
    case 0xdf:
      return { kind: 'map', start: at, end: at + 5, children: 2 * u32 };
    default: // 0xc1 and every extension
      return undefined;
  }
}

function scalar(end: number): Token {
  return { kind: 'scalar', start: end, end, children: 0 };
}

function text(start: number, length: number): Token {
  return { kind: 'string', start, end: start + length, children: 0 };
}

function isPlainKey(bytes: Uint8Array, token: Token): boolean {
  if (token.kind !== 'string' || token.end - token.start > MAX_KEY_LENGTH) return false;
  const key = utf8Text(bytes.subarray(token.start, token.end));
  return key !== undefined && !FORBIDDEN_KEYS.has(key);
}
