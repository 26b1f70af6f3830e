import assert from 'node:assert/strict';
import { Counters } from '../../../../base/counters.ts';
import { type Instant, instant } from '../../../../base/instant.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { DEFAULT_GOSSIP_CONFIG } from '../../../../gossip/model/gossip-config.ts';
import { GOSSIP_COUNTERS } from '../../../../gossip/model/gossip-counters.ts';
import { accuserOf } from '../../../../gossip/model/rumour.ts';
import { Membership } from '../../../../gossip/swim/membership.ts';
import { RumourQueue } from '../../../../gossip/swim/rumour-queue.ts';
import { MAX_HEALTH_MULTIPLIER, MAX_PROBES, MAX_RELAYED_PINGS, Swim } from '../../../../gossip/swim/swim.ts';
import { decodeSwimPacket, encodeSwimPacket, type SwimPacket } from '../../../../gossip/swim/swim-packet.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { peer } from '../fakes.ts';

const at = (ms: number): Instant => instant(ms);

function swimOf(members: number) {
  const sent: { readonly to: PeerId; readonly packet: SwimPacket }[] = [];
  const counters = new Counters(GOSSIP_COUNTERS);
  const rumours = new RumourQueue();
  const membership = new Membership({
    self: peer(0),
    config: DEFAULT_GOSSIP_CONFIG,
    events: { changed: () => {}, rumour: () => {}, doubt: () => {} },
  });
  for (let i = 1; i <= members; i++)
    membership.know(peer(i), { epoch: 1, sequence: 1 }, false, 'alive', at(0));
  const swim = new Swim({
    self: peer(0),
    config: DEFAULT_GOSSIP_CONFIG,
    random: seededRandom(3),
    counters,
    membership,
    rumours,
    send: (to, bytes) => {
      const decoded = decodeSwimPacket(bytes);
      assert.ok(decoded.ok);
      sent.push({ to, packet: decoded.value });
    },
  });
  swim.start(at(0));
  const run = (until: number): void => {
    for (let next = swim.nextTimeout(); next !== undefined && next <= until; next = swim.nextTimeout())
      swim.tick(next);
  };
  const take = (): typeof sent => sent.splice(0);
  const receive = (from: PeerId, packet: Omit<SwimPacket, 'rumours'>, now: number) =>
    swim.handle(from, encodeSwimPacket({ rumours: [], ...packet }), at(now));
  return { swim, membership, counters, rumours, run, take, receive };
}

