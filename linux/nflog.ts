import { concat, readU32BE, writeU16BE, writeU32BE } from '../base/bytes.ts';
import {
  attribute,
  attributeText,
  encodeMessage,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  parseAttributes,
  parseMessages,
} from './netlink-message.ts';

const NFNL_SUBSYS_ULOG = 4;
const NFULNL_MSG_PACKET = 0;
const NFULNL_MSG_CONFIG = 1;
const NFULA_CFG_CMD = 1;
const NFULA_CFG_MODE = 2;
const NFULNL_CFG_CMD_BIND = 1;
const NFULNL_COPY_PACKET = 2;
const NFULA_IFINDEX_INDEV = 4;
const NFULA_IFINDEX_OUTDEV = 5;
const NFULA_PAYLOAD = 9;
const NFULA_PREFIX = 10;
/** nfgenmsg: family, version, group. */
const HEADER_LENGTH = 4;

/** A packet that a rule sent to a group of nflog (`log group N`). */
interface LoggedPacket {
  readonly prefix: string;
  /** Index of the interface that it came in by, and that it goes out by, where it has one. */
  readonly inIndex: number | undefined;
  readonly outIndex: number | undefined;
  /** The packet from its IP header on, as much as the rule lets through; a view. */
  readonly payload: Uint8Array;
}

/**
 * The requests, each to be sent as a datagram, that have the kernel send the packets of `group` to this socket, `bytes` of
 * each. One socket of the network namespace can have a group; the answer tells another that it is taken (EBUSY).
 */
export function bindNflog(group: number, bytes: number): readonly Uint8Array[] {
  const header = new Uint8Array(HEADER_LENGTH);
  writeU16BE(header, 2, group);
  const request = (sequence: number, type: number, value: Uint8Array): Uint8Array =>
    encodeMessage(
      (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG,
      NLM_F_REQUEST | NLM_F_ACK,
      sequence,
      concat(header, attribute(type, value)),
    );
  const mode = new Uint8Array(6);
  writeU32BE(mode, 0, bytes);
  mode[4] = NFULNL_COPY_PACKET;
  return [request(1, NFULA_CFG_CMD, new Uint8Array([NFULNL_CFG_CMD_BIND])), request(2, NFULA_CFG_MODE, mode)];
}

/** What a datagram of such a socket says: packets, and the errno of each request that was refused (none: 0). */
export function parseNflog(datagram: Uint8Array): {
  readonly packets: readonly LoggedPacket[];
  readonly answers: readonly number[];
} {
  const packets: LoggedPacket[] = [];
  const answers: number[] = [];
  const messages = parseMessages(datagram);
  for (const { type, payload } of messages.ok ? messages.value : []) {
    if (type === NLMSG_ERROR && payload.length >= 4) {
      answers.push(Math.abs(new DataView(payload.buffer, payload.byteOffset).getInt32(0, true)));
      continue;
    }
    if (type !== ((NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_PACKET) || payload.length < HEADER_LENGTH) continue;
    const attributes = parseAttributes(payload.subarray(HEADER_LENGTH));
    if (!attributes.ok) continue;
    const number = (name: number): number | undefined => {
      const value = attributes.value.get(name);
      return value?.length === 4 ? readU32BE(value, 0) : undefined;
    };
    packets.push({
      prefix: attributeText(attributes.value, NFULA_PREFIX) ?? '',
      inIndex: number(NFULA_IFINDEX_INDEV),
      outIndex: number(NFULA_IFINDEX_OUTDEV),
      payload: attributes.value.get(NFULA_PAYLOAD) ?? new Uint8Array(),
    });
  }
  return { packets, answers };
}
