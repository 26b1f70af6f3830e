/**
 * What the sleeve's TypeScript and each of its ciphers cost a packet, without kernel and sockets: frames go into one
 * sleeve, its datagrams into another, in one process; five times. Prints one JSON line.
 *
 * `bin/weft-node bench/sleeve-core.ts [seconds per case and run, default 0.3]`
 */
import { writeU16BE, writeU16LE } from '../base/bytes.ts';
import { Counters } from '../base/counters.ts';
import { parseEndpoint } from '../base/endpoint.ts';
import { instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import { parseCidr } from '../base/range.ts';
import { Aead } from '../crypto/aead.ts';
import type { AeadMaker } from '../crypto/choose-aeads.ts';
import { cryptoReady } from '../crypto/ready.ts';
import type { Suite } from '../crypto/suite.ts';
import { DATAPATH_COUNTERS } from '../router/datapath/datapath-counters.ts';
import { AEAD_MAKERS } from '../router/datapath/sleeve/aead-makers.io.ts';
import { Sleeve } from '../router/datapath/sleeve/sleeve.ts';
import { foldSum, sumWords, writeIpv4Checksum } from '../router/packet/checksum.ts';
import { report, spread } from './report.ts';

const OVERLAY_MTU = 1364;
const TCP_PAYLOAD = OVERLAY_MTU - 40;
const BATCH = 32;
const RUNS = 5;

const A = 'a'.repeat(64) as PeerId;
const B = 'b'.repeat(64) as PeerId;
const endpointA = parseEndpoint('192.0.2.1:6783')!;
const endpointB = parseEndpoint('192.0.2.2:6783')!;

interface Bench {
  readonly sender: Sleeve;
  readonly receiver: Sleeve;
  /** Runs of datagrams, and how many there have been. */
  readonly datagrams: { readonly bytes: Uint8Array; readonly segment: number }[];
  packets: number;
  delivered: number;
  deliveredBytes: number;
}

interface Measured {
  readonly packetsPerSecond: number;
  /** Microseconds of one packet at each end. */
  readonly sendUs: number;
  readonly receiveUs: number;
  readonly gbitPerSecondOneCoreEach: number;
  readonly packetsPerDelivery: number;
}

/** Two sleeves that seal by `maker`; what the first transmits is copied to `datagrams`, as a kernel would. */
function makePair(maker: AeadMaker): Bench {
  const slots = Array.from({ length: 300 }, () => new Uint8Array(65_536));
  const bench = { datagrams: [] as Bench['datagrams'], packets: 0, delivered: 0, deliveredBytes: 0 };
  const config = { createAead: (suite: Suite, key: Uint8Array) => new Aead(suite, maker.create(key)) };
  const sender = new Sleeve({
    self: A,
    counters: new Counters(DATAPATH_COUNTERS),
    overlayMtu: OVERLAY_MTU,
    config,
    sink: {
      transmit: (_to, bytes, segment = bytes.length) => {
        const slot = slots[bench.datagrams.length]!;
        slot.set(bytes);
        bench.datagrams.push({ bytes: slot.subarray(0, bytes.length), segment });
        bench.packets += Math.ceil(bytes.length / segment);
      },
      deliver: () => {},
    },
  });
  const receiver = new Sleeve({
    self: B,
    counters: new Counters(DATAPATH_COUNTERS),
    overlayMtu: OVERLAY_MTU,
    config,
    sink: {
      transmit: () => {},
      deliver: (frame) => {
        bench.delivered++;
        bench.deliveredBytes += frame.length;
      },
    },
  });
  const routes = [
    { range: parseCidr('10.32.0.0/16')!, owner: A },
    { range: parseCidr('10.33.0.0/16')!, owner: B },
  ];
  const [there, back] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const { suite } = maker;
  sender.setRoutes(routes);
  receiver.setRoutes(routes);
  sender.setPath(B, { kind: 'direct', endpoint: endpointB });
  receiver.setPath(A, { kind: 'direct', endpoint: endpointA });
  sender.install({
    peer: B,
    localIndex: 1,
    remoteIndex: 2,
    suite,
    peerTakesMarks: true,
    sendKey: there,
    receiveKey: back,
  });
  receiver.install({
    peer: A,
    localIndex: 2,
    remoteIndex: 1,
    suite,
    peerTakesMarks: true,
    sendKey: back,
    receiveKey: there,
  });
  sender.use(1);
  return Object.assign(bench, { sender, receiver });
}

/** A frame of the TUN: TCP or UDP over IPv4 with a partial checksum; `gsoSize` makes a super-packet of it. */
function frame(protocol: 6 | 17, payload: number, gsoSize: number): Uint8Array {
  const headers = protocol === 6 ? 20 : 8;
  const bytes = new Uint8Array(10 + 20 + headers + payload).fill(0x5a, 30 + headers);
  bytes[0] = 1;
  bytes[1] = gsoSize > 0 ? 1 : 0;
  writeU16LE(bytes, 4, gsoSize);
  writeU16LE(bytes, 6, 20);
  writeU16LE(bytes, 8, protocol === 6 ? 16 : 6);
  bytes[10] = 0x45;
  writeU16BE(bytes, 12, bytes.length - 10);
  bytes[16] = 0x40;
  bytes[18] = 64;
  bytes[19] = protocol;
  bytes.set([10, 32, 0, 1, 10, 33, 0, 1], 22);
  writeIpv4Checksum(bytes, 10, 20);
  writeU16BE(bytes, 30, 40000);
  writeU16BE(bytes, 32, 80);
  if (protocol === 6) {
    bytes[42] = 0x50;
    bytes[43] = 0x10;
  } else writeU16BE(bytes, 34, headers + payload);
  const pseudo = sumWords(bytes, 22, 30) + protocol + headers + payload;
  writeU16BE(bytes, protocol === 6 ? 46 : 36, foldSum(pseudo));
  return bytes;
}

/** Runs frames through for `ms` milliseconds; µs per packet on the wire at each side. */
function measure(maker: AeadMaker, input: Uint8Array, framesPerBatch: number, ms: number): Measured {
  const bench = makePair(maker);
  let sendNs = 0n;
  let receiveNs = 0n;
  let bytes = 0;
  const round = (): void => {
    const t0 = process.hrtime.bigint();
    for (let i = 0; i < framesPerBatch; i++) bench.sender.handleTunPacket(input, instant(1));
    bench.sender.endBatch(instant(1));
    const t1 = process.hrtime.bigint();
    for (const [i, { bytes: run, segment }] of bench.datagrams.entries()) {
      bench.receiver.handleDatagrams(endpointA, run, instant(1), segment);
      if (i % BATCH === BATCH - 1) bench.receiver.endBatch(instant(1));
    }
    bench.receiver.endBatch(instant(1));
    const t2 = process.hrtime.bigint();
    sendNs += t1 - t0;
    receiveNs += t2 - t1;
    bytes += framesPerBatch * (input.length - 10);
    bench.datagrams.length = 0;
  };
  for (let i = 0; i < 200; i++) round();
  sendNs = receiveNs = 0n;
  bytes = bench.packets = bench.delivered = 0;
  const end = process.hrtime.bigint() + BigInt(ms) * 1_000_000n;
  while (process.hrtime.bigint() < end) round();
  const { packets } = bench;
  const round2 = (value: number): number => Math.round(value * 100) / 100;
  return {
    packetsPerSecond: Math.round(packets / (Number(sendNs + receiveNs) / 1e9)),
    sendUs: round2(Number(sendNs) / 1000 / packets),
    receiveUs: round2(Number(receiveNs) / 1000 / packets),
    gbitPerSecondOneCoreEach: round2((bytes * 8) / Number(sendNs > receiveNs ? sendNs : receiveNs)),
    packetsPerDelivery: round2(packets / bench.delivered),
  };
}

await cryptoReady;
const ms = Number(process.argv[2] ?? 0.3) * 1000;
const cases: Readonly<Record<string, readonly [input: Uint8Array, framesPerBatch: number]>> = {
  tcpSuperPackets: [frame(6, 48 * TCP_PAYLOAD, TCP_PAYLOAD), 4],
  tcpSinglePackets: [frame(6, TCP_PAYLOAD, 0), 128],
  udp1200: [frame(17, 1200, 0), 128],
  udp64: [frame(17, 64, 0), 128],
};
const taken = new Map<string, Measured[]>();
const makers = AEAD_MAKERS.filter((maker) => maker.unfit() === undefined);
for (let run = 0; run < RUNS; run++) {
  for (const maker of makers) {
    for (const [name, [input, framesPerBatch]] of Object.entries(cases)) {
      const key = `${maker.suite} by ${maker.by}, ${name}`;
      taken.set(key, [...(taken.get(key) ?? []), measure(maker, input, framesPerBatch, ms)]);
    }
  }
}
const figures = [...taken].map(([name, measured]) => {
  const keys = Object.keys(measured[0]!) as (keyof Measured)[];
  return [name, Object.fromEntries(keys.map((key) => [key, spread(measured.map((one) => one[key]))]))];
});
report('sleeve-core', { runs: RUNS, ...Object.fromEntries(figures) });
