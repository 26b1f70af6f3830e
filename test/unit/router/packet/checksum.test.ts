import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concat } from '../../../../base/bytes.ts';
import {
  checksum,
  completeChecksum,
  foldSum,
  sumWords,
  transportChecksumHolds,
} from '../../../../router/packet/checksum.ts';
import { checksumsHold, naiveChecksum, parsed, tcpPacket, udpPacket } from './ip-packets.ts';

describe('the Internet checksum', () => {
  it('gives the example of RFC 1071', () => {
    const example = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    assert.equal(foldSum(sumWords(example, 0, example.length)), 0xddf2);
  });

  it('agrees with the naive model at every length and start', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(16), (bytes, from) => {
        const start = Math.min(from, bytes.length);
        assert.equal(checksum(bytes, start, bytes.length), naiveChecksum(bytes.subarray(start)));
      }),
    );
  });

  it('does not overflow on the largest packet', () => {
    const bytes = new Uint8Array(65_535).fill(0xff);
    assert.equal(checksum(bytes, 0, bytes.length), naiveChecksum(bytes));
  });

  for (const [source, destination] of [
    ['10.32.0.1', '10.32.0.2'],
    ['fd00::1', 'fd00::2'],
  ] as const) {
    it(`completes a partial checksum, ${source}`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 99 }), fc.boolean(), (payload, udp) => {
          const fields = { source, destination };
          const build = udp ? udpPacket : tcpPacket;
          const packet = build({ ...fields, partial: true }, payload);
          const ip = parsed(packet);
          completeChecksum(packet, ip.transport, udp ? 6 : 16, packet.length, ip.protocol);
          assert.deepEqual(packet, build(fields, payload));
          assert.ok(checksumsHold(packet));
        }),
      );
    });
  }

  it('sees a wrong transport checksum wherever the packet lies in its buffer', () => {
    const packet = tcpPacket({ source: '10.32.0.1', destination: '10.32.0.2' }, new Uint8Array(9));
    const shifted = concat(new Uint8Array(3), packet);
    const ip = parsed(packet);
    ip.start += 3;
    ip.transport += 3;
    assert.equal(transportChecksumHolds(shifted, ip), true);
    shifted[shifted.length - 1]! ^= 1;
    assert.equal(transportChecksumHolds(shifted, ip), false);
  });

  it('writes a UDP checksum of zero as all ones', () => {
    const packet = udpPacket(
      { source: '10.32.0.1', destination: '10.32.0.2', partial: true },
      new Uint8Array(2),
    );
    // A payload word that makes the sum all ones, so that its complement is zero.
    const ip = parsed(packet);
    const sum = foldSum(sumWords(packet, ip.transport, packet.length));
    packet[packet.length - 2] = (0xffff - sum) >>> 8;
    packet[packet.length - 1] = (0xffff - sum) & 255;
    completeChecksum(packet, ip.transport, 6, packet.length, ip.protocol);
    assert.deepEqual([packet[ip.transport + 6], packet[ip.transport + 7]], [0xff, 0xff]);
  });
});
