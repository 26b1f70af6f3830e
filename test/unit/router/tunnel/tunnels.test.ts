import { strict as assert } from 'node:assert';
import { generateIdentity } from '../../../../crypto/identity.ts';
import { generateKeyPair } from '../../../../crypto/x25519.ts';
import { INITIATION_LENGTH, RESPONSE_LENGTH } from '../../../../router/handshake/handshake.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { at, type Flight, mesh, Net, Node, pair } from './tunnel-net.ts';

const isInitiation = ({ bytes }: Flight): boolean => bytes[0] === 1;
const isData = ({ bytes }: Flight): boolean => bytes[0] === 4;

describe('tunnels: making one', () => {
  it('takes one round trip and carries packets both ways', () => {
    const { net, a, b } = pair(1);
    assert.equal(a.state(b), 'established');
    assert.equal(b.state(a), 'established');
    a.say(b, 'hello');
    b.say(a, 'hello yourself');
    net.run(10);
    assert.deepEqual(b.delivered, ['hello']);
    assert.deepEqual(a.delivered, ['hello yourself']);
    assert.equal(a.counters.get('handshake.initiationsSent'), 1);
  });

  it('happens for the first packet, which waits and is not lost', () => {
    const { net, nodes } = mesh(2, 2);
    const [a, b] = nodes as [Node, Node];
    a.say(b, 'first');
    const took = net.runUntil(() => b.delivered.length > 0, 1000);
    assert.deepEqual(b.delivered, ['first']);
    assert.ok(took! <= 20, `first packet after ${took} ms`);
  });

  it('reports states and carries channel messages, which an unknown tunnel refuses', () => {
    const { net, a, b } = pair(3);
    const states = a.events.flatMap((event) => (event.type === 'peerState' ? [event.state] : []));
    assert.equal(states.at(-1), 'established');
    assert.equal(a.tunnels.sendControl(b.peer, 1, new TextEncoder().encode('swim'), net.now), true);
    assert.equal(a.tunnels.sendControl(b.peer, 200, new Uint8Array(1), net.now), false);
    assert.equal(a.tunnels.sendControl(b.peer, 1, new Uint8Array(1101), net.now), false);
    net.run(10);
    assert.deepEqual(b.messages(), [{ from: a.peer, channel: 1, text: 'swim' }]);
  });

  it('survives heavy loss, doubling and reorder', () => {
    const { net, nodes } = mesh(2, 4);
    const [a, b] = nodes as [Node, Node];
    Object.assign(net.fault, { loss: 0.4, duplicate: 0.3, jitterMs: 80 });
    a.tunnels.want(b.peer, net.now);
    assert.ok(net.runUntil(() => a.state(b) === 'established' && b.state(a) === 'established', 15_000));
    Object.assign(net.fault, { loss: 0 });
    net.run(3000);
    a.say(b, 'through');
    b.say(a, 'back');
    net.run(500);
    assert.ok(b.delivered.includes('through'));
    assert.ok(a.delivered.includes('back'));
  });

  it('works where the round trip is far longer than the first retries', () => {
    const { net, nodes } = mesh(2, 5);
    const [a, b] = nodes as [Node, Node];
    net.fault.delayMs = 900;
    a.tunnels.want(b.peer, net.now);
    b.tunnels.want(a.peer, net.now);
    assert.ok(net.runUntil(() => a.state(b) === 'established' && b.state(a) === 'established', 8000));
    a.say(b, 'far away');
    net.run(2000);
    assert.deepEqual(b.delivered, ['far away']);
  });

  it('ends in one pair of keys when both begin at once', () => {
    for (let seed = 10; seed < 30; seed++) {
      const { net, nodes } = mesh(2, seed);
      const [a, b] = nodes as [Node, Node];
      const jitter = seed % 2 === 1;
      if (jitter) net.fault.jitterMs = 5;
      a.tunnels.want(b.peer, net.now);
      b.tunnels.want(a.peer, net.now);
      net.run(200);
      const dropped = a.counters.get('handshake.simultaneous') + b.counters.get('handshake.simultaneous');
      const completed = a.counters.get('handshake.completed') + b.counters.get('handshake.completed');
      // With jitter the loser's initiation may come in after all is done, and then makes one more session.
      if (!jitter) assert.deepEqual([dropped, completed], [1, 1], 'the lower key ignores the other');
      a.say(b, 'x');
      b.say(a, 'y');
      net.run(50);
      assert.deepEqual([a.delivered, b.delivered], [['y'], ['x']]);
    }
  });

  it('lets the higher key through when the lower one reaches nobody', () => {
    for (const mute of [0, 1]) {
      const { net, nodes } = mesh(2, 31);
      const [a, b] = nodes as [Node, Node];
      const silent = nodes[mute]!;
      net.tamper = (flight) => (isInitiation(flight) && flight.from === silent.endpoints[0] ? [] : [flight]);
      a.tunnels.want(b.peer, net.now);
      b.tunnels.want(a.peer, net.now);
      assert.ok(net.runUntil(() => a.state(b) === 'established' && b.state(a) === 'established', 3000));
    }
  });

  it('takes the other address when the first one is dead', () => {
    const net = new Net(32);
    const a = new Node(net, 1, { endpoints: ['192.0.2.1:6783', '[2001:db8::1]:6783'] });
    const b = new Node(net, 2, { endpoints: ['192.0.2.2:6783', '[2001:db8::2]:6783'] });
    a.learn(b);
    b.learn(a);
    net.tamper = (flight) => (flight.to.startsWith('[') ? [flight] : []);
    a.tunnels.want(b.peer, net.now);
    const took = net.runUntil(() => a.state(b) === 'established', 1000);
    assert.ok(took! < 100, `raced within ${took} ms`);
    assert.equal(a.path(b), '[2001:db8::2]:6783');
  });

  it('gives up after 90 s of silence, says so, and finds the peer when it is back', () => {
    const { net, nodes } = mesh(2, 33);
    const [a, b] = nodes as [Node, Node];
    net.tamper = () => [];
    net.record = true;
    a.tunnels.want(b.peer, net.now);
    net.run(91_000);
    assert.equal(a.state(b), 'unreachable');
    assert.ok(net.log.length < 30, `${net.log.length} packets in 90 s`);
    net.tamper = (flight) => [flight];
    assert.ok(net.runUntil(() => a.state(b) === 'established', 61_000));
  });

  it('refuses itself, a foreign copy of its key, and keys of the wrong length as peers', () => {
    const net = new Net(34);
    const a = new Node(net, 1);
    const other = generateIdentity(seededRandom(1)).peer;
    const info = { noiseKey: a.identity.noise.publicKey, endpoints: [], epoch: 1 };
    assert.deepEqual(a.tunnels.setPeer(a.peer, info, net.now), { ok: false, reason: 'isSelf' });
    assert.deepEqual(a.tunnels.setPeer(other, info, net.now), { ok: false, reason: 'badKey' });
    const short = { ...info, noiseKey: new Uint8Array(31) };
    assert.deepEqual(a.tunnels.setPeer(other, short, net.now), { ok: false, reason: 'badKey' });
  });

  it('does nothing with a peer whose key is a zero point', () => {
    const net = new Net(35);
    const a = new Node(net, 1);
    const other = generateIdentity(seededRandom(2)).peer;
    const info = { noiseKey: new Uint8Array(32), endpoints: [at('192.0.2.9:1')], epoch: 1 };
    assert.ok(a.tunnels.setPeer(other, info, net.now).ok);
    net.record = true;
    a.tunnels.want(other, net.now);
    net.run(5000);
    assert.equal(net.log.length, 0);
    assert.ok(a.counters.get('handshake.badPeerKey') > 0);
    assert.equal(a.tunnels.indexCount, 0);
  });

  it('starts many in turns, not all in one breath', () => {
    const { net, nodes } = mesh(80, 36);
    const a = nodes[0]!;
    net.record = true;
    for (const other of nodes.slice(1)) a.tunnels.want(other.peer, net.now);
    assert.ok(net.log.filter(isInitiation).length <= 32);
    net.run(1000);
    assert.ok(nodes.slice(1).every((other) => a.state(other) === 'established'));
  });
});

