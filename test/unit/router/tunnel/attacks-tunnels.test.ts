import { strict as assert } from 'node:assert';
import { randomBelow } from '../../../../base/random.ts';
import { RESPONSE_BODY_LENGTH } from '../../../../router/handshake/handshake.ts';
import { UNREADABLE_MAX } from '../../../../router/tunnel/handshake-initiator.ts';
import { ACCEPT_INTERVAL_MS } from '../../../../router/tunnel/handshake-responder.ts';
import { REKEY_AT_LEAST_MS } from '../../../../router/tunnel/sessions.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { HostileMember } from './hostile-member.ts';
import { at, type Flight, mesh, Net, Node, pair } from './tunnel-net.ts';

/** Somebody who is no party to anything, and whom somebody else would like to see flooded. */
const VICTIM = at('198.51.100.200:53');
const LAIR = at('203.0.113.13:6783');

const isInitiation = ({ bytes }: Flight): boolean => bytes[0] === 1;
const isData = ({ bytes }: Flight): boolean => bytes[0] === 4;
const bytesOf = (flights: readonly Flight[]): number =>
  flights.reduce((sum, { bytes }) => sum + bytes.length, 0);

function withMember(seed: number): { net: Net; node: Node; member: HostileMember } {
  const net = new Net(seed);
  const node = new Node(net, 1);
  const member = new HostileMember(net, seed + 1000, [LAIR]);
  net.tamper = member.hear;
  net.record = true;
  return { net, node, member };
}

describe('attacks: a member that aims a tunnel at somebody else', () => {
  it('does not succeed by publishing the address and confirming a session from it', () => {
    const { net, node, member } = withMember(70);
    member.introduce(node, [VICTIM, LAIR]);
    const session = member.session(node, LAIR);
    for (let i = 0; i < 20; i++) {
      session.send(VICTIM, i, 2, Uint8Array.of(1));
      net.run(100);
    }
    assert.equal(node.tunnels.status(member.identity.peer)?.path, undefined);
    const sent = 204 + 20 * 37;
    const toVictim = bytesOf(net.log.filter(({ to }) => to === VICTIM));
    assert.ok(toVictim <= 3 * sent, `${toVictim} bytes for ${sent}`);
    assert.ok(net.log.every(({ to, bytes }) => to !== VICTIM || bytes.length < 210));
  });

  it('does not succeed when the same initiation was sent from there as well', () => {
    const { net, node, member } = withMember(71);
    member.introduce(node, [VICTIM, LAIR]);
    const to = node.endpoints[0]!;
    const { message, packet } = member.initiation(node);
    net.inject({ from: VICTIM, to, bytes: packet });
    net.run(5);
    net.inject({ from: LAIR, to, bytes: packet });
    net.run(5);
    const response = message.readResponse(member.heard.at(-1)!.bytes);
    assert.ok(response.ok, 'the answer is the same for both');
    assert.equal(node.counters.get('handshake.repeated'), 1);
  });

  it('does not succeed by answering from there an initiation that went to several addresses', () => {
    for (const published of [
      [VICTIM, LAIR],
      [LAIR, VICTIM],
    ]) {
      const { net, node, member } = withMember(72);
      member.introduce(node, published);
      let answers = 0;
      member.onHeard = ({ bytes }) => {
        if (bytes[0] !== 1) return;
        // Late enough for the other address to have been asked.
        const packet = member.answer(bytes, node, 77);
        net.fault.delayMs = 120;
        net.inject({ from: VICTIM, to: node.endpoints[0]!, bytes: packet });
        net.fault.delayMs = 0.2;
        answers++;
      };
      node.tunnels.want(member.identity.peer, net.now);
      net.run(3000);
      assert.ok(answers >= 1);
      assert.equal(node.counters.get('handshake.completed') >= 1, true);
      const { path } = node.tunnels.status(member.identity.peer)!;
      assert.ok(path === undefined || path.kind !== 'direct' || path.endpoint !== VICTIM);
      // Initiations go where the record says; of the session no more than pings and challenges.
      const data = net.log.filter((flight) => flight.to === VICTIM && isData(flight));
      assert.ok(bytesOf(data) <= 3 * 120 * answers, `${bytesOf(data)} bytes`);
      assert.ok(data.every(({ bytes }) => bytes.length <= 52));
    }
  });

  it('and an honest peer of several addresses is still proven in a round trip', () => {
    const net = new Net(73);
    const a = new Node(net, 1);
    const b = new Node(net, 2, { endpoints: ['10.9.9.9:6783', '192.0.2.2:6783'] });
    net.tamper = (flight) =>
      flight.to === '10.9.9.9:6783'
        ? []
        : [flight.from === '10.9.9.9:6783' ? { ...flight, from: at('192.0.2.2:6783') } : flight];
    a.learn(b);
    b.learn(a);
    a.say(b, 'waits a little');
    const took = net.runUntil(() => b.delivered.length === 1, 1000);
    assert.ok(took! < 60, `${took} ms`);
    assert.equal(a.path(b), '192.0.2.2:6783');
  });
});

