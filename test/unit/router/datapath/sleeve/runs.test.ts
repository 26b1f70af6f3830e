import assert from 'node:assert/strict';
import { concat, utf8 } from '../../../../../base/bytes.ts';
import { Aead, type CreateAead } from '../../../../../crypto/aead.ts';
import { ChaChaEngine } from '../../../../../crypto/chacha-engine.ts';
import { chooseAeads } from '../../../../../crypto/choose-aeads.ts';
import { cryptoReady } from '../../../../../crypto/ready.ts';
import type { DatapathEvents } from '../../../../../router/datapath/datapath.ts';
import { AEAD_MAKERS } from '../../../../../router/datapath/sleeve/aead-makers.io.ts';
import { VNET_HEADER_LENGTH } from '../../../../../router/packet/vnet-header.ts';
import { frameOf, pattern, tcpPacket, udpPacket } from '../../packet/ip-packets.ts';
import { type NodeOptions, SleeveNet } from './sleeve-net.ts';

const V4 = { source: '10.32.0.1', destination: '10.33.0.1' };
const CANARY = utf8('weft canary: nobody on the underlay may read this');

function pair(options: NodeOptions = {}): SleeveNet {
  const net = new SleeveNet(2, options);
  net.connect(0, 1);
  net.link(0, 1);
  return net;
}

const packetsAt = (net: SleeveNet, node: number): Uint8Array[] =>
  net.nodes[node]!.delivered.map((frame) => frame.slice(VNET_HEADER_LENGTH));

