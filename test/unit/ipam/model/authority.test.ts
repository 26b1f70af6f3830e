import assert from 'node:assert/strict';
import { randomBelow, randomUnit } from '../../../../base/random.ts';
import { Authority, type RemovalState } from '../../../../ipam/model/authority.ts';
import { Ring } from '../../../../ipam/ring/ring.ts';
import { MemoryStore } from '../memory-store.ts';
import { genesisOf, type Host, logOf, peerId, V4, World } from '../support.ts';

const byAuthority = (): { mode: 'authority' } => ({ mode: 'authority' });

/** A world whose hosts all have a range. */
function worldOf(hosts: number, seed: number, loss = 0): World {
  const world = new World({ seed, init: byAuthority, loss });
  for (let i = 0; i < hosts; i++) world.addHost();
  world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 30_000);
  return world;
}

function answer(host: Host, request: number): string {
  const out = host.answers.get(request);
  return out?.type === 'removeFailed' ? out.reason : (out?.type ?? 'none');
}

describe('removal by an authority', () => {
  it('gives the ranges of all who are gone to the one that is left', () => {
    const world = worldOf(4, 1);
    const [last, ...gone] = world.hosts as [Host, ...Host[]];
    for (const host of gone) world.crash(host);
    world.run(500);
    const requests = gone.map(({ peer }) => world.remove(last, peer));
    world.runUntil(() => requests.every((request) => last.answers.has(request)), 10_000);
    for (const request of requests) assert.equal(answer(last, request), 'removed');
    assert.deepEqual(
      last.ipam!.owners().map(({ owner }) => owner),
      [last.peer],
    );
  });

  it('fences whoever returns: at once while it is under way, for good when it is decided', () => {
    const world = worldOf(3, 2);
    const [a, , c] = world.hosts as [Host, Host, Host];
    world.allocate(c, 'before');
    world.crash(c);
    world.run(500);
    const request = world.remove(a, c.peer);
    world.runUntil(() => a.answers.has(request), 10_000);
    world.startHost(c);
    world.run(3_000);
    assert.equal(c.ipam!.status().state, 'removed');
    const refused = world.allocate(c, 'after');
    world.run(100);
    assert.equal((c.answers.get(refused) as { reason?: string }).reason, 'removed');
  });

  it('is called off where the subject is seen alive during the wait, and the subject goes on', () => {
    const world = worldOf(3, 3);
    const [a, , c] = world.hosts as [Host, Host, Host];
    world.crash(c);
    world.run(500);
    const request = world.remove(a, c.peer);
    world.run(1_000);
    assert.equal(world.removals.get(c.peer)!.phase, 'fenced');
    world.startHost(c);
    world.runUntil(() => a.answers.has(request), 10_000);
    assert.equal(answer(a, request), 'peer-alive');
    world.runUntil(() => c.ipam!.status().state === 'ready', 10_000);
    assert.equal(world.removals.get(c.peer)!.phase, 'lifted');
    const pod = world.allocate(c, 'pod');
    world.runUntil(() => c.answers.get(pod)?.type === 'allocated', 5_000);
  });

  it('lets one of two who want the same ranges have them', () => {
    const world = worldOf(3, 4);
    const [a, b, c] = world.hosts as [Host, Host, Host];
    world.crash(c);
    world.run(500);
    const [one, two] = [world.remove(a, c.peer), world.remove(b, c.peer)];
    world.runUntil(() => a.answers.has(one) && b.answers.has(two), 20_000);
    const answers = [answer(a, one), answer(b, two)];
    assert.equal(answers.filter((each) => each === 'removed').length, 1, answers.join());
    world.run(2_000);
    assert.deepEqual(a.ipam!.owners(), b.ipam!.owners());
  });

  it('goes on after a restart of the heir, and passes to another where the heir is gone too', () => {
    const world = worldOf(4, 5);
    const [a, b, c, d] = world.hosts as [Host, Host, Host, Host];
    world.crash(d);
    world.run(500);
    world.remove(a, d.peer);
    world.runUntil(() => world.removals.get(d.peer)?.phase === 'fenced', 5_000);
    world.crash(a);
    world.startHost(a);
    world.runUntil(() => world.removals.get(d.peer)?.phase === 'removed', 10_000);
    world.crash(c);
    world.run(500);
    world.remove(a, c.peer);
    world.runUntil(() => world.removals.get(c.peer)?.phase === 'fenced', 5_000);
    world.crash(a);
    world.run(500);
    const request = world.remove(b, c.peer);
    world.runUntil(() => b.answers.has(request), 10_000);
    assert.equal(answer(b, request), 'removed');
    assert.equal(world.removals.get(c.peer)!.heir, b.peer);
  });

  it('fails where the authority does not answer, and says so', () => {
    const world = worldOf(3, 6);
    world.authoritySilent = true;
    const [a, , c] = world.hosts as [Host, Host, Host];
    world.crash(c);
    world.run(500);
    const request = world.remove(a, c.peer);
    world.runUntil(() => a.answers.has(request), 90_000);
    assert.equal(answer(a, request), 'no-authority');
  });

  it('is written anew by its heir where somebody deleted it, and known without it by all who saw it', () => {
    const world = worldOf(3, 7);
    const [a, b, c] = world.hosts as [Host, Host, Host];
    world.crash(c);
    world.run(500);
    world.remove(a, c.peer);
    world.runUntil(() => world.removals.get(c.peer)?.phase === 'removed', 10_000);
    world.run(500);
    const decided = world.removals.get(c.peer);
    world.removals.clear();
    for (const host of [a, b]) world.showRemovals(host);
    world.crash(b);
    world.startHost(b);
    world.run(200);
    assert.equal(b.ipam!.status().removed.length, 1);
    world.runUntil(() => world.removals.has(c.peer), 20_000);
    assert.deepEqual(world.removals.get(c.peer), decided);
  });

  it('reaches members without access to the authority, by the votes of those who have it', () => {
    const world = new World({ seed: 8, init: (node) => (node < 3 ? byAuthority() : { mode: 'observer' }) });
    for (let i = 0; i < 5; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 30_000);
    world.run(3_000);
    const [a, , c, , e] = world.hosts as [Host, Host, Host, Host, Host];
    // The council of c has all five, so two votes and what e and d repeat are not enough without their own.
    world.crash(c);
    world.run(500);
    world.remove(a, c.peer);
    world.runUntil(() => world.removals.get(c.peer)?.phase === 'removed', 10_000);
    world.run(3_000);
    const votes = world.hosts.filter((host) => host.ipam?.owners().every(({ owner }) => owner !== c.peer));
    assert.ok(votes.includes(a));
    assert.deepEqual(e.ipam!.status().faults, []);
  });

  /** All nodes of `world` go at once, with all that they knew; as many new ones come. Returns those. */
  function replaceAll(world: World): Host[] {
    const old = world.hosts.filter((host) => host.ipam !== undefined);
    for (const host of old) world.crash(host);
    return old.map(() => world.addHost());
  }

  /** The first of `living` removes each owner that is none of them, as a caretaker does. */
  function removeStrangers(world: World, living: readonly Host[]): void {
    const [caretaker] = living as [Host];
    const peers = new Set(living.map(({ peer }) => peer));
    const strangers = new Set(caretaker.ipam!.owners().map(({ owner }) => owner));
    for (const owner of strangers) if (!peers.has(owner)) world.remove(caretaker, owner);
  }

  it('gives the range to new nodes where all nodes were replaced at once, twice, and old ones come back', () => {
    const world = worldOf(3, 9);
    const first = [...world.hosts];
    for (const host of first) world.allocate(host, `pod-${host.index}`);
    world.run(2_000);
    const generations = [first];
    for (let i = 0; i < 2; i++) {
      const fresh = replaceAll(world);
      // Their pods are gone with them.
      for (const host of generations.flat()) host.live.clear();
      world.run(3_000);
      for (const host of fresh) {
        assert.equal(host.ipam!.status().state, 'waiting');
        assert.match(host.ipam!.status().detail, /nobody who owns .* is seen alive: .*weft rmpeer/);
      }
      removeStrangers(world, fresh);
      world.runUntil(() => fresh.every((host) => host.ipam!.status().ranges.length > 0), 30_000);
      for (const host of fresh) world.allocate(host, `pod-${host.index}`);
      world.run(2_000);
      for (const host of fresh) assert.equal(host.live.size, 1);
      generations.push(fresh);
    }
    const living = generations.at(-1)!;
    for (const host of generations.slice(0, -1).flat()) world.startHost(host);
    world.run(5_000);
    for (const host of generations.slice(0, -1).flat()) {
      const state = host.ipam!.status();
      if (state.state === 'removed') continue;
      // What it was granted counts no more, since nobody knew of it; what it has now is new.
      world.allocate(host, `late-${host.index}`);
    }
    world.run(10_000);
    const [one] = living as [Host];
    for (const host of world.hosts) {
      if (host.ipam!.status().state === 'removed') continue;
      assert.deepEqual(host.ipam!.owners(), one.ipam!.owners(), `host ${host.index}`);
    }
  });

  it('gives all ranges to new nodes where they replace the old ones one after the other', () => {
    const world = worldOf(3, 10);
    let living = [...world.hosts];
    for (let i = 0; i < 6; i++) {
      const [oldest, ...others] = living as [Host, ...Host[]];
      world.crash(oldest);
      oldest.live.clear();
      living = [...others, world.addHost()];
      world.run(1_000);
      removeStrangers(world, living);
      world.runUntil(() => living.every((host) => host.ipam!.status().ranges.length > 0), 30_000);
      world.runUntil(() => !living[0]!.ipam!.owners().some(({ owner }) => owner === oldest.peer), 30_000);
    }
    for (const host of living) world.allocate(host, `pod-${host.index}`);
    world.run(2_000);
    for (const host of living) assert.equal(host.live.size, 1);
  });

  it('tells nodes that come later what counts of a log that nobody has any more', () => {
    const world = worldOf(4, 11);
    const [a, , , d] = world.hosts as [Host, Host, Host, Host];
    world.crash(d);
    world.run(500);
    world.remove(a, d.peer);
    world.runUntil(() => world.removals.get(d.peer)?.phase === 'removed', 10_000);
    assert.ok(world.removals.get(d.peer)!.cut > 1);
    const fresh = replaceAll(world);
    world.run(3_000);
    removeStrangers(world, fresh);
    world.runUntil(() => fresh.every((host) => host.ipam!.status().ranges.length > 0), 30_000);
    const owners = new Set(fresh[0]!.ipam!.owners().map(({ owner }) => owner));
    assert.ok([...owners].every((owner) => fresh.some(({ peer }) => peer === owner)));
  });

  it('counts what a peer granted to a node that the heir cannot reach, where that reaches the authority', () => {
    const world = worldOf(1, 12);
    const [a] = world.hosts as [Host];
    const b = world.addHost();
    world.runUntil(() => b.ipam!.status().ranges.length > 0, 10_000);
    world.allocate(b, 'pod');
    world.run(1_000);
    const before = b.ipam!.status().ranges;
    world.crash(a);
    // A new node that reaches the authority and nobody else.
    world.cut.add('0|2');
    world.cut.add('1|2');
    const c = world.addHost();
    world.run(2_000);
    world.remove(c, a.peer);
    world.runUntil(() => world.removals.get(a.peer)?.phase === 'removed', 20_000);
    world.run(2_000);
    assert.deepEqual(b.ipam!.status().ranges, before);
    assert.deepEqual(c.ipam!.rangesOf(b.peer), before, 'by the log in the decree');
    world.allocate(b, 'another');
    world.run(1_000);
    assert.equal(b.live.size, 2);
    world.cut.clear();
    world.run(3_000);
    assert.deepEqual(b.ipam!.owners(), c.ipam!.owners());
  });

  it('makes a node that was off hear the authority before it hands anything out', () => {
    const world = worldOf(3, 13);
    const [, , c] = world.hosts as [Host, Host, Host];
    world.crash(c);
    world.run(500);
    world.authoritySilent = true;
    world.startHost(c);
    world.run(4_000);
    assert.equal(c.ipam!.status().state, 'waiting');
    const request = world.allocate(c, 'early');
    world.run(1_000);
    assert.equal(c.answers.get(request), undefined);
    world.authoritySilent = false;
    world.showRemovals(c);
    world.runUntil(() => c.answers.get(request)?.type === 'allocated', 2_000);
  });

  it('never lets an address be used twice under crashes, returns, races and partitions', () => {
    let removed = 0;
    for (let seed = 100; seed < 112; seed++) {
      const world = worldOf(5, seed, 0.1);
      const { random } = world;
      let pod = 0;
      for (let step = 0; step < 120; step++) {
        world.run(300);
        const host = world.hosts[randomBelow(random, 5)]!;
        const other = world.hosts[randomBelow(random, 5)]!;
        const dice = randomUnit(random);
        if (host.ipam === undefined) {
          // A removed one comes back as a new node, as the daemon sees to under Kubernetes.
          if (dice < 0.1 && world.removals.get(host.peer)?.phase === 'removed') world.loseDisk(host);
          else if (dice < 0.1) world.startHost(host);
        } else if (dice < 0.45) world.allocate(host, `pod-${++pod}`);
        else if (dice < 0.6) world.release(host, `pod-${randomBelow(random, pod + 1)}`);
        else if (dice < 0.72) world.crash(host);
        else if (dice < 0.9 && other.ipam === undefined) {
          // Nobody is removed whose containers may still run: its node is gone for good.
          other.live.clear();
          world.buried.add(other.peer);
          world.remove(host, other.peer);
        }
      }
      removed += [...world.removals.values()].filter(({ phase }) => phase === 'removed').length;
    }
    assert.ok(removed > 10, `${removed} removals`);
  });
});