describe('attacks: a member that wants our time', () => {
  it('cannot have us make initiations as fast as it refuses them', () => {
    const { net, node, member } = withMember(74);
    member.introduce(node, [LAIR]);
    member.onHeard = ({ bytes }) => {
      if (bytes[0] === 1)
        net.inject({ from: LAIR, to: node.endpoints[0]!, bytes: member.answer(bytes, node) });
    };
    node.tunnels.want(member.identity.peer, net.now);
    net.run(10_000);
    const initiations = net.log.filter(isInitiation).length;
    assert.ok(initiations >= 3 && initiations <= 30, `${initiations} in 10 s`);
    assert.ok(node.tunnels.indexCount <= 1);
  });

  it('cannot have us try its forged responses as fast as it sends them, nor keep the true one out from elsewhere', () => {
    const { net, node, member } = withMember(78);
    const other = new Node(net, 2);
    node.learn(other);
    other.learn(node);
    net.fault.delayMs = 20;
    net.tamper = (flight) => {
      if (!isInitiation(flight) || flight.to !== other.endpoints[0]) return [flight];
      // It saw the initiation pass, and is faster.
      const forged = new Uint8Array(RESPONSE_BODY_LENGTH);
      forged[0] = 2;
      forged.set(flight.bytes.subarray(4, 8), 4);
      forged.fill(9, 8, 40);
      const bytes = member.stamped(forged, node);
      for (let i = 0; i < 1000; i++) {
        const from = at(`198.18.0.${1 + (i % 200)}:6783`);
        net.inject({ from, to: flight.from, bytes });
      }
      return [flight];
    };
    node.tunnels.want(other.peer, net.now);
    net.run(200);
    assert.equal(node.counters.get('handshake.responseUnreadable'), UNREADABLE_MAX);
    assert.equal(node.state(other), 'established');
  });

  it('cannot have us rekey without end by counting its packets up', () => {
    const { net, node, member } = withMember(75);
    member.introduce(node, [LAIR]);
    const session = member.session(node, LAIR);
    session.send(LAIR, 2 ** 53 - 1, 0, new Uint8Array(0));
    net.run(REKEY_AT_LEAST_MS - 100);
    assert.equal(node.counters.get('handshake.initiationsSent'), 0);
    net.run(500);
    assert.ok(node.counters.get('handshake.initiationsSent') >= 1);
  });

  it('gets no more sessions a second with tokens that nobody gave it', () => {
    const { net, node, member } = withMember(76);
    member.introduce(node, [LAIR]);
    const token = new Uint8Array(16).fill(9);
    for (let i = 0; i < 90; i++) {
      const { packet } = member.initiation(node, { token });
      net.inject({ from: LAIR, to: node.endpoints[0]!, bytes: packet });
      net.run(5);
    }
    assert.ok(node.counters.get('handshake.answered') <= 1 + (90 * 5) / ACCEPT_INTERVAL_MS);
    assert.ok(node.tunnels.indexCount <= 2);
  });

  it('makes nothing throw or grow with 6000 sealed plaintexts of any kind', () => {
    const { net, node, member } = withMember(77);
    net.record = false;
    const other = new Node(net, 2);
    node.learn(other);
    other.learn(node);
    node.tunnels.want(other.peer, net.now);
    member.introduce(node, [LAIR]);
    const session = member.session(node, LAIR);
    const random = seededRandom(5);
    for (let i = 0; i < 6000; i++) {
      const plaintext = random.bytes(4 + randomBelow(random, i % 50 === 0 ? 3000 : 90));
      plaintext[0] = randomBelow(random, 5);
      if (randomBelow(random, 4) > 0) plaintext[1] = 0;
      if (randomBelow(random, 2) > 0) plaintext[2] = randomBelow(random, 3);
      if (randomBelow(random, 4) > 0) plaintext[3] = 0;
      if (plaintext[0] === 2 && plaintext.length > 4) plaintext[4] = 120 + randomBelow(random, 16);
      if (plaintext[0] === 3 && plaintext.length > 24) {
        // An envelope for us or for the other: within it anything.
        plaintext.set(Buffer.from((i % 2 ? node : other).peer, 'hex').subarray(0, 16), 4);
        plaintext.set([randomBelow(random, 5), 0, 0, 0], 20);
      }
      session.sendPlaintext(LAIR, i, plaintext);
      if (i % 40 === 0) net.run(20);
    }
    net.run(2000);
    assert.ok(node.tunnels.indexCount <= 8);
    assert.equal(node.delivered.length, 0);
    assert.equal(node.state(other), 'established');
    node.say(other, 'unmoved');
    net.run(20);
    assert.deepEqual(other.delivered, ['unmoved']);
  });
});

