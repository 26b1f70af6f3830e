import { deepEqual } from 'node:assert/strict';
import { hex, readU32LE } from '../../../../../base/bytes.ts';
import { Counters } from '../../../../../base/counters.ts';
import { type Endpoint, endpointPort, parseEndpoint } from '../../../../../base/endpoint.ts';
import { after, type Instant, instant } from '../../../../../base/instant.ts';
import type { PeerId } from '../../../../../base/peer-id.ts';
import { parseCidr } from '../../../../../base/range.ts';
import { type Aead, createAead } from '../../../../../crypto/aead.ts';
import type { Datapath, DatapathEvents, DataSession, Path } from '../../../../../router/datapath/datapath.ts';
import { DATAPATH_COUNTERS } from '../../../../../router/datapath/datapath-counters.ts';
import { FastDatapath } from '../../../../../router/datapath/fast/fast-datapath.ts';
import { recordsToSleeve } from '../../../../../router/datapath/fast/records-to-sleeve.ts';
import { Sleeve } from '../../../../../router/datapath/sleeve/sleeve.ts';
import { completeChecksum } from '../../../../../router/packet/checksum.ts';
import { emptyIpPacket, parseIpPacket } from '../../../../../router/packet/ip-packet.ts';
import { Segmenter } from '../../../../../router/packet/segmentation.ts';
import { emptyVnetHeader, GSO_NONE, readVnetHeader } from '../../../../../router/packet/vnet-header.ts';
import { RecordingLanes } from './recording-lanes.ts';

const SELF = 'a'.repeat(64) as PeerId;
/** Peers: one that packets go straight to, one without a session, one behind a relay (the first). */
export const PEER = 'b'.repeat(64) as PeerId;
const ABSENT = 'c'.repeat(64) as PeerId;
const RELAYED = 'd'.repeat(64) as PeerId;
const FROM = parseEndpoint('192.0.2.2:6783')!;
const ELSEWHERE = parseEndpoint('198.51.100.9:7000')!;
/** The peer's address, and another port than it is known by. */
const OTHER_PORT = parseEndpoint('192.0.2.2:40000')!;
const OVERLAY_MTU = 1400;
const SEND_KEY = new Uint8Array(32).fill(1);
const RECEIVE_KEY = new Uint8Array(32).fill(2);
/** Our local indices for {@link PEER} and {@link RELAYED}. */
export const LOCAL_INDEX = 7;
export const RELAYED_INDEX = 8;
/** 192.0.2.2:6783 and 198.51.100.9:7000 as the addon tells them. */
const ORIGINS = {
  [FROM]: Uint32Array.of(6783, 0xc0000202, 0, 0, 0),
  [OTHER_PORT]: Uint32Array.of(40000, 0xc0000202, 0, 0, 0),
  [ELSEWHERE]: Uint32Array.of(7000, 0xc6336409, 0, 0, 0),
};

/** Where datagrams may come from. */
const PLACES = { peer: FROM, otherPort: OTHER_PORT, elsewhere: ELSEWHERE } as const;

/** What one datapath put out since it was last asked. */
interface Output {
  datagrams: string[];
  frames: Uint8Array[];
  events: unknown[];
}

/**
 * The sleeve alone, and the lanes in C++ with a sleeve beside them, in the same state. Each gets what the other gets; what
 * they do must be the same to the last byte.
 */
export class DatapathPair {
  /** Goes on by a millisecond with every input, so that what is limited in rate comes again. */
  #now: Instant = instant(5000);
  readonly #reference: Side;
  readonly #fast: Side;
  readonly #engine: RecordingLanes;
  readonly #datapath: FastDatapath;
  /** Whether the lanes said that they dropped something. */
  #told = false;
  readonly #records: ReturnType<typeof recordsToSleeve>;
  /** Seals as the peer does. */
  readonly sealer: Aead = createAead('chacha20-poly1305', RECEIVE_KEY);

