import assert from 'node:assert/strict';
import type { PeerId } from '../../../base/peer-id.ts';
import { randomBelow, randomUnit } from '../../../base/random.ts';
import { decodeMessage, encodeMessage, type IpamMessage } from '../../../ipam/model/messages.ts';
import {
  appendToLog,
  councilOf,
  decodeRingLog,
  emptyLog,
  type RingLog,
} from '../../../ipam/ring/ring-log.ts';
import { cidr, genesisOf, type Host, logOf, peerId, V4, V6, World } from './support.ts';

const seedFirst = (node: number) => (node === 0 ? ({ mode: 'seed' } as const) : ({ mode: 'none' } as const));

describe('several Ipams', () => {
  it("share the seed's range on demand and agree who owns what", () => {
    const world = new World({ seed: 1, init: seedFirst, ranges: [V4, V6] });
    for (let i = 0; i < 5; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length >= 2), 10_000);
    world.run(2000);
    for (const host of world.hosts) assert.deepEqual(host.ipam!.owners(), world.hosts[0]!.ipam!.owners());
    for (const host of world.hosts) world.allocate(host, 'pod');
    for (const host of world.hosts) {
      const { addresses } = host.live.get('pod/eth0')!;
      assert.deepEqual(
        addresses.map(({ family }) => family),
        [4, 6],
      );
      for (const address of addresses) assert.equal(world.hosts[0]!.ipam!.ownerOf(address), host.peer);
    }
  });

  it('answer an allocation that waits as soon as a range comes', () => {
    const world = new World({ seed: 2, init: seedFirst });
    const seed = world.addHost();
    world.runUntil(() => seed.ipam!.status().state === 'ready', 2000);
    const late = world.addHost();
    const request = world.allocate(late, 'pod');
    const from = world.now;
    world.runUntil(() => late.answers.has(request), 5000);
    assert.equal(late.answers.get(request)!.type, 'allocated');
    assert.ok(world.now - from < 2000, `took ${world.now - from} ms`);
  });

  it('say no-ring when there is none, and what to do', () => {
    const world = new World({ seed: 3, init: () => ({ mode: 'none' }) });
    const host = world.addHost();
    const request = world.allocate(host, 'pod');
    world.run(10_100);
    assert.deepEqual(host.answers.get(request), {
      type: 'allocateFailed',
      request,
      key: { containerId: 'pod', ifname: 'eth0' },
      reason: 'no-ring',
    });
    assert.match(host.ipam!.status().detail, /--ipalloc-init seed/);
  });

  it('say pool-full quickly when the whole universe is in use', () => {
    const world = new World({ seed: 4, init: seedFirst, ranges: [cidr('10.0.0.0/28')] });
    for (let i = 0; i < 2; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 5000);
    let served = 0;
    for (let i = 0; i < 14; i++) {
      const host = world.hosts[i % 2]!;
      const request = world.allocate(host, `pod-${i}`);
      world.runUntil(() => host.answers.has(request), 10_000);
      if (host.answers.get(request)!.type === 'allocated') served++;
    }
    assert.ok(served >= 13, `served ${served} of 14`);
    world.allocate(world.hosts[0]!, 'more-0');
    world.run(10_000);
    const from = world.now;
    const request = world.allocate(world.hosts[0]!, 'more-1');
    world.runUntil(() => world.hosts[0]!.answers.has(request), 3000);
    const answer = world.hosts[0]!.answers.get(request)!;
    assert.equal(answer.type === 'allocateFailed' && answer.reason, 'pool-full');
    assert.ok(world.now - from < 1500);
  });

  it('keep allocations over a restart and a reboot, until somebody releases them', () => {
    const world = new World({ seed: 5, init: seedFirst });
    const host = world.addHost();
    world.runUntil(() => host.ipam!.status().state === 'ready', 2000);
    world.allocate(host, 'a');
    world.allocate(host, 'b');
    const before = host.ipam!.allocations();
    world.crash(host);
    world.startHost(host);
    assert.deepEqual(host.ipam!.allocations(), before);
    world.crash(host);
    host.boot++;
    world.startHost(host);
    assert.deepEqual(host.ipam!.allocations(), before);
    world.release(host, 'a');
    world.crash(host);
    world.startHost(host);
    assert.deepEqual(
      host.ipam!.allocations().map(({ key }) => key.containerId),
      ['b'],
    );
  });

  it('never answer what is not on disk: a crash before the flush leaves no trace and no answer', () => {
    const world = new World({ seed: 6, init: seedFirst });
    const host = world.addHost();
    world.runUntil(() => host.ipam!.status().state === 'ready', 2000);
    host.ipam!.allocate({ containerId: 'lost', ifname: 'eth0' }, world.now);
    world.crash(host);
    world.startHost(host);
    assert.equal(host.ipam!.allocation({ containerId: 'lost', ifname: 'eth0' }), undefined);
  });

  it('take over the ranges of a peer that is gone, and fence it when it returns', () => {
    const world = new World({ seed: 7, init: seedFirst });
    for (let i = 0; i < 4; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 10_000);
    world.run(3000);
    const [a, , , d] = world.hosts as [
      World['hosts'][0],
      World['hosts'][0],
      World['hosts'][0],
      World['hosts'][0],
    ];
    world.allocate(d, 'pod');
    const lost = d.ipam!.rangesOf(d.peer);
    const early = world.remove(a, d.peer);
    assert.deepEqual(a.answers.get(early), {
      type: 'removeFailed',
      request: early,
      peer: d.peer,
      reason: 'peer-alive',
    });
    world.crash(d);
    d.live.clear();
    world.run(1000);
    const request = world.remove(a, d.peer);
    const from = world.now;
    world.runUntil(() => a.answers.has(request), 20_000);
    assert.deepEqual(a.answers.get(request), { type: 'removed', request, peer: d.peer });
    assert.ok(world.now - from >= 2000, 'the safe wait was kept');
    for (const range of lost) assert.equal(a.ipam!.ownerOf({ family: 4, value: range.start }), a.peer);
    world.startHost(d);
    const eager = world.allocate(d, 'eager');
    world.run(2000);
    const early2 = d.answers.get(eager)!;
    assert.equal(
      early2.type === 'allocateFailed' && early2.reason,
      'removed',
      'it asks around before it allocates',
    );
    assert.equal(d.ipam!.status().state, 'removed');
    assert.equal(d.events.filter(({ type }) => type === 'selfRemoved').length, 1);
    const refused = world.allocate(d, 'again');
    const answer = d.answers.get(refused)!;
    assert.equal(answer.type === 'allocateFailed' && answer.reason, 'removed');
    for (const host of world.hosts) assert.deepEqual(host.ipam!.owners(), a.ipam!.owners());
  });

  it('do not remove a peer without a majority of its council', () => {
    const world = new World({ seed: 8, init: seedFirst });
    for (let i = 0; i < 4; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 10_000);
    world.run(3000);
    const [a, b, c, d] = world.hosts;
    for (const [x, y] of [
      [0, 2],
      [0, 3],
      [1, 2],
      [1, 3],
    ])
      world.cut.add(`${x}|${y}`);
    world.run(500);
    const r1 = world.remove(a!, c!.peer);
    const r2 = world.remove(d!, b!.peer);
    world.runUntil(() => a!.answers.has(r1) && d!.answers.has(r2), 60_000);
    for (const answer of [a!.answers.get(r1)!, d!.answers.get(r2)!])
      assert.equal(answer.type === 'removeFailed' && answer.reason, 'no-majority');
  });

  it('call a second removal of the same peer busy, and still answer the first', () => {
    const world = new World({ seed: 32, init: seedFirst });
    for (let i = 0; i < 4; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 20_000);
    world.run(3000);
    const [a, , , victim] = world.hosts;
    world.crash(victim!);
    world.run(500);
    const first = world.remove(a!, victim!.peer);
    world.run(1000);
    const second = world.remove(a!, victim!.peer);
    const answer = a!.answers.get(second)!;
    assert.equal(answer.type === 'removeFailed' && answer.reason, 'busy');
    world.runUntil(() => a!.answers.has(first), 10_000);
    assert.equal(a!.answers.get(first)!.type, 'removed');
    assert.equal(a!.answers.get(second), answer, 'one answer to each request');
  });

  it('keep what a peer granted after a removal of it came to nothing', () => {
    const world = new World({ seed: 33, init: seedFirst });
    for (let i = 0; i < 5; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 20_000);
    world.run(3000);
    const [a, b, , , subject] = world.hosts;
    for (const other of [0, 1, 2, 3]) world.cut.add(`${other}|4`);
    world.run(500);
    const aborted = world.remove(a!, subject!.peer);
    world.run(1500);
    // Everybody has promised. The initiator votes; before anybody hears of it the subject is seen alive again.
    for (const other of [1, 2, 3]) world.cut.add(`0|${other}`);
    const before = a!.ipam!.status().logBytes;
    world.runUntil(() => a!.ipam!.status().logBytes > before, 10_000);
    world.cut.clear();
    world.runUntil(() => a!.answers.has(aborted), 10_000);
    const answer = a!.answers.get(aborted)!;
    assert.equal(answer.type === 'removeFailed' && answer.reason, 'peer-alive');

    // Its life goes on: newcomers come until one gets a range from it, and uses it.
    const size = () => subject!.ipam!.status().owned[4];
    const owned = size();
    let newcomer = world.addHost();
    for (;;) {
      const request = world.allocate(newcomer, 'pod');
      world.runUntil(() => newcomer.answers.get(request)?.type === 'allocated', 20_000);
      if (size() < owned) break;
      assert.ok(world.hosts.length < 30);
      newcomer = world.addHost();
    }
    world.run(2000);
    const [address] = newcomer.live.get('pod/eth0')!.addresses;
    assert.equal(b!.ipam!.ownerOf(address!), newcomer.peer);

    // Then it dies, and is removed in earnest.
    world.crash(subject!);
    world.run(500);
    const removal = world.remove(b!, subject!.peer);
    world.runUntil(() => b!.answers.has(removal), 90_000);
    world.run(2000);
    assert.equal(b!.answers.get(removal)!.type, 'removed');
    for (const host of [a!, b!, newcomer]) assert.equal(host.ipam!.ownerOf(address!), newcomer.peer);
    assert.deepEqual(newcomer.ipam!.status().orphaned, []);
  });

  it('keep a promise also where they do not know yet that they have a vote', () => {
    const world = new World({ seed: 34, init: seedFirst });
    for (let i = 0; i < 18; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 60_000);
    world.run(3000);
    const subject = world.hosts[0]!;
    const log = world.board('ring').find(({ origin }) => origin === subject.peer)!.payload;
    const council = councilOf(subject.peer, parsed(log));
    const [witness, x, y] = world.hosts.filter(({ peer }) => !council.has(peer));
    world.crash(subject);
    world.run(500);
    const replies: IpamMessage[] = [];
    const ask = (from: PeerId, round: number): void => {
      const message = { kind: 'prepare', subject: subject.peer, round, logLength: log.length } as const;
      witness!.ipam!.handleMessage(from, encodeMessage(message), world.now);
      for (let out = witness!.ipam!.poll(); out !== undefined; out = witness!.ipam!.poll()) {
        const reply = out.type === 'message' ? decodeMessage(out.bytes) : undefined;
        if (reply?.ok) replies.push(reply.value);
      }
    };
    ask(x!.peer, 5);
    ask(y!.peer, 3);
    assert.deepEqual(
      replies.map(({ kind }) => kind),
      ['promise', 'refuse'],
    );
  });

  it('do not vote while they see the subject alive, nor for a cut that loses what they know it wrote', () => {
    const world = new World({ seed: 35, init: seedFirst });
    for (let i = 0; i < 4; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 20_000);
    world.run(3000);
    const [subject, voter, proposer] = world.hosts;
    const { ends } = parsed(world.board('ring').find(({ origin }) => origin === subject!.peer)!.payload);
    const reply = (cut: number, round: number): IpamMessage | undefined => {
      const message = { kind: 'propose', subject: subject!.peer, round, heir: proposer!.peer, cut } as const;
      voter!.ipam!.handleMessage(proposer!.peer, encodeMessage(message), world.now);
      const out = voter!.ipam!.poll();
      const decoded = out?.type === 'message' ? decodeMessage(out.bytes) : undefined;
      return decoded?.ok ? decoded.value : undefined;
    };
    const early = reply(ends.at(-1)!, 1);
    assert.equal(early?.kind === 'refuse' && early.reason, 'alive');
    world.crash(subject!);
    world.run(500);
    const short = reply(ends.at(-2)!, 1);
    assert.equal(short?.kind === 'refuse' && short.reason, 'length');
    assert.equal(reply(ends.at(-1)!, 2), undefined, 'a vote is no message, but an entry in its log');
  });

  it('refuse to remove one of two, and unknown peers', () => {
    const world = new World({ seed: 9, init: seedFirst });
    for (let i = 0; i < 2; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 10_000);
    world.run(2000);
    const [a, b] = world.hosts;
    world.crash(b!);
    world.run(500);
    const reasonOf = (request: number) => {
      const answer = a!.answers.get(request)!;
      return answer.type === 'removeFailed' && answer.reason;
    };
    assert.equal(reasonOf(world.remove(a!, b!.peer)), 'too-few-members');
    assert.equal(reasonOf(world.remove(a!, peerId(999))), 'unknown-peer');
    assert.equal(reasonOf(world.remove(a!, a!.peer)), 'self');
  });

  it('let exactly one of two racing initiators take a range', () => {
    for (let seed = 20; seed < 30; seed++) {
      const world = new World({ seed, init: seedFirst, loss: 0.2 });
      for (let i = 0; i < 5; i++) world.addHost();
      world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 20_000);
      world.run(3000);
      const victim = world.hosts[4]!;
      world.crash(victim);
      victim.live.clear();
      world.run(500);
      const [a, b] = [world.hosts[1]!, world.hosts[2]!];
      const [ra, rb] = [world.remove(a, victim.peer), world.remove(b, victim.peer)];
      world.runUntil(() => a.answers.has(ra) && b.answers.has(rb), 120_000);
      world.run(3000);
      const won = [a.answers.get(ra)!, b.answers.get(rb)!].filter(({ type }) => type === 'removed');
      assert.equal(won.length, 1, `seed ${seed}: ${JSON.stringify([a.answers.get(ra), b.answers.get(rb)])}`);
    }
  });

  it('finish what an initiator that died halfway may have decided', () => {
    const world = new World({ seed: 31, init: seedFirst });
    for (let i = 0; i < 7; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 20_000);
    world.run(3000);
    const [a, b, x, c, , e, victim] = world.hosts;
    world.crash(victim!);
    world.run(500);
    world.remove(a!, victim!.peer);
    world.run(1500);
    // Everybody has promised. Now two hear the proposal, and then the initiator is gone. Three of seven have voted; one
    // more cannot be asked: its vote would decide it.
    for (const other of [3, 4, 5, 6]) world.cut.add(`0|${other}`);
    const votes = (host: typeof a) => host!.ipam!.status().logBytes;
    const before = [votes(b), votes(x)];
    world.runUntil(() => votes(b) > before[0]! && votes(x) > before[1]!, 10_000);
    world.crash(a!);
    world.crash(e!);
    world.run(1000);
    const request = world.remove(c!, victim!.peer);
    world.runUntil(() => c!.answers.has(request), 90_000);
    const answer = c!.answers.get(request)!;
    assert.equal(answer.type === 'removeFailed' && answer.reason, 'lost-race');
    assert.deepEqual(c!.ipam!.status().removed, [{ peer: victim!.peer, heir: a!.peer }]);
  });

  it('form one ring by consensus, and no other in spite of loss, crashes and late starters', () => {
    for (let seed = 40; seed < 60; seed++) {
      const electorate = ['node-0', 'node-1', 'node-2'];
      const world = new World({ seed, loss: 0.3, init: () => ({ mode: 'consensus', electorate }) });
      for (let i = 0; i < 3; i++) {
        world.addHost();
        world.run(randomBelow(world.random, 600));
      }
      const ids = new Set<string>();
      const watch = () => {
        world.check();
        for (const host of world.hosts) {
          const id = host.ipam?.status().ring;
          if (id) ids.add(id);
        }
        assert.ok(ids.size <= 1, `seed ${seed}: two rings ${[...ids]}`);
      };
      for (let step = 0; step < 30; step++) {
        const host = world.hosts[randomBelow(world.random, 3)]!;
        if (host.ipam === undefined) world.startHost(host);
        else if (randomUnit(world.random) < 0.4) world.crash(host);
        world.run(200, watch);
      }
      for (const host of world.hosts) if (host.ipam === undefined) world.startHost(host);
      world.runUntil(() => world.hosts.every((host) => host.ipam!.status().state === 'ready'), 60_000);
      watch();
    }
  });

  it('form the one ring that an authority decides, whoever asks first, with crashes between question and answer', () => {
    for (let seed = 60; seed < 80; seed++) {
      const world = new World({ seed, init: () => ({ mode: 'authority' }), ranges: [V4, V6], loss: 0.1 });
      for (let i = 0; i < 4; i++) world.addHost();
      for (let step = 0; step < 12; step++) {
        world.run(150);
        const host = world.hosts[randomBelow(world.random, 4)]!;
        if (host.ipam === undefined) world.startHost(host);
        else if (randomUnit(world.random) < 0.5) world.crash(host);
      }
      for (const host of world.hosts) if (host.ipam === undefined) world.startHost(host);
      world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 20_000);
      const rings = new Set(world.hosts.map((host) => host.ipam!.status().ring));
      assert.equal(rings.size, 1, `seed ${seed}`);
    }
  });

  it('wait for the authority, which then tells the ring that peers have already', () => {
    const world = new World({
      seed: 81,
      init: (node) => ({ mode: node === 0 ? 'seed' : 'authority' }),
      seedWaitMs: 1500,
    });
    world.authoritySilent = true;
    for (let i = 0; i < 3; i++) {
      world.addHost();
      world.run(2_000);
    }
    world.run(5_000);
    const [first, ...others] = world.hosts as [Host, ...Host[]];
    const { ring } = first.ipam!.status();
    assert.notEqual(ring, undefined);
    for (const host of others) {
      assert.equal(host.ipam!.allocations().length + host.ipam!.status().ranges.length, 0);
      const [wanted] = host.events.filter((out) => out.type === 'genesisWanted');
      world.authority ??= wanted!.proposal;
    }
    world.authoritySilent = false;
    for (const host of others) world.answerGenesis(host);
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 20_000);
    for (const host of others) assert.equal(host.ipam!.status().ring, ring);
  });

  it('say what they wait for while the authority is silent, and take nothing that is no genesis from it', () => {
    const world = new World({ seed: 82, init: () => ({ mode: 'authority' }) });
    world.authoritySilent = true;
    const host = world.addHost();
    world.run(3000);
    assert.equal(host.events.filter(({ type }) => type === 'genesisWanted').length, 1);
    assert.equal(host.ipam!.genesisDecided(new TextEncoder().encode('nonsense'), world.now), false);
    assert.match(host.ipam!.status().detail, /waits for the object that begins the ring/);
  });

  it('do not form a ring without a majority of the listed electorate', () => {
    const electorate = ['node-0', 'node-1', 'node-2', 'node-3'];
    const world = new World({ seed: 60, init: () => ({ mode: 'consensus', electorate }) });
    world.addHost();
    world.addHost();
    world.run(10_000);
    assert.ok(world.hosts.every((host) => host.ipam!.status().ring === undefined));
    assert.match(world.hosts[0]!.ipam!.status().detail, /not seen: node-2, node-3/);
    world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().state === 'ready'), 10_000);
  });

  it('keep the vote of an elector from its successor under the same name', () => {
    const electorate = ['node-0', 'node-1', 'node-2'];
    const world = new World({ seed: 61, init: () => ({ mode: 'consensus', electorate }) });
    for (let i = 0; i < 3; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().state === 'ready'), 10_000);
    const ring = world.hosts[0]!.ipam!.status().ring;
    world.loseDisk(world.hosts[2]!);
    world.run(8000);
    const status = world.hosts[2]!.ipam!.status();
    assert.equal(status.ring, ring);
    assert.equal(status.state, 'ready');
    assert.ok(status.ranges.length > 0, 'it got a range of its own');
  });

  it('join the ring again as an elector whose disk is new, though only one other is left to show it', () => {
    const electorate = ['node-0', 'node-1'];
    for (let seed = 62; seed < 72; seed++) {
      const world = new World({ seed, init: () => ({ mode: 'consensus', electorate }) });
      for (let i = 0; i < 2; i++) world.addHost();
      const ready = () => world.hosts.every((host) => host.ipam!.status().state === 'ready');
      world.runUntil(ready, 10_000);
      world.run(1000);
      world.loseDisk(world.hosts[seed % 2]!);
      world.runUntil(ready, 10_000);
    }
  });

  it('take an electorate of one for a seed: it starts the ring, and joins it again where its disk is new', () => {
    const init = () => ({ mode: 'consensus', electorate: ['node-0'] }) as const;
    const world = new World({ seed: 72, init, seedWaitMs: 1500 });
    for (let i = 0; i < 3; i++) world.addHost();
    const ready = () => world.hosts.every((host) => host.ipam!.status().state === 'ready');
    world.runUntil(ready, 10_000);
    const { ring } = world.hosts[1]!.ipam!.status();
    world.loseDisk(world.hosts[0]!);
    world.runUntil(ready, 10_000);
    for (const host of world.hosts) assert.equal(host.ipam!.status().ring, ring);
  });

  it('offer nothing to give once their log has no room for grants', () => {
    const world = new World({ seed: 75, init: seedFirst });
    const host = world.addHost();
    world.runUntil(() => host.ipam!.status().state === 'ready', 2000);
    assert.notDeepEqual(host.ipam!.freeHints(), {});
    const leaves = Array.from({ length: 19_200 }, () => ({ kind: 'leave', peer: host.peer }) as const);
    const full = appendToLog(parsed(host.store.get('log')!), leaves)!;
    world.crash(host);
    host.store.put('log', full.bytes);
    host.store.flush();
    world.startHost(host);
    assert.equal(host.ipam!.status().state, 'ready');
    assert.deepEqual(host.ipam!.freeHints(), {}, 'or those who need a range ask it first, and in vain');
  });

  it('keep the ring that they have where two meet: who is alone in one stops and says how to join the other', () => {
    const world = new World({
      seed: 70,
      init: (node) => ({ mode: node === 2 || node === 0 ? 'seed' : 'none' }),
      seedWaitMs: 1500,
    });
    for (let i = 0; i < 4; i++) world.addHost();
    for (const pair of ['0|2', '1|2', '2|3']) world.cut.add(pair);
    const ready = () => world.hosts.every((host) => host.ipam!.status().state === 'ready');
    // Until the two meet, both hold the same addresses: that is the fault. No check before it is settled.
    world.runUntil(ready, 10_000, () => undefined);
    const { ring } = world.hosts[0]!.ipam!.status();
    world.cut.clear();
    world.run(5000, () => undefined);
    const [one, , wrong] = world.hosts as [Host, Host, Host];
    assert.notEqual(wrong.ipam!.status().ring, ring);
    assert.equal(wrong.ipam!.status().state, 'fault');
    assert.match(wrong.ipam!.status().detail, /alone in its ring.*weft reset/);
    assert.deepEqual(
      one.ipam!.status().faults.map(({ code }) => code),
      ['E_RIVAL_RING'],
    );
    world.loseDisk(wrong);
    world.runUntil(ready, 10_000, () => undefined);
    for (const host of world.hosts) assert.equal(host.ipam!.status().ring, ring);
    world.run(2000);
    assert.deepEqual(one.ipam!.status().faults, [], 'the warning ends with its cause');
  });

  it('keep their ring against any number of invented names, which get no say in it', () => {
    const world = new World({ seed: 74, init: seedFirst });
    for (let i = 0; i < 3; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().state === 'ready'), 10_000);
    world.run(2000);
    const owners = world.hosts[0]!.ipam!.owners();
    const names = Array.from({ length: 6 }, (_, i) => peerId(700 + i));
    const theirs = logOf({ kind: 'genesis', genesis: genesisOf([names[0]!], [V4], '00') });
    const ours = parsed(world.hosts[0]!.store.get('log')!).genesis!;
    const joining = logOf({ kind: 'genesis', genesis: ours });
    for (const host of world.hosts) {
      for (const [i, origin] of names.entries()) {
        const sybil = peerId(800 + i);
        host.ipam!.handleRecord({ origin, slot: 'ring', payload: theirs.bytes }, world.now);
        host.ipam!.handleRecord({ origin: sybil, slot: 'ring', payload: joining.bytes }, world.now);
        for (const peer of [origin, sybil]) host.ipam!.memberChanged(peer, 'alive', world.now);
      }
    }
    world.run(3000);
    for (const host of world.hosts) {
      assert.deepEqual(host.ipam!.owners(), owners);
      assert.equal(host.ipam!.status().state, 'ready');
      assert.match(host.ipam!.status().faults[0]!.message, /another ring are here: .* and 3 more/);
      const council = councilOf(host.peer, parsed(host.store.get('log')!));
      for (let i = 0; i < 6; i++) assert.ok(!council.has(peerId(800 + i)), 'owns nothing, judges nobody');
    }
  });

  it('work the owners out once for a thousand members that come at once', () => {
    const world = new World({ seed: 76, init: seedFirst });
    const host = world.addHost();
    world.runUntil(() => host.ipam!.status().state === 'ready', 2000);
    const { genesis } = parsed(host.store.get('log')!);
    const payload = logOf({ kind: 'genesis', genesis: genesis! }).bytes;
    const before = host.counters.get('ipam.ringEvaluated');
    for (let i = 0; i < 1000; i++) {
      const origin = peerId(1000 + i);
      host.ipam!.handleRecord({ origin, slot: 'ring', payload }, world.now);
      host.ipam!.memberChanged(origin, 'alive', world.now);
    }
    host.ipam!.tick(world.now);
    const evaluations = host.counters.get('ipam.ringEvaluated') - before;
    assert.ok(evaluations <= 3, `${evaluations} evaluations`);
  });

  it('refuse a ring with other ranges than their own, and say so', () => {
    const world = new World({ seed: 71, init: seedFirst });
    world.addHost();
    world.runUntil(() => world.hosts[0]!.ipam!.status().state === 'ready', 2000);
    const other = new World({ seed: 72, init: () => ({ mode: 'none' }), ranges: [cidr('10.40.0.0/16')] });
    const host = other.addHost();
    const { payload } = world.board('ring')[0]!;
    host.ipam!.handleRecord({ origin: peerId(500), slot: 'ring', payload }, other.now);
    host.ipam!.tick(other.now);
    other.settle(host);
    const { state, detail } = host.ipam!.status();
    assert.equal(state, 'fault');
    assert.match(detail, /--ipalloc-range/);
    assert.ok(host.events.some((event) => event.type === 'fault' && event.fault.code === 'E_RANGE_MISMATCH'));
    const request = other.allocate(host, 'pod');
    const answer = host.answers.get(request)!;
    assert.equal(answer.type === 'allocateFailed' && answer.reason, 'fault');
  });

  it('stop a node whose state folder went back in time', () => {
    const world = new World({ seed: 73, init: seedFirst });
    const [a] = [world.addHost(), world.addHost()];
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 10_000);
    world.run(1000);
    const newest = world.board('ring').find(({ origin }) => origin === a.peer)!.payload;
    world.crash(a);
    a.store.wipe();
    world.startHost(a);
    a.ipam!.handleRecord({ origin: a.peer, slot: 'ring', payload: newest }, world.now);
    world.settle(a);
    assert.equal(a.ipam!.status().state, 'fault');
    assert.match(a.ipam!.status().detail, /older than what this node has published/);
    world.crash(a);
    world.startHost(a);
    assert.equal(a.ipam!.status().state, 'fault', 'also after a restart');
  });

  it('write to their own log though those of others fill all the room', () => {
    const world = new World({ seed: 74, init: seedFirst });
    const host = world.addHost();
    const payload = emptyLog().bytes;
    let taken = true;
    for (let n = 1; taken; n++)
      taken = host.ipam!.handleRecord({ origin: peerId(1000 + n), slot: 'ring', payload }, world.now).ok;
    world.run(1000);
    assert.equal(host.ipam!.status().state, 'ready');
  });

  it('never use an address twice under loss, crashes, lost disks and removals', () => {
    const totals = { allocated: 0, removed: 0 };
    for (let seed = 100; seed < 106; seed++) churn(seed, totals);
    assert.ok(
      totals.allocated > 200 && totals.removed > 3,
      `the runs did something: ${JSON.stringify(totals)}`,
    );
  });
});

