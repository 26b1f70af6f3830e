import assert from 'node:assert/strict';
import { concat } from '../../base/bytes.ts';
import type { Endpoint } from '../../base/endpoint.ts';
import { parseEndpoint } from '../../base/endpoint.ts';
import { type SignedRecord, signedBytes } from '../../gossip/model/record.ts';
import { accuserOf } from '../../gossip/model/rumour.ts';
import { encodeFrame, type Frame, MAX_FRAME_LENGTH } from '../../gossip/records/frame.ts';
import { CLUSTER_ID, fakeSign, peer, signedRecord } from '../unit/gossip/fakes.ts';
import { GossipNetwork, type SimNode } from './gossip-network.ts';

/** Starts all nodes at once; all but the first know the first one's address and nothing else. */
function cluster(nodes: number, seed: number, loss = 0.05): GossipNetwork {
  const net = new GossipNetwork({ nodes, seed, loss });
  net.onRecord = (node, record) => assertGenuine(net, node, record);
  for (const node of net.nodes) net.start(node, node.index === 0 ? [] : [net.nodes[0]!.endpoint]);
  return net;
}

/** The invariant of every step: what leaves a core was signed by its origin, for this cluster. */
function assertGenuine(net: GossipNetwork, node: SimNode, record: SignedRecord): void {
  assert.deepEqual(
    record.signature,
    fakeSign(record.origin, signedBytes(CLUSTER_ID, record)),
    `node ${node.index} took a forged record at ${net.now} ms`,
  );
}

function within(limitMs: number, ms: number | undefined, what: string): void {
  assert.ok(ms !== undefined && ms <= limitMs, `${what}: ${ms ?? 'never'} of ${limitMs} ms`);
}

/** Publishes a record and measures until everybody holds it. */
function spread(net: GossipNetwork, from: SimNode, limitMs: number): number | undefined {
  const payload = Uint8Array.of(net.now & 255, (net.now >> 8) & 255, 7);
  net.act(from, (gossip, now) => gossip.publish('paxos', payload, now));
  return net.runUntil(limitMs, () =>
    net
      .up()
      .every(
        (node) =>
          node.gossip!.record(from.id, 'paxos')?.payload[2] === 7 &&
          Buffer.from(node.gossip!.record(from.id, 'paxos')!.payload).equals(payload),
      ),
  );
}

function worstBytesPerSecond(net: GossipNetwork, forMs: number): number {
  net.resetBytes();
  net.run(forMs);
  return Math.max(...net.nodes.map((node) => (node.bytesIn + node.bytesOut) / (forMs / 1000)));
}

function stateChanges(net: GossipNetwork, state: string): number {
  let count = 0;
  for (const node of net.nodes) {
    for (const { out } of node.events) if (out.type === 'member' && out.state === state) count++;
  }
  return count;
}

