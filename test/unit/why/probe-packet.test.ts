import { equal } from 'node:assert/strict';
import { parseAddress } from '../../../base/address.ts';
import { readU16BE } from '../../../base/bytes.ts';
import { checksum, pseudoHeaderSum } from '../../../router/packet/checksum.ts';
import { emptyIpPacket, parseIpPacket } from '../../../router/packet/ip-packet.ts';
import { markOf, type ProbeFlow } from '../../../why/probe/probe-flow.ts';
import { probePacket } from '../../../why/probe/probe-packet.ts';

const ENDS = {
  4: { source: parseAddress('10.32.0.2')!, target: parseAddress('10.40.0.9')! },
  6: { source: parseAddress('fd00::2')!, target: parseAddress('fd00:1::9')! },
};

describe('a packet of a probe', () => {
  for (const family of [4, 6] as const)
    for (const protocol of ['TCP', 'UDP', 'ICMP'] as const)
      for (const bytes of [0, 1364]) {
        const name = `${protocol} over IPv${family}${bytes === 0 ? '' : ` of ${bytes} bytes`}`;
        it(`is one that a kernel takes: ${name}`, () => {
          const port = protocol === 'ICMP' ? 0 : 53;
          const flow: ProbeFlow = { protocol, ...ENDS[family], port, mark: 61_234 };
          const packet = probePacket(flow, 0x01020304, bytes);
          const read = emptyIpPacket();
          equal(parseIpPacket(packet, 0, packet.length, read), undefined);
          equal(read.length, packet.length);
          if (bytes > 0) equal(packet.length, bytes);
          equal(read.dontFragment, true);
          const length = packet.length - read.transport;
          const isPseudo = family === 6 || protocol !== 'ICMP';
          const start = isPseudo ? pseudoHeaderSum(packet, read, length) : 0;
          // A right checksum makes the sum of everything zero.
          equal(checksum(packet, read.transport, packet.length, start), 0);
          if (family === 4) equal(checksum(packet, 0, 20), 0);
          equal(readU16BE(packet, read.transport + (protocol === 'ICMP' ? 4 : 0)), flow.mark);
          equal(readU16BE(packet, family === 4 ? 4 : 2), flow.mark);
        });
      }

  it('has a mark that no connection of the pod takes', () => {
    for (const bytes of [
      [0, 0],
      [255, 255],
      [17, 200],
    ]) {
      const mark = markOf(Uint8Array.from(bytes));
      equal(mark >= 61_000 && mark <= 65_535, true, String(mark));
    }
  });
});
