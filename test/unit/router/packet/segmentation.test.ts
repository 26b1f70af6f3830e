import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readU16BE, readU32BE } from '../../../../base/bytes.ts';
import { completeChecksum } from '../../../../router/packet/checksum.ts';
import { Coalescer } from '../../../../router/packet/coalescing.ts';
import { Segmenter } from '../../../../router/packet/segmentation.ts';
import {
  emptyVnetHeader,
  GSO_ECN,
  GSO_TCP4,
  GSO_TCP6,
  GSO_UDP_L4,
  readVnetHeader,
  VNET_HEADER_LENGTH,
  type VnetHeader,
} from '../../../../router/packet/vnet-header.ts';
import {
  checksumsHold,
  frameOf,
  parsed,
  pattern,
  type TcpFields,
  tcpPacket,
  udpPacket,
} from './ip-packets.ts';

const V4 = { source: '10.32.0.1', destination: '10.33.0.1', id: 65_530 };
const V6 = { source: 'fd00::1', destination: 'fd00::2', flowLabel: 0x12345, tos: 3 };

/** A super-packet as the kernel hands it out. */
function superPacket(
  kind: 'tcp' | 'udp',
  fields: TcpFields,
  payload: Uint8Array,
  gsoSize: number,
): { packet: Uint8Array; header: VnetHeader } {
  const packet = (kind === 'tcp' ? tcpPacket : udpPacket)({ ...fields, partial: true }, payload);
  const ip = parsed(packet);
  const four = ip.family === 4;
  const ecn = kind === 'tcp' && packet[ip.transport + 13]! & 0x80 ? GSO_ECN : 0;
  const header = {
    ...emptyVnetHeader(),
    flags: 1,
    gsoType: (kind === 'udp' ? GSO_UDP_L4 : four ? GSO_TCP4 : GSO_TCP6) | ecn,
    headerLength: packet.length - payload.length,
    gsoSize,
    csumStart: ip.transport,
    csumOffset: kind === 'tcp' ? 16 : 6,
  };
  return { packet, header };
}

function cut(packet: Uint8Array, header: VnetHeader): Uint8Array[] {
  const segmenter = new Segmenter();
  assert.equal(segmenter.begin(packet, parsed(packet), header), undefined);
  const out: Uint8Array[] = [];
  const buffer = new Uint8Array(70_000);
  for (;;) {
    const length = segmenter.next(buffer, 5);
    if (length === 0) return out;
    out.push(buffer.slice(5, 5 + length));
  }
}

function completed(segment: Uint8Array): Uint8Array {
  const copy = segment.slice();
  const ip = parsed(copy);
  completeChecksum(copy, ip.transport, ip.protocol === 6 ? 16 : 6, copy.length, ip.protocol);
  return copy;
}

/** Runs packets through a coalescer as one batch; the frames that come out. */
function coalesce(packets: readonly Uint8Array[], partial: boolean, udp = true): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const coalescer = new Coalescer((frame) => frames.push(frame.slice()), { tcp: true, udp });
  const buffer = new Uint8Array(70_000);
  for (const packet of packets) {
    buffer.set(packet, 20);
    const ip = parsed(packet);
    const csumStart = partial && (ip.protocol === 6 || ip.protocol === 17) ? ip.transport : 0;
    coalescer.add(buffer, { ...ip, start: 20, transport: 20 + ip.transport }, csumStart);
  }
  coalescer.flush();
  return frames;
}

function headerOf(frame: Uint8Array): VnetHeader {
  const header = emptyVnetHeader();
  readVnetHeader(frame, 0, header);
  return header;
}

const bodies = (frames: readonly Uint8Array[]): Uint8Array[] =>
  frames.map((frame) => frame.slice(VNET_HEADER_LENGTH));

