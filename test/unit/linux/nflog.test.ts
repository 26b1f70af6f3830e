import { deepEqual, equal } from 'node:assert/strict';
import { fromHex, hex } from '../../../base/bytes.ts';
import { bindNflog, parseNflog } from '../../../linux/nflog.ts';

/** As the kernel (6.18) sent it for `log prefix "weft:i:abc " group 86 snaplen 128`, the last message without its port id. */
const PACKET =
  '6800000000040000000000000000000002000056080001000800030010000a00776566743a693a6162632000080005000000000108' +
  '000b000000000008000e0000000000220009004500001e2d30400040110f9d7f0000017f00000182b10063000afe1d68690000';

describe('nflog', () => {
  it('asks for the packets of a group, so many bytes of each', () => {
    deepEqual(bindNflog(86, 128).map(hex), [
      '1c00000001040500010000000000000000000056' + '0500010001000000',
      '2000000001040500020000000000000000000056' + '0a000200000000800200' + '0000',
    ]);
  });

  it('reads packets as the kernel sends them', () => {
    const datagram = fromHex(PACKET);
    const { packets, answers } = parseNflog(datagram!);
    deepEqual(answers, []);
    equal(packets.length, 1);
    const [{ prefix, inIndex, outIndex, payload }] = packets as [(typeof packets)[0]];
    deepEqual([prefix, inIndex, outIndex], ['weft:i:abc ', undefined, 1]);
    equal(hex(payload), '4500001e2d30400040110f9d7f0000017f00000182b10063000afe1d6869');
  });

  it('reads whether requests were granted', () => {
    const granted = '24000000020000010100000077280000000000001c000000010405000100000000000000';
    const taken = granted.replace('7728000000000000', '77280000f0ffffff');
    deepEqual(parseNflog(fromHex(granted + taken)!).answers, [0, 16]);
  });

  it('passes over anything else', () => {
    for (const bytes of [new Uint8Array(), fromHex('ffffffff')!, fromHex(PACKET)!.subarray(0, 40)])
      deepEqual(parseNflog(bytes), { packets: [], answers: [] });
  });
});
