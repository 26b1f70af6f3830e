import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concat } from '../../../../base/bytes.ts';
import {
  emptyIpPacket,
  isIcmpError,
  isLinkControl,
  isMulticast,
  parseIpPacket,
} from '../../../../router/packet/ip-packet.ts';
import { ipPacket, parsed, tcpPacket, udpPacket } from './ip-packets.ts';

const V4 = { source: '10.32.0.1', destination: '10.32.1.1' };
const V6 = { source: 'fd00::1', destination: 'fd00::2' };

function verdict(packet: Uint8Array): string {
  return parseIpPacket(packet, 0, packet.length, emptyIpPacket()) ?? 'passes';
}

/** An extension header of 8 bytes. */
function extension(next: number, ...rest: number[]): Uint8Array {
  return Uint8Array.of(next, ...rest, ...new Array<number>(7 - rest.length).fill(0));
}

const UDP = Uint8Array.of(0, 1, 0, 2, 0, 8, 0, 0);
const udp6 = (protocol: number, ...extensions: Uint8Array[]): Uint8Array =>
  ipPacket({ ...V6, protocol }, concat(...extensions, UDP));

describe('parsing IP headers', () => {
  const cases: [string, Uint8Array, string][] = [
    ['IPv4 UDP', udpPacket(V4, new Uint8Array(3)), 'passes'],
    ['IPv6 TCP', tcpPacket(V6, new Uint8Array(3)), 'passes'],
    ['nothing', new Uint8Array(0), 'truncated'],
    ['19 bytes of IPv4', udpPacket(V4, new Uint8Array(0)).subarray(0, 19), 'truncated'],
    ['39 bytes of IPv6', udpPacket(V6, new Uint8Array(0)).subarray(0, 39), 'truncated'],
    ['version 5', Uint8Array.of(0x55, ...new Array<number>(40).fill(0)), 'version'],
    ['IPv4 with a byte behind it', concat(udpPacket(V4, UDP), Uint8Array.of(0)), 'length'],
    ['IPv6 with a byte missing', udpPacket(V6, UDP).subarray(0, 55), 'length'],
    ['an IPv4 header of 4 words', Uint8Array.of(0x44, ...udpPacket(V4, UDP).subarray(1)), 'headerLength'],
    [
      'an IPv4 header longer than the packet',
      Uint8Array.of(0x4f, ...udpPacket(V4, UDP).subarray(1)),
      'headerLength',
    ],
    ['a loose source route', ipPacket({ ...V4, options: Uint8Array.of(131, 3, 4, 0) }, UDP), 'sourceRoute'],
    [
      'a strict source route behind no-ops',
      ipPacket({ ...V4, options: Uint8Array.of(1, 137, 3, 4) }, UDP),
      'sourceRoute',
    ],
    ['router alert', ipPacket({ ...V4, options: Uint8Array.of(148, 4, 0, 0) }, UDP), 'passes'],
    ['an option without end', ipPacket({ ...V4, options: Uint8Array.of(148, 9, 0, 0) }, UDP), 'options'],
    ['an option of length 0', ipPacket({ ...V4, options: Uint8Array.of(148, 0, 0, 0) }, UDP), 'options'],
    ['the reserved flag', ipPacket({ ...V4, flagsAndOffset: 0x8000 }, UDP), 'fragment'],
    ['a first fragment', ipPacket({ ...V4, flagsAndOffset: 0x2000 }, UDP), 'passes'],
    ['a later fragment', ipPacket({ ...V4, flagsAndOffset: 0x0005 }, UDP), 'passes'],
    ['a fragment over TCP flags', ipPacket({ ...V4, protocol: 6, flagsAndOffset: 1 }, UDP), 'fragment'],
    ['a tiny first TCP fragment', ipPacket({ ...V4, protocol: 6, flagsAndOffset: 0x2000 }, UDP), 'transport'],
    ['TCP with data offset 4', ipPacket({ ...V4, protocol: 6 }, new Uint8Array(20).fill(0x40)), 'transport'],
    [
      'TCP with options past the end',
      ipPacket({ ...V4, protocol: 6 }, new Uint8Array(20).fill(0x60)),
      'transport',
    ],
    ['UDP of 7 bytes', ipPacket(V4, UDP.subarray(0, 7)), 'transport'],
    ['hop-by-hop, then UDP', udp6(0, extension(17)), 'passes'],
    ['hop-by-hop in second place', udp6(60, extension(0), extension(17)), 'extensionHeader'],
    ['a routing header', udp6(43, extension(17)), 'sourceRoute'],
    ['an atomic fragment', udp6(44, extension(17)), 'passes'],
    ['two fragment headers', udp6(44, extension(44), extension(17)), 'fragment'],
    ['a later IPv6 fragment', udp6(44, extension(17, 0, 0, 8)), 'passes'],
    ['an authentication header', udp6(51, Uint8Array.of(17, 1, ...new Array<number>(10).fill(0))), 'passes'],
    ['a mobility header', udp6(135, extension(17)), 'extensionHeader'],
    ['an extension past the end', udp6(60, extension(17, 9)), 'extensionHeader'],
    ['a chain that never ends', udp6(60, ...new Array<Uint8Array>(9).fill(extension(60))), 'extensionHeader'],
    [
      'a first fragment without its header',
      ipPacket({ ...V6, protocol: 44 }, extension(17, 0, 0, 1)),
      'transport',
    ],
    ['no next header', ipPacket({ ...V6, protocol: 59 }, new Uint8Array(0)), 'passes'],
  ];
  for (const [name, packet, expected] of cases) {
    it(`${name}: ${expected}`, () => assert.equal(verdict(packet), expected));
  }

  it('finds the transport header behind options and extension headers', () => {
    assert.equal(parsed(ipPacket({ ...V4, options: new Uint8Array(8) }, UDP)).transport, 28);
    const ip = parsed(udp6(0, extension(44), extension(60), extension(17)));
    assert.deepEqual([ip.transport, ip.protocol, ip.fragment, ip.laterFragment], [64, 17, true, false]);
  });

  it('never reads past the end, whatever the bytes', () => {
    const firstByte = fc.constantFrom(0x45, 0x46, 0x4f, 0x60);
    fc.assert(
      fc.property(firstByte, fc.uint8Array({ maxLength: 120 }), (first, rest) => {
        const packet = Uint8Array.of(first, ...rest);
        if (first === 0x60 && packet.length >= 40) packet.set([0, packet.length - 40], 4);
        else if (packet.length >= 4) packet.set([0, packet.length], 2);
        const ip = emptyIpPacket();
        if (parseIpPacket(packet, 0, packet.length, ip) !== undefined) return;
        assert.ok(ip.transport <= packet.length);
        const filtered = [1, 6, 17, 58].includes(ip.protocol) && !ip.laterFragment;
        assert.ok(!filtered || ip.transport + 8 <= packet.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('knows ICMP errors, link control and groups', () => {
    const icmp = (protocol: number, type: number): Uint8Array =>
      ipPacket({ ...(protocol === 58 ? V6 : V4), protocol }, Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0));
    const types = (protocol: number, judge: typeof isIcmpError): number[] =>
      Array.from({ length: 256 }, (_, type) => type).filter((type) => {
        const packet = icmp(protocol, type);
        return judge(packet, parsed(packet));
      });
    assert.deepEqual(types(1, isIcmpError), [3, 4, 5, 11, 12]);
    assert.deepEqual(
      types(58, isIcmpError),
      Array.from({ length: 128 }, (_, type) => type),
    );
    assert.deepEqual(types(1, isLinkControl), [5, 9, 10]);
    assert.deepEqual(types(58, isLinkControl), [133, 134, 135, 136, 137]);
    const grouped = (source: string, destination: string): boolean => {
      const packet = ipPacket({ source, destination }, UDP);
      return isMulticast(packet, parsed(packet));
    };
    assert.deepEqual(
      ['224.0.0.1', '239.255.255.255', '255.255.255.255', '223.255.255.255', '240.0.0.1'].map((to) =>
        grouped('10.0.0.1', to),
      ),
      [true, true, true, false, false],
    );
    assert.deepEqual([grouped('fd00::1', 'ff02::1'), grouped('fd00::1', 'fe80::1')], [true, false]);
  });
});