describe('segmentation', () => {
  it('cuts TCP over IPv4: lengths, identification, sequence, flags and checksums', () => {
    const { packet, header } = superPacket(
      'tcp',
      { ...V4, sequence: 0xffff_ff00, flags: 0x99 },
      pattern(2500),
      1000,
    );
    const segments = cut(packet, { ...header, headerLength: 3 }); // the header length is never trusted
    assert.deepEqual(
      segments.map((one) => one.length),
      [1040, 1040, 540],
    );
    assert.deepEqual(
      segments.map((one) => readU16BE(one, 2)),
      [1040, 1040, 540],
    );
    assert.deepEqual(
      segments.map((one) => readU16BE(one, 4)),
      [65_530, 65_531, 65_532],
    );
    assert.deepEqual(
      segments.map((one) => readU32BE(one, 24)),
      [0xffff_ff00, 0x2e8, 0x6d0],
    );
    assert.deepEqual(
      segments.map((one) => one[33]),
      [0x90, 0x10, 0x19],
    ); // CWR first, FIN and PSH last
    for (const segment of segments) assert.ok(checksumsHold(completed(segment)));
  });

  it('cuts UDP over IPv6 into whole datagrams', () => {
    const { packet, header } = superPacket('udp', V6, pattern(2401), 1200);
    const segments = cut(packet, header);
    assert.deepEqual(
      segments.map((one) => [readU16BE(one, 4), readU16BE(one, 44)]),
      [
        [1208, 1208],
        [1208, 1208],
        [9, 9],
      ],
    );
    for (const segment of segments) assert.ok(checksumsHold(completed(segment)));
  });

  it('makes one segment of a super-packet without payload', () => {
    const { packet, header } = superPacket('tcp', V4, new Uint8Array(0), 1000);
    assert.deepEqual(cut(packet, header), [packet]);
  });

  it('refuses what it cannot cut', () => {
    const { packet, header } = superPacket('tcp', V4, pattern(3000), 1000);
    const refusal = (change: Partial<VnetHeader>, bytes = packet): string | undefined =>
      new Segmenter().begin(bytes, parsed(bytes), { ...header, ...change });
    assert.equal(refusal({}), undefined);
    assert.equal(refusal({ gsoSize: 0 }), 'gsoSize');
    assert.equal(refusal({ gsoSize: 2 }), 'gsoSize'); // 1500 segments
    assert.equal(refusal({ gsoType: GSO_TCP6 }), 'gsoType');
    assert.equal(refusal({ gsoType: GSO_UDP_L4 }), 'gsoType');
    assert.equal(refusal({ gsoType: 3 }), 'gsoType'); // the old UFO
    assert.equal(refusal({ flags: 0 }), 'gsoChecksum');
    assert.equal(refusal({ csumStart: 24 }), 'gsoChecksum');
    assert.equal(refusal({ csumOffset: 6 }), 'gsoChecksum');
    assert.equal(refusal({}, tcpPacket({ ...V4, flagsAndOffset: 0x2000 }, pattern(99))), 'gsoFragment');
  });
});