describe('attacks: recordings and copies', () => {
  it('of earlier initiations do not keep a restarted node from its own handshakes', () => {
    const { net, nodes } = mesh(2, 80);
    const [a, b] = nodes as [Node, Node];
    net.record = true;
    for (let epoch = 2; epoch < 40; epoch++) {
      a.start(epoch);
      a.learn(b);
      a.tunnels.want(b.peer, net.now);
      net.run(60);
    }
    const old = net.log.filter((flight) => isInitiation(flight) && flight.from === a.endpoints[0]);
    assert.ok(old.length >= 38);
    b.start(2);
    b.learn(a);
    net.tamper = () => []; // the first initiation is lost
    b.tunnels.want(a.peer, net.now);
    net.run(100);
    net.tamper = (flight) => [flight];
    for (const flight of old.slice(0, 10)) {
      net.inject({ ...flight, from: LAIR });
      net.run(200);
    }
    assert.ok(b.counters.get('handshake.answered') >= 5, 'the recordings are taken');
    assert.equal(b.state(a), 'established');
    assert.equal(b.path(a), a.endpoints[0]);
  });

  it('of every packet, sent back to where it came from, do nothing', () => {
    const { net, nodes } = mesh(2, 81);
    const [a, b] = nodes as [Node, Node];
    net.tamper = (flight) => [flight, { from: flight.to, to: flight.from, bytes: flight.bytes }];
    a.say(b, 'there');
    net.run(500);
    b.say(a, 'and back');
    net.run(20_000);
    assert.deepEqual([b.delivered, a.delivered], [['there'], ['and back']]);
    assert.deepEqual([a.state(b), b.state(a)], ['established', 'established']);
    // An own packet that comes back has an unknown index: an alarm, but at most one in ten seconds.
    assert.ok(a.counters.get('handshake.answered') + b.counters.get('handshake.answered') <= 6);
  });

  it('sent ahead from elsewhere while a tunnel is made do not become its path', () => {
    const { net, nodes } = mesh(2, 82);
    const [a, b] = nodes as [Node, Node];
    net.tamper = (flight) => [{ ...flight, from: LAIR }, flight];
    a.say(b, 'one');
    net.run(1000);
    b.say(a, 'two');
    net.run(1000);
    assert.deepEqual([b.delivered, a.delivered], [['one'], ['two']]);
    assert.deepEqual([a.path(b), b.path(a)], [b.endpoints[0], a.endpoints[0]]);
  });

  it('of one tunnel are worth nothing at another node', () => {
    const { net, nodes } = mesh(3, 83);
    const [a, b, c] = nodes as [Node, Node, Node];
    net.record = true;
    a.say(b, 'for b');
    a.say(c, 'for c');
    net.run(2000);
    const before = { ...{ answered: c.counters.get('handshake.answered') } };
    for (const flight of net.log.filter(({ to }) => to === b.endpoints[0])) {
      net.inject({ ...flight, to: c.endpoints[0]! });
      net.run(1);
    }
    net.run(100);
    assert.deepEqual([b.delivered, c.delivered], [['for b'], ['for c']]);
    assert.equal(c.counters.get('handshake.answered'), before.answered);
    assert.ok(c.counters.get('handshake.badMac1') >= 1);
  });
});