describe('swim', () => {
  it('pings every member once in each round', () => {
    const { swim, run, take, receive } = swimOf(10);
    const pinged: PeerId[] = [];
    for (let second = 1; second <= 20; second++) {
      run(second * 1000);
      for (const { to, packet } of take()) {
        assert.equal(packet.kind, 'ping');
        pinged.push(to);
        receive(to, { kind: 'ack', number: packet.number }, second * 1000);
      }
    }
    assert.equal(pinged.length, 20);
    assert.equal(new Set(pinged.slice(0, 10)).size, 10);
    assert.equal(new Set(pinged.slice(10)).size, 10);
    assert.equal(swim.healthMultiplier, 0);
  });

  it('asks three others when no ack comes, and suspects at the end of the interval', () => {
    const { membership, run, take } = swimOf(6);
    run(1000);
    const [ping] = take();
    const target = ping!.to;
    run(1499);
    const requests = take().filter(({ packet }) => packet.kind === 'ping-req');
    assert.equal(requests.length, 3);
    for (const { to, packet } of requests) {
      assert.notEqual(to, target);
      assert.equal(packet.target, target);
    }
    assert.equal(membership.stateOf(target), 'alive');
    run(2000);
    assert.equal(membership.stateOf(target), 'suspect');
  });

  it('is content with an ack through another member, but only one that was asked', () => {
    for (const honest of [true, false]) {
      const { membership, run, take, receive } = swimOf(6);
      run(1000);
      const [ping] = take();
      run(1499);
      const asked = take().map(({ to }) => to);
      const relay = honest
        ? asked[0]!
        : [1, 2, 3, 4, 5, 6].map(peer).find((each) => !asked.includes(each) && each !== ping!.to)!;
      receive(relay, { kind: 'ack', number: ping!.packet.number }, 1500);
      run(2000);
      assert.equal(membership.stateOf(ping!.to), honest ? 'alive' : 'suspect');
    }
  });

  it('takes frames of the target on a link for an answer', () => {
    const { membership, run, take } = swimOf(3);
    run(1000);
    const [ping] = take();
    membership.heard(ping!.to, at(1100));
    run(2000);
    assert.equal(membership.stateOf(ping!.to), 'alive');
  });

  it('grows patient when those it asked are silent too, and recovers', () => {
    const { swim, run, take, receive } = swimOf(6);
    run(30_000);
    assert.equal(swim.healthMultiplier, MAX_HEALTH_MULTIPLIER);
    take();
    for (let ms = 30_000; ms < 90_000; ms += 100) {
      run(ms);
      for (const { to, packet } of take()) receive(to, { kind: 'ack', number: packet.number }, ms);
    }
    assert.equal(swim.healthMultiplier, 0);
  });

  it('stays healthy where the asked send nacks: the fault is the target’s', () => {
    const { swim, run, take, receive } = swimOf(6);
    run(1000);
    const [ping] = take();
    run(1499);
    for (const { to } of take()) receive(to, { kind: 'nack', number: ping!.packet.number }, 1500);
    run(2000);
    assert.equal(swim.healthMultiplier, 0);
  });

  it('pings for others: ack when it comes, nack when it does not in time', () => {
    const { run, take, receive } = swimOf(3);
    receive(peer(1), { kind: 'ping-req', number: 77, target: peer(2) }, 0);
    const [ping] = take();
    assert.equal(ping!.to, peer(2));
    receive(peer(2), { kind: 'ack', number: ping!.packet.number }, 10);
    assert.deepEqual(take(), [{ to: peer(1), packet: { kind: 'ack', number: 77, rumours: [] } }]);
    receive(peer(1), { kind: 'ping-req', number: 78, target: peer(3) }, 20);
    take();
    run(421);
    assert.deepEqual(
      take().filter(({ packet }) => packet.kind === 'nack'),
      [{ to: peer(1), packet: { kind: 'nack', number: 78, rumours: [] } }],
    );
  });

  it('does not call on strangers for others, nor on itself', () => {
    const { take, receive } = swimOf(3);
    receive(peer(1), { kind: 'ping-req', number: 1, target: peer(99) }, 0);
    receive(peer(1), { kind: 'ping-req', number: 1, target: peer(0) }, 0);
    receive(peer(1), { kind: 'ping-req', number: 1, target: peer(1) }, 0);
    assert.deepEqual(take(), []);
  });

  it('bounds what it does for others and how many it doubts at once', () => {
    const { swim, counters, run, take, receive } = swimOf(200);
    for (let i = 0; i < 500; i++) receive(peer(1), { kind: 'ping-req', number: i, target: peer(2) }, 0);
    assert.equal(take().length, MAX_RELAYED_PINGS);
    assert.equal(counters.get('swim.relayDropped'), 500 - MAX_RELAYED_PINGS);
    run(2000);
    take();
    for (let i = 1; i <= 200; i++) swim.doubt(peer(i), at(2000));
    assert.ok(take().length <= MAX_PROBES);
    run(60_000);
    take();
    receive(peer(1), { kind: 'ping-req', number: 1, target: peer(2) }, 60_000);
    assert.equal(take().length, 1, 'old requests are forgotten');
  });

  it('pings the dead and the unknown now and then, with the news of their death', () => {
    const { membership, run, take } = swimOf(0);
    membership.know(peer(5), { epoch: 1, sequence: 4 }, false, 'dead', at(0));
    run(5000);
    const pings = take();
    assert.ok(pings.length >= 4 && pings.length <= 6);
    for (const { to, packet } of pings) {
      assert.equal(to, peer(5));
      assert.deepEqual(packet.rumours, [
        { subject: peer(5), state: 'dead', accuser: accuserOf(peer(0)), version: { epoch: 1, sequence: 4 } },
      ]);
    }
  });

  it('carries rumours a bounded number of times', () => {
    const { rumours, take, receive } = swimOf(9);
    rumours.put(
      { subject: peer(3), state: 'dead', accuser: accuserOf(peer(0)), version: { epoch: 1, sequence: 1 } },
      9,
    );
    for (let i = 0; i < 20; i++) receive(peer(1), { kind: 'ping', number: i }, 0);
    assert.equal(take().filter(({ packet }) => packet.rumours.length > 0).length, 3);
    assert.equal(rumours.size, 0);
  });
});
