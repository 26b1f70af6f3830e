import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { readU32LE, readU64LE } from '../../../../base/bytes.ts';
import { HANDOVER_SKIP } from '../../../../router/datapath/session-progress.ts';
import { type Flight, mesh, Net, Node, pair } from './tunnel-net.ts';

const isHandshake = ({ bytes }: Flight): boolean => bytes[0] !== 4;

/** Pairs of key and counter under which data packets of `node` were sealed. */
function nonces(net: Net, node: Node): string[] {
  return net.log
    .filter(({ from, bytes }) => node.endpoints.includes(from) && bytes[0] === 4)
    .map(({ bytes }) => `${readU32LE(bytes, 4)} ${readU64LE(bytes, 8)}`);
}

/** Two nodes: a has a tunnel to b, which has its session unconfirmed, and nothing else, for what a says on it is lost. */
function unconfirmed(seed: number): { readonly net: Net; readonly a: Node; readonly b: Node } {
  const net = new Net(seed);
  const [a, b] = [new Node(net, 1), new Node(net, 2)];
  a.learn(b);
  b.learn(a);
  net.tamper = (flight) => (a.endpoints.includes(flight.from) && !isHandshake(flight) ? [] : [flight]);
  a.tunnels.want(b.peer, net.now);
  net.runUntil(() => a.state(b) === 'established', 1_000);
  return { net, a, b };
}

