import assert from 'node:assert/strict';
import { councilOf, decodeRingLog, type RingLog } from '../../../ipam/ring/ring-log.ts';
import { type Host, V4, V6, World } from './support.ts';

const seedFirst = (node: number) => (node === 0 ? ({ mode: 'seed' } as const) : ({ mode: 'none' } as const));

describe('nodes that go', () => {
  it('give all of their range to the others when they leave, and are waited for no more', () => {
    const world = new World({ seed: 77, init: seedFirst, ranges: [V4, V6] });
    for (let i = 0; i < 4; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length >= 2), 10_000);
    world.run(3_000);
    const [a, b, c, d] = world.hosts as [Host, Host, Host, Host];
    world.allocate(d, 'pod');
    assert.equal(d.ipam!.leave(world.now), 'in-use');
    world.release(d, 'pod');
    for (const host of [d, c]) {
      assert.equal(host.ipam!.leave(world.now), undefined);
      assert.deepEqual(host.ipam!.status().ranges, []);
      world.settle(host);
      world.run(1_000);
      assert.deepEqual(host.ipam!.status().ranges, [], 'it asks for nothing more');
      world.crash(host);
      for (const other of [a, b, c])
        if (other !== host) other.ipam!.memberChanged(host.peer, 'left', world.now);
      world.run(1_000);
    }
    const owners = new Set(a.ipam!.owners().map(({ owner }) => owner));
    assert.deepEqual(owners, new Set([a.peer, b.peer]));
    assert.deepEqual(b.ipam!.owners(), a.ipam!.owners());
    for (const host of [a, b]) {
      const council = councilOf(host.peer, parsed(host.store.get('log')!));
      assert.deepEqual(council, new Set([a.peer, b.peer]), 'who left has no vote');
    }
    const third = world.addHost();
    world.runUntil(() => third.ipam!.status().ranges.length >= 2, 10_000);
    world.run(1_000);
    world.crash(b);
    b.live.clear();
    world.buried.add(b.peer);
    world.run(2_000);
    const request = world.remove(a, b.peer);
    world.runUntil(() => a.answers.has(request), 60_000);
    assert.equal(a.answers.get(request)!.type, 'removed', 'nobody waits for those who left');
  });

  it('do not leave where nobody is alive to take their range', () => {
    const world = new World({ seed: 78, init: seedFirst });
    const host = world.addHost();
    world.runUntil(() => host.ipam!.status().state === 'ready', 2000);
    assert.equal(host.ipam!.leave(world.now), 'no-heir');
    assert.equal(host.ipam!.status().state, 'ready');
  });

  it('say whose votes are missing while a removal is under way, and when it fails', () => {
    const world = new World({ seed: 79, init: seedFirst });
    for (let i = 0; i < 4; i++) world.addHost();
    world.runUntil(() => world.hosts.every((host) => host.ipam!.status().ranges.length > 0), 10_000);
    world.run(3_000);
    const [a, , c, d] = world.hosts as [Host, Host, Host, Host];
    world.crash(c);
    world.crash(d);
    world.run(1_000);
    const missing = { needed: 3, of: 4, peers: [c.peer] };
    const request = world.remove(a, d.peer);
    world.run(5_000);
    const asking = { peer: d.peer, phase: 'asking', waitUntil: undefined, missing };
    assert.deepEqual(a.ipam!.status().pending.removals, [asking]);
    world.runUntil(() => a.answers.has(request), 60_000);
    const failed = { type: 'removeFailed', request, peer: d.peer, reason: 'no-majority', missing };
    assert.deepEqual(a.answers.get(request), failed);

    world.startHost(c);
    world.run(3_000);
    const again = world.remove(a, d.peer);
    world.runUntil(() => a.ipam!.status().pending.removals[0]?.phase === 'waiting', 5_000);
    const { waitUntil } = a.ipam!.status().pending.removals[0]!;
    assert.ok(waitUntil! > world.now && waitUntil! <= world.now + 2_000);
    world.runUntil(() => a.answers.get(again)?.type === 'removed', 10_000);
  });
});

function parsed(payload: Uint8Array): RingLog {
  const log = decodeRingLog(payload);
  return log.ok ? log.value : assert.fail(log.reason);
}
