import assert from 'node:assert/strict';
import { hex } from '../../../../base/bytes.ts';
import { instant } from '../../../../base/instant.ts';
import { destinationUnreachable, IcmpLimiter, packetTooBig } from '../../../../router/packet/icmp.ts';
import { checksumsHold, ipPacket, parsed, pattern, udpPacket } from './ip-packets.ts';

const V4 = { source: '10.32.0.1', destination: '10.33.0.1' };

describe('ICMP errors', () => {
  it('are byte for byte what RFC 1191 and RFC 4443 say', () => {
    const packet = udpPacket(V4, Uint8Array.of(1, 2));
    const error = packetTooBig(packet, parsed(packet), 1300)!.subarray(10);
    assert.ok(checksumsHold(error));
    const ip = ['45c0', '003a', '0000', '4000', '4001', '0000', '0a210001', '0a200001'];
    const icmp = ['03', '04', '0000', '0000', '0514'];
    const masked = error.slice();
    masked.fill(0, 10, 12).fill(0, 22, 24);
    assert.equal(hex(masked), [...ip, ...icmp, hex(packet)].join(''));
  });

  it('are not made about sources that nobody could be reached at', () => {
    for (const source of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '::', '::1', 'ff02::1']) {
      const destination = source.includes(':') ? 'fd00::1' : '10.0.0.1';
      const packet = udpPacket({ source, destination }, pattern(4));
      assert.equal(destinationUnreachable(packet, parsed(packet)), undefined, source);
    }
    const echo = ipPacket({ ...V4, protocol: 1 }, Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0));
    assert.ok(destinationUnreachable(echo, parsed(echo)) !== undefined);
  });

  it('are limited for each source and over all', () => {
    const accepted = (sources: number, times: number): number => {
      const limiter = new IcmpLimiter();
      let sum = 0;
      for (let t = 0; t < times; t++) {
        for (let i = 0; i < sources; i++) {
          const packet = udpPacket({ ...V4, source: `10.32.${i >> 8}.${i & 255}` }, pattern(1));
          if (limiter.accept(packet, parsed(packet), instant(5000))) sum++;
        }
      }
      return sum;
    };
    assert.equal(accepted(1, 500), 20);
    assert.ok(accepted(2, 500) > 20, 'one noisy source does not silence another');
    assert.equal(accepted(1000, 5), 200);
  });
});