describe('tunnels that another weftd of the node goes on with', () => {
  it('carry packets both ways at once, without a handshake, and no nonce is used twice', () => {
    const { net, a, b } = pair(1);
    net.record = true;
    a.say(b, 'one');
    b.say(a, 'two');
    net.run(10);
    const path = a.path(b);
    ok(a.succeed(2, a.handOver(), b));
    equal(a.state(b), 'established');
    equal(a.path(b), path);
    a.say(b, 'three');
    b.say(a, 'four');
    net.run(20_000);
    deepEqual(b.delivered, ['one', 'three']);
    deepEqual(a.delivered, ['two', 'four']);
    deepEqual(net.log.filter(isHandshake), []);
    equal(b.state(a), 'established');
    const used = nonces(net, a);
    equal(new Set(used).size, used.length);
    const counters = used.map((nonce) => Number(nonce.split(' ')[1]));
    ok(counters.some((counter) => counter >= HANDOVER_SKIP));
    equal(a.counters.get('tunnel.resumed'), 1);
  });

  it('take no packet that the weftd before took, and all that come late', () => {
    const { net, a, b } = pair(2);
    net.record = true;
    b.say(a, 'one');
    net.run(10);
    net.tamper = () => [];
    const before = net.log.length;
    b.say(a, 'late');
    const late = net.log.slice(before).find(({ bytes }) => bytes[0] === 4)!;
    net.tamper = (flight) => [flight];
    const taken = net.log.slice(0, before).filter(({ to }) => a.endpoints.includes(to));
    ok(a.succeed(2, a.handOver(), b));
    a.delivered.length = 0;
    for (const flight of taken) net.inject(flight);
    net.run(10);
    deepEqual(a.delivered, []);
    ok(a.counters.get('datapath.inReplay') > 0);
    net.inject(late);
    net.inject(late);
    net.run(10);
    deepEqual(a.delivered, ['late']);
  });

  it('are renewed when their session is due, and keep all that was counted', () => {
    const { net, a, b } = pair(3);
    for (let i = 0; i < 5; i++) b.say(a, 'x');
    net.run(60_000);
    const { receivedIpBytes, receivedPackets } = a.sleeve.stats(b.peer);
    const totals = a.sleeve.totals();
    ok(receivedIpBytes > 0);
    net.record = true;
    ok(a.succeed(2, a.handOver(), b));
    equal(a.sleeve.stats(b.peer).receivedIpBytes, receivedIpBytes);
    equal(a.sleeve.stats(b.peer).receivedPackets, receivedPackets);
    deepEqual(a.sleeve.totals(), totals);
    notEqual(a.tunnels.status(b.peer)?.rttMs, undefined);
    net.run(40_000);
    equal(net.log.some(isHandshake), false, 'not due yet');
    net.run(30_000);
    equal(net.log.some(isHandshake), true, 'the session is 130 s old');
    a.say(b, 'after');
    net.run(100);
    ok(b.delivered.includes('after'));
  });

  it('are handed on again and again, with sessions in the place that they have by then', () => {
    const { net, a, b } = pair(8);
    net.run(60_000);
    ok(a.succeed(2, a.handOver(), b));
    // The session that was handed over is the one before the present one now.
    const rekeys = a.counters.get('handshake.completed') + b.counters.get('handshake.completed');
    net.run(75_000);
    ok(a.counters.get('handshake.completed') + b.counters.get('handshake.completed') > rekeys);
    net.record = true;
    ok(a.succeed(3, a.handOver(), b));
    a.say(b, 'one');
    b.say(a, 'two');
    net.run(10);
    ok(a.succeed(4, a.handOver(), b));
    a.say(b, 'three');
    b.say(a, 'four');
    net.run(10);
    deepEqual(b.delivered.slice(-2), ['one', 'three']);
    deepEqual(a.delivered.slice(-2), ['two', 'four']);
    deepEqual(net.log.filter(isHandshake), []);
  });

  it('know the path MTU that was found, and do not ask for it again at once', () => {
    const net = new Net(4);
    const [a, b] = [new Node(net, 1), new Node(net, 2)];
    a.learn(b);
    b.learn(a);
    net.tamper = (flight) => (flight.bytes.length > 1350 ? [] : [flight]);
    a.tunnels.want(b.peer, net.now);
    net.run(20_000);
    const { mtu, mtuConfirmed } = a.tunnels.status(b.peer)!;
    ok(mtu < 1364 && mtuConfirmed, `${mtu}`);
    ok(a.succeed(2, a.handOver(), b));
    deepEqual([a.tunnels.status(b.peer)!.mtu, a.tunnels.status(b.peer)!.mtuConfirmed], [mtu, true]);
    net.run(20_000);
    equal(a.tunnels.status(b.peer)!.mtu, mtu);
  });

  it('go on by a relay', () => {
    const { net, nodes } = mesh(3, 5);
    const [a, b, c] = nodes as [Node, Node, Node];
    const apart = ({ from, to }: Flight): boolean =>
      (a.endpoints.includes(from) && b.endpoints.includes(to)) ||
      (b.endpoints.includes(from) && a.endpoints.includes(to));
    net.tamper = (flight) => (apart(flight) ? [] : [flight]);
    for (const node of [a, b]) node.tunnels.setRelays((node === a ? b : a).peer, [c.peer], net.now);
    a.tunnels.want(c.peer, net.now);
    b.tunnels.want(c.peer, net.now);
    net.run(200);
    a.tunnels.want(b.peer, net.now);
    net.run(5_000);
    equal(a.path(b), `relay ${c.peer}`);
    ok(a.succeed(2, a.handOver(), b, c));
    equal(a.path(b), `relay ${c.peer}`);
    net.record = true;
    a.say(b, 'by c');
    net.run(100);
    deepEqual(b.delivered, ['by c']);
    deepEqual(net.log.filter(isHandshake), []);
  });

  it('go on though a session waits for its confirmation', () => {
    const { net, a, b } = pair(6);
    net.run(6_000);
    // The answer of b to a rekey that a begins is lost, so b has a session that nobody confirmed.
    net.tamper = (flight) => (flight.bytes[0] === 2 ? [] : [flight]);
    net.runUntil(() => b.counters.get('handshake.answered') > 1, 130_000);
    net.tamper = (flight) => [flight];
    ok(b.succeed(2, b.handOver(), a));
    a.say(b, 'still');
    b.say(a, 'here');
    net.run(2_000);
    deepEqual(b.delivered, ['still']);
    deepEqual(a.delivered, ['here']);
  });

  it('go on though nobody has said a word on their only session yet', () => {
    const { net, a, b } = unconfirmed(11);
    equal(b.state(a), 'idle');
    ok(b.succeed(2, b.handOver(), a));
    equal(b.counters.get('tunnel.resumed'), 1);
    net.tamper = (flight) => [flight];
    net.record = true;
    a.say(b, 'first word');
    net.run(1_000);
    deepEqual(b.delivered, ['first word']);
    equal(b.state(a), 'established');
    b.say(a, 'answer');
    net.run(1_000);
    deepEqual(a.delivered, ['answer']);
    deepEqual(net.log.filter(isHandshake), []);
    net.run(400_000);
    equal(b.state(a), 'established');
  });

  it('end where a session that was handed over is not confirmed in time', () => {
    const { net, a, b } = unconfirmed(12);
    ok(b.succeed(2, b.handOver(), a));
    net.tamper = () => [];
    const [only] = b.tunnels.handOver(b.kept).tunnels;
    equal(only?.sessions[0]?.role, 'next');
    net.run(31_000);
    equal(b.kept.keys(only!.sessions[0]!.localIndex), undefined);
    deepEqual(b.tunnels.handOver(b.kept).tunnels, []);
  });

  it('are made anew where nothing came, and not before that is known', () => {
    const { net, a, b } = pair(7);
    a.start(2, true);
    a.learn(b);
    net.record = true;
    a.tunnels.want(b.peer, net.now);
    a.tunnels.sendControl(b.peer, 1, Uint8Array.of(7), net.now);
    a.say(b, 'waits');
    net.run(500);
    deepEqual(net.log, []);
    equal(a.tunnels.resume(undefined, net.now), false);
    net.run(500);
    deepEqual(b.delivered, ['waits']);
    equal(b.messages().length, 1);
  });

  it('are made anew for peers that are not known, or have another key by now', () => {
    const { net, nodes } = mesh(3, 8);
    const [a, b, c] = nodes as [Node, Node, Node];
    a.tunnels.want(b.peer, net.now);
    a.tunnels.want(c.peer, net.now);
    net.run(200);
    const bytes = a.handOver();
    a.start(2, true);
    a.tunnels.setPeer(
      b.peer,
      { noiseKey: c.identity.noise.publicKey, endpoints: b.endpoints, epoch: 1 },
      net.now,
    );
    const before = a.tunnels.indexCount;
    equal(a.succeed(2, bytes, b), false, 'c is not known');
    equal(a.state(b), 'established');
    equal(a.counters.get('tunnel.notResumed'), 1);
    equal(before, 0);
    a.learn(c);
    a.say(c, 'anew');
    net.run(500);
    deepEqual(c.delivered, ['anew']);
  });

  it('are no reason for a handshake to a peer that is told of the take-over', () => {
    const { net, a, b } = pair(9);
    const since = a.epoch;
    ok(a.succeed(2, a.handOver(), b));
    net.record = true;
    const info = { noiseKey: a.identity.noise.publicKey, endpoints: a.endpoints };
    b.tunnels.setPeer(a.peer, { ...info, epoch: since }, net.now);
    net.run(1_000);
    deepEqual(net.log.filter(isHandshake), []);
    // One that does not know of take-overs goes by the epoch of the record.
    b.tunnels.setPeer(a.peer, { ...info, epoch: 2 }, net.now);
    a.say(b, 'meanwhile');
    net.run(1_000);
    ok(net.log.some(isHandshake));
    deepEqual(b.delivered, ['meanwhile']);
    b.say(a, 'and after');
    net.run(100);
    deepEqual(a.delivered, ['and after']);
  });

  it('leave no keys with the weftd before', () => {
    const { net, a, b } = pair(10);
    net.run(10);
    const [handed] = a.tunnels.handOver(a.kept).tunnels;
    const [{ sendKey, localIndex }] = handed!.sessions as [(typeof handed & object)['sessions'][0]];
    ok(sendKey.some((byte) => byte !== 0));
    a.handOver();
    equal(a.kept.keys(localIndex), undefined);
    equal(a.state(b), 'established');
  });
});