describe('gossip in a simulated network', () => {
  it('two nodes find each other within a second, also when the seed starts last', () => {
    const net = new GossipNetwork({ nodes: 2, seed: 1 });
    net.start(net.nodes[1]!, [net.nodes[0]!.endpoint]);
    net.run(20_000);
    net.start(net.nodes[0]!);
    within(
      2000,
      net.runUntil(5000, () => net.agreed()),
      'mesh of two',
    );
  });

  for (const seed of [1, 2, 3]) {
    it(`three nodes form a mesh within 2 s of the last start (seed ${seed})`, () => {
      const net = cluster(3, seed);
      within(
        2000,
        net.runUntil(5000, () => net.agreed()),
        'mesh of three',
      );
      net.run(5000);
      for (const node of net.nodes) assert.equal(node.gossip!.links().length, 2);
    });
  }

  for (const seed of [11, 12]) {
    it(`20 nodes live through link drops, a partition and a restart (seed ${seed})`, () => {
      const net = cluster(20, seed);
      within(
        5000,
        net.runUntil(10_000, () => net.agreed()),
        'formed',
      );
      net.run(30_000);
      within(2000, spread(net, net.nodes[7]!, 5000), 'record spread');
      assert.ok(worstBytesPerSecond(net, 20_000) < 5000, 'idle traffic');
      assert.equal(stateChanges(net, 'dead'), 0);

      net.dropLinks(0.5);
      within(
        5000,
        net.runUntil(
          10_000,
          () => net.agreed() && net.up().every((node) => node.gossip!.links().length >= 8),
        ),
        'links back',
      );

      const half = (node: SimNode): number => node.index % 2;
      net.partition(half);
      for (const side of [0, 1]) {
        const group = net.nodes.filter((node) => half(node) === side);
        within(
          60_000,
          net.runUntil(60_000, () => net.agreed(group)),
          `side ${side} knows who is left`,
        );
      }
      net.run(60_000);
      within(
        2000,
        spreadWithin(
          net,
          net.nodes.filter((node) => half(node) === 1),
        ),
        'spread in one half',
      );
      net.heal();
      within(
        5000,
        net.runUntil(10_000, () => net.agreed()),
        'healed',
      );
      within(
        2000,
        net.runUntil(5000, () => allHold(net)),
        'records of both halves',
      );

      const victim = net.nodes[3]!;
      net.kill(victim);
      within(
        15_000,
        net.runUntil(30_000, () => net.agreed()),
        'death known',
      );
      net.start(victim); // without a seed: it knows its peers from disk
      within(
        5000,
        net.runUntil(10_000, () => net.agreed()),
        'back',
      );
    });
  }

  it('100 nodes: few links, everybody told within 2 s, quiet when idle, healed within 5 s', function () {
    this.timeout(300_000);
    const net = cluster(100, 100);
    within(
      15_000,
      net.runUntil(20_000, () => net.agreed()),
      'formed',
    );
    net.run(30_000);
    const degrees = net.nodes.map((node) => node.gossip!.links().length);
    assert.ok(Math.min(...degrees) >= 6, `fewest links ${Math.min(...degrees)}`);
    assert.ok(degrees.reduce((a, b) => a + b) / 100 < 13, 'links on average');
    assert.ok(Math.max(...degrees) <= 24 + 12, `most links ${Math.max(...degrees)}`);
    for (const from of [5, 50, 95]) within(2000, spread(net, net.nodes[from]!, 5000), 'record spread');
    const idle = worstBytesPerSecond(net, 30_000);
    assert.ok(idle < 5000, `${idle} B/s at the busiest node`);
    for (const node of net.nodes) {
      for (const other of net.nodes) {
        if (node === other || node.gossip!.links().some(({ peer }) => peer === other.id)) continue;
        assert.ok(node.gossip!.relaysTo(other.id).length > 0, 'a way to everybody');
      }
    }
    net.partition((node) => node.index % 2);
    net.run(30_000);
    net.heal();
    within(
      5000,
      net.runUntil(10_000, () => net.agreed()),
      'healed',
    );
  });

  it('a node that leaves is gone at once, unsuspected, and can come back', () => {
    const net = cluster(10, 5, 0);
    net.run(10_000);
    const leaver = net.nodes[4]!;
    net.act(leaver, (gossip, now) => gossip.leave(now));
    const others = net.nodes.filter((node) => node !== leaver);
    const left = (): boolean =>
      others.every(
        (node) => node.gossip!.members().find((member) => member.peer === leaver.id)?.state === 'left',
      );
    within(1000, net.runUntil(5000, left), 'left');
    net.kill(leaver);
    net.run(30_000);
    assert.ok(left());
    assert.equal(stateChanges(net, 'suspect'), 0);
    net.start(leaver);
    within(
      5000,
      net.runUntil(10_000, () => net.agreed()),
      'back',
    );
  });

  it('known members that nobody ever reached do not flap', () => {
    const net = new GossipNetwork({ nodes: 6, seed: 9 });
    const [ghost, ...others] = net.nodes as [SimNode, ...SimNode[]];
    const info = net.infoOf(ghost);
    net.start(ghost);
    const record = ghost.gossip!.record(ghost.id, 'node')!;
    net.kill(ghost);
    assert.equal(info.name, 'node-0');
    for (const node of others) {
      node.disk.set(`${ghost.id}/node`, record);
      net.start(node, [others[0]!.endpoint]);
    }
    net.run(60_000);
    for (const node of others) {
      assert.equal(node.gossip!.members().length, 5);
      for (const { out } of node.events) if (out.type === 'member') assert.notEqual(out.peer, ghost.id);
    }
    net.start(ghost);
    within(
      5000,
      net.runUntil(10_000, () => net.agreed()),
      'the ghost lives',
    );
  });

  it('a peer that forges, replays, oversizes and slanders harms nobody', () => {
    const net = cluster(12, 77);
    net.run(15_000);
    const old = net.nodes[1]!.gossip!.record(net.nodes[2]!.id, 'node')!;
    net.act(net.nodes[2]!, (gossip, now) => gossip.setInfo(net.infoOf(net.nodes[2]!, '2'), now));
    net.run(2000);
    const evil = peer(666);
    let link = 1_000_000;
    for (let round = 0; round < 60; round++) {
      for (const node of net.nodes) {
        const id = link++;
        const frames = [...evilFrames(net, old), ...slander(net)];
        net.act(node, (gossip, now) => {
          gossip.linkOpened(id, evil, false, '10.9.9.9:40000' as Endpoint, now);
          for (const frame of frames) gossip.handleFrame(id, frame, now);
        });
        for (const other of net.nodes) {
          const packet = concat(Uint8Array.of(1, 3, 0, 0), new Uint8Array(4));
          net.act(
            node,
            (gossip, now) => void gossip.handlePacket(other.id, packet.subarray(0, round % 9), now),
          );
        }
      }
      net.run(500);
    }
    for (const node of net.nodes) {
      assert.ok(!node.gossip!.members().some((member) => member.peer === evil));
      assert.ok(!node.gossip!.links().some((each) => each.peer === evil), 'shut out');
      assert.ok((node.counters.get('gossip.linkBanned') ?? 0) > 50);
    }
    assert.equal(stateChanges(net, 'dead'), 0);
    within(
      5000,
      net.runUntil(10_000, () => net.agreed()),
      'agreed afterwards',
    );
    within(2000, spread(net, net.nodes[3]!, 5000), 'record spread');
  });

  it('a liar among the members can make nobody dead by slander alone', () => {
    const net = cluster(12, 78);
    net.run(15_000);
    const liar = net.nodes[11]!;
    for (let round = 0; round < 60; round++) {
      for (const { link, peer: to } of liar.gossip!.links()) {
        const victim = net.nodes.find((node) => node.id === to)!;
        const id = victim.gossip!.links().find((each) => each.peer === liar.id)?.link;
        assert.ok(link > 0);
        if (id === undefined) continue;
        for (const frame of slander(net))
          net.act(victim, (gossip, now) => void gossip.handleFrame(id, frame, now));
      }
      net.run(500);
    }
    assert.equal(stateChanges(net, 'dead'), 0);
    within(
      5000,
      net.runUntil(10_000, () => net.agreed()),
      'agreed afterwards',
    );
  });

  it('replays exactly from its seed', () => {
    const trace = (seed: number): string => {
      const net = cluster(8, seed);
      net.run(10_000);
      return JSON.stringify(
        net.nodes.map((node) => [node.bytesIn, node.bytesOut, node.events.map((event) => event.at)]),
      );
    };
    assert.equal(trace(4), trace(4));
    assert.notEqual(trace(4), trace(5));
  });
});