describe('tunnels: hostile handshakes', () => {
  it('answer nothing to a node with another secret', () => {
    const net = new Net(40);
    const a = new Node(net, 1);
    const b = new Node(net, 2, {
      secret: 'aa11bb22cc33dd44ee55ff6677889900102132435465768798a9bacbdcedfe0f',
    });
    a.learn(b);
    b.learn(a);
    net.record = true;
    a.tunnels.want(b.peer, net.now);
    net.run(10_000);
    assert.ok(net.log.every(({ from }) => from === a.endpoints[0]));
    assert.equal(b.counters.get('handshake.badMac1'), net.log.length);
    assert.equal(b.tunnels.indexCount, 0);
  });

  it('answer nothing to a member that no record names, until one does', () => {
    const net = new Net(41);
    const a = new Node(net, 1);
    const b = new Node(net, 2);
    a.learn(b);
    net.record = true;
    a.tunnels.want(b.peer, net.now);
    net.run(300);
    assert.ok(net.log.every(({ from }) => from === a.endpoints[0]));
    assert.ok(b.counters.get('handshake.unknownPeer') >= 1);
    assert.equal(b.tunnels.indexCount, 0);
    b.learn(a);
    assert.ok(net.runUntil(() => a.state(b) === 'established', 1000));
  });

  it('refuse a member that says it is another', () => {
    const net = new Net(42);
    const victim = new Node(net, 1);
    const b = new Node(net, 2);
    // Knows the secret and the victim's name, not its key.
    const liar = new Node(net, 3, {
      identity: { ...victim.identity, noise: generateKeyPair(seededRandom(77)) },
    });
    b.learn(victim);
    liar.learn(b);
    liar.tunnels.want(b.peer, net.now);
    net.run(1000);
    assert.ok(b.counters.get('handshake.wrongKey') >= 1);
    assert.equal(liar.state(b), 'handshaking');
    assert.equal(b.tunnels.indexCount, 0);
  });

  it('with a peer that publishes the key and address of another reach neither of the two', () => {
    const net = new Net(43);
    const a = new Node(net, 1);
    const victim = new Node(net, 2);
    a.learn(victim);
    victim.learn(a);
    const mallory = generateIdentity(seededRandom(78)).peer;
    const info = { noiseKey: victim.identity.noise.publicKey, endpoints: victim.endpoints, epoch: 1 };
    a.tunnels.setPeer(mallory, info, net.now);
    a.tunnels.want(mallory, net.now);
    net.run(1000);
    assert.equal(a.tunnels.status(mallory)?.state, 'handshaking');
    assert.ok(victim.counters.get('handshake.unreadable') >= 1);
    a.tunnels.want(victim.peer, net.now);
    net.run(1000);
    assert.equal(a.state(victim), 'established');
  });

  it('ignore replayed initiations, of this session and of earlier ones', () => {
    const { net, nodes } = mesh(2, 44);
    const [a, b] = nodes as [Node, Node];
    net.record = true;
    a.tunnels.want(b.peer, net.now);
    net.run(250_000); // with rekeys
    const initiations = net.log.filter(isInitiation);
    assert.ok(initiations.length >= 2);
    const before = { indices: b.tunnels.indexCount, answered: b.counters.get('handshake.answered') };
    for (let round = 0; round < 20; round++) {
      for (const flight of initiations) {
        net.inject({ ...flight, from: at('203.0.113.7:99') });
        net.run(100);
      }
    }
    assert.equal(b.counters.get('handshake.answered'), before.answered);
    assert.equal(b.tunnels.indexCount, before.indices);
    assert.ok(b.counters.get('handshake.replayed') >= 20 && b.counters.get('handshake.regressed') >= 20);
    assert.equal(b.path(a), a.endpoints[0]);
    a.say(b, 'unharmed');
    net.run(10);
    assert.deepEqual(b.delivered, ['unharmed']);
  });

  it('serve a restarted peer while its old initiations are replayed as fast as the load allows', () => {
    const { net, nodes } = mesh(2, 50);
    const [a, b] = nodes as [Node, Node];
    net.record = true;
    a.tunnels.want(b.peer, net.now);
    net.run(250_000);
    const initiations = net.log.filter(isInitiation);
    for (const epoch of [2, 1]) {
      a.start(epoch); // the second time its epoch has fallen back, and it needs the token
      a.learn(b);
      let began = false;
      for (let i = 0; i < 300 && !(began && a.state(b) === 'established'); i++) {
        net.inject({ ...initiations[i % initiations.length]!, from: at('203.0.113.7:99') });
        if (i === 5) a.tunnels.want(b.peer, net.now);
        began ||= i === 5;
        net.run(11);
      }
      assert.equal(a.state(b), 'established');
      net.run(50);
      a.say(b, `epoch ${epoch}`);
      net.run(10);
      assert.equal(b.delivered.at(-1), `epoch ${epoch}`);
    }
  });

  it('of a peer that restarts without end make at most 20 sessions a second', () => {
    const { net, nodes } = mesh(2, 51, { loadPerSecond: 1e6 });
    const [a, b] = nodes as [Node, Node];
    for (let i = 0; i < 200; i++) {
      a.start(10 + i);
      a.learn(b);
      a.tunnels.want(b.peer, net.now);
      net.run(5);
      assert.ok(b.tunnels.indexCount <= 4);
    }
    assert.ok(b.counters.get('handshake.answered') <= 21);
    assert.ok(b.counters.get('handshake.tooSoon') > 100);
    assert.ok(net.runUntil(() => a.state(b) === 'established', 1000) !== undefined);
  });

  it('change nothing when a replay is taken after a restart lost the mark', () => {
    const { net, nodes } = mesh(2, 45);
    const [a, b] = nodes as [Node, Node];
    net.record = true;
    a.tunnels.want(b.peer, net.now);
    net.run(1000);
    const old = net.log.find(isInitiation)!;
    b.start(2);
    b.learn(a);
    a.learn(b);
    net.run(1000);
    assert.equal(b.state(a), 'established');
    b.start(3);
    b.learn(a);
    net.inject({ ...old, from: at('203.0.113.7:99') });
    net.run(5);
    assert.equal(b.counters.get('handshake.answered') >= 1, true);
    assert.equal(b.state(a), 'idle');
    assert.equal(b.path(a), undefined);
    b.say(a, 'the real peer');
    net.run(100);
    assert.deepEqual(a.delivered, ['the real peer']);
    assert.equal(b.path(a), a.endpoints[0]);
  });

  it('let a peer back in whose boot epoch fell back, by a token that serves once', () => {
    const { net, a, b } = pair(46);
    a.start(9);
    a.learn(b);
    a.tunnels.want(b.peer, net.now);
    net.run(500);
    assert.equal(a.state(b), 'established');
    // The state folder comes back from an old snapshot.
    a.start(4);
    a.learn(b);
    net.record = true;
    a.tunnels.want(b.peer, net.now);
    const took = net.runUntil(() => a.state(b) === 'established' && b.state(a) === 'established', 1000);
    assert.ok(took! < 100, `in two round trips, ${took} ms`);
    assert.equal(b.counters.get('handshake.regressed'), 1);
    a.say(b, 'restored');
    net.run(10);
    assert.deepEqual(b.delivered, ['restored']);
    const withToken = net.log.filter(isInitiation)[1]!;
    const answered = b.counters.get('handshake.answered');
    net.run(100);
    net.inject(withToken);
    net.run(100);
    assert.equal(b.counters.get('handshake.answered'), answered);
  });

  it('are not confirmed by a recorded initiation, nor by a thief of the responder key', () => {
    const { net, a, b } = pair(47);
    b.say(a, 'before');
    net.run(10);
    // The thief holds B's static key and the secret, and forges an initiation of A's to B: IK lets anyone with the
    // responder's key do that. It does not hold A's key, so what it can do ends there: modelled by A's own fresh
    // initiation whose first packets never arrive.
    net.record = true;
    net.tamper = (flight) => (flight.from === a.endpoints[0] && isData(flight) ? [] : [flight]);
    a.start(2);
    a.learn(b);
    a.tunnels.want(b.peer, net.now);
    const session = b.tunnels.status(b.peer);
    net.run(400);
    assert.equal(session, undefined);
    assert.ok(b.counters.get('handshake.answered') >= 2);
    // B still sends with the confirmed session: nothing it sends opens at the restarted A.
    const index = (flight: Flight): number => new DataView(flight.bytes.buffer).getUint32(4, true);
    const indices = (): Set<number> =>
      new Set(net.log.filter((flight) => flight.from === b.endpoints[0] && isData(flight)).map(index));
    b.say(a, 'still the old session');
    net.run(10);
    const before = indices();
    assert.equal(before.size, 1);
    assert.equal(a.counters.get('datapath.inUnknownIndex') >= 1, true);
    net.tamper = (flight) => [flight];
    net.run(5000);
    b.say(a, 'the new one');
    net.run(10);
    assert.ok(indices().size > before.size);
    assert.ok(a.delivered.includes('the new one'));
  });

  it('ask for cookies under load, from recordings of any number of addresses, and serve who shows one', () => {
    const { net, nodes } = mesh(3, 48, { loadPerSecond: 10 });
    const [a, b, c] = nodes as [Node, Node, Node];
    net.record = true;
    a.tunnels.want(b.peer, net.now);
    net.run(100);
    const recorded = net.log.find(isInitiation)!;
    net.log.length = 0;
    let flood = 0;
    const pour = (): void => {
      for (let i = 0; i < 20; i++) {
        net.inject({ ...recorded, from: at(`203.0.113.${1 + (flood % 250)}:${1000 + (flood >> 4)}`) });
        flood++;
      }
    };
    for (let i = 0; i < 20; i++) {
      pour();
      net.run(10);
    }
    const cookiesBefore = b.counters.get('handshake.cookiesSent');
    assert.ok(cookiesBefore > 300);
    assert.ok(b.counters.get('handshake.replayed') <= 60, 'few cost a Diffie-Hellman');
    const replies = net.log.filter(({ from }) => from === b.endpoints[0] && from !== a.endpoints[0]);
    assert.ok(replies.every(({ bytes }) => bytes.length <= INITIATION_LENGTH));
    c.tunnels.want(b.peer, net.now);
    for (let i = 0; i < 20 && c.state(b) !== 'established'; i++) {
      pour();
      net.run(10);
    }
    assert.equal(c.state(b), 'established');
    assert.equal(c.counters.get('handshake.cookiesTaken'), 1);
  });

  it('keep nothing of 100,000 packets of garbage', () => {
    const { net, a, b } = pair(49);
    net.record = true;
    const real = (() => {
      a.start(2);
      a.learn(b);
      a.tunnels.want(b.peer, net.now);
      net.run(50);
      return net.log.filter((flight) => flight.to === b.endpoints[0]).map(({ bytes }) => bytes);
    })();
    net.record = false;
    const sizes = [INITIATION_LENGTH, RESPONSE_LENGTH, 64, 52, 0, 1, 8, 1400];
    const random = seededRandom(5);
    const indices = b.tunnels.indexCount;
    const names = (): number => Object.keys(b.counters.snapshot()).length;
    const before = process.memoryUsage().heapUsed;
    let kinds = 0;
    for (let i = 0; i < 100_000; i++) {
      const bytes =
        i % 4 === 0
          ? real[i % real.length]!.map((byte, k) => (k === (i >> 2) % 200 ? byte ^ (1 + (i % 255)) : byte))
          : random.bytes(sizes[i % sizes.length]!);
      if (i % 4 !== 0 && bytes.length > 0) bytes.fill(1 + (i % 4), 0, 1).fill(0, 1, 4);
      b.sleeve.handleDatagrams(at(`203.0.113.${1 + (i % 200)}:${1 + (i % 60_000)}`), bytes, net.now);
      if (i === 2000) kinds = names();
      if (i % 5000 === 0) net.run(20);
    }
    assert.equal(b.tunnels.indexCount, indices);
    assert.ok(names() <= kinds + 6, 'the set of counters is closed');
    assert.ok(process.memoryUsage().heapUsed - before < 64 * 2 ** 20);
    assert.equal(b.events.filter((event) => event.type === 'message').length, 0);
    a.say(b, 'alive');
    net.run(10);
    assert.deepEqual(b.delivered.slice(-1), ['alive']);
  });
});

