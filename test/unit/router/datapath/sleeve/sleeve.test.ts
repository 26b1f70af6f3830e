import assert from 'node:assert/strict';
import { concat, readU16BE, readU32BE, utf8 } from '../../../../../base/bytes.ts';
import { type Endpoint, parseEndpoint } from '../../../../../base/endpoint.ts';
import { after, type Instant } from '../../../../../base/instant.ts';
import { parseCidr } from '../../../../../base/range.ts';
import { createAead } from '../../../../../crypto/aead.ts';
import { cryptoReady } from '../../../../../crypto/ready.ts';
import type { DatapathCounter } from '../../../../../router/datapath/datapath-counters.ts';
import { MAX_WAITING_PACKETS } from '../../../../../router/datapath/sleeve/waiting-packets.ts';
import { writeInnerHeader, writeOuterHeader } from '../../../../../router/packet/data-packet.ts';
import { VNET_HEADER_LENGTH } from '../../../../../router/packet/vnet-header.ts';
import {
  checksumsHold,
  frameOf,
  ipPacket,
  parsed,
  pattern,
  tcpPacket,
  udpPacket,
} from '../../packet/ip-packets.ts';
import { type NodeOptions, SleeveNet } from './sleeve-net.ts';

const V4 = { source: '10.32.0.1', destination: '10.33.0.1' };
const V6 = { source: 'fd00::1', destination: 'fd00:1::1' };
const CANARY = utf8('weft canary: nobody on the underlay may read this');

function pair(options: NodeOptions = {}): SleeveNet {
  const net = new SleeveNet(2, options);
  net.connect(0, 1);
  net.link(0, 1);
  return net;
}

function plain(packet: Uint8Array): Uint8Array {
  return frameOf(packet);
}

const packetsAt = (net: SleeveNet, node: number): Uint8Array[] =>
  net.nodes[node]!.delivered.map((frame) => frame.slice(VNET_HEADER_LENGTH));
const count = (net: SleeveNet, node: number, name: DatapathCounter): number =>
  net.nodes[node]!.counters.get(name);
const eventsAt = (net: SleeveNet, node: number): string[] => net.nodes[node]!.events.map(({ name }) => name);

function contains(haystack: Uint8Array, needle: Uint8Array): boolean {
  return Buffer.from(haystack).includes(Buffer.from(needle));
}

/** Seals a plaintext as node 0 of a pair would: what a malicious member can send. Key and index as in SleeveNet. */
function forge(
  kind: number,
  a: number,
  b: number,
  body: Uint8Array,
  counter: number,
  padding = 0,
): Uint8Array {
  const header = new Uint8Array(16);
  writeOuterHeader(header, 0, 2, counter);
  const inner = new Uint8Array(4);
  writeInnerHeader(inner, 0, kind, padding, a, b);
  const aead = createAead('chacha20-poly1305', new Uint8Array(32).fill(1));
  return concat(header, aead.seal(counter, header, concat(inner, body)));
}

