import assert from 'node:assert/strict';
import { outerTos, takeMarks, tosAt } from '../../../../router/packet/ecn.ts';
import { emptyIpPacket, parseIpPacket } from '../../../../router/packet/ip-packet.ts';
import { checksumsHold, pattern, udpPacket } from './ip-packets.ts';

const ADDRESSES = [
  ['IPv4', { source: '10.32.0.1', destination: '10.33.0.1' }],
  ['IPv6', { source: 'fd00::1', destination: 'fd00:1::1' }],
] as const;
const NAMES = ['Not-ECT', 'ECT(1)', 'ECT(0)', 'CE'];
/** RFC 6040, figure 4: what leaves the tunnel, by the inner field, then by the outer one; −1: dropped. */
const LEAVES = [
  [0, 0, 0, -1],
  [1, 1, 1, 3],
  [2, 1, 2, 3],
  [3, 3, 3, 3],
] as const;
const DSCP = 0b101110 << 2;

describe('DSCP and ECN across a tunnel', () => {
  for (const [name, addresses] of ADDRESSES) {
    it(`${name}: the outer header gets the inner byte, without ECN where the far end takes no marks`, () => {
      for (let tos = 0; tos < 256; tos++) {
        assert.equal(tosAt(udpPacket({ ...addresses, tos }, pattern(9)), 0), tos);
        assert.equal(outerTos(tos, true), tos);
        assert.equal(outerTos(tos, false), tos & 0xfc);
      }
    });

    for (const [inner, row] of LEAVES.entries()) {
      for (const [outer, leaves] of row.entries()) {
        const becomes = leaves < 0 ? 'is dropped' : `leaves as ${NAMES[leaves]}`;
        it(`${name}: ${NAMES[inner]} within ${NAMES[outer]} ${becomes}`, () => {
          const packet = udpPacket({ ...addresses, tos: DSCP | inner }, pattern(33));
          const ip = emptyIpPacket();
          assert.equal(parseIpPacket(packet, 0, packet.length, ip), undefined);
          const before = packet.slice();
          // The outer DSCP says nothing here.
          assert.equal(takeMarks(packet, ip, (0b001010 << 2) | outer), leaves >= 0);
          if (leaves < 0) return;
          const expected = udpPacket({ ...addresses, tos: DSCP | leaves }, pattern(33));
          assert.deepEqual(packet, leaves === inner ? before : expected);
          assert.ok(checksumsHold(packet));
        });
      }
    }
  }

  it('leaves a wrong IPv4 header checksum wrong', () => {
    const packet = udpPacket({ ...ADDRESSES[0][1], tos: 2 }, pattern(33));
    packet[10]! ^= 0x40;
    const ip = emptyIpPacket();
    parseIpPacket(packet, 0, packet.length, ip);
    assert.equal(takeMarks(packet, ip, 3), true);
    assert.equal(tosAt(packet, 0), 3);
    assert.ok(!checksumsHold(packet));
  });

  it('counts every IPv4 header checksum on as if it were made anew', () => {
    for (let i = 0; i < 65_536; i += 61) {
      const addresses = { ...ADDRESSES[0][1], source: `10.32.${i >> 8}.${i & 255}` };
      const packet = udpPacket({ ...addresses, tos: 2 }, pattern(3));
      const ip = emptyIpPacket();
      parseIpPacket(packet, 0, packet.length, ip);
      takeMarks(packet, ip, 3);
      assert.deepEqual(packet, udpPacket({ ...addresses, tos: 3 }, pattern(3)));
    }
  });
});
