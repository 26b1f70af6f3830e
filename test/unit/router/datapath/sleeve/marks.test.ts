import assert from 'node:assert/strict';
import { cryptoReady } from '../../../../../crypto/ready.ts';
import { VNET_HEADER_LENGTH } from '../../../../../router/packet/vnet-header.ts';
import { frameOf, pattern, tcpPacket, udpPacket } from '../../packet/ip-packets.ts';
import { type NodeOptions, SleeveNet } from './sleeve-net.ts';

const V4 = { source: '10.32.0.1', destination: '10.33.0.1' };
const V6 = { source: 'fd00::1', destination: 'fd00:1::1' };

function pair(options: NodeOptions = {}): SleeveNet {
  const net = new SleeveNet(2, options);
  net.connect(0, 1);
  net.link(0, 1);
  return net;
}

const tosOf = (net: SleeveNet): number[] => net.nodes[0]!.transmitted.map(({ tos }) => tos);

describe('congestion marks and DSCP in a sleeve', () => {
  before(() => cryptoReady);

  it('are on the outer header what they are within, packet by packet, in order', () => {
    const net = pair();
    const sent = [0xb8, 0xb8, 0x02, 0, 0x03, 0x29].map((tos, i) =>
      udpPacket({ ...(i % 2 === 0 ? V4 : V6), tos }, pattern(100, i)),
    );
    for (const packet of sent) net.send(0, frameOf(packet));
    assert.deepEqual(tosOf(net), [0xb8, 0xb8, 0x02, 0, 0x03, 0x29]);
    net.run();
    assert.deepEqual(
      net.nodes[1]!.delivered.map((frame) => frame.slice(VNET_HEADER_LENGTH)),
      sent,
    );
  });

  it('leave without ECN to a peer that takes no marks', () => {
    const net = pair({ peerTakesMarks: false });
    for (const tos of [0xb9, 2, 3]) net.send(0, frameOf(udpPacket({ ...V4, tos }, pattern(9))));
    assert.deepEqual(tosOf(net), [0xb8, 0, 0]);
  });

  it('are taken over from each datagram, and no packet is joined across them', () => {
    const net = pair();
    const payload = pattern(3900);
    const packet = tcpPacket({ ...V4, tos: 2, flags: 0x10, partial: true }, payload);
    const header = { flags: 1, gsoType: 1, headerLength: 40, gsoSize: 1300, csumStart: 20, csumOffset: 16 };
    net.send(0, frameOf(packet, header));
    net.nodes[0]!.transmitted[1]!.tos = 3;
    net.run();
    assert.deepEqual(
      net.nodes[1]!.delivered.map((frame) => frame[VNET_HEADER_LENGTH + 1]),
      [2, 3, 2],
    );
  });

  it('drop a packet whose sender knows no marks, and count it', () => {
    const net = pair();
    net.send(0, frameOf(udpPacket(V4, pattern(9))));
    net.nodes[0]!.transmitted[0]!.tos = 3;
    net.run();
    assert.equal(net.nodes[1]!.delivered.length, 0);
    assert.equal(net.nodes[1]!.counters.get('datapath.inCongestion'), 1);
  });

  it('stay within where a relay passes the packet on', () => {
    const net = new SleeveNet(3);
    for (const [a, b] of [
      [0, 2],
      [1, 2],
      [0, 1],
    ] as const)
      net.connect(a, b);
    net.link(0, 2);
    net.link(1, 2);
    net.nodes[0]!.sleeve.setPath(net.nodes[1]!.id, { kind: 'relay', via: net.nodes[2]!.id });
    const packet = udpPacket({ ...V4, tos: 2 }, pattern(40));
    net.send(0, frameOf(packet));
    assert.deepEqual(tosOf(net), [0]);
    net.run();
    assert.deepEqual(net.nodes[1]!.delivered, [frameOf(packet)]);
  });
});