describe('a pair of sleeves', () => {
  before(() => cryptoReady);

  for (const [name, addresses] of [
    ['IPv4', V4],
    ['IPv6', V6],
  ] as const) {
    it(`carries ${name} packets of every length unchanged, with nothing in clear and no packet too large`, () => {
      const net = pair();
      const sent: Uint8Array[] = [];
      for (let length = CANARY.length; length <= 1364 - 48; length += 61) {
        sent.push(udpPacket(addresses, concat(CANARY, pattern(length - CANARY.length))));
      }
      sent.push(udpPacket(addresses, pattern(1364 - (name === 'IPv4' ? 28 : 48))));
      for (const packet of sent) net.send(0, plain(packet));
      net.run();
      assert.deepEqual(packetsAt(net, 1), sent);
      assert.equal(net.wire.length, sent.length);
      assert.ok(net.wire.every((bytes) => !contains(bytes, CANARY.subarray(0, 8))));
      assert.ok(
        sent.some((packet) => contains(packet, CANARY.subarray(0, 8))),
        'the search can find it',
      );
      assert.ok(net.wire.every((bytes) => bytes.length <= 1364 + 36));
      const padded = net.wire.filter((bytes) => bytes.length < 1364 + 36 - 16);
      assert.ok(padded.every((bytes) => bytes.length % 16 === 0));
      assert.equal(net.nodes[0]!.sleeve.stats(net.nodes[1]!.id).sentPackets, sent.length);
      assert.equal(net.nodes[1]!.sleeve.stats(net.nodes[0]!.id).receivedPackets, sent.length);
    });

    it(`carries a TCP super-packet as ${name} segments and gives it back whole`, () => {
      const net = pair();
      const packet = tcpPacket({ ...addresses, flags: 0x18, partial: true }, pattern(30_000));
      const header = {
        flags: 1,
        gsoType: name === 'IPv4' ? 1 : 4,
        headerLength: packet.length - 30_000,
        gsoSize: 1300,
        csumStart: packet.length - 30_020,
        csumOffset: 16,
      };
      net.send(0, frameOf(packet, header));
      assert.equal(net.nodes[0]!.transmitted.length, 24);
      net.run();
      assert.deepEqual(net.nodes[1]!.delivered, [frameOf(packet, header)]);
    });
  }

  it('passes on a partial checksum, and completes one of a kind that the inner header does not have', () => {
    const net = pair();
    const partial = udpPacket({ ...V4, partial: true }, pattern(40));
    net.send(0, frameOf(partial, { flags: 1, csumStart: 20, csumOffset: 6 }));
    // A protocol of which only the kernel knows where its checksum is.
    const odd = ipPacket({ ...V4, protocol: 99 }, pattern(30));
    net.send(0, frameOf(odd, { flags: 1, csumStart: 22, csumOffset: 4 }));
    net.send(0, frameOf(odd, { flags: 1, csumStart: 22, csumOffset: 60 }));
    net.run();
    assert.deepEqual(
      net.nodes[1]!.delivered[0],
      frameOf(partial, { flags: 1, csumStart: 20, csumOffset: 6 }),
    );
    const completed = net.nodes[1]!.delivered[1]!;
    assert.equal(completed[0], 0);
    assert.notDeepEqual(completed.subarray(36, 38), odd.subarray(26, 28));
    assert.equal(net.nodes[1]!.delivered.length, 2);
    assert.equal(count(net, 0, 'datapath.outChecksumOffset'), 1);
  });

  it('drops what a pod sends with a source that is not of this node', () => {
    const net = pair();
    for (const source of ['10.33.0.9', '10.99.0.1', '127.0.0.1']) {
      net.send(0, plain(udpPacket({ ...V4, source }, CANARY)));
    }
    net.send(0, plain(udpPacket({ ...V6, source: 'fe80::1' }, CANARY)));
    assert.equal(count(net, 0, 'datapath.outForeignSource'), 4);
    assert.deepEqual([net.wire.length, net.nodes[0]!.delivered.length], [0, 0]);
  });

  it('drops an inner source that is not of the sending peer, and a destination that is not ours', () => {
    const net = new SleeveNet(3);
    net.connect(0, 1);
    net.link(0, 1);
    const bodies = [
      udpPacket({ ...V4, source: '10.34.0.1' }, CANARY),
      udpPacket({ ...V4, source: '10.33.0.1' }, CANARY),
      udpPacket({ ...V4, source: '192.168.1.1' }, CANARY),
      udpPacket({ ...V6, source: 'fd00:2::1' }, CANARY),
      udpPacket({ ...V4, destination: '10.34.0.1' }, CANARY),
      udpPacket({ ...V4, destination: '8.8.8.8' }, CANARY),
      udpPacket({ ...V6, destination: 'fd00:2::1' }, CANARY),
    ];
    for (const [i, body] of bodies.entries()) {
      net.nodes[1]!.sleeve.handleDatagrams(net.nodes[0]!.endpoint, forge(1, 0, 0, body, i), net.now);
    }
    net.run();
    assert.equal(count(net, 1, 'datapath.inForeignSource'), 4);
    assert.equal(count(net, 1, 'datapath.inForeignDestination'), 3);
    assert.deepEqual([net.nodes[1]!.delivered.length, net.wire.length], [0, 0]);
  });

  it('accepts nothing for itself while it owns no addresses', () => {
    const net = pair();
    net.nodes[1]!.sleeve.setRoutes([{ range: parseCidr('10.32.0.0/16')!, owner: net.nodes[0]!.id }]);
    net.send(0, plain(udpPacket(V4, CANARY)));
    net.send(1, plain(udpPacket({ source: '10.33.0.1', destination: '10.32.0.1' }, CANARY)));
    net.run();
    assert.equal(count(net, 1, 'datapath.inForeignDestination'), 1);
    assert.equal(count(net, 1, 'datapath.outForeignSource'), 1);
    assert.equal(net.nodes[1]!.delivered.length, 0);
  });

  it('drops hostile plaintexts of a member: each with its own count', () => {
    const cases: [DatapathCounter, number, number, number, Uint8Array, number?][] = [
      ['datapath.inPadding', 1, 0, 0, new Uint8Array(20), 21],
      ['datapath.inKind', 9, 0, 0, new Uint8Array(20)],
      ['datapath.inInnerHeader', 0, 1, 0, new Uint8Array(0)],
      ['datapath.inInnerHeader', 2, 0, 1, new Uint8Array(9)],
      ['datapath.inInnerHeader', 3, 3, 0, new Uint8Array(90)],
      ['datapath.inEnvelope', 3, 2, 0, new Uint8Array(16)],
      ['datapath.inTruncated', 1, 0, 0, new Uint8Array(0)],
      ['datapath.inVersion', 1, 0, 0, new Uint8Array(30)],
      ['datapath.inLength', 1, 0, 0, concat(udpPacket(V4, CANARY), Uint8Array.of(0))],
      ['datapath.inChecksumOffset', 1, 20, 16, udpPacket(V4, CANARY)],
      ['datapath.inChecksumOffset', 1, 24, 6, udpPacket(V4, CANARY)],
      ['datapath.inChecksumOffset', 1, 0, 6, udpPacket(V4, CANARY)],
      ['datapath.inChecksumOffset', 1, 20, 6, udpPacket({ ...V4, flagsAndOffset: 0x2000 }, pattern(40))],
      ['datapath.inMulticast', 1, 0, 0, udpPacket({ ...V4, destination: '224.0.0.1' }, CANARY)],
      ['datapath.inMulticast', 1, 0, 0, udpPacket({ ...V6, destination: 'ff02::1' }, CANARY)],
      [
        'datapath.inLinkControl',
        1,
        0,
        0,
        ipPacket({ ...V6, protocol: 58 }, Uint8Array.of(134, 0, 0, 0, 0, 0, 0, 0)),
      ],
      [
        'datapath.inLinkControl',
        1,
        0,
        0,
        ipPacket({ ...V4, protocol: 1 }, Uint8Array.of(5, 1, 0, 0, 0, 0, 0, 0)),
      ],
      ['datapath.inSourceRoute', 1, 0, 0, ipPacket({ ...V6, protocol: 43 }, new Uint8Array(24))],
    ];
    const net = pair();
    for (const [i, [name, kind, a, b, body, padding]] of cases.entries()) {
      const before = count(net, 1, name);
      net.nodes[1]!.sleeve.handleDatagrams(
        net.nodes[0]!.endpoint,
        forge(kind, a, b, body, i, padding),
        net.now,
      );
      assert.equal(count(net, 1, name), before + 1, `${name}, case ${i}`);
    }
    net.run();
    assert.deepEqual([net.nodes[1]!.delivered.length, net.wire.length], [0, 0]);
    assert.equal(net.nodes[1]!.sleeve.stats(net.nodes[0]!.id).droppedPackets, cases.length);
  });

  it('delivers each packet once: replays, truncations and bit flips are dropped', () => {
    const net = pair();
    net.send(0, plain(udpPacket(V4, CANARY)));
    const { bytes } = net.nodes[0]!.transmitted[0]!;
    const receive = (packet: Uint8Array): void => {
      net.nodes[1]!.sleeve.handleDatagrams(net.nodes[0]!.endpoint, packet, net.now);
    };
    for (let i = 0; i < bytes.length; i++) {
      receive(bytes.subarray(0, i));
      const flipped = bytes.slice();
      flipped[i]! ^= 1 << (i % 8);
      receive(flipped);
    }
    receive(concat(bytes, Uint8Array.of(0)));
    net.nodes[1]!.sleeve.endBatch(net.now);
    assert.equal(net.nodes[1]!.delivered.length, 0);
    receive(bytes);
    receive(bytes);
    net.nodes[1]!.sleeve.endBatch(net.now);
    assert.equal(net.nodes[1]!.delivered.length, 1);
    assert.equal(count(net, 1, 'datapath.inReplay'), 1);
    assert.ok(count(net, 1, 'datapath.inForged') > 0);
  });

  it('keeps packets for a peer without a session, in order, and sends them once there is one', () => {
    const net = new SleeveNet(2);
    net.link(0, 1);
    const sent = Array.from({ length: 5 }, (_, i) => udpPacket(V4, pattern(50 + i, i)));
    for (const packet of sent) net.send(0, plain(packet));
    assert.deepEqual(eventsAt(net, 0), ['sessionWanted']);
    assert.equal(net.wire.length, 0);
    net.connect(0, 1);
    net.run();
    assert.deepEqual(packetsAt(net, 1), sent);
  });

  it('keeps packets for a peer without a path too, and asks again while more come', () => {
    const net = new SleeveNet(2);
    net.connect(0, 1);
    net.send(0, plain(udpPacket(V4, CANARY)));
    net.now = after(net.now, 300);
    net.send(0, plain(udpPacket(V4, CANARY)));
    assert.deepEqual(eventsAt(net, 0), ['sessionWanted', 'sessionWanted']);
    net.link(0, 1);
    net.run();
    assert.equal(net.nodes[1]!.delivered.length, 2);
  });

  it('bounds what waits in number, bytes and time', () => {
    const net = new SleeveNet(2);
    for (let i = 0; i < 100; i++) net.send(0, plain(udpPacket(V4, pattern(10))));
    assert.equal(count(net, 0, 'datapath.outWaitingFull'), 100 - MAX_WAITING_PACKETS);
    net.now = after(net.now, 3000);
    net.nodes[0]!.sleeve.endBatch(net.now);
    assert.equal(count(net, 0, 'datapath.outWaitedTooLong'), MAX_WAITING_PACKETS);
    const large = udpPacket(V4, pattern(60_000));
    for (let i = 0; i < 5; i++) net.send(0, plain(large));
    assert.equal(count(net, 0, 'datapath.outWaitingFull'), 100 - MAX_WAITING_PACKETS + 3);
    net.now = after(net.now, 2999);
    net.link(0, 1);
    net.connect(0, 1);
    assert.equal(net.wire.length, 0); // too large to go out, but looked at
    assert.equal(count(net, 0, 'datapath.outTooBig'), 2);
  });

  it('answers what nobody owns and what its own node owns with "unreachable"', () => {
    const net = pair();
    const stray = udpPacket({ ...V4, destination: '10.99.0.1' }, pattern(900));
    net.send(0, plain(stray));
    const [answer] = packetsAt(net, 0) as [Uint8Array];
    assert.ok(checksumsHold(answer));
    assert.deepEqual([...answer.subarray(12, 20)], [10, 99, 0, 1, 10, 32, 0, 1]);
    assert.deepEqual([answer[9], answer[20], answer[21], answer.length], [1, 3, 1, 576]);
    assert.deepEqual(answer.subarray(28), stray.subarray(0, 548));

    net.send(0, plain(udpPacket({ ...V6, destination: 'fd00::9' }, pattern(9))));
    const answer6 = packetsAt(net, 0)[1]!;
    assert.ok(checksumsHold(answer6));
    assert.deepEqual([answer6[6], answer6[40], answer6[41]], [58, 1, 3]);
    assert.equal(count(net, 0, 'datapath.outOwnDestination'), 1);
    assert.equal(count(net, 0, 'datapath.outUnknownDestination'), 1);
    assert.equal(net.wire.length, 0);
  });

  it('never answers an ICMP error, a later fragment or a group, and limits its answers', () => {
    const net = pair();
    const nowhere = { ...V4, destination: '10.99.0.1' };
    net.send(0, plain(ipPacket({ ...nowhere, protocol: 1 }, Uint8Array.of(3, 1, 0, 0, 0, 0, 0, 0))));
    net.send(0, plain(ipPacket({ ...nowhere, flagsAndOffset: 100 }, pattern(40))));
    net.send(0, plain(udpPacket({ ...V4, destination: '224.0.0.251' }, pattern(40))));
    assert.equal(net.nodes[0]!.delivered.length, 0);
    net.send(0, plain(ipPacket({ ...nowhere, protocol: 1 }, Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0))));
    for (let i = 0; i < 1000; i++) net.send(0, plain(udpPacket(nowhere, pattern(4))));
    assert.equal(net.nodes[0]!.delivered.length, 20);
    net.now = after(net.now, 1000);
    for (let i = 0; i < 1000; i++) net.send(0, plain(udpPacket(nowhere, pattern(4))));
    assert.equal(net.nodes[0]!.delivered.length, 40);
  });

  it('answers packets larger than the path with "too big" and the MTU', () => {
    const net = pair();
    net.nodes[0]!.sleeve.setMtu(net.nodes[1]!.id, 1300);
    net.send(0, plain(udpPacket(V4, pattern(1300 - 28))));
    net.send(0, plain(udpPacket(V6, pattern(1300 - 48))));
    assert.equal(net.wire.length, 2);
    net.send(0, plain(udpPacket(V4, pattern(1300 - 27))));
    net.send(0, plain(udpPacket(V6, pattern(1300 - 47))));
    const gso = tcpPacket({ ...V4, partial: true }, pattern(4000));
    net.send(0, frameOf(gso, { flags: 1, gsoType: 1, gsoSize: 1324, csumStart: 20, csumOffset: 16 }));
    assert.equal(net.wire.length, 2);
    const [v4, v6, tso] = packetsAt(net, 0) as [Uint8Array, Uint8Array, Uint8Array];
    assert.ok([v4, v6, tso].every(checksumsHold));
    assert.deepEqual([v4[20], v4[21], readU16BE(v4, 26), v4.length], [3, 4, 1300, 576]);
    assert.deepEqual([v6[40], v6[41], readU32BE(v6, 44), v6.length], [2, 0, 1300, 1280]);
    assert.deepEqual([tso[20], tso[21], readU16BE(tso, 26)], [3, 4, 1300]);
  });

  it('cuts IPv4 packets without DF into fragments', () => {
    const net = pair();
    net.nodes[0]!.sleeve.setMtu(net.nodes[1]!.id, 600);
    const fields = { ...V4, id: 77, dontFragment: false };
    const whole = udpPacket(fields, pattern(1330));
    net.send(
      0,
      frameOf(udpPacket({ ...fields, partial: true }, pattern(1330)), {
        flags: 1,
        csumStart: 20,
        csumOffset: 6,
      }),
    );
    net.run();
    const fragments = packetsAt(net, 1);
    assert.ok(
      fragments.length === 3 && fragments.every((one) => one.length <= 600 && readU16BE(one, 4) === 77),
    );
    const rebuilt = new Uint8Array(whole.length - 20);
    for (const [i, fragment] of fragments.entries()) {
      rebuilt.set(fragment.subarray(20), (readU16BE(fragment, 6) & 0x1fff) * 8);
      assert.equal((readU16BE(fragment, 6) & 0x2000) !== 0, i < 2);
      assert.equal(parsed(fragment).fragment, true);
    }
    assert.deepEqual(rebuilt, whole.subarray(20));
  });

  it('cuts IPv6 packets of up to 1280 bytes where the path carries less, and asks for 1280 where they are larger', () => {
    const net = pair();
    net.nodes[0]!.sleeve.setMtu(net.nodes[1]!.id, 1208);
    const whole = udpPacket(V6, pattern(1280 - 48));
    const csum = { flags: 1, csumStart: 40, csumOffset: 6 };
    net.send(0, frameOf(udpPacket({ ...V6, partial: true }, pattern(1280 - 48)), csum));
    // A stream in segments of that size, of which the last is short.
    const gso = { flags: 1, gsoType: 4, gsoSize: 1220, csumStart: 40, csumOffset: 16 };
    net.send(0, frameOf(tcpPacket({ ...V6, partial: true }, pattern(2 * 1220 + 100)), gso));
    net.run();
    const [first, second, ...segments] = packetsAt(net, 1) as [Uint8Array, Uint8Array, ...Uint8Array[]];
    assert.deepEqual([first.length, second.length], [1208, 40 + 8 + 1240 - 1160]);
    const rebuilt = concat(first.subarray(48), second.subarray(48));
    assert.deepEqual(rebuilt, whole.subarray(40));
    assert.equal(segments.length, 5);
    const names = [first, second, ...segments.slice(0, 4)].map((one) => readU32BE(one, 44));
    assert.deepEqual(names, [1, 1, 2, 2, 3, 3]);
    assert.equal(segments[4]!.length, 60 + 100);
    net.send(0, plain(udpPacket(V6, pattern(1281 - 48))));
    net.run();
    const answer = packetsAt(net, 0)[0]!;
    assert.deepEqual([answer[40], answer[41], readU32BE(answer, 44)], [2, 0, 1280]);
    const { counters } = net.nodes[0]!;
    assert.deepEqual([counters.get('datapath.outFragmented'), counters.get('datapath.outTooBig')], [3, 1]);
  });

  it('takes other ports of the address of a peer for its own, while its endpoint is heard as well', () => {
    const net = pair();
    const known = net.nodes[0]!.endpoint;
    const otherPort = parseEndpoint(`${known.slice(0, known.lastIndexOf(':'))}:40000`)!;
    const { sleeve, events } = net.nodes[1]!;
    const receive = (from: Endpoint, at: Instant): string[] => {
      net.send(0, plain(udpPacket(V4, pattern(9))));
      sleeve.handleDatagrams(from, net.nodes[0]!.transmitted.pop()!.bytes, at);
      return events.map(({ name }) => name);
    };
    assert.deepEqual(receive(known, net.now), ['confirmed']);
    assert.deepEqual(receive(otherPort, after(net.now, 3000)), ['confirmed']);
    // A NAT may have given the peer another port: then nothing comes from the one that is known.
    assert.deepEqual(receive(otherPort, after(net.now, 3001)), ['confirmed', 'moved']);
    assert.deepEqual(receive(known, after(net.now, 4000)), ['confirmed', 'moved']);
    assert.deepEqual(receive(otherPort, after(net.now, 6000)), ['confirmed', 'moved']);
  });

  it('confirms a session once, and tells when the peer has moved: by its newest packet, not too often', () => {
    const net = pair();
    const elsewhere = parseEndpoint('198.51.100.7:1')!;
    const packets: Uint8Array[] = [];
    for (let i = 0; i < 6; i++) {
      net.send(0, plain(udpPacket(V4, pattern(i))));
      packets.push(net.nodes[0]!.transmitted.pop()!.bytes);
    }
    const { sleeve, events } = net.nodes[1]!;
    const names = (): string[] => events.map(({ name }) => name);
    sleeve.handleDatagrams(net.nodes[0]!.endpoint, packets[0]!, net.now);
    sleeve.handleDatagrams(net.nodes[0]!.endpoint, packets[2]!, net.now);
    sleeve.handleDatagrams(elsewhere, packets[1]!, net.now); // valid, but older than the newest
    assert.deepEqual(names(), ['confirmed']);
    sleeve.handleDatagrams(elsewhere, packets[3]!, net.now);
    sleeve.handleDatagrams(elsewhere, packets[4]!, after(net.now, 49));
    assert.deepEqual(names(), ['confirmed', 'moved']);
    assert.deepEqual(events[1]!.args, [2, { kind: 'direct', endpoint: elsewhere }, net.now]);
    sleeve.handleDatagrams(elsewhere, packets[5]!, after(net.now, 50));
    assert.deepEqual(names(), ['confirmed', 'moved', 'moved']);
    // Moving is for the control core to decide: we still send to where we sent.
    net.send(1, plain(udpPacket({ source: '10.33.0.1', destination: '10.32.0.1' }, pattern(3))));
    assert.equal(net.nodes[1]!.transmitted[0]!.to, net.nodes[0]!.endpoint);
  });

  it('survives a control core that acts from within its events', () => {
    const net = new SleeveNet(2, {
      limits: { rekeyAfterMessages: 2, stopAfterMessages: 3, maxFailedOpens: 9 },
    });
    net.link(0, 1);
    const { sleeve } = net.nodes[0]!;
    const quiet = {
      sessionWanted() {},
      confirmed() {},
      moved() {},
      control() {},
      foreign() {},
      unknownIndex() {},
      busy() {},
    };
    // A new session whenever one is worn or missing, used at once: its first act is to send what waits.
    const renew = (): void => void net.connect(0, 1);
    sleeve.setEvents({ ...quiet, sessionWanted: renew, exhausted: renew });
    const sent = tcpPacket({ ...V4, flags: 0x18, partial: true }, pattern(9 * 1000));
    net.send(0, frameOf(sent, { flags: 1, gsoType: 1, gsoSize: 1000, csumStart: 20, csumOffset: 16 }));
    for (let i = 0; i < 20; i++) net.send(0, plain(udpPacket(V4, pattern(100, i))));
    net.run();
    // The super-packet outlived its session's three messages; every packet after it came through, in order.
    assert.deepEqual(
      packetsAt(net, 1).filter((one) => one[9] === 17),
      Array.from({ length: 20 }, (_, i) => udpPacket(V4, pattern(100, i))),
    );
    assert.equal(sleeve.stats(net.nodes[1]!.id).sentPackets, 3 + 20);
  });

  it('still counts in all what a peer had carried that is forgotten', () => {
    const net = new SleeveNet(2);
    const [index] = net.connect(0, 1);
    net.link(0, 1);
    const packet = udpPacket(V4, pattern(100));
    net.send(0, plain(packet));
    net.run();
    const { sleeve } = net.nodes[0]!;
    const before = sleeve.totals();
    assert.equal(before.sentIpBytes, packet.length);
    assert.deepEqual(before.sentBytes, sleeve.stats(net.nodes[1]!.id).sentBytes);
    sleeve.remove(index);
    sleeve.setPath(net.nodes[1]!.id, undefined);
    sleeve.setRoutes([]);
    sleeve.setRoutes([]);
    assert.equal(sleeve.stats(net.nodes[1]!.id).sentPackets, 0, 'it is forgotten');
    assert.deepEqual({ ...sleeve.totals() }, { ...before });
  });

  it('does not send with a session before it is told to use it', () => {
    const net = new SleeveNet(2);
    net.link(0, 1);
    const [atA] = net.connect(0, 1, false);
    net.send(0, plain(udpPacket(V4, CANARY)));
    assert.equal(net.nodes[0]!.sleeve.sendControl(net.nodes[1]!.id, CANARY), false);
    assert.equal(net.wire.length, 0);
    net.nodes[0]!.sleeve.use(atA);
    net.run();
    assert.equal(net.nodes[1]!.delivered.length, 1);
    net.nodes[0]!.sleeve.remove(atA);
    net.send(0, plain(udpPacket(V4, CANARY)));
    assert.equal(net.wire.length, 1);
  });

  it('tells of worn keys once at each limit and stops at the last', () => {
    const limits = { rekeyAfterMessages: 3, stopAfterMessages: 5, maxFailedOpens: 4 };
    const net = pair({ limits });
    for (let i = 0; i < 8; i++) net.send(0, plain(udpPacket(V4, CANARY)));
    assert.equal(net.wire.length, 5);
    const exhausted = net.nodes[0]!.events.filter(({ name }) => name === 'exhausted').map(
      ({ args }) => args[1],
    );
    assert.deepEqual(exhausted, ['rekey', 'dead']);
    assert.equal(new Set(net.wire.map((bytes) => bytes[8])).size, 5, 'no counter twice');

    const forged = net.wire[0]!.slice();
    forged[20]! ^= 1;
    for (let i = 0; i < 9; i++) net.nodes[1]!.sleeve.handleDatagrams(net.nodes[0]!.endpoint, forged, net.now);
    assert.equal(count(net, 1, 'datapath.inForged'), 4);
    assert.equal(count(net, 1, 'datapath.inDeadSession'), 5);
  });

  it('carries control messages, keepalives and padded probes', () => {
    const net = pair();
    const [left, right] = net.nodes as [(typeof net.nodes)[0], (typeof net.nodes)[0]];
    assert.equal(left.sleeve.sendControl(right.id, CANARY), true);
    assert.equal(left.sleeve.sendControl(right.id, new Uint8Array(0)), true);
    assert.equal(left.sleeve.sendControl(right.id, CANARY, { padTo: 1452 }), true);
    assert.equal(left.sleeve.sendControl(right.id, CANARY, { padTo: 65_507 }), true);
    assert.deepEqual(
      net.wire.slice(1).map((bytes) => bytes.length),
      [48, 1452, 65_507],
    );
    assert.ok(net.wire.every((bytes) => !contains(bytes, CANARY.subarray(0, 8))));
    net.run();
    const messages = right.events.filter(({ name }) => name === 'control').map(({ args }) => args[1]);
    assert.deepEqual(messages, [CANARY, CANARY, CANARY]);
  });

  it('hands up handshakes and unknown sessions, bounded, and drops the rest', () => {
    const net = pair();
    const { sleeve, events } = net.nodes[1]!;
    const from = parseEndpoint('203.0.113.5:9')!;
    const give = (bytes: Uint8Array): void => sleeve.handleDatagrams(from, bytes, net.now);
    give(Uint8Array.of(1, 2, 3));
    give(new Uint8Array(2049).fill(1));
    for (const type of [0, 4, 5, 255]) give(Uint8Array.of(type));
    give(new Uint8Array(0));
    assert.deepEqual(eventsAt(net, 1), ['foreign']);
    assert.deepEqual(events[0]!.args.slice(0, 2), [
      Uint8Array.of(1, 2, 3),
      { kind: 'direct', endpoint: from },
    ]);
    const unknown = new Uint8Array(40);
    unknown[0] = 4;
    unknown[4] = 99;
    for (let i = 0; i < 500; i++) give(unknown);
    assert.equal(eventsAt(net, 1).filter((name) => name === 'unknownIndex').length, 10);
    assert.equal(count(net, 1, 'datapath.inUnknownIndex'), 500);
  });
});