describe('Authority', () => {
  const [a, b, c] = [peerId(1), peerId(2), peerId(3)];
  const state = (phase: RemovalState['phase'], heir = b, cut = 7): RemovalState => ({
    subject: a,
    heir,
    phase,
    cut,
  });

  it('keeps the first decree about a subject, over a restart too', () => {
    const store = new MemoryStore();
    const authority = new Authority(store);
    authority.show([state('removed')]);
    authority.show([state('removed', c, 9)]);
    authority.show([]);
    store.flush();
    assert.deepEqual(new Authority(store).decreeBySubject, new Map([[a, { heir: b, cut: 7 }]]));
  });

  it('fences while it shows a fence, and no longer', () => {
    const authority = new Authority(new MemoryStore());
    authority.show([state('fenced')]);
    assert.deepEqual([...authority.fenced], [a]);
    authority.show([state('lifted')]);
    assert.deepEqual([...authority.fenced], []);
  });

  it('counts for a ring once the log of the subject is known up to the cut', () => {
    const authority = new Authority(new MemoryStore());
    const ring = new Ring(a, authority);
    const genesis = genesisOf([a, b], [V4]);
    const full = logOf({ kind: 'genesis', genesis }, { kind: 'join', peer: b });
    ring.merge(b, logOf({ kind: 'genesis', genesis }).bytes);
    ring.merge(a, logOf({ kind: 'genesis', genesis }).bytes);
    authority.show([state('removed', b, full.bytes.length)]);
    ring.authorityChanged();
    assert.equal(ring.removal(a), undefined);
    ring.merge(a, full.bytes);
    assert.equal(ring.removal(a)?.heir, b);
    assert.ok(ring.ownsAll(b));
  });
});