describe('attacks: a relay', () => {
  it('that doubles, replays and reorders delivers each packet once and moves no path', () => {
    const net = new Net(84);
    const [a, b, r] = [new Node(net, 1), new Node(net, 2), new Node(net, 3)] as const;
    for (const node of net.nodes) node.learn(...net.nodes.filter((other) => other !== node));
    const ends = [a.endpoints[0], b.endpoints[0]];
    const kept: Flight[] = [];
    net.tamper = (flight) => {
      if (ends.includes(flight.from) && ends.includes(flight.to)) return [];
      if (flight.from !== r.endpoints[0] || flight.bytes[0] !== 4) return [flight];
      kept.push(flight);
      return [flight, flight, kept[(kept.length * 7) % kept.length]!, ...kept.slice(-20).reverse()];
    };
    a.tunnels.setRelays(b.peer, [r.peer], net.now);
    b.tunnels.setRelays(a.peer, [r.peer], net.now);
    a.tunnels.want(r.peer, net.now);
    b.tunnels.want(r.peer, net.now);
    a.tunnels.want(b.peer, net.now);
    net.run(5000);
    assert.equal(a.path(b), `relay ${r.peer}`);
    const said = Array.from({ length: 50 }, (_, i) => `${i}`);
    for (const text of said) {
      a.say(b, text);
      net.run(5);
    }
    net.run(1000);
    assert.deepEqual([...b.delivered].sort(), [...said].sort());
    assert.equal(a.path(b), `relay ${r.peer}`);
    assert.ok(b.counters.get('datapath.inReplay') > 50);
  });

  it('that tells of handshakes in others’ names gets no more than its share of our time', () => {
    const { net, node, member } = withMember(85);
    member.introduce(node, [LAIR]);
    const session = member.session(node, LAIR);
    const id = Buffer.from(node.peer, 'hex').subarray(0, 16);
    const before = node.counters.get('handshake.unreadable');
    for (let i = 0; i < 1000; i++) {
      const packet = member.initiation(node).packet;
      packet[100]! ^= 1; // a right mac1 over nonsense
      session.send(LAIR, i, 3, Buffer.concat([id, member.stamped(packet.subarray(0, 172), node)]), 1);
      net.run(1);
    }
    const read = node.counters.get('handshake.unreadable') - before;
    assert.ok(read >= 5 && read <= 26, `${read} read in a second`);
    assert.ok(node.counters.get('handshake.limited') > 900);
  });
});

describe('attacks: a removed peer', () => {
  it('is heard no more, by its session or by a handshake', () => {
    const { net, a, b } = pair(86);
    b.say(a, 'still a member');
    net.run(10);
    a.tunnels.removePeer(b.peer, net.now);
    const dropped = a.counters.get('datapath.inUnknownIndex');
    b.say(a, 'not any more');
    net.run(60_000);
    b.tunnels.want(a.peer, net.now);
    net.run(5000);
    assert.deepEqual(a.delivered, ['still a member']);
    assert.ok(a.counters.get('datapath.inUnknownIndex') > dropped);
    assert.ok(a.counters.get('handshake.unknownPeer') >= 1);
    assert.equal(a.tunnels.indexCount, 0);
  });
});
