import type { Family } from '../base/address.ts';
import { readU16BE, readU16LE, readU32BE, readU32LE } from '../base/bytes.ts';
import {
  encodeMessage,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './netlink-message.ts';

/** Multicast groups of NETLINK_NETFILTER that tell of a connection that begins, and of one that the kernel forgets. */
export const NFNLGRP_CONNTRACK_NEW = 1;
export const NFNLGRP_CONNTRACK_DESTROY = 3;

/** `IPS_SEEN_REPLY` of a connection's status: packets went both ways. */
const IPS_SEEN_REPLY = 2;

const NFNL_SUBSYS_CTNETLINK = 1;
const CT_NEW = (NFNL_SUBSYS_CTNETLINK << 8) | 0;
const CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
const CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;

/** Attributes of a connection, <linux/netfilter/nfnetlink_conntrack.h>. */
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_COUNTERS_ORIG = 9;
const CTA_COUNTERS_REPLY = 10;
const CTA_ID = 12;
const CTA_TIMESTAMP = 20;
/** Of a tuple, and of what is in it. */
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
/** Of counters and of times: big-endian numbers of 64 bits. */
const CTA_FIRST = 1;
const CTA_SECOND = 2;

const HEADER_LENGTH = 16;
/** nfgenmsg: family, version, resource id. */
const NFGEN_LENGTH = 4;
const AF_INET = 2;
const AF_INET6 = 10;

/** The addresses and ports of packets in one direction. */
interface ConntrackTuple {
  /** Where the addresses begin in {@link ConntrackMessage.bytes}, 4 or 16 bytes in network order. */
  source: number;
  destination: number;
  /** −1 where the protocol has none. */
  sourcePort: number;
  destinationPort: number;
}

/** Packets and bytes of one direction; −1 where the kernel does not count them (`nf_conntrack_acct`). */
interface ConntrackCount {
  packets: number;
  bytes: number;
}

/** What the kernel says of a connection. One object is used for all: whoever keeps something copies it. */
export interface ConntrackMessage {
  /** new: it has begun. end: the kernel has forgotten it. live: the answer to a dump. */
  readonly kind: 'new' | 'end' | 'live';
  /** Names the connection as long as it lives. */
  readonly id: number;
  readonly family: Family;
  /** 6, 17 … */
  readonly protocol: number;
  /** The datagram, which is reused after the visit. */
  readonly bytes: Uint8Array;
  /** As the client sent it: to a Service, where it was one. */
  readonly original: Readonly<ConntrackTuple>;
  /** As the answers come: their source is where packets really go, their destination whom the server sees. */
  readonly reply: Readonly<ConntrackTuple>;
  readonly isReplied: boolean;
  readonly sent: Readonly<ConntrackCount>;
  readonly received: Readonly<ConntrackCount>;
  /** Milliseconds since 1970; −1 where the kernel does not note them (`nf_conntrack_timestamp`). */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** How a dump went. */
export interface DumpEnd {
  readonly sequence: number;
  /** 0, or the errno for which the kernel refused it. */
  readonly errno: number;
}

/**
 * The request, to be sent as a datagram, for all connections of the network namespace. The kernel answers with a message
 * each, and one that ends the dump, under `sequence`.
 */
export function dumpConntrack(sequence: number): Uint8Array {
  return encodeMessage(CT_GET, NLM_F_REQUEST | NLM_F_DUMP, sequence, new Uint8Array(NFGEN_LENGTH));
}

/**
 * Reads datagrams of connection tracking without making an object for each message: ten thousand connections a second are
 * twice as many messages.
 */
export class ConntrackReader {
  readonly #message = {
    kind: 'new' as ConntrackMessage['kind'],
    id: 0,
    family: 4 as Family,
    protocol: 0,
    bytes: new Uint8Array() as Uint8Array,
    original: emptyTuple(),
    reply: emptyTuple(),
    isReplied: false,
    sent: { packets: -1, bytes: -1 },
    received: { packets: -1, bytes: -1 },
    startedAtMs: -1,
    endedAtMs: -1,
  };

  /**
   * Calls `visit` for each connection in `datagram`, and returns the ends of dumps in it. What is malformed, or of another
   * kind, is passed over.
   */
  read(datagram: Uint8Array, visit: (message: ConntrackMessage) => void): readonly DumpEnd[] {
    let ends: DumpEnd[] | undefined;
    let at = 0;
    while (datagram.length - at >= HEADER_LENGTH) {
      const length = readU32LE(datagram, at);
      if (length < HEADER_LENGTH || length > datagram.length - at) break;
      const type = readU16LE(datagram, at + 4);
      const end = at + length;
      if (type === CT_NEW || type === CT_DELETE) {
        if (this.#take(datagram, at, end, type)) visit(this.#message);
      } else if (type === NLMSG_DONE || type === NLMSG_ERROR) {
        const code = length >= HEADER_LENGTH + 4 ? readU32LE(datagram, at + HEADER_LENGTH) | 0 : 0;
        ends ??= [];
        ends.push({ sequence: readU32LE(datagram, at + 8), errno: Math.abs(code) });
      }
      at = (end + 3) & ~3;
    }
    return ends ?? [];
  }

  #take(bytes: Uint8Array, start: number, end: number, type: number): boolean {
    const message = this.#message;
    const body = start + HEADER_LENGTH;
    if (end - body < NFGEN_LENGTH) return false;
    const family = bytes[body];
    if (family !== AF_INET && family !== AF_INET6) return false;
    message.family = family === AF_INET ? 4 : 6;
    // An event has the flag, an answer to a dump has it not.
    const isNew = (readU16LE(bytes, start + 6) & NLM_F_CREATE) !== 0;
    message.kind = type === CT_DELETE ? 'end' : isNew ? 'new' : 'live';
    message.bytes = bytes;
    message.id = -1;
    message.protocol = -1;
    message.isReplied = false;
    message.startedAtMs = -1;
    message.endedAtMs = -1;
    forget(message.original);
    forget(message.reply);
    message.sent.packets = message.sent.bytes = -1;
    message.received.packets = message.received.bytes = -1;
    for (let at = body + NFGEN_LENGTH; end - at >= 4; ) {
      const length = readU16LE(bytes, at);
      if (length < 4 || length > end - at) return false;
      this.#attribute(bytes, readU16LE(bytes, at + 2) & 0x3fff, at + 4, at + length);
      at += (length + 3) & ~3;
    }
    const { original, reply } = message;
    return (
      message.id >= 0 &&
      message.protocol >= 0 &&
      original.source >= 0 &&
      original.destination >= 0 &&
      reply.source >= 0 &&
      reply.destination >= 0
    );
  }

  #attribute(bytes: Uint8Array, type: number, at: number, end: number): void {
    const message = this.#message;
    switch (type) {
      case CTA_TUPLE_ORIG:
        this.#tuple(bytes, message.original, at, end);
        return;
      case CTA_TUPLE_REPLY:
        this.#tuple(bytes, message.reply, at, end);
        return;
      case CTA_STATUS:
        if (end - at === 4) message.isReplied = (readU32BE(bytes, at) & IPS_SEEN_REPLY) !== 0;
        return;
      case CTA_ID:
        if (end - at === 4) message.id = readU32BE(bytes, at);
        return;
      case CTA_COUNTERS_ORIG:
      case CTA_COUNTERS_REPLY: {
        const count = type === CTA_COUNTERS_ORIG ? message.sent : message.received;
        count.packets = number64(bytes, at, end, CTA_FIRST);
        count.bytes = number64(bytes, at, end, CTA_SECOND);
        return;
      }
      case CTA_TIMESTAMP:
        message.startedAtMs = milliseconds(number64(bytes, at, end, CTA_FIRST));
        message.endedAtMs = milliseconds(number64(bytes, at, end, CTA_SECOND));
    }
  }

  #tuple(bytes: Uint8Array, tuple: ConntrackTuple, from: number, end: number): void {
    for (let at = from; end - at >= 4; ) {
      const length = readU16LE(bytes, at);
      if (length < 4 || length > end - at) return;
      const type = readU16LE(bytes, at + 2) & 0x3fff;
      if (type === CTA_TUPLE_IP) this.#addresses(bytes, tuple, at + 4, at + length);
      else if (type === CTA_TUPLE_PROTO) this.#protocol(bytes, tuple, at + 4, at + length);
      at += (length + 3) & ~3;
    }
  }

  #addresses(bytes: Uint8Array, tuple: ConntrackTuple, from: number, end: number): void {
    const is4 = this.#message.family === 4;
    for (let at = from; end - at >= 4; ) {
      const length = readU16LE(bytes, at);
      if (length !== (is4 ? 8 : 20) || length > end - at) return;
      const type = readU16LE(bytes, at + 2) & 0x3fff;
      if (type === (is4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC)) tuple.source = at + 4;
      else if (type === (is4 ? CTA_IP_V4_DST : CTA_IP_V6_DST)) tuple.destination = at + 4;
      at += length;
    }
  }

  #protocol(bytes: Uint8Array, tuple: ConntrackTuple, from: number, end: number): void {
    for (let at = from; end - at >= 5; ) {
      const length = readU16LE(bytes, at);
      if (length < 5 || length > end - at) return;
      const type = readU16LE(bytes, at + 2) & 0x3fff;
      if (type === CTA_PROTO_NUM) this.#message.protocol = bytes[at + 4]!;
      else if (type === CTA_PROTO_SRC_PORT && length === 6) tuple.sourcePort = readU16BE(bytes, at + 4);
      else if (type === CTA_PROTO_DST_PORT && length === 6) tuple.destinationPort = readU16BE(bytes, at + 4);
      at += (length + 3) & ~3;
    }
  }
}

function emptyTuple(): ConntrackTuple {
  return { source: -1, destination: -1, sourcePort: -1, destinationPort: -1 };
}

function forget(tuple: ConntrackTuple): void {
  tuple.source = tuple.destination = tuple.sourcePort = tuple.destinationPort = -1;
}

/** The 64 bits of the attribute `wanted`, rounded to what a number holds; −1 where it is not there. */
function number64(bytes: Uint8Array, from: number, end: number, wanted: number): number {
  for (let at = from; end - at >= 12; ) {
    const length = readU16LE(bytes, at);
    if (length < 4 || length > end - at) return -1;
    if ((readU16LE(bytes, at + 2) & 0x3fff) === wanted && length === 12)
      return readU32BE(bytes, at + 4) * 2 ** 32 + readU32BE(bytes, at + 8);
    at += (length + 3) & ~3;
  }
  return -1;
}

/** Nanoseconds as milliseconds. */
function milliseconds(nanoseconds: number): number {
  return nanoseconds < 0 ? -1 : Math.floor(nanoseconds / 1e6);
}