describe('runs of packets', () => {
  before(() => cryptoReady);

  it('seals what a super-packet becomes by one call, and opens it by one', () => {
    const calls: string[] = [];
    const counting: CreateAead = (suite, key) => {
      const engine = new ChaChaEngine(key);
      return new Aead(suite, {
        sealRun: (nonce, run) => {
          calls.push(`seal ${Math.ceil(run.length / run.segment)}`);
          engine.sealRun(nonce, run);
        },
        openRun: (nonce, run) => {
          calls.push(`open ${Math.ceil(run.length / run.segment)}`);
          return engine.openRun(nonce, run);
        },
        close: () => engine.close(),
      });
    };
    const net = pair({ createAead: counting });
    const packet = tcpPacket({ ...V4, flags: 0x18, partial: true }, pattern(30_000));
    const header = { flags: 1, gsoType: 1, headerLength: 40, gsoSize: 1300, csumStart: 20, csumOffset: 16 };
    net.send(0, frameOf(packet, header));
    const datagrams = net.nodes[0]!.transmitted.splice(0).map(({ bytes }) => bytes);
    net.nodes[1]!.sleeve.handleDatagrams(
      net.nodes[0]!.endpoint,
      concat(...datagrams),
      net.now,
      datagrams[0]!.length,
    );
    net.run();
    assert.deepEqual(net.nodes[1]!.delivered, [frameOf(packet, header)]);
    assert.deepEqual(calls, ['seal 24', 'open 24']);
  });

  it('gathers the packets of a batch that go one way with one size and TOS byte, the last may be shorter', () => {
    const net = new SleeveNet(3);
    for (const peer of [1, 2]) {
      net.connect(0, peer);
      net.link(0, peer);
    }
    const { sleeve, runs } = net.nodes[0]!;
    const give = (count: number, length: number, more: { tos?: number; destination?: string } = {}): void => {
      for (let i = 0; i < count; i++)
        sleeve.handleTunPacket(frameOf(udpPacket({ ...V4, ...more }, pattern(length))), net.now);
    };
    give(130, 100);
    give(3, 1000);
    give(1, 500);
    give(2, 1000);
    give(2, 1000, { tos: 0x28 });
    give(2, 1000, { destination: '10.34.0.1' });
    assert.deepEqual(runs.slice(0, 2), [64, 64], 'what is full does not wait');
    sleeve.endBatch(net.now);
    assert.deepEqual(runs, [64, 64, 2, 4, 2, 2, 2]);
    give(50, 1300);
    sleeve.endBatch(net.now);
    assert.deepEqual(runs.slice(7), [47, 3], 'a run stays within the length of a packet');
    net.run();
    assert.equal(net.nodes[1]!.delivered.length, 130 + 3 + 1 + 2 + 2 + 50);
    assert.equal(net.nodes[2]!.delivered.length, 2);
  });

  it('sends what no batch gave rise to at once', () => {
    const net = pair();
    assert.equal(net.nodes[0]!.sleeve.sendControl(net.nodes[1]!.id, pattern(20)), true);
    assert.equal(net.nodes[0]!.transmitted.length, 1);
  });

  it('sends under the keys of a session what was sealed for it before it ended', () => {
    const net = pair();
    const { sleeve } = net.nodes[0]!;
    sleeve.handleTunPacket(frameOf(udpPacket(V4, pattern(20))), net.now);
    sleeve.remove(1);
    net.run();
    assert.equal(net.nodes[1]!.delivered.length, 1);
  });

  it('takes each packet of a run for itself: forged ones, repeated ones, those of other sessions and strangers', () => {
    const net = new SleeveNet(2);
    net.connect(0, 1);
    net.link(0, 1);
    const sent = Array.from({ length: 8 }, (_, i) => udpPacket(V4, pattern(100, i)));
    for (const packet of sent.slice(0, 5)) net.send(0, frameOf(packet));
    net.connect(0, 1);
    for (const packet of sent.slice(5)) net.send(0, frameOf(packet));
    const datagrams = net.nodes[0]!.transmitted.splice(0).map(({ bytes }) => bytes);
    datagrams[2]![40]! ^= 1;
    datagrams.splice(4, 0, datagrams[0]!.slice(), new Uint8Array(datagrams[0]!.length).fill(4));
    const unknown = datagrams[0]!.slice();
    unknown[4] = 99;
    datagrams.splice(1, 0, unknown);
    const from = net.nodes[0]!.endpoint;
    net.nodes[1]!.sleeve.handleDatagrams(from, concat(...datagrams), net.now, datagrams[0]!.length);
    net.run();
    assert.deepEqual(
      packetsAt(net, 1),
      sent.filter((_, i) => i !== 2),
    );
    assert.deepEqual(
      (['inForged', 'inReplay', 'inMalformed', 'inUnknownIndex'] as const).map((name) =>
        net.nodes[1]!.counters.get(`datapath.${name}`),
      ),
      [1, 1, 1, 1],
    );
  });

  it('opens no more of a run when its session ends within it', () => {
    const net = pair();
    const { sleeve, endpoint } = net.nodes[1]!;
    const events = new Proxy({} as DatapathEvents, {
      get: (_none, name) => (): void => {
        if (name === 'confirmed') sleeve.remove(2);
      },
    });
    sleeve.setEvents(events);
    for (let i = 0; i < 3; i++) net.send(0, frameOf(udpPacket(V4, pattern(100, i))));
    const datagrams = net.nodes[0]!.transmitted.splice(0).map(({ bytes }) => bytes);
    sleeve.handleDatagrams(endpoint, concat(...datagrams), net.now, datagrams[0]!.length);
    net.run();
    assert.equal(net.nodes[1]!.delivered.length, 1);
    assert.equal(net.nodes[1]!.counters.get('datapath.inUnknownIndex'), 2);
  });

  it('carries packets under both suites by native code', () => {
    const aeads = chooseAeads(AEAD_MAKERS);
    for (const suite of aeads.suites) {
      const net = pair({ suite, createAead: aeads.create });
      const sent = [20, 64, 700, 1300].map((length) => udpPacket(V4, concat(CANARY, pattern(length - 20))));
      for (const packet of sent) net.send(0, frameOf(packet));
      net.run();
      assert.deepEqual(packetsAt(net, 1), sent, suite);
      assert.ok(net.wire.every((bytes) => !Buffer.from(bytes).includes(Buffer.from(CANARY.subarray(0, 8)))));
    }
  });
});