function spreadWithin(net: GossipNetwork, group: readonly SimNode[]): number | undefined {
  const from = group[0]!;
  net.act(from, (gossip, now) => gossip.publish('paxos', Uint8Array.of(9), now));
  return net.runUntil(5000, () => group.every((node) => node.gossip!.record(from.id, 'paxos') !== undefined));
}

function allHold(net: GossipNetwork): boolean {
  const from = net.nodes.find((node) => node.gossip!.record(node.id, 'paxos'))!;
  return net.up().every((node) => node.gossip!.record(from.id, 'paxos') !== undefined);
}

function evilFrames(net: GossipNetwork, old: SignedRecord): Uint8Array[] {
  const target = net.nodes[2]!.gossip!.record(net.nodes[2]!.id, 'node')!;
  const records = (...list: SignedRecord[]): Uint8Array =>
    encodeFrame({
      kind: 'records',
      records: list.map((record) => ({ record, state: 'alive' })),
    } satisfies Frame);
  const higher = { ...target, sequence: target.sequence + 1 };
  return [
    records(old, target), // a replay, and what everybody holds
    records({ ...higher, signature: fakeSign(peer(666), signedBytes(CLUSTER_ID, higher)) }),
    records(signedRecord(target.origin, 'node', 99, 1, target.payload, new Uint8Array(16))),
    new Uint8Array(MAX_FRAME_LENGTH + 1),
    records({ ...target, epoch: target.epoch + 1 }),
    encodeFrame({ kind: 'redirect', endpoints: [parseEndpoint('203.0.113.1:1')!] }),
    Uint8Array.of(1, 1, 0xdd, 0xff, 0xff, 0xff, 0xff),
  ];
}

/** Everybody is suspected by three invented accusers, and dead. */
function slander(net: GossipNetwork): Uint8Array[] {
  return net.nodes.map((node) => {
    const record = node.gossip!.record(node.id, 'node')!;
    const version = { epoch: record.epoch, sequence: record.sequence };
    const accusers = [601, 602, 603, 604].map((n) => accuserOf(peer(n)));
    return encodeFrame({
      kind: 'rumours',
      rumours: [
        ...accusers.map((accuser) => ({ subject: node.id, state: 'suspect' as const, accuser, version })),
        { subject: node.id, state: 'dead' as const, accuser: accusers[0]!, version },
      ],
    });
  });
}
