import { deepEqual, equal, ok } from 'node:assert/strict';
import { hex, readU32BE, readU32LE } from '../../../../../base/bytes.ts';
import { SUITE_LIMITS } from '../../../../../crypto/aead.ts';
import type { Suite } from '../../../../../crypto/suite.ts';
import { nativeCipherFault } from '../../../../../native/aead.ts';
import { FAST_COUNTERS } from '../../../../../router/datapath/fast/fast-counters.ts';
import { seededRandom } from '../../../../seeded-random.ts';
import { frameOf, pattern, tcpPacket } from '../../packet/ip-packets.ts';
import { RecordingLanes } from './recording-lanes.ts';

const PEER = 2;
const INDEX = 5;
const PAYLOAD = 1000;
const FRAMES = 40;
const SEGMENTS = 30;
/** Words of 10.32.0.0/16 and 10.33.0.0/16, as a route table gives them. */
const SPANS = Uint32Array.of(0x0a200000, 0x0a20ffff, 0, 0x0a210000, 0x0a21ffff, 1);
const ORIGIN = Uint32Array.of(6783, 0xc0000202, 0, 0, 0);
const KEY = new Uint8Array(32).fill(3);

/** Lanes of the owner of the first span (`self` 0) or of the second. */
function lanesOf(self: 0 | 1, suite: Suite): RecordingLanes {
  const lanes = new RecordingLanes(true);
  const { engine } = lanes;
  engine.setPeer(PEER, { address: Uint8Array.of(192, 0, 2, 2), port: 6783 }, 1400);
  engine.setRoutes(SPANS, new Uint32Array(0), self === 0 ? [1, PEER] : [PEER, 1], self);
  const keys = { sendKey: KEY, receiveKey: KEY, aes: suite === 'aes-256-gcm', peerTakesMarks: true };
  engine.install({ peer: PEER, localIndex: INDEX, remoteIndex: INDEX, ...keys, ...SUITE_LIMITS[suite] });
  engine.use(INDEX);
  engine.confirm(INDEX);
  return lanes;
}

/** What was recorded of one kind: 0 datagrams, 1 frames. */
function recorded(lanes: RecordingLanes, kind: 0 | 1): Uint8Array[] {
  const bytes = lanes.recorded();
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = readU32LE(bytes, at + 4);
    const segment = kind === 0 ? readU32LE(bytes, at + 8) : length;
    if (readU32LE(bytes, at) === kind)
      for (let from = 0; from < length; from += segment)
        found.push(bytes.slice(at + 16 + from, at + 16 + Math.min(length, from + segment)));
    at += 16 + length;
  }
  return found;
}

const SUITES = (['aes-256-gcm', 'chacha20-poly1305'] as const).filter(
  (suite) => nativeCipherFault(suite) === undefined,
);

describe('lanes over an underlay that loses, doubles, damages and reorders', () => {
  for (const suite of SUITES) {
    it(`deliver what came whole, once, and nothing else (${suite})`, () => {
      const source = seededRandom(7);
      /** From 0 to below 1. */
      const random = (): number => readU32LE(source.bytes(4), 0) / 2 ** 32;
      const [a, b] = [lanesOf(0, suite), lanesOf(1, suite)];
      const vnet = { flags: 1, gsoType: 1, gsoSize: PAYLOAD, csumStart: 20, csumOffset: 16 };
      const sent: Uint8Array[] = [];
      for (let i = 0; i < FRAMES; i++) {
        const sequence = i * SEGMENTS * PAYLOAD;
        const fields = { source: '10.32.0.1', destination: '10.33.0.1', partial: true, sequence };
        a.handleFrame(frameOf(tcpPacket(fields, pattern(SEGMENTS * PAYLOAD, i)), vnet));
        sent.push(...recorded(a, 0));
      }
      equal(sent.length, FRAMES * SEGMENTS);
      const intact = new Set<number>();
      const wire = sent.flatMap((bytes, i) => {
        const fate = random();
        if (fate < 0.05) return [];
        if (fate < 0.1) {
          const damaged = bytes.slice();
          damaged[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
          return [{ bytes: damaged, at: i }];
        }
        intact.add(i);
        const copies = fate < 0.2 ? 2 : 1;
        return Array.from({ length: copies }, () => ({ bytes, at: i + random() * 100 }));
      });
      wire.sort((one, other) => one.at - other.at);
      const arrived = new Map<number, string>();
      for (const { bytes } of wire) {
        b.handleDatagrams(4, ORIGIN, bytes, bytes.length, 0);
        for (const frame of recorded(b, 1)) {
          // A datagram at a time, so each frame is one packet: a virtio header, then IP and TCP headers.
          equal(frame.length, 10 + 40 + PAYLOAD);
          const number = readU32BE(frame, 10 + 24) / PAYLOAD;
          ok(!arrived.has(number), `packet ${number} came twice`);
          arrived.set(number, hex(frame.subarray(50)));
        }
      }
      // Damage of a byte that says whose packet it is leaves it to the sleeve, which knows nobody of that name either; and
      // that there were drops is told.
      b.takeUpward((_bytes, words, count) => {
        for (let i = 0; i < count; i++) ok([1, 6].includes(words[12 * i]!));
      });
      deepEqual(
        [...arrived.keys()].sort((x, y) => x - y),
        [...intact],
      );
      for (const [number, payload] of arrived) {
        const frame = Math.floor(number / SEGMENTS);
        const from = (number % SEGMENTS) * PAYLOAD;
        equal(payload, hex(pattern(SEGMENTS * PAYLOAD, frame).subarray(from, from + PAYLOAD)));
      }
      const drops = b.engine.takeDrops();
      ok(drops[FAST_COUNTERS.indexOf('datapath.inReplay')]! > 50);
      ok(drops[FAST_COUNTERS.indexOf('datapath.inForged')]! > 30);
      for (const lanes of [a, b]) lanes.close();
    });
  }
});
