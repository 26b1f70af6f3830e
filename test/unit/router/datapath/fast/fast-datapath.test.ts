import { deepEqual, equal } from 'node:assert/strict';
import { concat } from '../../../../../base/bytes.ts';
import { parseEndpoint } from '../../../../../base/endpoint.ts';
import { parseCidr } from '../../../../../base/range.ts';
import { cryptoReady } from '../../../../../crypto/ready.ts';
import {
  HANDOVER_SKIP,
  type SessionProgress,
  skippedAhead,
} from '../../../../../router/datapath/session-progress.ts';
import {
  OUTER_HEADER_LENGTH,
  TAG_LENGTH,
  writeOuterHeader,
} from '../../../../../router/packet/data-packet.ts';
import { frameOf, pattern, tcpPacket, udpPacket } from '../../packet/ip-packets.ts';
import { DatapathPair, LOCAL_INDEX, PEER, SESSION } from './datapath-pair.ts';

const OUT = { source: '10.32.0.1', destination: '10.33.0.1' };
const IN = { source: OUT.destination, destination: OUT.source };
const NEXT_INDEX = 9;

/** A datagram of the peer with this packet within, sealed under `counter` for the session `index`. */
function sealed(pair: DatapathPair, index: number, counter: number, packet: Uint8Array): Uint8Array {
  const plaintext = concat(Uint8Array.of(1, 0, 0, 0), packet);
  const bytes = new Uint8Array(OUTER_HEADER_LENGTH + plaintext.length + TAG_LENGTH);
  writeOuterHeader(bytes, 0, index, counter);
  bytes.set(plaintext, OUTER_HEADER_LENGTH);
  const run = { bytes, at: 0, length: bytes.length, segment: bytes.length };
  pair.sealer.sealRun(counter, { ...run, aadLength: OUTER_HEADER_LENGTH });
  return bytes;
}

