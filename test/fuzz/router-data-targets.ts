import { concat, equalBytes, writeU16BE } from '../../base/bytes.ts';
import { Counters } from '../../base/counters.ts';
import { parseEndpoint } from '../../base/endpoint.ts';
import { type Instant, instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { parseCidr } from '../../base/range.ts';
import { type Aead, createAead } from '../../crypto/aead.ts';
import { cryptoReady } from '../../crypto/ready.ts';
import { DATAPATH_COUNTERS } from '../../router/datapath/datapath-counters.ts';
import { Sleeve } from '../../router/datapath/sleeve/sleeve.ts';
import { Coalescer } from '../../router/packet/coalescing.ts';
import { writeOuterHeader } from '../../router/packet/data-packet.ts';
import { destinationUnreachable, packetTooBig } from '../../router/packet/icmp.ts';
import { emptyIpPacket, parseIpPacket } from '../../router/packet/ip-packet.ts';
import { Segmenter } from '../../router/packet/segmentation.ts';
import { emptyVnetHeader, readVnetHeader, VNET_HEADER_LENGTH } from '../../router/packet/vnet-header.ts';
import { frameOf, ipPacket, pattern, tcpPacket, udpPacket } from '../unit/router/packet/ip-packets.ts';

/**
 * Fuzz targets of the data path: `run` throws where an invariant breaks, whatever the bytes. Inputs are hostile twice:
 * as bytes from the network, and as plaintexts sealed by a member with the right keys.
 */
export interface FuzzTarget {
  readonly name: string;
  run(bytes: Uint8Array): void;
  /** Well-formed inputs, to be damaged. */
  readonly seeds?: readonly Uint8Array[];
}

await cryptoReady;

const SELF = 'a'.repeat(64) as PeerId;
const PEER = 'b'.repeat(64) as PeerId;
const FAR = 'c'.repeat(64) as PeerId;
const FROM = parseEndpoint('192.0.2.2:6783')!;
const LARGEST_INPUT = 65_000;

const V4 = { source: '10.33.0.1', destination: '10.32.0.1' };
const V6 = { source: 'fd00:1::1', destination: 'fd00::1' };
const PACKETS = [
  tcpPacket(V4, pattern(60)),
  tcpPacket({ ...V6, partial: true }, pattern(3000)),
  udpPacket(V4, pattern(20)),
  udpPacket({ ...V6, partial: true }, pattern(2000)),
  ipPacket({ ...V4, flagsAndOffset: 0x2000, options: Uint8Array.of(148, 4, 0, 0) }, pattern(64)),
  ipPacket(
    { ...V6, protocol: 0 },
    concat(Uint8Array.of(60, 0, 1, 4, 0, 0, 0, 0), Uint8Array.of(17, 0, 1, 4, 0, 0, 0, 0), pattern(8)),
  ),
  ipPacket({ ...V6, protocol: 44 }, concat(Uint8Array.of(58, 0, 0, 1, 0, 0, 0, 0), pattern(16))),
];
/** Frames of the TUN: plain, and as super-packets where the packet is one. */
const FRAMES = PACKETS.flatMap((packet) => [
  frameOf(packet),
  ...[1, 4, 5].map((gsoType) =>
    frameOf(packet, {
      flags: 1,
      gsoType,
      gsoSize: 500,
      csumStart: packet[0] === 0x45 ? 20 : 40,
      csumOffset: gsoType === 5 ? 6 : 16,
    }),
  ),
]);

/** Inputs are random: this puts them on the way past the first checks, as a hostile sender would. */
function shaped(bytes: Uint8Array): Uint8Array {
  const packet = bytes.slice(0, LARGEST_INPUT);
  if (packet.length < 40 || packet[0]! & 1) return packet;
  const four = (packet[0]! & 2) !== 0;
  packet[0] = four ? 0x45 : 0x60;
  if (four) {
    writeU16BE(packet, 2, packet.length);
    packet[6] = packet[6]! & 0x60;
    packet.set([10, 33, 0, packet[15]!, 10, 32, 0, packet[19]!], 12);
  } else {
    writeU16BE(packet, 4, packet.length - 40);
    packet.set([0xfd, 0, 0, 1], 8);
    packet.set([0xfd, 0, 0, 0], 24);
  }
  return packet;
}

class Rig {
  readonly sleeve: Sleeve;
  now: Instant = instant(1);
  #counter = 0;
  readonly #aead: Aead;

  constructor() {
    const key = new Uint8Array(32).fill(7);
    this.#aead = createAead('chacha20-poly1305', key);
    this.sleeve = new Sleeve({
      self: SELF,
      counters: new Counters(DATAPATH_COUNTERS),
      overlayMtu: 1364,
      config: { coalesceUdp: true },
      sink: {
        transmit: (_to, bytes, segment) => {
          ensure(bytes.length <= 65_507, 'datagrams that fit');
          ensure(segment === undefined || bytes.length <= 64 * segment, 'no more than go at once');
        },
        deliver: (frame) => this.#judge(frame),
      },
    });
    this.sleeve.setRoutes([
      { range: parseCidr('10.32.0.0/16')!, owner: SELF },
      { range: parseCidr('10.33.0.0/16')!, owner: PEER },
      { range: parseCidr('fd00::/32')!, owner: SELF },
      { range: parseCidr('fd00:1::/32')!, owner: PEER },
    ]);
    for (const [peer, index] of [
      [PEER, 1],
      [FAR, 2],
    ] as const) {
      const suite = 'chacha20-poly1305';
      this.sleeve.setPath(peer, { kind: 'direct', endpoint: FROM });
      this.sleeve.install({
        peer,
        localIndex: index,
        remoteIndex: 9,
        suite,
        peerTakesMarks: true,
        sendKey: key,
        receiveKey: key,
      });
      this.sleeve.use(index);
    }
  }

  receive(bytes: Uint8Array): void {
    this.now = instant(this.now + 1);
    this.sleeve.handleDatagrams(FROM, bytes, this.now);
    if (this.now % 8 === 0) this.sleeve.endBatch(this.now);
  }

  /** A frame of the TUN. */
  give(frame: Uint8Array): void {
    this.now = instant(this.now + 1);
    this.sleeve.handleTunPacket(frame, this.now);
    if (this.now % 8 === 0) this.sleeve.endBatch(this.now);
  }

  receiveSealed(plaintext: Uint8Array): void {
    const header = new Uint8Array(16);
    writeOuterHeader(header, 0, 1, this.#counter);
    this.receive(concat(header, this.#aead.seal(this.#counter++, header, plaintext)));
  }

  /** What is delivered parses, and is for us: of the peer, or an ICMP error of ours. */
  #judge(frame: Uint8Array): void {
    const ip = emptyIpPacket();
    const fault = parseIpPacket(frame, VNET_HEADER_LENGTH, frame.length, ip);
    ensure(fault === undefined, `a delivered packet parses: ${fault}`);
    const at = VNET_HEADER_LENGTH + (ip.family === 4 ? 16 : 24);
    const ours = ip.family === 4 ? [10, 32] : [0xfd, 0, 0, 0];
    ensure(
      equalBytes(frame.subarray(at, at + ours.length), Uint8Array.from(ours)),
      'a delivered packet is ours',
    );
  }
}

function ensure(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

let rig: Rig | undefined;
const theRig = (): Rig => {
  rig ??= new Rig();
  return rig;
};

export const routerDataTargets: readonly FuzzTarget[] = [
  {
    name: 'ip-packet',
    seeds: PACKETS,
    run(bytes) {
      const packet = shaped(bytes);
      const ip = emptyIpPacket();
      if (parseIpPacket(packet, 0, packet.length, ip) !== undefined) return;
      ensure(ip.transport <= packet.length && ip.length === packet.length, 'headers within the packet');
      const mtu = 1280;
      for (const error of [packetTooBig(packet, ip, mtu), destinationUnreachable(packet, ip)]) {
        const inner = emptyIpPacket();
        const size = error?.length ?? 0;
        ensure(size <= VNET_HEADER_LENGTH + 1280, 'an ICMP error is bounded');
        const fine =
          error === undefined || parseIpPacket(error, VNET_HEADER_LENGTH, size, inner) === undefined;
        ensure(fine, 'an ICMP error parses');
      }
    },
  },
  {
    name: 'segmentation-coalescing',
    seeds: FRAMES,
    run(bytes) {
      if (bytes.length < VNET_HEADER_LENGTH) return;
      const header = emptyVnetHeader();
      readVnetHeader(bytes, 0, header);
      const packet = shaped(bytes.subarray(VNET_HEADER_LENGTH));
      const ip = emptyIpPacket();
      if (parseIpPacket(packet, 0, packet.length, ip) !== undefined) return;
      if (bytes[2]! & 1) {
        // The kernel's own header, so that cutting begins at all.
        header.flags = 1;
        header.gsoType = ip.protocol === 17 ? 5 : ip.family === 4 ? 1 : 4;
        header.csumStart = ip.transport;
        header.csumOffset = ip.protocol === 17 ? 6 : 16;
      }
      const segmenter = new Segmenter();
      if (segmenter.begin(packet, ip, header) !== undefined) return;
      let delivered = 0;
      const coalescer = new Coalescer(
        (frame) => {
          const whole = emptyIpPacket();
          const fault = parseIpPacket(frame, VNET_HEADER_LENGTH, frame.length, whole);
          ensure(fault === undefined, `a coalesced packet parses: ${fault}`);
          delivered += frame.length;
        },
        { tcp: true, udp: true },
      );
      const scratch = new Uint8Array(66_000);
      const segment = emptyIpPacket();
      const at = VNET_HEADER_LENGTH;
      let cut = 0;
      for (let length = segmenter.next(scratch, at); length > 0; length = segmenter.next(scratch, at)) {
        ensure(parseIpPacket(scratch, at, at + length, segment) === undefined, 'a segment parses');
        ensure(length <= segmenter.largest, 'no segment is larger than the largest');
        cut++;
        coalescer.add(scratch, segment, segmenter.csumStart);
      }
      coalescer.flush();
      ensure(cut >= 1 && cut <= 1366 && delivered > 0, 'segments are bounded and none is lost');
    },
  },
  {
    name: 'sleeve-datagram',
    seeds: [concat(Uint8Array.of(4, 0, 0, 0, 1, 0, 0, 0), new Uint8Array(40)), Uint8Array.of(1, 2, 3)],
    run: (bytes) => theRig().receive(bytes.slice(0, LARGEST_INPUT)),
  },
  {
    name: 'sleeve-sealed',
    seeds: PACKETS.map((packet) => concat(Uint8Array.of(1, 0, 0, 0), packet)),
    run: (bytes) => {
      const plaintext = bytes.slice(0, LARGEST_INPUT);
      if (plaintext.length >= 4 && plaintext[1]! & 1) {
        // Past the first checks: kind, no padding, a packet of the sender's.
        plaintext[0] = plaintext[0]! & 3;
        plaintext[1] = 0;
        plaintext.set(shaped(plaintext.subarray(4)), 4);
      }
      theRig().receiveSealed(plaintext);
    },
  },
  {
    name: 'sleeve-tun',
    seeds: FRAMES,
    run: (bytes) => {
      const frame = concat(bytes.subarray(0, 10), shaped(bytes.subarray(10)));
      // From us to the peer, where the shape has it the other way about.
      if (frame.length < 50) {
        theRig().give(frame);
        return;
      }
      if (frame[10] === 0x45) frame.set([10, 32, 0, 1, 10, 33, 0, 1], 22);
      if (frame[10] === 0x60) {
        frame.set([0xfd, 0, 0, 0], 18);
        frame.set([0xfd, 0, 0, 1], 34);
      }
      theRig().give(frame);
    },
  },
];