describe('coalescing', () => {
  const fields = fc.record({
    family: fc.constantFrom(4, 6),
    kind: fc.constantFrom<'tcp' | 'udp'>('tcp', 'udp'),
    partial: fc.boolean(),
    dontFragment: fc.boolean(),
    sequence: fc.nat(0xffff_ffff),
    flags: fc.constantFrom(0x10, 0x18, 0x50, 0x90, 0xd8),
    tcpOptions: fc.constantFrom(new Uint8Array(0), pattern(12, 3)),
    gsoSize: fc.integer({ min: 48, max: 1400 }),
    segments: fc.integer({ min: 2, max: 40 }),
    last: fc.integer({ min: 1, max: 1400 }),
    tos: fc.constantFrom(0, 2, 0xb8),
  });

  it('gives back the super-packet that segmentation cut', () => {
    fc.assert(
      fc.property(fields, ({ family, kind, partial, gsoSize, segments, last, ...rest }) => {
        const length = (segments - 1) * gsoSize + Math.min(last, gsoSize);
        const addresses = family === 4 ? V4 : V6;
        const { packet, header } = superPacket(kind, { ...addresses, ...rest }, pattern(length), gsoSize);
        const cuts = cut(packet, header).map((segment) => (partial ? segment : completed(segment)));
        assert.equal(cuts.length, segments);
        const frames = coalesce(cuts, partial);
        assert.deepEqual(bodies(frames), [packet]);
        assert.deepEqual(headerOf(frames[0]!), header);
      }),
      { numRuns: 200 },
    );
  });

  it('ends a super-packet at 64 segments and at 65,535 bytes', () => {
    const many = superPacket('tcp', V4, pattern(100 * 100), 100);
    const sizes = coalesce(cut(many.packet, many.header), true).map(
      (frame) => frame.length - VNET_HEADER_LENGTH - 40,
    );
    assert.deepEqual(sizes, [6400, 3600]);
    const segment = (i: number): Uint8Array =>
      tcpPacket({ ...V4, id: i, sequence: i * 1400, partial: true }, pattern(1400, i));
    const long = coalesce(
      Array.from({ length: 60 }, (_, i) => segment(i)),
      true,
    );
    assert.deepEqual(
      long.map((frame) => (frame.length - VNET_HEADER_LENGTH - 40) / 1400),
      [46, 14],
    );
    assert.ok(long.every((frame) => frame.length - VNET_HEADER_LENGTH <= 65_535));
  });

  const head: TcpFields = { ...V4, id: 1, sequence: 1000, partial: true };
  const next: TcpFields = { ...head, id: 2, sequence: 1100 };
  const payload = pattern(100);
  const apart: [string, Uint8Array][] = [
    ['a gap', tcpPacket({ ...next, sequence: 1101 }, payload)],
    ['a repetition', tcpPacket({ ...next, sequence: 1000 }, payload)],
    ['another acknowledgement', tcpPacket({ ...next, acknowledgement: 8 }, payload)],
    ['another window', tcpPacket({ ...next, window: 511 }, payload)],
    ['other options', tcpPacket({ ...next, tcpOptions: new Uint8Array(4) }, payload)],
    ['another port', tcpPacket({ ...next, sourcePort: 40001 }, payload)],
    ['another source', tcpPacket({ ...next, source: '10.32.0.9' }, payload)],
    ['another ECN field', tcpPacket({ ...next, tos: 3 }, payload)],
    ['another TTL', tcpPacket({ ...next, ttl: 63 }, payload)],
    ['a longer payload', tcpPacket(next, pattern(101))],
    ['no payload', tcpPacket(next, new Uint8Array(0))],
    ['SYN', tcpPacket({ ...next, flags: 0x12 }, payload)],
    ['FIN', tcpPacket({ ...next, flags: 0x11 }, payload)],
    ['RST', tcpPacket({ ...next, flags: 0x14 }, payload)],
    ['URG', tcpPacket({ ...next, flags: 0x30 }, payload)],
    ['CWR', tcpPacket({ ...next, flags: 0x90 }, payload)],
    ['IP options', tcpPacket({ ...next, options: Uint8Array.of(1, 1, 1, 1) }, payload)],
    ['a fragment', tcpPacket({ ...next, flagsAndOffset: 0x2000 }, payload)],
    ['a wrong IP checksum', tcpPacket(next, payload).fill(0x77, 10, 12)],
  ];
  for (const [name, packet] of apart) {
    it(`keeps apart: ${name}`, () => {
      const first = tcpPacket(head, payload);
      assert.deepEqual(bodies(coalesce([first, packet], true)), [first, packet]);
    });
  }

  it('joins the packet from which those differ', () => {
    assert.equal(coalesce([tcpPacket(head, payload), tcpPacket(next, payload)], true).length, 1);
  });

  it('without DF wants the identification to count on, with DF not', () => {
    const pair = (dontFragment: boolean): number =>
      coalesce(
        [tcpPacket({ ...head, dontFragment }, payload), tcpPacket({ ...next, id: 9, dontFragment }, payload)],
        true,
      ).length;
    assert.deepEqual([pair(false), pair(true)], [2, 1]);
  });

  it('never repairs a wrong complete checksum', () => {
    const wrong = tcpPacket({ ...next, partial: false }, payload);
    wrong[wrong.length - 1]! ^= 1;
    const first = tcpPacket({ ...head, partial: false }, payload);
    const frames = coalesce([first, wrong], false);
    assert.deepEqual(bodies(frames), [first, wrong]);
    assert.ok(frames.every((frame) => headerOf(frame).flags === 0));
  });

  it('joins partial and complete checksums', () => {
    const frames: Uint8Array[] = [];
    const coalescer = new Coalescer((frame) => frames.push(frame.slice()), { tcp: true, udp: false });
    for (const [packet, partial] of [
      [tcpPacket(head, payload), true],
      [tcpPacket({ ...next, partial: false }, payload), false],
    ] as const) {
      const frame = frameOf(packet);
      const ip = parsed(packet);
      coalescer.add(frame, { ...ip, start: 10, transport: 10 + ip.transport }, partial ? ip.transport : 0);
    }
    coalescer.flush();
    assert.equal(frames.length, 1);
    assert.ok(checksumsHold(completed(frames[0]!.subarray(VNET_HEADER_LENGTH))));
  });

  it('closes at PSH and at a shorter payload, and begins anew behind them', () => {
    const at = (sequence: number, length: number, flags = 0x10): Uint8Array =>
      tcpPacket({ ...head, sequence, flags }, pattern(length));
    const lengths = (packets: Uint8Array[]): number[] =>
      coalesce(packets, true).map((frame) => frame.length - VNET_HEADER_LENGTH - 40);
    assert.deepEqual(lengths([at(0, 100), at(100, 100, 0x18), at(200, 100), at(300, 100)]), [200, 200]);
    assert.deepEqual(lengths([at(0, 100), at(100, 50), at(150, 100), at(250, 100)]), [150, 200]);
    assert.deepEqual(lengths([at(0, 100, 0x18), at(100, 100)]), [100, 100]);
  });

  it('keeps the order within each of many flows', () => {
    const flow = (port: number, i: number): Uint8Array =>
      tcpPacket({ ...head, sourcePort: port, sequence: i * 100 }, pattern(100, port + i));
    const packets: Uint8Array[] = [];
    for (let i = 0; i < 5; i++) for (let port = 1; port <= 12; port++) packets.push(flow(port, i));
    const seen = new Map<number, number[]>();
    for (const body of bodies(coalesce(packets, true))) {
      const list = seen.get(readU16BE(body, 20)) ?? [];
      for (let at = 0; at < body.length - 40; at += 100) list.push((readU32BE(body, 24) + at) / 100);
      seen.set(readU16BE(body, 20), list);
    }
    assert.equal(seen.size, 12);
    for (const order of seen.values()) assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });

  it('leaves UDP alone where the kernel takes no UDP super-packets, and where there is no checksum', () => {
    const datagrams = [udpPacket(V4, payload), udpPacket({ ...V4, id: 65_531 }, payload)];
    assert.equal(coalesce(datagrams, false, true).length, 1);
    assert.equal(coalesce(datagrams, false, false).length, 2);
    for (const datagram of datagrams) datagram.fill(0, 26, 28);
    assert.deepEqual(bodies(coalesce(datagrams, false, true)), datagrams);
  });
});