describe('the fast datapath, as the control core changes it', () => {
  let pair: DatapathPair;

  before(() => cryptoReady);
  beforeEach(() => {
    pair = new DatapathPair(true);
  });
  afterEach(() => pair.close());

  /** One packet each way, and what the lanes carried of it. */
  const traffic = (index: number, counter: number): unknown => {
    pair.handleFrame(frameOf(udpPacket(OUT, pattern(100))));
    pair.handleDatagrams(sealed(pair, index, counter, udpPacket(IN, pattern(100))));
    return pair.compare();
  };

  it('leaves the first packet of a session to the sleeve, which tells of it, and carries the rest', () => {
    deepEqual(traffic(LOCAL_INDEX, 0), { frames: 0, datagrams: 1 });
    deepEqual(traffic(LOCAL_INDEX, 1), { frames: 1, datagrams: 1 });
  });

  it('goes on in the session before until the next one is used, and opens both until one is removed', () => {
    traffic(LOCAL_INDEX, 0);
    const suite = 'chacha20-poly1305';
    const keys = { sendKey: new Uint8Array(32).fill(5), receiveKey: new Uint8Array(32).fill(2) };
    const next = { peer: PEER, localIndex: NEXT_INDEX, remoteIndex: 90, suite, ...keys } as const;
    pair.each((datapath) => datapath.install({ ...next, peerTakesMarks: true }));
    deepEqual(traffic(LOCAL_INDEX, 1), { frames: 1, datagrams: 1 });
    deepEqual(traffic(NEXT_INDEX, 0), { frames: 0, datagrams: 1 });
    pair.each((datapath) => datapath.use(NEXT_INDEX));
    deepEqual(traffic(NEXT_INDEX, 1), { frames: 1, datagrams: 1 });
    deepEqual(traffic(LOCAL_INDEX, 2), { frames: 1, datagrams: 1 });
    pair.each((datapath) => datapath.remove(LOCAL_INDEX));
    deepEqual(traffic(LOCAL_INDEX, 3), { frames: 0, datagrams: 1 });
    deepEqual(traffic(NEXT_INDEX, 2), { frames: 1, datagrams: 1 });
  });

  it('delivers what comes from another port of the address of a peer, and takes the peer for where it was', () => {
    traffic(LOCAL_INDEX, 0);
    pair.handleDatagrams(sealed(pair, LOCAL_INDEX, 1, udpPacket(IN, pattern(9))), undefined, 0, 'otherPort');
    equal(pair.compare().frames, 1);
    pair.handleFrame(frameOf(udpPacket(OUT, pattern(100))));
    deepEqual(pair.compare(), { frames: 0, datagrams: 1 });
  });

  it('tells that the peer moved, and follows where the control core says so', () => {
    traffic(LOCAL_INDEX, 0);
    pair.handleDatagrams(sealed(pair, LOCAL_INDEX, 1, udpPacket(IN, pattern(9))), undefined, 0, 'elsewhere');
    equal(pair.compare().frames, 0);
    const endpoint = parseEndpoint('198.51.100.9:7000')!;
    pair.each((datapath) => datapath.setPath(PEER, { kind: 'direct', endpoint }));
    pair.handleDatagrams(sealed(pair, LOCAL_INDEX, 2, udpPacket(IN, pattern(9))), undefined, 0, 'elsewhere');
    pair.handleFrame(frameOf(udpPacket(OUT, pattern(100))));
    deepEqual(pair.compare(), { frames: 1, datagrams: 1 });
  });

  it('keeps packets while there is no way, and answers those that are too large', () => {
    traffic(LOCAL_INDEX, 0);
    pair.each((datapath) => datapath.setPath(PEER, undefined));
    pair.handleFrame(frameOf(udpPacket(OUT, pattern(100))));
    deepEqual(pair.compare(), { frames: 0, datagrams: 0 });
    const endpoint = parseEndpoint('192.0.2.2:6783')!;
    pair.each((datapath) => datapath.setPath(PEER, { kind: 'direct', endpoint }));
    deepEqual(pair.compare(), { frames: 0, datagrams: 0 });
    pair.each((datapath) => datapath.setMtu(PEER, 600));
    pair.handleFrame(frameOf(tcpPacket(OUT, pattern(700))));
    pair.handleFrame(frameOf(tcpPacket(OUT, pattern(500))));
    deepEqual(pair.compare(), { frames: 0, datagrams: 1 });
  });

  it('carries nothing to or from addresses that changed hands', () => {
    traffic(LOCAL_INDEX, 0);
    const self = 'a'.repeat(64) as typeof PEER;
    const absent = 'c'.repeat(64) as typeof PEER;
    pair.each((datapath) =>
      datapath.setRoutes([
        { range: parseCidr('10.32.0.0/16')!, owner: self },
        { range: parseCidr('10.33.0.0/16')!, owner: absent },
      ]),
    );
    deepEqual(traffic(LOCAL_INDEX, 1), { frames: 0, datagrams: 0 });
  });

  it('goes on where another datapath ended, lanes or sleeve, and takes no packet twice', () => {
    const taken = [3, 0, 700, 2];
    for (const counter of taken) traffic(LOCAL_INDEX, counter);
    const ends: SessionProgress[] = [];
    pair.each((datapath) => ends.push(datapath.progress(LOCAL_INDEX)!));
    deepEqual(ends[0], ends[1]);
    deepEqual([ends[0]!.sent, ends[0]!.confirmed], [taken.length, true]);
    // Each begins where the other one ended.
    pair.each((datapath) => {
      datapath.remove(LOCAL_INDEX);
      equal(datapath.progress(LOCAL_INDEX), undefined);
      datapath.install(SESSION, skippedAhead(ends.pop()!));
      datapath.use(LOCAL_INDEX);
    });
    deepEqual(traffic(LOCAL_INDEX, 701), { frames: 1, datagrams: 1 });
    for (const counter of [...taken, 701])
      equal((traffic(LOCAL_INDEX, counter) as { frames: number }).frames, 0);
    deepEqual(traffic(LOCAL_INDEX, 1), { frames: 1, datagrams: 1 });
    const replays = taken.length + 1;
    pair.each((datapath) => {
      const { sent } = datapath.progress(LOCAL_INDEX)!;
      equal(sent, taken.length + HANDOVER_SKIP + replays + 2);
    });
  });

  it('takes what is overtaken by 30,000 packets, once, and after a hand-over what was by 8,000', () => {
    const frames = (counter: number): number => (traffic(LOCAL_INDEX, counter) as { frames: number }).frames;
    traffic(LOCAL_INDEX, 0);
    const taken = [40_000, 10_000, 39_999, 32_000];
    for (const counter of taken) equal(frames(counter), 1);
    for (const counter of [...taken, 7_000]) equal(frames(counter), 0);
    const ends: SessionProgress[] = [];
    pair.each((datapath) => ends.push(datapath.progress(LOCAL_INDEX)!));
    deepEqual(ends[0], ends[1]);
    pair.each((datapath) => {
      datapath.remove(LOCAL_INDEX);
      datapath.install(SESSION, skippedAhead(ends.pop()!));
      datapath.use(LOCAL_INDEX);
    });
    for (const counter of [...taken, 20_000]) equal(frames(counter), 0);
    equal(frames(32_001), 1);
    equal(frames(70_000), 1);
    equal(frames(38_000), 1);
  });

  it('lets control messages share the counters of a session', () => {
    traffic(LOCAL_INDEX, 0);
    pair.each((datapath) => equal(datapath.sendControl(PEER, Uint8Array.of(1, 2, 3)), true));
    deepEqual(traffic(LOCAL_INDEX, 1), { frames: 1, datagrams: 1 });
  });
});
