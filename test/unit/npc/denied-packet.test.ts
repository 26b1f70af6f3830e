import { deepEqual, equal } from 'node:assert/strict';
import { formatAddress } from '../../../base/address.ts';
import { fromHex } from '../../../base/bytes.ts';
import { readDeniedPacket } from '../../../npc/denied-packet.ts';

const told = (hex: string) => {
  const packet = readDeniedPacket(fromHex(hex)!);
  return (
    packet && {
      ...packet,
      source: formatAddress(packet.source),
      destination: formatAddress(packet.destination),
    }
  );
};

const V4 = '4500001e2d30400040119d7f0a2000050a200006';
const V6 = '6000000000141140fd000000000000000000000000000005fd000000000000000000000000000006';

describe('readDeniedPacket', () => {
  it('reads addresses and ports of both families', () => {
    deepEqual(told(`${V4}82b10050000afe1d6869`), {
      source: '10.32.0.5',
      destination: '10.32.0.6',
      protocol: 'UDP',
      sourcePort: 0x82b1,
      destinationPort: 80,
    });
    deepEqual(told(`${V6.replace('1140', '0640')}82b10050`), {
      source: 'fd00::5',
      destination: 'fd00::6',
      protocol: 'TCP',
      sourcePort: 0x82b1,
      destinationPort: 80,
    });
  });

  it('knows no port where there is none, or where the packet was cut', () => {
    equal(told(V4)?.destinationPort, undefined);
    equal(told(`${V4.replace('4011', '4001')}0800f7ff`)?.protocol, 'ICMP');
    equal(told(`${V4.replace('2d304000', '2d300010')}82b10050`)?.destinationPort, undefined);
    equal(told(V4.replace('4011', '402f'))?.protocol, 'protocol 47');
  });

  it('passes over what is no packet', () => {
    for (const hex of ['', '45', '00'.repeat(60), V4.slice(0, 38), V6.slice(0, 78)])
      equal(told(hex), undefined);
  });
});
