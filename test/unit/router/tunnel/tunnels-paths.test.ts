import { strict as assert } from 'node:assert';
import { at, type Flight, mesh, Net, Node, pair } from './tunnel-net.ts';

/** Cuts the direct way between two nodes, both directions. */
function cut(net: Net, a: Node, b: Node): void {
  net.tamper = (flight) => (between(flight, a, b) ? [] : [flight]);
}

function between({ from, to }: Flight, a: Node, b: Node): boolean {
  return (
    (a.endpoints.includes(from) && b.endpoints.includes(to)) ||
    (b.endpoints.includes(from) && a.endpoints.includes(to))
  );
}

/** A, B and a relay R that has tunnels to both; A and B know each other but cannot reach each other directly. */
function trio(seed: number): { net: Net; a: Node; b: Node; r: Node } {
  const { net, nodes } = mesh(3, seed);
  const [a, b, r] = nodes as [Node, Node, Node];
  for (const node of [a, b]) {
    node.tunnels.want(r.peer, net.now);
    node.tunnels.setRelays(node === a ? b.peer : a.peer, [r.peer], net.now);
  }
  net.run(100);
  return { net, a, b, r };
}

describe('tunnels: relays', () => {
  it('carry a tunnel when the direct way is shut, after about a second, unreadable for the relay', () => {
    const { net, a, b, r } = trio(1);
    cut(net, a, b);
    net.record = true;
    a.say(b, 'over the relay');
    const took = net.runUntil(() => b.delivered.length > 0, 5000);
    assert.ok(took! < 2500, `${took} ms`);
    assert.equal(a.path(b), `relay ${r.peer}`);
    b.say(a, 'and back');
    net.run(100);
    assert.deepEqual(a.delivered, ['and back']);
    assert.equal(b.path(a), `relay ${r.peer}`);
    const text = new TextDecoder('latin1');
    assert.ok(net.log.every(({ bytes }) => !text.decode(bytes).includes('over the relay')));
    assert.deepEqual(r.delivered, []);
  });

  it('are left for the direct way when that works again', () => {
    const { net, a, b } = trio(2);
    cut(net, a, b);
    a.tunnels.want(b.peer, net.now);
    net.run(10_000);
    assert.match(a.path(b)!, /^relay/);
    net.tamper = (flight) => [flight];
    const took = net.runUntil(() => a.path(b) === b.endpoints[0] && b.path(a) === a.endpoints[0], 61_000);
    assert.ok(took !== undefined);
    assert.equal(a.counters.get('handshake.completed') <= 2, true, 'by a challenge, without a new handshake');
  });

  it('take over within 18 s when a direct way in use dies under traffic, and the traffic goes on', () => {
    const { net, a, b } = trio(3);
    a.tunnels.want(b.peer, net.now);
    net.run(1000);
    assert.equal(a.path(b), b.endpoints[0]);
    cut(net, a, b);
    let count = 0;
    const took = net.runUntil(() => {
      a.say(b, `${count++}`);
      net.run(99);
      return b.delivered.length > 0;
    }, 30_000);
    assert.ok(took! < 18_000, `${took} ms`);
    assert.match(a.path(b)!, /^relay/);
    assert.ok(net.runUntil(() => /^relay/.test(b.path(a) ?? ''), 5000) !== undefined);
  });

  it('take over within 4 s when the failure detector doubts the peer', () => {
    const { net, a, b } = trio(4);
    a.tunnels.want(b.peer, net.now);
    net.run(1000);
    cut(net, a, b);
    a.tunnels.suspectPath(b.peer, net.now);
    const took = net.runUntil(() => /^relay/.test(a.path(b) ?? ''), 10_000);
    assert.ok(took! < 4000, `${took} ms`);
  });

  it('are not taken for a doubt without reason', () => {
    const { net, a, b } = trio(5);
    a.tunnels.want(b.peer, net.now);
    net.run(1000);
    a.tunnels.suspectPath(b.peer, net.now);
    net.run(10_000);
    assert.equal(a.path(b), b.endpoints[0]);
    assert.equal(a.counters.get('tunnel.pathDead'), 0);
  });

  it('that are removed give way to another within 3 s, under traffic', () => {
    const { net, nodes } = mesh(4, 9);
    const [a, b, r, other] = nodes as [Node, Node, Node, Node];
    cut(net, a, b);
    const relays = (...peers: Node[]): void => {
      const ids = peers.map(({ peer }) => peer);
      a.tunnels.setRelays(b.peer, ids, net.now);
      b.tunnels.setRelays(a.peer, ids, net.now);
    };
    for (const node of [a, b]) for (const via of [r, other]) node.tunnels.want(via.peer, net.now);
    relays(r);
    a.tunnels.want(b.peer, net.now);
    net.run(5000);
    a.say(b, 'there');
    net.run(50);
    b.say(a, 'and back');
    net.run(50);
    assert.deepEqual([a.path(b), a.delivered], [`relay ${r.peer}`, ['and back']]);
    for (const node of [a, b]) node.tunnels.removePeer(r.peer, net.now);
    relays(other);
    let turns = 0;
    const took = net.runUntil(() => {
      if (turns++ % 100 === 0) a.say(b, 'again');
      return b.delivered.includes('again');
    }, 60_000);
    assert.ok(took! < 3000, `${took} ms`);
  });

  it('that cannot be reached are wanted first', () => {
    const { net, nodes } = mesh(3, 6);
    const [a, b, r] = nodes as [Node, Node, Node];
    r.tunnels.want(b.peer, net.now);
    net.run(100);
    a.tunnels.setRelays(b.peer, [r.peer], net.now);
    cut(net, a, b);
    a.say(b, 'x');
    assert.ok(net.runUntil(() => a.state(b) === 'established', 5000) !== undefined);
    a.say(b, 'y');
    net.run(10);
    assert.deepEqual(b.delivered.slice(-1), ['y']);
  });

  it('find a direct way that is dead in one direction alone', () => {
    const { net, a, b } = trio(7);
    a.tunnels.want(b.peer, net.now);
    net.run(1000);
    // A's packets to B vanish; B's to A arrive and keep A hearing something.
    net.tamper = (flight) =>
      a.endpoints.includes(flight.from) && b.endpoints.includes(flight.to) ? [] : [flight];
    let count = 0;
    const took = net.runUntil(() => {
      a.say(b, `${count++}`);
      b.say(a, 'stream');
      net.run(99);
      return b.delivered.length > 0;
    }, 40_000);
    assert.ok(took! < 25_000, `${took} ms`);
  });
});

