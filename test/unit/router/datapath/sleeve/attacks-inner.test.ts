import assert from 'node:assert/strict';
import { concat } from '../../../../../base/bytes.ts';
import { parseCidr } from '../../../../../base/range.ts';
import { createAead } from '../../../../../crypto/aead.ts';
import { cryptoReady } from '../../../../../crypto/ready.ts';
import { writeInnerHeader, writeOuterHeader } from '../../../../../router/packet/data-packet.ts';
import { ipPacket, pattern, udpPacket } from '../../packet/ip-packets.ts';
import { SleeveNet } from './sleeve-net.ts';

/** What a member of the cluster puts into a packet that is sealed rightly. Node 0 is that member, node 1 its target. */
const V4 = { source: '10.32.0.1', destination: '10.33.0.1' };
const V6 = { source: 'fd00::1', destination: 'fd00:1::1' };
const FROM_ICMP4 = { ...V4, protocol: 1 };
const FROM_ICMP6 = { ...V6, protocol: 58 };

function target(): { net: SleeveNet; offer: (packet: Uint8Array) => string } {
  const net = new SleeveNet(3);
  net.connect(0, 1);
  net.link(0, 1);
  const aead = createAead('chacha20-poly1305', new Uint8Array(32).fill(1));
  let counter = 0;
  const { sleeve, counters, delivered } = net.nodes[1]!;
  /** 'delivered', or the name of the count that rose. */
  const offer = (packet: Uint8Array): string => {
    const before = new Map(Object.entries(counters.snapshot()));
    const had = delivered.length;
    const header = new Uint8Array(16);
    writeOuterHeader(header, 0, 2, counter);
    const inner = new Uint8Array(4);
    writeInnerHeader(inner, 0, 1, 0, 0, 0);
    const sealed = aead.seal(counter++, header, concat(inner, packet));
    sleeve.handleDatagrams(net.nodes[0]!.endpoint, concat(header, sealed), net.now);
    sleeve.endBatch(net.now);
    if (delivered.length > had) return 'delivered';
    const rose = Object.entries(counters.snapshot()).find(
      ([name, value]) => value !== (before.get(name) ?? 0),
    );
    return rose?.[0] ?? 'nothing';
  };
  return { net, offer };
}

function icmp(type: number, code: number, quoted: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(type, code, 0, 0, 0, 0, 5, 0), quoted);
}

describe('attacks: ICMP errors of a member', () => {
  before(() => cryptoReady);

  const mine4 = udpPacket({ source: '10.33.0.1', destination: '10.32.0.1' }, pattern(40));
  const mine6 = udpPacket({ source: 'fd00:1::1', destination: 'fd00::1' }, pattern(40));
  const others4 = udpPacket({ source: '10.33.0.1', destination: '10.34.0.9' }, pattern(40));
  const others6 = udpPacket({ source: 'fd00:1::1', destination: 'fd00:2::9' }, pattern(40));

  it('pass where they speak of a packet that we sent to it', () => {
    const { offer } = target();
    assert.equal(offer(ipPacket(FROM_ICMP4, icmp(3, 4, mine4))), 'delivered');
    assert.equal(offer(ipPacket(FROM_ICMP4, icmp(3, 3, mine4.subarray(0, 28)))), 'delivered');
    assert.equal(offer(ipPacket(FROM_ICMP4, icmp(11, 0, mine4))), 'delivered');
    assert.equal(offer(ipPacket(FROM_ICMP6, icmp(2, 0, mine6))), 'delivered');
    assert.equal(offer(ipPacket(FROM_ICMP6, icmp(1, 4, mine6))), 'delivered');
  });

  it('are dropped where they speak of our traffic with others, or of none', () => {
    const { offer } = target();
    const foreign = udpPacket({ source: '8.8.8.8', destination: '10.32.0.1' }, pattern(40));
    const mapped = udpPacket({ source: '::ffff:10.33.0.1', destination: '::ffff:10.32.0.1' }, pattern(40));
    for (const [fields, type, quoted] of [
      [FROM_ICMP4, 3, others4],
      [FROM_ICMP4, 12, others4],
      [FROM_ICMP4, 3, foreign],
      [FROM_ICMP4, 3, mine6],
      [FROM_ICMP4, 3, mine4.subarray(0, 19)],
      [FROM_ICMP4, 3, new Uint8Array(0)],
      [FROM_ICMP6, 1, others6],
      [FROM_ICMP6, 2, others6],
      [FROM_ICMP6, 2, mapped],
      [FROM_ICMP6, 2, mine4],
      [FROM_ICMP6, 2, mine6.subarray(0, 39)],
    ] as const) {
      assert.equal(offer(ipPacket(fields, icmp(type, 4, quoted))), 'datapath.inForeignQuote');
    }
  });

  it('leave pings alone', () => {
    const { offer } = target();
    assert.equal(offer(ipPacket(FROM_ICMP4, icmp(8, 0, pattern(40)))), 'delivered');
    assert.equal(offer(ipPacket(FROM_ICMP4, icmp(0, 0, pattern(40)))), 'delivered');
    assert.equal(offer(ipPacket(FROM_ICMP6, icmp(128, 0, pattern(40)))), 'delivered');
    assert.equal(offer(ipPacket(FROM_ICMP6, icmp(129, 0, pattern(40)))), 'delivered');
  });
});

