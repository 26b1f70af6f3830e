import { concat, readU16LE, readU32BE, writeU16BE, writeU16LE, writeU32BE } from '../../base/bytes.ts';
import { cryptoReady } from '../../crypto/ready.ts';
import { OUTER_HEADER_LENGTH, TAG_LENGTH, writeOuterHeader } from '../../router/packet/data-packet.ts';
import { DatapathPair, LOCAL_INDEX, RELAYED_INDEX } from '../unit/router/datapath/fast/datapath-pair.ts';
import { frameOf, ipPacket, pattern, tcpPacket, udpPacket } from '../unit/router/packet/ip-packets.ts';
import { DATAGRAM_HEAD, FATES, generatedFrame, generatedMessage } from './generated-packets.ts';
import type { Noise } from './inputs.ts';

/** Fuzz targets that give the same to the sleeve and to the fast datapath, and throw where the two differ. */
export interface FuzzTarget {
  readonly name: string;
  /** Returns what the lanes carried themselves. */
  run(bytes: Uint8Array): ReturnType<DatapathPair['compare']>;
  /** Well-formed inputs, to be damaged. */
  readonly seeds?: readonly Uint8Array[];
  /** Draws an input, in place of damaged seeds. */
  readonly generate?: (noise: Noise) => Uint8Array;
}

await cryptoReady;

const LARGEST_INPUT = 60_000;
const OUT4 = { source: '10.32.0.1', destination: '10.33.0.1' };
const OUT6 = { source: 'fd00::1', destination: 'fd00:1::1' };
const IN4 = { source: OUT4.destination, destination: OUT4.source };
const IN6 = { source: OUT6.destination, destination: OUT6.source };

function packets(v4: typeof OUT4, v6: typeof OUT6): Uint8Array[] {
  return [
    tcpPacket(v4, pattern(60)),
    tcpPacket({ ...v6, partial: true, tos: 3 }, pattern(900)),
    tcpPacket({ ...v4, flags: 0x18 }, pattern(1300)),
    udpPacket({ ...v4, tos: 2 }, pattern(20)),
    udpPacket({ ...v6, partial: true }, pattern(1000)),
    udpPacket({ ...v4, dontFragment: false }, pattern(1390)),
    ipPacket({ ...v4, protocol: 1 }, concat(Uint8Array.of(8, 0, 0, 0), pattern(20))),
    ipPacket({ ...v6, protocol: 58 }, concat(Uint8Array.of(128, 0, 0, 0), pattern(20))),
    ipPacket({ ...v4, protocol: 1 }, concat(Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 0), pattern(28))),
    ipPacket({ ...v4, flagsAndOffset: 0x2000, options: Uint8Array.of(148, 4, 0, 0) }, pattern(64)),
    ipPacket({ ...v6, protocol: 44 }, concat(Uint8Array.of(17, 0, 0, 1, 0, 0, 0, 0), pattern(16))),
    ipPacket({ ...v4, protocol: 132 }, pattern(40)),
  ];
}

/** Frames of the TUN: plain, with a partial checksum, and as super-packets. */
const FRAMES = [
  ...packets(OUT4, OUT6),
  tcpPacket({ ...OUT4, partial: true, flags: 0x99 }, pattern(9000)),
  tcpPacket({ ...OUT6, partial: true }, pattern(20_000)),
  udpPacket({ ...OUT4, partial: true }, pattern(5000)),
  udpPacket({ source: '10.32.0.1', destination: '10.34.0.1' }, pattern(50)),
  udpPacket({ source: '10.32.0.1', destination: '10.35.0.1' }, pattern(50)),
  udpPacket({ source: '10.32.0.1', destination: '10.32.0.9' }, pattern(50)),
].flatMap((packet) => {
  const four = packet[0]! >> 4 === 4;
  const protocol = four ? packet[9] : packet[6];
  const csum = { flags: 1, csumStart: four ? 20 : 40, csumOffset: protocol === 17 ? 6 : 16 };
  const gsoType = protocol === 17 ? 5 : four ? 1 : 4;
  return [frameOf(packet), frameOf(packet, csum), frameOf(packet, { ...csum, gsoType, gsoSize: 1000 })];
});

