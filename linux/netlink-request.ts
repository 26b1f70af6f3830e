import { readU32LE } from '../base/bytes.ts';
import type { NetlinkMessage } from './netlink-message.ts';
import {
  attributeText,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  parseAttributes,
} from './netlink-message.ts';

/** A request without its sequence number. Made by link.ts, route.ts and their like, sent by `RouteClient`. */
export interface NetlinkRequest {
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
  /** What it does, for people: `add route 10.32.0.0/12`. */
  readonly what: string;
}

/** A request that the kernel acknowledges. `flags` adds NLM_F_CREATE and the like. */
export function command(what: string, type: number, flags: number, body: Uint8Array): NetlinkRequest {
  return { what, type, flags: NLM_F_REQUEST | NLM_F_ACK | flags, body };
}

/** A request for a whole list. */
export function dump(what: string, type: number, body: Uint8Array): NetlinkRequest {
  return { what, type, flags: NLM_F_REQUEST | NLM_F_DUMP, body };
}

/** Whether the kernel answers with a list that NLMSG_DONE ends, instead of an acknowledgement. */
export function isDump(request: NetlinkRequest): boolean {
  return (request.flags & NLM_F_DUMP) === NLM_F_DUMP && (request.flags & NLM_F_ACK) === 0;
}

/** A request that the kernel refused. `code` is errno's name, for programs to tell EEXIST from ENODEV. */
export class NetlinkError extends Error {
  override name = 'NetlinkError';
  readonly code: string;

  constructor(what: string, code: string, detail: string | undefined) {
    super(detail ? `${what}: ${code}: ${detail}` : `${what}: ${code}`);
    this.code = code;
  }
}

/** True for a refusal with one of `codes`. */
export function isNetlinkError(error: unknown, ...codes: readonly string[]): error is NetlinkError {
  return error instanceof NetlinkError && codes.includes(error.code);
}

/**
 * The outcome an NLMSG_ERROR or NLMSG_DONE reports: undefined for success. Its payload is a negative errno, after
 * which (error only, CAP_ACK and EXT_ACK) come the 16-byte header of the request and attributes with words.
 */
export function outcomeOf(what: string, message: NetlinkMessage): NetlinkError | undefined {
  if (message.payload.length < 4) return new NetlinkError(what, 'EPROTO', 'short acknowledgement');
  const errno = -(readU32LE(message.payload, 0) | 0);
  if (errno === 0) return undefined;
  return new NetlinkError(what, errnoName(errno), extendedMessage(message));
}

const NLMSGERR_ATTR_MSG = 1;

function extendedMessage(message: NetlinkMessage): string | undefined {
  if ((message.flags & NLM_F_ACK_TLVS) === 0 || message.payload.length < 20) return undefined;
  const attributes = parseAttributes(message.payload.subarray(20));
  return attributes.ok ? attributeText(attributes.value, NLMSGERR_ATTR_MSG) : undefined;
}

/** Linux errno values (asm-generic, as on x86, ARM and RISC-V) that routing netlink answers with. */
const NAME_BY_ERRNO: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  3: 'ESRCH',
  4: 'EINTR',
  5: 'EIO',
  6: 'ENXIO',
  9: 'EBADF',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  16: 'EBUSY',
  17: 'EEXIST',
  19: 'ENODEV',
  22: 'EINVAL',
  24: 'EMFILE',
  28: 'ENOSPC',
  33: 'EDOM',
  34: 'ERANGE',
  36: 'ENAMETOOLONG',
  76: 'ENOTUNIQ',
  90: 'EMSGSIZE',
  93: 'EPROTONOSUPPORT',
  95: 'EOPNOTSUPP',
  97: 'EAFNOSUPPORT',
  98: 'EADDRINUSE',
  99: 'EADDRNOTAVAIL',
  100: 'ENETDOWN',
  101: 'ENETUNREACH',
  105: 'ENOBUFS',
  110: 'ETIMEDOUT',
  113: 'EHOSTUNREACH',
};

/** `EEXIST` for 17; `E9999` for what has no name here. */
export function errnoName(errno: number): string {
  return NAME_BY_ERRNO[errno] ?? `E${errno}`;
}