describe('attacks: inner packets of a member', () => {
  before(() => cryptoReady);

  it('are dropped from mapped, compatible, unspecified, looped and group addresses', () => {
    const { offer } = target();
    for (const source of ['::ffff:10.32.0.1', '::10.32.0.1', '::', '::1', 'ff02::1', 'fe80::1', 'fd00:1::1'])
      assert.equal(offer(udpPacket({ ...V6, source }, pattern(20))), 'datapath.inForeignSource', source);
    for (const source of ['0.0.0.0', '127.0.0.1', '255.255.255.255', '224.0.0.1', '169.254.1.1', '10.33.0.1'])
      assert.equal(offer(udpPacket({ ...V4, source }, pattern(20))), 'datapath.inForeignSource', source);
    for (const destination of ['::ffff:10.33.0.1', '::1', 'fe80::1'])
      assert.equal(offer(udpPacket({ ...V6, destination }, pattern(20))), 'datapath.inForeignDestination');
    for (const destination of ['127.0.0.1', '0.0.0.0', '169.254.1.1'])
      assert.equal(offer(udpPacket({ ...V4, destination }, pattern(20))), 'datapath.inForeignDestination');
  });

  it('are judged by the routes of the moment', () => {
    const { net, offer } = target();
    assert.equal(offer(udpPacket(V4, pattern(20))), 'delivered');
    const ids = net.nodes.map(({ id }) => id);
    net.nodes[1]!.sleeve.setRoutes([
      { range: parseCidr('10.32.0.0/16')!, owner: ids[2]! },
      { range: parseCidr('10.33.0.0/16')!, owner: ids[1]! },
    ]);
    assert.equal(offer(udpPacket(V4, pattern(20))), 'datapath.inForeignSource');
    // Two that claim the same address: nobody's.
    net.nodes[1]!.sleeve.setRoutes([
      { range: parseCidr('10.32.0.0/16')!, owner: ids[0]! },
      { range: parseCidr('10.32.0.0/24')!, owner: ids[2]! },
      { range: parseCidr('10.33.0.0/16')!, owner: ids[1]! },
    ]);
    assert.equal(offer(udpPacket(V4, pattern(20))), 'datapath.inForeignSource');
    assert.equal(offer(udpPacket({ ...V4, source: '10.32.1.1' }, pattern(20))), 'delivered');
  });

  it('hide no router advertisement behind extension headers or in a first fragment', () => {
    const { offer } = target();
    const advertisement = Uint8Array.of(134, 0, 0, 0, 0, 0, 0, 0);
    const chain = (...headers: number[][]): Uint8Array => concat(...headers.map((h) => Uint8Array.from(h)));
    const options = [58, 0, 1, 4, 0, 0, 0, 0];
    const fragment = [58, 0, 0, 1, 0, 0, 0, 9];
    const behind = (protocol: number, ...headers: number[][]): string =>
      offer(ipPacket({ ...V6, protocol }, concat(chain(...headers), advertisement)));
    assert.equal(behind(60, options), 'datapath.inLinkControl');
    assert.equal(behind(0, options), 'datapath.inLinkControl');
    assert.equal(behind(44, fragment), 'datapath.inLinkControl');
    assert.equal(behind(44, [60, ...fragment.slice(1)], options), 'datapath.inLinkControl');
    assert.equal(
      behind(60, ...Array.from({ length: 7 }, () => [60, ...options.slice(1)])),
      'datapath.inExtensionHeader',
    );
    assert.equal(behind(44, [44, 0, 0, 1, 0, 0, 0, 9], fragment), 'datapath.inFragment');
    // An extension header that ends behind the packet.
    assert.equal(behind(60, [58, 255, 1, 4, 0, 0, 0, 0]), 'datapath.inExtensionHeader');
  });
});
