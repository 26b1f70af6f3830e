import assert from 'node:assert/strict';
import { compareBytes } from '../../../../base/bytes.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import { at, mesh, Net, Node, pair } from './tunnel-net.ts';

/** What the network beneath does to tunnels that stand, or are to be made. */
describe('tunnels over an underlay that changes', () => {
  before(() => cryptoReady);

  it('find out that a path became narrower without a word, though next to nothing is sent', () => {
    const { net, a, b } = pair(101);
    net.run(5_000);
    assert.equal(a.tunnels.status(b.peer)?.mtu, 1364);
    net.tamper = (flight) => (flight.bytes.length > 1336 ? [] : [flight]);
    // As TCP does with a segment that is swallowed: again, and ever more rarely, and nothing comes back.
    const took = net.runUntil(() => {
      if (Math.floor(net.now) % 800 === 0) a.say(b, 'x'.repeat(1300));
      return a.tunnels.status(b.peer)!.mtu <= 1300;
    }, 60_000);
    assert.ok(took !== undefined && took < 8_000, `${took} ms`);
  });

  it('find it out within half a minute where other packets go both ways', () => {
    const { net, a, b } = pair(102);
    net.run(5_000);
    net.tamper = (flight) => (flight.bytes.length > 1336 ? [] : [flight]);
    const took = net.runUntil(() => {
      if (Math.floor(net.now) % 2_000 === 0) a.say(b, 'x'.repeat(1300));
      if (Math.floor(net.now) % 1_000 === 0) {
        a.say(b, 'question');
        b.say(a, 'answer');
      }
      return a.tunnels.status(b.peer)!.mtu <= 1300;
    }, 120_000);
    assert.ok(took !== undefined && took < 37_000, `${took} ms`);
  });

  it('prove nothing again while nothing is sent', () => {
    const { net, a } = pair(103);
    net.run(5_000);
    net.record = true;
    net.run(300_000);
    assert.equal(net.log.filter(({ bytes }) => bytes.length > 1336).length, 0);
    assert.equal(a.counters.get('tunnel.mtuLowered'), 0);
  });

  it('move to the peer’s new address as soon as its record names it', () => {
    const { net, a, b } = pair(104);
    net.run(5_000);
    b.endpoints = [at('192.0.2.77:6783')];
    a.learn(b);
    const took = net.runUntil(() => a.path(b) === '192.0.2.77:6783', 30_000);
    assert.ok(took !== undefined && took < 500, `${took} ms`);
    assert.equal(a.state(b), 'established');
  });

  it('keep the address in use where the peer merely adds one', () => {
    const { net, a, b } = pair(105);
    net.run(5_000);
    b.endpoints = [at('192.0.2.2:6783'), at('192.0.2.77:6783')];
    a.learn(b);
    net.run(5_000);
    assert.equal(a.path(b), '192.0.2.2:6783');
  });

  it('look for a direct way at once when our own addresses change', () => {
    const { net, nodes } = mesh(3, 106);
    const [a, b, c] = nodes as [Node, Node, Node];
    const apart = (from: string, to: string): boolean =>
      (from === a.endpoints[0] && to === b.endpoints[0]) ||
      (from === b.endpoints[0] && to === a.endpoints[0]);
    net.tamper = (flight) => (apart(flight.from, flight.to) ? [] : [flight]);
    for (const [from, to] of [
      [a, c],
      [b, c],
      [a, b],
      [b, a],
    ] as const) {
      from.tunnels.setRelays(to.peer, [c.peer], net.now);
      from.tunnels.want(to.peer, net.now);
    }
    // So long that the direct way is tried once a minute only.
    net.run(200_000);
    assert.equal(a.path(b), `relay ${c.peer}`);
    net.tamper = (flight) => [flight];
    a.tunnels.ownEndpointsChanged(net.now);
    const took = net.runUntil(() => a.path(b) === '192.0.2.2:6783', 30_000);
    assert.ok(took !== undefined && took < 500, `${took} ms`);
  });

  it('find the one address of sixteen that leads somewhere, within a second', () => {
    const net = new Net(107);
    const [a, b] = [new Node(net, 1), new Node(net, 2)];
    const bridges = Array.from({ length: 15 }, (_, i) => at(`172.${17 + i}.0.1:6783`));
    a.learn(b);
    b.learn(a);
    const info = { noiseKey: b.identity.noise.publicKey, endpoints: [...bridges, b.endpoints[0]!], epoch: 1 };
    a.tunnels.setPeer(b.peer, info, net.now);
    a.tunnels.want(b.peer, net.now);
    const took = net.runUntil(() => a.state(b) === 'established' && a.path(b) !== undefined, 30_000);
    assert.ok(took !== undefined && took < 1_000, `${took} ms`);
  });

  it('carry a message that came before them', () => {
    const { net, nodes } = mesh(2, 108);
    const [a, b] = nodes as [Node, Node];
    assert.equal(a.tunnels.sendControl(b.peer, 1, new TextEncoder().encode('ping'), net.now), true);
    net.run(100);
    assert.deepEqual(
      b.messages().map(({ text }) => text),
      ['ping'],
    );
  });

  it('keep few messages, and none for long', () => {
    const { net, nodes } = mesh(2, 109);
    const [a, b] = nodes as [Node, Node];
    net.tamper = () => [];
    for (let i = 0; i < 10; i++) a.tunnels.sendControl(b.peer, 1, new TextEncoder().encode(`${i}`), net.now);
    net.run(1_000);
    net.tamper = (flight) => [flight];
    net.run(10_000);
    const heard = b.messages().map(({ text }) => text);
    assert.ok(heard.length <= 4 && heard.every((text) => Number(text) >= 6), heard.join());
    b.events.length = 0;
    net.tamper = () => [];
    a.tunnels.removePeer(b.peer, net.now);
    a.learn(b);
    a.tunnels.sendControl(b.peer, 1, new TextEncoder().encode('old'), net.now);
    net.run(5_000);
    net.tamper = (flight) => [flight];
    net.run(30_000);
    assert.equal(a.state(b), 'established');
    assert.deepEqual(b.messages(), []);
  });

  it('stand at once where both ends begin and only one of them can be reached', () => {
    const { net, nodes } = mesh(2, 110);
    const [first, second] = nodes as [Node, Node];
    const lower = compareBytes(first.identity.noise.publicKey, second.identity.noise.publicKey) < 0;
    const [open, hidden] = lower ? [first, second] : [second, first];
    // A NAT: nobody reaches the hidden end at its own address, only at the one that its packets seem to come from.
    const seen = at('198.51.100.1:40000');
    let spoke = false;
    net.tamper = ({ from, to, bytes }) => {
      if (from === hidden.endpoints[0]) {
        spoke = true;
        return [{ from: seen, to, bytes }];
      }
      return to === seen && spoke ? [{ from, to: hidden.endpoints[0]!, bytes }] : [];
    };
    open.tunnels.want(hidden.peer, net.now);
    hidden.tunnels.want(open.peer, net.now);
    const took = net.runUntil(
      () => open.state(hidden) === 'established' && hidden.state(open) === 'established',
      30_000,
    );
    assert.ok(took !== undefined && took < 200, `${took} ms`);
  });

  it('ping often enough for the NATs of clouds, which forget a flow after 30 s', () => {
    const { net, a } = pair(111);
    net.run(1_000);
    net.record = true;
    net.run(600_000);
    const sent = net.log.filter(({ from }) => from === a.endpoints[0]).map(({ at: when }) => when);
    const longest = Math.max(...sent.slice(1).map((when, i) => when - sent[i]!));
    assert.ok(longest < 30_000, `${longest} ms of silence`);
  });
});
