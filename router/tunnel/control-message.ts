/**
 * Codec of control messages: the bodies of tunnel packets of kind 2 (docs/wire.md, section "Control messages").
 *
 * The first byte says what follows. 1 to 127 is a channel, whose content belongs to an upper layer and is opaque
 * here; 128 and above are the tunnel's own few messages. All are datagrams: they may be lost, doubled or late.
 *
 * ```
 *  0          1                  9            11
 * | channel  | bytes of the upper layer, 0 … 1100                     |
 * | 128      | token (8)        |                      path challenge
 * | 129      | token (8)        |                      path answer
 * | 130      | token (8)        | size (2)  | zeros …  MTU probe
 * | 131      | token (8)        | size (2)  |          MTU acknowledgement
 * | 132      | token (8)        |                      ping
 * | 133      | token (8)        |                      pong
 * | 134      | token (8)        |                      port probe: sent from another port than our packets usually are
 * | 135      | token (8)        |                      port answer: packets from there are taken
 * ```
 */
import { readU16LE, writeU16LE } from '../../base/bytes.ts';
import { fail, ok, type Result } from '../../base/result.ts';

/** Messages that are a type and a token. */
type TokenType = 'challenge' | 'answer' | 'ping' | 'pong' | 'portProbe' | 'portAnswer';

/** One message, read. */
type ControlMessage =
  | { readonly type: 'channel'; readonly channel: number; readonly bytes: Uint8Array }
  | { readonly type: TokenType; readonly token: Uint8Array }
  /** `size`: bytes of the whole body, so of the probe itself; an acknowledgement repeats it. */
  | { readonly type: 'mtuProbe' | 'mtuAck'; readonly token: Uint8Array; readonly size: number };

export type ControlFault = 'empty' | 'truncated' | 'tooLong' | 'unknownType' | 'sizeMismatch';

export const CONTROL_TOKEN_LENGTH = 8;
/** Upper-layer bytes in one message: with all overhead it fits the smallest path MTU that is used (path-mtu.ts). */
export const CHANNEL_BYTES_MAX = 1100;
/** Body lengths of the small messages, and of the shortest probe. */
export const TOKEN_MESSAGE_LENGTH = 1 + CONTROL_TOKEN_LENGTH;
const MTU_MESSAGE_LENGTH = TOKEN_MESSAGE_LENGTH + 2;

const CHANNEL_FIRST = 1;
const CHANNEL_LAST = 127;
const CODE_BY_TYPE = {
  challenge: 128,
  answer: 129,
  mtuProbe: 130,
  mtuAck: 131,
  ping: 132,
  pong: 133,
  portProbe: 134,
  portAnswer: 135,
} as const;

/** Whether `channel` can be carried: an integer from 1 to 127. */
function isChannel(channel: number): boolean {
  return Number.isInteger(channel) && channel >= CHANNEL_FIRST && channel <= CHANNEL_LAST;
}

/** The body of a message of an upper layer, or the reason why it cannot be one. `bytes` is copied. */
export function encodeChannelMessage(
  channel: number,
  bytes: Uint8Array,
): Result<Uint8Array, 'badChannel' | 'tooLong'> {
  if (!isChannel(channel)) return fail('badChannel');
  if (bytes.length > CHANNEL_BYTES_MAX) return fail('tooLong');
  const out = new Uint8Array(1 + bytes.length);
  out[0] = channel;
  out.set(bytes, 1);
  return ok(out);
}

/** A message that is a type and an 8-byte token. */
export function encodeTokenMessage(type: TokenType, token: Uint8Array): Uint8Array {
  const out = new Uint8Array(TOKEN_MESSAGE_LENGTH);
  out[0] = CODE_BY_TYPE[type];
  out.set(token, 1);
  return out;
}

/** A probe whose whole body has `size` bytes ({@link MTU_MESSAGE_LENGTH} to 65,535). */
export function encodeMtuProbe(token: Uint8Array, size: number): Uint8Array {
  return mtuMessage('mtuProbe', token, size, size);
}

/** The answer to a probe of `size` bytes. */
export function encodeMtuAck(token: Uint8Array, size: number): Uint8Array {
  return mtuMessage('mtuAck', token, size, MTU_MESSAGE_LENGTH);
}

/**
 * Reads a body. Tokens and channel bytes are views into `body`. A probe must be as long as it says: what an
 * acknowledgement proves is that many bytes came through.
 */
export function decodeControlMessage(body: Uint8Array): Result<ControlMessage, ControlFault> {
  const code = body[0];
  if (code === undefined) return fail('empty');
  if (code >= CHANNEL_FIRST && code <= CHANNEL_LAST) {
    if (body.length > 1 + CHANNEL_BYTES_MAX) return fail('tooLong');
    return ok({ type: 'channel', channel: code, bytes: body.subarray(1) });
  }
  switch (code) {
    case CODE_BY_TYPE.challenge:
      return tokenMessage('challenge', body);
    case CODE_BY_TYPE.answer:
      return tokenMessage('answer', body);
    case CODE_BY_TYPE.ping:
      return tokenMessage('ping', body);
    case CODE_BY_TYPE.pong:
      return tokenMessage('pong', body);
    case CODE_BY_TYPE.portProbe:
      return tokenMessage('portProbe', body);
    case CODE_BY_TYPE.portAnswer:
      return tokenMessage('portAnswer', body);
    case CODE_BY_TYPE.mtuProbe:
    case CODE_BY_TYPE.mtuAck: {
      if (body.length < MTU_MESSAGE_LENGTH) return fail('truncated');
      const size = readU16LE(body, TOKEN_MESSAGE_LENGTH);
      const token = body.subarray(1, TOKEN_MESSAGE_LENGTH);
      const type = code === CODE_BY_TYPE.mtuProbe ? 'mtuProbe' : 'mtuAck';
      if (type === 'mtuProbe' && size !== body.length) return fail('sizeMismatch');
      if (type === 'mtuAck' && body.length > MTU_MESSAGE_LENGTH) return fail('tooLong');
      return ok({ type, token, size });
    }
    default:
      return fail('unknownType');
  }
}

function tokenMessage(type: TokenType, body: Uint8Array): Result<ControlMessage, ControlFault> {
  if (body.length < TOKEN_MESSAGE_LENGTH) return fail('truncated');
  if (body.length > TOKEN_MESSAGE_LENGTH) return fail('tooLong');
  return ok({ type, token: body.subarray(1) });
}

function mtuMessage(
  type: 'mtuProbe' | 'mtuAck',
  token: Uint8Array,
  size: number,
  length: number,
): Uint8Array {
  const out = new Uint8Array(length);
  out[0] = CODE_BY_TYPE[type];
  out.set(token, 1);
  writeU16LE(out, TOKEN_MESSAGE_LENGTH, size);
  return out;
}