describe('sleeves with a relay', () => {
  before(() => cryptoReady);

  /** 0 and 1 reach each other only through 2. */
  function trio(): SleeveNet {
    const net = new SleeveNet(3);
    for (const [a, b] of [
      [0, 2],
      [1, 2],
      [0, 1],
    ] as const)
      net.connect(a, b);
    net.link(0, 2);
    net.link(1, 2);
    for (const [at, to] of [
      [0, 1],
      [1, 0],
    ] as const) {
      net.nodes[at]!.sleeve.setPath(net.nodes[to]!.id, { kind: 'relay', via: net.nodes[2]!.id });
    }
    return net;
  }

  it('carries packets both ways, and the relay sees ciphertext only', () => {
    const net = trio();
    const there = udpPacket(V4, concat(CANARY, pattern(1364 - 28 - CANARY.length)));
    const back = udpPacket({ source: 'fd00:1::1', destination: 'fd00::1' }, CANARY);
    net.send(0, plain(there));
    net.send(1, plain(back));
    net.run();
    assert.deepEqual([packetsAt(net, 1), packetsAt(net, 0)], [[there], [back]]);
    assert.equal(net.nodes[2]!.delivered.length, 0);
    assert.equal(count(net, 2, 'datapath.relayForwarded'), 2);
    assert.equal(net.wire.length, 4);
    assert.ok(
      net.wire.every((bytes) => bytes.length <= 1500 - 48 && !contains(bytes, CANARY.subarray(0, 8))),
    );
    const confirmed = net.nodes[1]!.events.filter(({ name }) => name === 'confirmed').map(
      ({ args }) => args[1],
    );
    assert.deepEqual(confirmed.at(-1), { kind: 'relay', via: net.nodes[2]!.id });
    assert.ok(!eventsAt(net, 1).includes('moved'));
  });

  it('carries handshakes to a peer that has no session with us', () => {
    const net = trio();
    const packet = Uint8Array.of(1, 5, 5);
    const path = { kind: 'relay', via: net.nodes[2]!.id } as const;
    assert.equal(net.nodes[0]!.sleeve.sendForeign(path, net.nodes[1]!.id, packet), true);
    assert.equal(net.nodes[0]!.sleeve.sendForeign(path, undefined, packet), false);
    net.run();
    const [foreign] = net.nodes[1]!.events.filter(({ name }) => name === 'foreign');
    assert.deepEqual(foreign!.args.slice(0, 2), [packet, path]);
    assert.ok(!eventsAt(net, 2).includes('foreign'));
  });

  it('goes through two relays, and not through three', () => {
    const net = new SleeveNet(5);
    // A line 0 – 1 – 2 – 3 – 4; each knows the next node as the way on.
    for (let i = 0; i < 4; i++) {
      net.connect(i, i + 1);
      net.link(i, i + 1);
    }
    net.connect(0, 3);
    net.connect(0, 4);
    const via = (at: number, to: number, relay: number): void =>
      net.nodes[at]!.sleeve.setPath(net.nodes[to]!.id, { kind: 'relay', via: net.nodes[relay]!.id });
    for (const to of [3, 4]) via(0, to, 1);
    for (const to of [3, 4]) via(1, to, 2);
    via(2, 4, 3);
    net.send(0, plain(udpPacket({ ...V4, destination: '10.35.0.1' }, CANARY)));
    net.run();
    assert.equal(net.nodes[3]!.delivered.length, 1);
    net.send(0, plain(udpPacket({ ...V4, destination: '10.36.0.1' }, CANARY)));
    net.run();
    assert.equal(net.nodes[4]!.delivered.length, 0);
    assert.equal(count(net, 2, 'datapath.relayUnreachable'), 1);
  });

  it('refuses to forward to strangers, back, what is no packet, and envelopes in envelopes', () => {
    const net = trio();
    const envelope = (id: number, body: Uint8Array): Uint8Array => concat(new Uint8Array(16).fill(id), body);
    // Node 2 hears from node 0 on its session 2 (indices 1 and 2), as in `forge`.
    const relayed = (a: number, body: Uint8Array, counter: number): void =>
      net.nodes[2]!.sleeve.handleDatagrams(net.nodes[0]!.endpoint, forge(3, a, 0, body, counter), net.now);
    relayed(2, envelope(0x77, Uint8Array.of(1)), 0);
    relayed(2, envelope(0x11, Uint8Array.of(1)), 1);
    relayed(2, envelope(0x22, Uint8Array.of(9)), 2);
    relayed(0, envelope(0x22, Uint8Array.of(1)), 3);
    relayed(2, envelope(0x33, forge(3, 2, 0, envelope(0x22, Uint8Array.of(1)), 4)), 5);
    assert.equal(count(net, 2, 'datapath.relayUnknownDestination'), 2);
    assert.equal(count(net, 2, 'datapath.relayRefused'), 1);
    assert.equal(count(net, 2, 'datapath.relayTooFar'), 1);
    assert.equal(count(net, 2, 'datapath.inNestedEnvelope'), 1);
    assert.equal(net.wire.length, 0);
  });

  it('uses a relay only over a direct path, so envelopes never nest', () => {
    const net = trio();
    net.nodes[0]!.sleeve.setPath(net.nodes[2]!.id, { kind: 'relay', via: net.nodes[1]!.id });
    net.send(0, plain(udpPacket(V4, CANARY)));
    const path = { kind: 'relay', via: net.nodes[2]!.id } as const;
    assert.equal(net.nodes[0]!.sleeve.sendForeign(path, net.nodes[1]!.id, Uint8Array.of(1)), false);
    assert.equal(net.wire.length, 0);
    assert.deepEqual(eventsAt(net, 0), ['sessionWanted']);
  });

  it('does not loop when two relays point at each other', () => {
    const net = trio();
    net.nodes[2]!.sleeve.setPath(net.nodes[1]!.id, { kind: 'relay', via: net.nodes[0]!.id });
    net.send(0, plain(udpPacket(V4, CANARY)));
    net.run();
    assert.equal(net.wire.length, 1);
    assert.equal(count(net, 2, 'datapath.relayUnreachable'), 1);
  });
});