describe('tunnels: roaming', () => {
  it('follow a peer whose address changed, after a challenge', () => {
    const { net, a, b } = pair(20);
    const moved = at('198.51.100.77:4242');
    b.endpoints = [moved];
    net.record = true;
    b.say(a, 'from elsewhere');
    const took = net.runUntil(() => a.path(b) === moved, 2000);
    assert.ok(took! < 50, `${took} ms`);
    const toMoved = net.log
      .filter(({ to }) => to === moved)
      .reduce((sum, { bytes }) => sum + bytes.length, 0);
    assert.ok(toMoved > 0);
    a.say(b, 'there you are');
    net.run(10);
    assert.deepEqual(b.delivered, ['there you are']);
  });

  it('do not follow a valid packet that somebody else sent on from a spoofed address', () => {
    const { net, a, b } = pair(21);
    const spoofed = at('203.0.113.66:9');
    net.record = true;
    // An attacker on the way takes B's packets and sends them on faster, in his own name.
    net.tamper = (flight) =>
      flight.from === b.endpoints[0] && flight.bytes[0] === 4
        ? [{ ...flight, from: spoofed }, flight]
        : [flight];
    for (let i = 0; i < 100; i++) {
      b.say(a, `${i}`);
      a.say(b, `${i}`);
      net.run(100);
    }
    assert.equal(a.path(b), b.endpoints[0]);
    assert.equal(b.delivered.length, 100);
    // What the victim at the spoofed address sees is less than three times what was sent in its name.
    const sum = (pick: (flight: Flight) => boolean): number =>
      net.log.filter(pick).reduce((total, { bytes }) => total + bytes.length, 0);
    const fromB = sum(({ from }) => from === b.endpoints[0]);
    assert.ok(sum(({ to }) => to === spoofed) <= 3 * fromB);
  });

  it('stay when packets come from a second address and the first still answers', () => {
    const net = new Net(22);
    const a = new Node(net, 1);
    const b = new Node(net, 2, { endpoints: ['192.0.2.2:6783', '192.0.2.22:6783'] });
    a.learn(b);
    b.learn(a);
    a.tunnels.want(b.peer, net.now);
    net.run(100);
    // The peer's kernel chooses another source address for every second packet of its pods.
    for (let i = 0; i < 50; i++) {
      b.endpoints.reverse();
      b.say(a, `${i}`);
      b.endpoints.reverse();
      net.run(300);
      assert.equal(a.path(b), '192.0.2.2:6783');
    }
    assert.equal(a.delivered.length, 50);
    assert.ok(a.counters.get('path.challenged') > 0);
    assert.equal(a.counters.get('path.moved'), 0);
  });

  it('a responder behind no record answers the source only after it proved itself', () => {
    const net = new Net(23);
    const a = new Node(net, 1);
    const b = new Node(net, 2);
    a.learn(b);
    // B's record of A names an address that is dead: A sits behind a NAT.
    b.tunnels.setPeer(
      a.peer,
      { noiseKey: a.identity.noise.publicKey, endpoints: [at('10.9.9.9:1')], epoch: 1 },
      net.now,
    );
    a.tunnels.want(b.peer, net.now);
    net.run(200);
    assert.equal(b.path(a), a.endpoints[0]);
    assert.ok(b.counters.get('path.challenged') >= 1);
    b.learn(a);
    b.say(a, 'through the NAT');
    net.run(10);
    assert.deepEqual(a.delivered, ['through the NAT']);
  });

  it('find a way as soon as a packet waits, though every challenge was lost when the tunnel was made', () => {
    for (const wait of [
      (a: Node, b: Node) => a.say(b, 'at last'),
      (a: Node, b: Node) => void a.tunnels.sendControl(b.peer, 1, new Uint8Array(8), a.net.now),
    ]) {
      const net = new Net(24);
      const a = new Node(net, 1);
      const b = new Node(net, 2, { endpoints: ['192.0.2.2:6783', '198.51.100.2:6783'] });
      a.learn(b);
      b.learn(a);
      net.fault.delayMs = 40; // so that the initiation goes to both addresses, and the response proves neither
      const isChallenge = (body: Uint8Array): boolean => body[0] === 128;
      const sendControl = a.sleeve.sendControl.bind(a.sleeve);
      a.sleeve.sendControl = (peer, body, options) => isChallenge(body) || sendControl(peer, body, options);
      a.tunnels.want(b.peer, net.now);
      net.run(3500);
      a.sleeve.sendControl = sendControl;
      assert.deepEqual([a.state(b), a.path(b)], ['established', undefined]);
      wait(a, b);
      const took = net.runUntil(() => a.path(b) !== undefined, 1000);
      assert.ok(took! <= 500, `${took} ms`);
    }
  });
});