describe('tunnels: keeping one', () => {
  it('rekey every two minutes under traffic and lose nothing', () => {
    const { net, a, b } = pair(60);
    net.fault.jitterMs = 3;
    net.fault.duplicate = 0.1;
    net.record = true;
    let sent = 0;
    for (let i = 0; i < 4000; i++) {
      a.say(b, `a${i}`);
      b.say(a, `b${i}`);
      sent++;
      net.run(100);
    }
    net.run(100);
    assert.equal(new Set(b.delivered).size, sent);
    assert.equal(new Set(a.delivered).size, sent);
    assert.equal(b.delivered.length, sent, 'nothing twice');
    const rekeys = a.counters.get('handshake.completed') + b.counters.get('handshake.completed');
    assert.ok(rekeys >= 4 && rekeys <= 5, `${rekeys} sessions in 400 s`);
    assert.ok(a.tunnels.indexCount <= 4);
  });

  it('rekey, or begin anew, when a session is worn out by any packet of their own', () => {
    const limits = [3, 4, 5, 6, 7, 8].flatMap((few) => [
      { rekeyAfterMessages: few, stopAfterMessages: 1000, maxFailedOpens: 1000 },
      { rekeyAfterMessages: 100, stopAfterMessages: few, maxFailedOpens: 1000 },
    ]);
    for (const each of limits) {
      const net = new Net(50);
      const [a, b] = [new Node(net, 1, { limits: each }), new Node(net, 2, { limits: each })];
      a.learn(b);
      b.learn(a);
      a.tunnels.want(b.peer, net.now);
      net.run(200_000);
      assert.equal(a.state(b), 'established');
      assert.ok(a.counters.get('handshake.completed') + b.counters.get('handshake.completed') > 1);
    }
  });

  it('erase a session after 180 s when no rekey comes through', () => {
    const { net, a, b } = pair(61);
    net.tamper = () => [];
    net.run(181_000);
    assert.notEqual(a.state(b), 'established');
    net.run(60_000);
    assert.ok(a.tunnels.indexCount <= 1, 'at most an initiation under way');
    net.record = true;
    a.say(b, 'never in clear, never under the old key');
    net.run(10);
    assert.equal(net.log.filter(isData).length, 0);
  });

  it('cost an idle peer less than 16 bytes a second each way', () => {
    const { net } = pair(62);
    net.run(5000);
    net.record = true;
    net.run(600_000);
    const bytes = net.log.reduce((sum, flight) => sum + flight.bytes.length + 48, 0);
    assert.ok(bytes / 600 / 2 < 16, `${bytes / 600 / 2} B/s`);
  });

  it('reach a killed and restarted peer within a second, by its own packets', () => {
    const { net, a, b } = pair(63);
    net.run(3000);
    b.start(2);
    b.learn(a); // known peers survive a restart
    net.run(1200);
    assert.equal(b.state(a), 'idle');
    a.say(b, 'lost');
    const took = net.runUntil(() => b.state(a) === 'established', 1000);
    assert.ok(took !== undefined && took < 100, `${took} ms`);
    a.say(b, 'found');
    net.run(10);
    assert.deepEqual(b.delivered.slice(-1), ['found']);
  });

  it('shake hands anew when gossip tells of a restart', () => {
    const { net, a, b } = pair(64);
    net.run(3000);
    b.start(2);
    net.run(10);
    b.learn(a);
    a.learn(b); // carries the new epoch
    net.run(100);
    assert.equal(a.counters.get('tunnel.peerRestarted'), 1);
    a.say(b, 'hello again');
    net.run(10);
    assert.deepEqual(b.delivered, ['hello again']);
    a.learn(b);
    net.run(100);
    assert.equal(a.counters.get('tunnel.peerRestarted'), 1);
  });

  it('do not let a stranger with a spoofed address cause handshakes beside a living session', () => {
    const { net, a, b } = pair(65);
    const before = b.counters.get('handshake.initiationsSent');
    for (let i = 0; i < 50; i++) {
      a.say(b, `${i}`);
      const bytes = new Uint8Array(64);
      bytes[0] = 4;
      bytes[4] = i + 1;
      net.inject({ from: a.endpoints[0]!, to: b.endpoints[0]!, bytes });
      net.run(100);
    }
    assert.equal(b.counters.get('handshake.initiationsSent'), before);
    assert.ok(b.counters.get('tunnel.unknownIndex') > 10);
    // Nor many beside an idle one.
    for (let i = 0; i < 600; i++) {
      const bytes = new Uint8Array(64);
      bytes[0] = 4;
      bytes[4] = i + 1;
      net.inject({ from: a.endpoints[0]!, to: b.endpoints[0]!, bytes });
      net.run(100);
    }
    assert.ok(b.counters.get('handshake.initiationsSent') - before <= 7);
  });

  it('end at once when the peer is removed, with all its state', () => {
    const { net, a, b } = pair(66);
    a.tunnels.removePeer(b.peer, net.now);
    assert.equal(a.tunnels.indexCount, 0);
    assert.equal(a.tunnels.status(b.peer), undefined);
    b.say(a, 'to nobody');
    net.run(100);
    assert.deepEqual(a.delivered, []);
    net.run(200_000);
    assert.equal(a.tunnels.nextTimeout(), undefined);
  });

  it('drop sessions with the holder of an old key when the peer has a new one', () => {
    const { net, a, b } = pair(67);
    const noiseKey = generateKeyPair(seededRandom(3)).publicKey;
    a.tunnels.setPeer(b.peer, { noiseKey, endpoints: b.endpoints, epoch: 1 }, net.now);
    b.say(a, 'with the old key');
    net.run(50);
    assert.deepEqual(a.delivered, []);
    assert.equal(a.state(b), 'handshaking');
  });
});