/** Before the plaintext of a datagram: what it is sealed under and how it comes, see {@link sealed}. */
const WAYS = [
  [1, 0, 0, 0],
  [1, 3, 0, 0],
  [0, 0, 0, 0],
  [1, 0, 1, 0],
  [1, 0, 0, 1],
];
const DATAGRAMS = packets(IN4, IN6).flatMap((packet, i) => {
  const four = packet[0]! >> 4 === 4;
  const protocol = four ? packet[9] : packet[6];
  const csumStart = four ? 20 : 40;
  return [Uint8Array.of(1, 0, 0, 0), Uint8Array.of(1, 0, csumStart, protocol === 17 ? 6 : 16)].map((inner) =>
    concat(Uint8Array.from(WAYS[i % WAYS.length]!), inner, packet),
  );
});

const pairs = {
  joining: new DatapathPair(true),
  single: new DatapathPair(false),
  runs: new DatapathPair(true),
  frames: new DatapathPair(true),
  messages: new DatapathPair(true),
};
let counter = 0;
let runCounter = 0;

/** The outer packet with this plaintext, as the peer would seal it. */
function sealed(pair: DatapathPair, at: number, plaintext: Uint8Array, index = LOCAL_INDEX): Uint8Array {
  const packet = new Uint8Array(OUTER_HEADER_LENGTH + plaintext.length + TAG_LENGTH);
  writeOuterHeader(packet, 0, index, at);
  packet.set(plaintext, OUTER_HEADER_LENGTH);
  const run = { bytes: packet, at: 0, length: packet.length, segment: packet.length };
  pair.sealer.sealRun(at, { ...run, aadLength: OUTER_HEADER_LENGTH });
  return packet;
}

/** IPv4 TCP packets of one flow, sealed one behind the other; each begins with a byte of deviations. */
function stream(bytes: Uint8Array): { readonly message: Uint8Array; readonly segment: number } {
  const payload = 1 + ((bytes[0] ?? 0) % 200);
  const parts: Uint8Array[] = [];
  for (let at = 1; at < bytes.length && parts.length < 60; at += payload) {
    const odd = bytes[at]! & 7;
    const fields = {
      ...IN4,
      sequence: (at * (odd === 1 ? 7 : 1)) >>> 0,
      flags: odd === 2 ? 0x18 : odd === 3 ? 0x11 : 0x10,
      tos: odd === 4 ? 2 : 0,
      sourcePort: 1000 + (odd === 5 ? 1 : 0),
      partial: (bytes[0]! & 1) === 0,
    };
    const packet = tcpPacket(fields, bytes.subarray(at, at + payload));
    const csum = fields.partial ? [20, 16] : [0, 0];
    // A checksum that is wrong: joined it would become right.
    if (odd === 6) writeU32BE(packet, 36, readU32BE(packet, 36) ^ 0x10000);
    parts.push(sealed(pairs.runs, runCounter++, concat(Uint8Array.of(1, 0, ...csum), packet)));
  }
  return { message: concat(...parts), segment: parts[0]?.length ?? 1 };
}

/** Sessions that datagrams of {@link generatedMessage} name: a peer's, that of one behind a relay, and nobody's. */
const INDICES = [LOCAL_INDEX, RELAYED_INDEX, 9];
/** The next counter of each. */
const counters = [0, 0, 0];

/** The datagrams that {@link generatedMessage} describes. */
function describedDatagrams(bytes: Uint8Array): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  for (let at = 2; at + DATAGRAM_HEAD <= bytes.length; ) {
    const fate = FATES[bytes[at]! % FATES.length]!;
    const session = bytes[at + 1]! % INDICES.length;
    const step = (readU16LE(bytes, at + 2) << 16) >> 16;
    const damage = readU16LE(bytes, at + 4);
    const end = at + DATAGRAM_HEAD + readU16LE(bytes, at + 6);
    const plaintext = bytes.subarray(at + DATAGRAM_HEAD, end);
    const counter = Math.max(0, counters[session]! + step);
    // What is far ahead is sent rarely enough to leave counters for a million more.
    if (step > 0) counters[session] = counter;
    datagrams.push(damaged(sealed(pairs.messages, counter, plaintext, INDICES[session]), fate, damage));
    at = end;
  }
  return datagrams;
}

function damaged(datagram: Uint8Array, fate: (typeof FATES)[number], damage: number): Uint8Array {
  switch (fate) {
    case 'bit':
      datagram[damage % datagram.length]! ^= 1 << (damage & 7);
      return datagram;
    case 'cut':
      return datagram.subarray(0, damage % datagram.length);
    case 'longer':
      return concat(datagram, new Uint8Array(damage % 100));
    case 'clear':
      // As if nothing were sealed: any bytes in place of the text and tag.
      return datagram.map((byte, i) => (i < OUTER_HEADER_LENGTH ? byte : (i * damage) & 255));
    case 'noise':
      return datagram.map((_, i) => (i === 0 ? damage & 7 : i < 4 ? 0 : (i * damage) & 255));
    default:
      return datagram;
  }
}