describe('tunnels: path MTU', () => {
  const limit = (net: Net, bytes: number): void => {
    net.tamper = (flight) => (flight.bytes.length > bytes ? [] : [flight]);
  };

  it('is full at once and confirmed in a round trip where the underlay carries it', () => {
    const { net, nodes } = mesh(2, 40);
    const [a, b] = nodes as [Node, Node];
    limit(net, 1400);
    a.tunnels.want(b.peer, net.now);
    net.run(20);
    const { mtu, mtuConfirmed } = a.tunnels.status(b.peer)!;
    assert.deepEqual({ mtu, mtuConfirmed }, { mtu: 1364, mtuConfirmed: true });
  });

  it('falls to what a black hole lets through within three seconds, and never below without need', () => {
    for (const bytes of [1399, 1380, 1350, 1316, 1300, 1250, 1200]) {
      const { net, nodes } = mesh(2, 41);
      const [a, b] = nodes as [Node, Node];
      limit(net, bytes);
      a.tunnels.want(b.peer, net.now);
      net.run(1000);
      if (bytes >= 1316) assert.ok(a.tunnels.status(b.peer)!.mtu >= 1280, 'IPv6 has its minimum');
      net.run(7000);
      const { mtu, mtuConfirmed } = a.tunnels.status(b.peer)!;
      assert.ok(mtuConfirmed, `confirmed at ${bytes}`);
      assert.ok(mtu + 36 <= bytes && mtu + 36 > bytes - 16, `${mtu} for ${bytes}`);
    }
  });

  it('is the same through a relay', () => {
    const { net, a, b } = trio(42);
    // The relay's envelope needs 52 bytes more than the packet in it: an underlay of 1500 carries that.
    net.tamper = (flight) => (between(flight, a, b) || flight.bytes.length > 1452 ? [] : [flight]);
    a.tunnels.want(b.peer, net.now);
    net.run(5000);
    assert.match(a.path(b)!, /^relay/);
    const { mtu, mtuConfirmed } = a.tunnels.status(b.peer)!;
    assert.deepEqual({ mtu, mtuConfirmed }, { mtu: 1364, mtuConfirmed: true });
  });

  it('shrinks under traffic when the path does, and grows again', () => {
    const { net, a, b } = pair(43);
    limit(net, 1330);
    for (let i = 0; i < 400; i++) {
      a.say(b, 'x'.repeat(1000));
      net.run(100);
    }
    const shrunk = a.tunnels.status(b.peer)!;
    assert.ok(shrunk.mtu + 36 <= 1330 && shrunk.mtuConfirmed, `${shrunk.mtu}`);
    net.tamper = (flight) => [flight];
    net.run(640_000);
    assert.equal(a.tunnels.status(b.peer)!.mtu, 1364);
  });
});