function parsed(payload: Uint8Array): RingLog {
  const log = decodeRingLog(payload);
  return log.ok ? log.value : assert.fail(log.reason);
}

function churn(seed: number, totals: { allocated: number; removed: number }): void {
  const world = new World({ seed, init: seedFirst, loss: 0.15, ranges: [cidr('10.0.0.0/24'), V6] });
  for (let i = 0; i < 5; i++) world.addHost();
  world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 20_000);
  let pods = 0;
  for (let step = 0; step < 150; step++) {
    const host = world.hosts[randomBelow(world.random, 5)]!;
    const dice = randomUnit(world.random);
    if (host.ipam === undefined) world.startHost(host);
    else if (dice < 0.6) world.allocate(host, `pod-${pods++}`);
    else if (dice < 0.8) {
      const key = [...host.live.keys()][0];
      if (key) world.release(host, key.split('/')[0]!);
    } else if (dice < 0.9) {
      // A crash in the middle of something: the request was taken, nothing of it flushed.
      host.ipam.allocate({ containerId: `unanswered-${pods++}`, ifname: 'eth0' }, world.now);
      world.crash(host);
    } else if (dice < 0.93 && host.index > 0) world.loseDisk(host);
    else for (const peer of world.buried) world.remove(host, peer);
    world.run(randomBelow(world.random, 300));
  }
  for (const host of world.hosts) if (host.ipam === undefined) world.startHost(host);
  world.run(10_000);
  const views = new Set(
    world.hosts.map((host) =>
      JSON.stringify(host.ipam!.owners(), (_, v) => (typeof v === 'bigint' ? v.toString() : v)),
    ),
  );
  assert.equal(views.size, 1, `seed ${seed}: all agree in the end`);
  totals.removed += world.hosts[0]!.ipam!.status().removed.length;
  totals.allocated += world.allocations;
}