  constructor(coalesce: boolean) {
    const config = { coalesceTcp: coalesce, coalesceUdp: coalesce };
    this.#reference = new Side((sink, counters) => {
      return new Sleeve({ self: SELF, counters, sink, overlayMtu: OVERLAY_MTU, config });
    });
    const engine = new RecordingLanes(coalesce);
    let datapath: FastDatapath | undefined;
    this.#fast = new Side((sink, counters) => {
      datapath = new FastDatapath({
        self: SELF,
        lanes: engine.engine,
        suites: ['chacha20-poly1305'],
        overlayMtu: OVERLAY_MTU,
        counters,
        clock: () => this.#now,
        sendFrom: (_port, send) => send(),
      });
      const openLedger: FastDatapath['openLedger'] = (session, before) =>
        datapath!.openLedger(session, before);
      const sleeve = new Sleeve({
        self: SELF,
        counters,
        sink,
        overlayMtu: OVERLAY_MTU,
        config: { ...config, openLedger },
      });
      datapath.setSleeve(sleeve);
      return sleeve;
    });
    this.#engine = engine;
    this.#datapath = datapath!;
    const { sleeve, counters } = this.#fast;
    const options = { clock: () => this.#now, counters };
    this.#records = recordsToSleeve(sleeve, options, {
      onFault: () => {
        throw new Error('no device to fail');
      },
      onDropped: () => {
        this.#told = true;
      },
      onBusy: () => undefined,
    });
    this.each((one) => setUp(one));
    this.compare();
  }

  /** Does the same to both. */
  each(change: (datapath: Datapath) => void): void {
    change(this.#reference.sleeve);
    change(this.#datapath);
  }

  /** Both get one frame of the TUN, alone in its batch. */
  handleFrame(frame: Uint8Array): void {
    this.#now = after(this.#now, 1);
    this.#reference.sleeve.handleTunPacket(frame.slice(), this.#now);
    this.#reference.sleeve.endBatch(this.#now);
    this.#engine.handleFrame(frame);
    this.#settle();
  }

  /** Both get a message of one or several datagrams. */
  handleDatagrams(
    bytes: Uint8Array,
    segment = bytes.length,
    tos = 0,
    from: keyof typeof PLACES = 'peer',
  ): void {
    this.#now = after(this.#now, 1);
    const origin = PLACES[from];
    const { sleeve } = this.#reference;
    sleeve.handleDatagrams(origin, bytes.slice(), this.#now, Math.max(1, segment), tos);
    sleeve.endBatch(this.#now);
    this.#engine.handleDatagrams(4, ORIGINS[origin]!, bytes, segment, tos);
    this.#settle();
  }

  /** Throws where the two differ. How many packets the lanes carried themselves. */
  compare(): { readonly frames: number; readonly datagrams: number } {
    if (this.#told) this.#datapath.collectDrops();
    this.#told = false;
    const recorded = readRecorded(this.#engine.recorded());
    const expected = this.#reference.take();
    const above = this.#fast.take();
    const frames = [...recorded.frames, ...above.frames];
    const mixed = recorded.frames.length > 0 && above.frames.length > 0;
    // Super-packets that both made may hold other packets where some went by the sleeve.
    const shown = mixed ? (of: Uint8Array[]): string[] => of.flatMap(packetsOf).sort() : inHex;
    deepEqual(shown(frames), shown(expected.frames), 'frames');
    deepEqual([...recorded.datagrams, ...above.datagrams].sort(), expected.datagrams.sort(), 'datagrams');
    deepEqual(above.events, expected.events, 'events');
    deepEqual(this.#fast.counters.snapshot(), this.#reference.counters.snapshot(), 'counters');
    for (const peer of [PEER, RELAYED, ABSENT]) {
      const { lastReceivedAt: _1, lastSentAt: _2, ...mine } = this.#datapath.stats(peer);
      const { lastReceivedAt: _3, lastSentAt: _4, ...theirs } = this.#reference.sleeve.stats(peer);
      deepEqual(mine, theirs, 'counters of a peer');
    }
    deepEqual(this.#datapath.totals(), this.#reference.sleeve.totals(), 'totals');
    return { frames: recorded.frames.length, datagrams: recorded.datagrams.length };
  }

  close(): void {
    this.#engine.close();
  }

  #settle(): void {
    this.#engine.takeUpward(this.#records);
    this.#fast.sleeve.endBatch(this.#now);
  }
}

/** A sleeve that writes down what it puts out. */
class Side {
  readonly counters = new Counters(DATAPATH_COUNTERS);
  readonly sleeve: Sleeve;
  #output: Output = { datagrams: [], frames: [], events: [] };

  constructor(
    make: (sink: ConstructorParameters<typeof Sleeve>[0]['sink'], counters: Side['counters']) => Sleeve,
  ) {
    const sink = {
      transmit: (to: Endpoint, bytes: Uint8Array, segment = bytes.length, tos = 0): void => {
        for (const one of cut(bytes, segment))
          this.#output.datagrams.push(datagram(endpointPort(to), tos, one));
      },
      deliver: (frame: Uint8Array): void => {
        this.#output.frames.push(frame.slice());
      },
    };
    this.sleeve = make(sink, this.counters);
    const note =
      (name: keyof DatapathEvents) =>
      (...args: unknown[]): void => {
        this.#output.events.push([name, ...args.map((arg) => (arg instanceof Uint8Array ? hex(arg) : arg))]);
      };
    this.sleeve.setEvents({
      sessionWanted: note('sessionWanted'),
      confirmed: note('confirmed'),
      moved: note('moved'),
      control: note('control'),
      exhausted: note('exhausted'),
      busy: note('busy'),
      foreign: note('foreign'),
      unknownIndex: note('unknownIndex'),
    });
  }

  take(): Output {
    const taken = this.#output;
    this.#output = { datagrams: [], frames: [], events: [] };
    return taken;
  }
}

/** The session with {@link PEER}. */
export const SESSION: DataSession = {
  peer: PEER,
  localIndex: LOCAL_INDEX,
  remoteIndex: 70,
  sendKey: SEND_KEY,
  receiveKey: RECEIVE_KEY,
  suite: 'chacha20-poly1305',
  peerTakesMarks: true,
};

function setUp(datapath: Datapath): void {
  const routes: [string, PeerId][] = [
    ['10.32.0.0/16', SELF],
    ['fd00::/32', SELF],
    ['10.33.0.0/16', PEER],
    ['fd00:1::/32', PEER],
    ['10.34.0.0/16', ABSENT],
    ['10.35.0.0/16', RELAYED],
  ];
  datapath.setRoutes(routes.map(([range, owner]) => ({ range: parseCidr(range)!, owner })));
  const direct: Path = { kind: 'direct', endpoint: FROM };
  const suite = 'chacha20-poly1305';
  const keys = { sendKey: SEND_KEY, receiveKey: RECEIVE_KEY, suite, peerTakesMarks: true } as const;
  datapath.install(SESSION);
  datapath.setPath(PEER, direct);
  datapath.use(LOCAL_INDEX);
  datapath.install({ peer: RELAYED, localIndex: RELAYED_INDEX, remoteIndex: 80, ...keys });
  datapath.setPath(RELAYED, { kind: 'relay', via: PEER });
  datapath.use(RELAYED_INDEX);
}

function readRecorded(bytes: Uint8Array): Pick<Output, 'datagrams' | 'frames'> {
  const out: Pick<Output, 'datagrams' | 'frames'> = { datagrams: [], frames: [] };
  for (let at = 0; at < bytes.length; ) {
    const [kind, length, segment, told] = [0, 4, 8, 12].map((word) => readU32LE(bytes, at + word));
    const body = bytes.slice(at + 16, at + 16 + length!);
    if (kind === 1) out.frames.push(body);
    else for (const one of cut(body, segment!)) out.datagrams.push(datagram(told! >>> 8, told! & 255, one));
    at += 16 + length!;
  }
  return out;
}

function cut(bytes: Uint8Array, segment: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += segment) parts.push(bytes.subarray(at, at + segment));
  return parts;
}

function datagram(port: number, tos: number, bytes: Uint8Array): string {
  return `${port} ${tos} ${hex(bytes)}`;
}

function inHex(frames: readonly Uint8Array[]): string[] {
  return frames.map(hex);
}

/**
 * The packets in a frame, their checksums completed. The identification of IPv4 packets that must not be cut means nothing
 * (RFC 6864 §4.1), and is lost where they are joined: it is left out.
 */
function packetsOf(frame: Uint8Array): string[] {
  const header = emptyVnetHeader();
  const ip = emptyIpPacket();
  readVnetHeader(frame, 0, header);
  if (parseIpPacket(frame, 10, frame.length, ip) !== undefined) return [hex(frame)];
  const packets: Uint8Array[] = [];
  if (header.gsoType === GSO_NONE) packets.push(frame.slice(10));
  else {
    const segmenter = new Segmenter();
    if (segmenter.begin(frame, ip, header) !== undefined) return [hex(frame)];
    const room = new Uint8Array(70_000);
    for (let length = segmenter.next(room, 0); length > 0; length = segmenter.next(room, 0))
      packets.push(room.slice(0, length));
  }
  return packets.map((packet) => {
    const { csumStart, csumOffset, flags } = header;
    if (flags & 1) completeChecksum(packet, csumStart, csumOffset, packet.length, ip.protocol);
    if (ip.family === 4 && ip.dontFragment) packet.fill(0, 4, 6).fill(0, 10, 12);
    return hex(packet);
  });
}