/** The longest beginning of `datagrams` that may come as one message: all of one length, but the last, which may be shorter. */
function message(datagrams: readonly Uint8Array[]): Uint8Array[] {
  const segment = datagrams[0]!.length;
  const end = datagrams.findIndex((datagram) => datagram.length !== segment);
  const shorterLast = end > 0 && datagrams[end]!.length > 0 && datagrams[end]!.length < segment;
  return datagrams.slice(0, end < 0 ? datagrams.length : shorterLast ? end + 1 : Math.max(1, end));
}

/** A message of UDP packets with these identifications and steps of the counter, as {@link generatedMessage} gives it. */
function described(elsewhere: 0 | 1, packets: readonly (readonly [id: number, step: number])[]): Uint8Array {
  const parts = packets.flatMap(([id, step]) => {
    const plaintext = concat(Uint8Array.of(1, 0, 0, 0), udpPacket({ ...IN4, id }, pattern(100)));
    const head = new Uint8Array(DATAGRAM_HEAD);
    writeU16LE(head, 2, step & 0xffff);
    writeU16LE(head, 6, plaintext.length);
    return [head, plaintext];
  });
  return concat(Uint8Array.of(0, elsewhere), ...parts);
}

/**
 * Two packets of a flow that may be joined, of which the lanes carry the second, an older one, alone: the newest comes from
 * another place than the peer's. The sleeve alone joins them. One before confirms the session.
 */
const JOINED_ABOVE = [
  described(0, [[1, 1]]),
  described(1, [
    [10, 2],
    [4000, -1],
  ]),
];

export const FAST_TARGETS: readonly FuzzTarget[] = [
  {
    name: 'fast-datapath-frames',
    seeds: FRAMES,
    run(bytes) {
      const frame = bytes.slice(0, LARGEST_INPUT);
      // Most of what is damaged would be dropped for its length alone.
      if (frame.length > 50 && (frame[10]! & 15) !== 1) {
        if (frame[10]! >> 4 === 4) writeU16BE(frame, 12, frame.length - 10);
        if (frame[10]! >> 4 === 6) writeU16BE(frame, 14, frame.length - 50);
      }
      pairs.joining.handleFrame(frame);
      return pairs.joining.compare();
    },
  },
  {
    name: 'fast-datapath-datagrams',
    seeds: DATAGRAMS,
    run(bytes) {
      const [step = 0, tos = 0, elsewhere = 0, damage = 0] = bytes;
      counter += step & 3;
      const plaintext = bytes.slice(4, LARGEST_INPUT);
      if (plaintext.length < 4) {
        pairs.single.handleDatagrams(bytes.slice());
      } else {
        const packet = sealed(pairs.single, counter, plaintext);
        if ((damage & 3) === 1) packet[damage % packet.length]! ^= 1;
        pairs.single.handleDatagrams(
          packet,
          packet.length,
          tos,
          (elsewhere & 3) === 1 ? 'elsewhere' : 'peer',
        );
      }
      return pairs.single.compare();
    },
  },
  {
    name: 'fast-datapath-runs',
    seeds: [pattern(3000), new Uint8Array(9000), Uint8Array.from({ length: 5000 }, (_, i) => (i % 50) & 1)],
    run(bytes) {
      const { message, segment } = stream(bytes.slice(0, 12_000));
      if (message.length <= 65_507) pairs.runs.handleDatagrams(message, segment);
      return pairs.runs.compare();
    },
  },
  {
    name: 'fast-datapath-generated-frames',
    generate: generatedFrame,
    run(bytes) {
      pairs.frames.handleFrame(bytes.slice(0, LARGEST_INPUT + 10_000));
      return pairs.frames.compare();
    },
  },
  {
    name: 'fast-datapath-generated-datagrams',
    seeds: JOINED_ABOVE,
    generate: generatedMessage,
    run(bytes) {
      const [tos = 0, elsewhere = 0] = bytes;
      let left = describedDatagrams(bytes);
      while (left.length > 0) {
        const together = message(left);
        const whole = concat(...together);
        const from = elsewhere === 1 ? 'elsewhere' : 'peer';
        if (whole.length <= 65_507) pairs.messages.handleDatagrams(whole, together[0]!.length, tos, from);
        left = left.slice(together.length);
      }
      return pairs.messages.compare();
    },
  },
];
