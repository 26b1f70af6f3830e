import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatAddress } from '../../../base/address.ts';
import { InvariantError } from '../../../base/assert.ts';
import { planAttachment } from '../../../cni/attachment.ts';
import { CNI_CODE, CniFault } from '../../../cni/fault.ts';
import { hostLinkName } from '../../../cni/host-link-name.ts';
import { MAX_CALLS } from '../../../cni/plugin.ts';
import type { CniAnswer } from '../../../cni/request.ts';
import { fakeWorld, request } from './fakes.ts';

function codeOf(answer: CniAnswer): number {
  return answer.ok ? 0 : answer.error.code;
}

async function startedWorld() {
  const world = fakeWorld();
  await world.plugin.start();
  return world;
}

/** A host's end that lacks nothing but what the pod's addresses need. */
const HOST_END = {
  up: true,
  arp: false,
  isPort: false,
  mac: new Uint8Array(6),
  mtu: 1364,
  forwards4: true,
  routes: [],
  neighbours: [],
} as const;

describe('CniPlugin', () => {
  it('attaches a pod and names its addresses in the result', async () => {
    const { plugin, pool, network } = await startedWorld();
    const answer = await plugin.handle(request('ADD'), [7]);
    assert.ok(answer.ok);
    const ips = answer.result?.ips as { address: string }[];
    assert.deepEqual(
      ips.map((ip) => ip.address),
      ['10.32.0.1/32', 'fd00::1/128'],
    );
    assert.equal(pool.keys().length, 1);
    assert.equal(network.links.size, 1);
    assert.equal(network.open, 0, "the pod's socket is closed");
  });

  it('refuses a second interface of the same name and leaves the first as it is', async () => {
    const { plugin, pool, network } = await startedWorld();
    await plugin.handle(request('ADD'), [7]);
    const other = await plugin.handle(request('ADD', { containerId: 'pod-b' }), [7]);
    assert.equal(codeOf(other), 100);
    const same = await plugin.handle(request('ADD'), [8]);
    assert.equal(codeOf(same), 100);
    assert.deepEqual(pool.keys(), [{ containerId: 'pod-a', ifname: 'eth0' }]);
    assert.equal(network.links.size, 1);
  });

  it('takes back the pair and the address of an ADD that fails midway', async () => {
    const { plugin, pool, network } = await startedWorld();
    network.attachFault = new Error('the kernel said no');
    const answer = await plugin.handle(request('ADD'), [7]);
    assert.equal(codeOf(answer), 999);
    assert.equal(pool.keys().length, 0);
    assert.equal(network.links.size, 0);
  });

  it('tells the gate of a pod before its link is there, and answers once the gate says so', async () => {
    const { plugin, gate } = await startedWorld();
    await plugin.handle(request('ADD', { args: 'K8S_POD_NAMESPACE=a;K8S_POD_NAME=b' }), [7]);
    await plugin.handle(request('DEL'), []);
    assert.deepEqual(gate.told, [
      'adopt , 0 links',
      'announce pod-a/eth0 pod, 0 links',
      'admitted pod-a/eth0, 1 links',
      'forget pod-a/eth0, 0 links',
    ]);
  });

  it('has the gate forget a pod whose ADD failed midway', async () => {
    const { plugin, gate, network } = await startedWorld();
    network.attachFault = new Error('the kernel said no');
    await plugin.handle(request('ADD'), [7]);
    assert.equal(gate.told.at(-1), 'forget pod-a/eth0, 0 links');
  });

  it('attaches nothing where what the gate has of an earlier container cannot be taken back', async () => {
    const { plugin, gate, network, pool } = await startedWorld();
    gate.announceFault = new CniFault(CNI_CODE.tryLater, 'nft is missing');
    assert.equal(codeOf(await plugin.handle(request('ADD'), [7])), 11);
    assert.deepEqual([network.links.size, pool.keys().length], [0, 0]);
  });

  it('takes back an ADD whose prevResult cannot be read', async () => {
    const { plugin, pool, network } = await startedWorld();
    const answer = await plugin.handle(request('ADD', { config: { prevResult: 'rubbish' } }), [7]);
    assert.equal(codeOf(answer), 6);
    assert.equal(pool.keys().length + network.links.size, 0);
  });

  it('keeps the address while its pair cannot be removed', async () => {
    const { plugin, pool, network } = await startedWorld();
    await plugin.handle(request('ADD'), [7]);
    network.detachFault = new Error('busy');
    assert.equal(codeOf(await plugin.handle(request('DEL'), [])), 999);
    assert.equal(pool.keys().length, 1);
    network.detachFault = undefined;
    assert.equal(codeOf(await plugin.handle(request('DEL'), [])), 0);
    assert.equal(pool.keys().length, 0);
  });

  it('says so when a failed ADD could not be taken back', async () => {
    const { plugin, network, counters } = await startedWorld();
    network.attachFault = new Error('the kernel said no');
    network.detachFault = new Error('busy');
    const answer = await plugin.handle(request('ADD'), [7]);
    assert.ok(!answer.ok);
    assert.match(answer.error.details ?? '', /busy/);
    assert.equal(counters.get('cni.undoFailed'), 1);
  });

  it('answers 11 and leaves nothing when no address comes in time', async () => {
    const { plugin, pool, network, expire } = await startedWorld();
    pool.hold = new Promise(() => {});
    const answer = plugin.handle(request('ADD'), [7]);
    await new Promise(setImmediate);
    expire();
    assert.equal(codeOf(await answer), 11);
    assert.equal(pool.keys().length + network.links.size, 0);
  });

  it('answers 11 when the pool is full', async () => {
    const { plugin, pool } = await startedWorld();
    pool.capacity = 0;
    assert.equal(codeOf(await plugin.handle(request('ADD'), [7])), 11);
    assert.equal(codeOf(await plugin.handle(request('STATUS'), [])), 50);
  });

  it('does not have a node taken out of service that runs pods and has no address for more', async () => {
    const { plugin, pool } = await startedWorld();
    pool.capacity = 1;
    assert.equal(codeOf(await plugin.handle(request('ADD'), [7])), 0);
    assert.equal(pool.state().ready, false);
    assert.equal(codeOf(await plugin.handle(request('STATUS'), [])), 0);
    assert.equal(codeOf(await plugin.handle(request('DEL'), [])), 0);
    pool.capacity = 0;
    assert.equal(codeOf(await plugin.handle(request('STATUS'), [])), 50);
  });

  it('refuses an ADD without a netlink socket', async () => {
    const { plugin } = await startedWorld();
    assert.equal(codeOf(await plugin.handle(request('ADD'), [])), 5);
  });

  it('deletes as often as asked, also what never was', async () => {
    const { plugin } = await startedWorld();
    await plugin.handle(request('ADD'), [7]);
    for (let i = 0; i < 3; i++) assert.equal(codeOf(await plugin.handle(request('DEL'), [])), 0);
    const corrupt = request('DEL', { config: { prevResult: [1, 2, 3] } });
    assert.equal(codeOf(await plugin.handle(corrupt, [])), 0);
  });

  it('leaves a new pod alone when the deletion of an old one comes late', async () => {
    const { plugin, pool } = await startedWorld();
    await plugin.handle(request('ADD', { containerId: 'old' }), [7]);
    await plugin.handle(request('DEL', { containerId: 'old' }), []);
    await plugin.handle(request('ADD', { containerId: 'new' }), [7]);
    await plugin.handle(request('DEL', { containerId: 'old' }), []);
    assert.deepEqual(pool.keys(), [{ containerId: 'new', ifname: 'eth0' }]);
  });

  it('runs a DEL that overtakes its ADD after it, and leaves nothing', async () => {
    const { plugin, pool, network } = await startedWorld();
    const release = Promise.withResolvers<void>();
    pool.hold = release.promise;
    const added = plugin.handle(request('ADD'), [7]);
    const deleted = plugin.handle(request('DEL'), []);
    release.resolve();
    assert.equal(codeOf(await added), 0);
    assert.equal(codeOf(await deleted), 0);
    assert.equal(pool.keys().length + network.links.size, 0);
  });

  it('CHECK names what is missing', async () => {
    const { plugin, network } = await startedWorld();
    const added = await plugin.handle(request('ADD'), [7]);
    assert.ok(added.ok);
    const check = request('CHECK', { config: { prevResult: added.result } });
    assert.equal(codeOf(await plugin.handle(check, [7])), 0);
    network.missing.push('the default route');
    const answer = await plugin.handle(check, [7]);
    assert.ok(!answer.ok);
    assert.equal(answer.error.code, 101);
    assert.match(answer.error.details ?? '', /the default route/);
  });

  it('CHECK fails without prevResult, with that of another pod, and for a pod not attached', async () => {
    const { plugin } = await startedWorld();
    await plugin.handle(request('ADD'), [7]);
    assert.equal(codeOf(await plugin.handle(request('CHECK'), [7])), 7);
    const foreign = { ips: [{ address: '10.32.9.9/32' }] };
    assert.equal(
      codeOf(await plugin.handle(request('CHECK', { config: { prevResult: foreign } }), [7])),
      101,
    );
    assert.equal(codeOf(await plugin.handle(request('CHECK', { containerId: 'none' }), [7])), 101);
  });

  it('refuses commands that are newer than the config', async () => {
    const { plugin } = await startedWorld();
    assert.equal(codeOf(await plugin.handle(request('CHECK', { version: '0.3.1' }), [7])), 1);
    assert.equal(codeOf(await plugin.handle(request('STATUS', { version: '1.0.0' }), [])), 1);
    assert.equal(codeOf(await plugin.handle(request('GC', { version: '1.0.0' }), [])), 1);
  });

  it('GC frees what the runtime does not list, of this network alone', async () => {
    const { plugin, pool, network } = await startedWorld();
    for (const [i, containerId] of ['a', 'b', 'c'].entries()) {
      await plugin.handle(request('ADD', { containerId }), [10 + i]);
    }
    await plugin.handle(request('ADD', { containerId: 'other', network: 'second' }), [20]);
    const valid = { 'cni.dev/valid-attachments': [{ containerID: 'b', ifname: 'eth0' }] };
    assert.equal(codeOf(await plugin.handle(request('GC', { config: valid }), [])), 0);
    assert.deepEqual(
      pool.keys().map((key) => key.containerId),
      ['b', 'other'],
    );
    const none = { 'cni.dev/valid-attachments': [] };
    assert.equal(codeOf(await plugin.handle(request('GC', { config: none }), [])), 0);
    assert.deepEqual(
      pool.keys().map((key) => key.containerId),
      ['other'],
    );
    assert.equal(network.links.size, 1);
  });

  it('GC without its list frees nothing that a pod uses', async () => {
    const { plugin, pool, network } = await startedWorld();
    await plugin.handle(request('ADD', { containerId: 'a' }), [7]);
    await plugin.handle(request('ADD', { containerId: 'b' }), [8]);
    network.links.delete(hostLinkName({ containerId: 'b', ifname: 'eth0' }));
    assert.equal(codeOf(await plugin.handle(request('GC'), [])), 0);
    assert.deepEqual(pool.keys(), [{ containerId: 'a', ifname: 'eth0' }]);
  });

  it('GC frees an allocation without a pair', async () => {
    const { plugin, pool, network } = await startedWorld();
    await plugin.handle(request('ADD'), [7]);
    network.links.clear();
    const none = { 'cni.dev/valid-attachments': null };
    assert.equal(codeOf(await plugin.handle(request('GC', { config: none }), [])), 0);
    assert.equal(pool.keys().length, 0);
  });

  it('has a STATUS wait for its start as long as the config says, and no longer', async () => {
    const patient = request('STATUS', { config: { addWaitSeconds: 30 } });
    const late = fakeWorld();
    const refused = late.plugin.handle(patient, []);
    await new Promise(setImmediate);
    late.expire();
    assert.equal(codeOf(await refused), 50);
    const { plugin } = fakeWorld();
    const waiting = plugin.handle(patient, []);
    await plugin.start();
    assert.equal(codeOf(await waiting), 0);
  });

  it('makes requests wait until it has started, but not a STATUS that is to wait for nothing', async () => {
    const { plugin } = fakeWorld();
    assert.equal(codeOf(await plugin.handle(request('STATUS'), [])), 50);
    let answered = false;
    const added = plugin.handle(request('ADD'), [7]).then((answer) => {
      answered = true;
      return answer;
    });
    await new Promise(setImmediate);
    assert.equal(answered, false);
    await plugin.start();
    assert.equal(codeOf(await added), 0);
    assert.equal(codeOf(await plugin.handle(request('STATUS'), [])), 0);
  });

  it('says when no call is under way any more', async () => {
    const { plugin, pool } = await startedWorld();
    await plugin.settled();
    const release = Promise.withResolvers<void>();
    pool.hold = release.promise;
    const added = plugin.handle(request('ADD'), [7]);
    let settled = false;
    const waiting = plugin.settled().then(() => {
      settled = true;
    });
    await new Promise(setImmediate);
    assert.equal(settled, false);
    release.resolve();
    await waiting;
    assert.equal(codeOf(await added), 0);
  });

  it('tells callers beyond its limit to try later', async () => {
    const { plugin, pool } = await startedWorld();
    const release = Promise.withResolvers<void>();
    pool.hold = release.promise;
    const calls = Array.from({ length: MAX_CALLS }, (_, i) =>
      plugin.handle(request('ADD', { containerId: `c${i}` }), [1000 + i]),
    );
    assert.equal(codeOf(await plugin.handle(request('DEL'), [])), 11);
    release.resolve();
    assert.ok((await Promise.all(calls)).every((answer) => codeOf(answer) !== 999));
    assert.equal(codeOf(await plugin.handle(request('DEL'), [])), 0);
  });

  it('does not hide a broken invariant behind an answer', async () => {
    const { plugin, pool } = await startedWorld();
    pool.allocate = async () => ({}); // a pool that promises an address and deals none
    await assert.rejects(plugin.handle(request('ADD'), [7]), InvariantError);
  });

  it('works off old deletions at start, and throws away what cannot be read', async () => {
    const { plugin, pool, network, spool } = fakeWorld();
    const key = { containerId: 'pod-a', ifname: 'eth0' };
    await pool.allocate(key, new AbortController().signal);
    const name = hostLinkName(key);
    network.links.set(name, {
      name,
      owner: { key, network: 'weft' },
      ...HOST_END,
      pod: 1,
      ifname: 'eth0',
    });
    spool.requestByName.set('one', request('DEL'));
    spool.requestByName.set('two', undefined);
    spool.requestByName.set('three', request('ADD', { containerId: 'evil' }));
    const report = await plugin.start();
    assert.deepEqual(report.faults, []);
    assert.equal(pool.keys().length + network.links.size + spool.requestByName.size, 0);
  });

  it('one deletion that cannot be read keeps none of the others', async () => {
    const { plugin, pool, spool } = fakeWorld();
    await pool.allocate({ containerId: 'pod-a', ifname: 'eth0' }, new AbortController().signal);
    spool.requestByName.set('one', new Error('read error'));
    spool.requestByName.set('two', request('DEL'));
    const report = await plugin.start();
    assert.deepEqual([report.deletions, report.faults], [1, ['read error']]);
    assert.deepEqual([pool.keys(), [...spool.requestByName.keys()]], [[], ['one']]);
  });

  it('a new ADD makes an old deletion void', async () => {
    const { plugin, spool } = await startedWorld();
    spool.requestByName.set('pod-a/eth0', request('DEL'));
    await plugin.handle(request('ADD'), [7]);
    assert.equal(spool.requestByName.size, 0);
  });

  it('keeps attached pods over a restart, releases those of an earlier boot, removes what nobody owns', async () => {
    const { plugin, pool, network } = fakeWorld();
    const signal = new AbortController().signal;
    const keys = ['intact', 'broken', 'gone'].map((containerId) => ({ containerId, ifname: 'eth0' }));
    for (const key of keys) {
      const { v4, v6 } = await pool.allocate(key, signal);
      const name = hostLinkName(key);
      const routes = key.containerId === 'intact' ? [v4!, v6!] : [v4!];
      const owner = { key, network: 'weft' };
      const { hostMac, podMac } = planAttachment(key, 'weft', { v4: v4!, v6: v6! }, 1364);
      const neighbours = [v4!, v6!].map((address) => ({ address, mac: podMac }));
      if (key.containerId !== 'gone') {
        const end = { ...HOST_END, mac: hostMac, routes, neighbours };
        network.links.set(name, { name, owner, ...end, pod: 1, ifname: 'eth0' });
      }
    }
    const orphan = 'wv00000000000';
    network.links.set(orphan, {
      name: orphan,
      owner: undefined,
      ...HOST_END,
      pod: 1,
      ifname: 'eth0',
    });
    const report = await plugin.start();
    assert.deepEqual(report.released, [{ containerId: 'gone', ifname: 'eth0' }]);
    assert.deepEqual(report.removedLinks, [orphan]);
    assert.deepEqual(network.repaired, ['broken/eth0']);
    assert.equal(report.intact, 1);
    assert.deepEqual(
      pool.keys().map((key) => key.containerId),
      ['intact', 'broken'],
    );
  });

  it('mends the host ends that somebody changed, and says what was wrong', async () => {
    const { plugin, pool, network } = await startedWorld();
    await plugin.handle(request('ADD', { containerId: 'one' }), [7]);
    await plugin.handle(request('ADD', { containerId: 'two' }), [8]);
    assert.deepEqual(await plugin.mend(), []);
    const name = hostLinkName({ containerId: 'two', ifname: 'eth0' });
    const harmed = {
      ...{ up: false, arp: true, isPort: true, routes: [], neighbours: [] },
      ...{ calledNow: 'lan7', mac: new Uint8Array(6), mtu: 1200, forwards4: false },
    };
    network.links.set(name, { ...network.links.get(name)!, ...harmed });
    const { v4, v6 } = pool.addressesOf({ containerId: 'two', ifname: 'eth0' })!;
    const [text4, text6] = [formatAddress(v4!), formatAddress(v6!)];
    assert.deepEqual(await plugin.mend(), [
      `${name} was called lan7`,
      `${name} has another hardware address`,
      `${name} has MTU 1200 and must have 1364`,
      `${name} does not forward IPv4`,
      `${name} is down`,
      `${name} answers ARP`,
      `${name} is a port of another interface`,
      `the route to ${text4} by ${name} is missing`,
      `the neighbour ${text4} on ${name} is missing`,
      `the route to ${text6} by ${name} is missing`,
      `the neighbour ${text6} on ${name} is missing`,
    ]);
    assert.deepEqual(network.repaired, ['two/eth0']);
    assert.deepEqual(await plugin.mend(), []);
  });

  it('waits for a call that is under way, and mends what that leaves undone', async () => {
    const { plugin, pool, network } = await startedWorld();
    const held = Promise.withResolvers<void>();
    const attach = network.attach.bind(network);
    network.attach = async (pod, attachment) => {
      const made = await attach(pod, attachment);
      const name = attachment.hostName;
      network.links.set(name, { ...network.links.get(name)!, routes: [] });
      await held.promise;
      return made;
    };
    const adding = plugin.handle(request('ADD'), [7]);
    while (network.links.size === 0) await new Promise(setImmediate);
    const mending = plugin.mend();
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    assert.deepEqual(network.repaired, [], 'nothing is touched while the call is under way');
    assert.equal(pool.keys().length, 1);
    held.resolve();
    assert.equal((await adding).ok, true);
    assert.equal((await mending).length, 2, 'what it left undone is found after it');
    assert.deepEqual(await plugin.mend(), []);
  });

  it('never rejects, whatever comes over the socket', async () => {
    const { plugin, network } = await startedWorld();
    const env = fc.dictionary(
      fc.constantFrom('CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_NETNS', 'x'),
      fc.oneof(
        fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'eth0', 'a'),
        fc.string(),
        fc.jsonValue(),
      ),
    );
    const config = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({
          cniVersion: fc.constantFrom('1.1.0', '0.3.1'),
          name: fc.constant('n'),
          prevResult: fc.jsonValue(),
          dns: fc.jsonValue(),
          'cni.dev/valid-attachments': fc.jsonValue(),
        })
        .map((c) => JSON.stringify(c)),
    );
    const requests = fc.oneof(fc.jsonValue(), fc.record({ env, config }, { requiredKeys: [] }));
    await fc.assert(
      fc.asyncProperty(requests, async (value) => {
        const answer = await plugin.handle(value, [3]);
        assert.ok(answer.ok || (Number.isInteger(answer.error.code) && answer.error.msg !== ''));
        JSON.stringify(answer);
      }),
      { numRuns: 2000 },
    );
    assert.equal(network.open, 0);
  });

  it('deals no address twice and leaves nothing, however calls interleave', async () => {
    const calls = fc.array(
      fc.record({
        command: fc.constantFrom('ADD', 'DEL', 'CHECK'),
        containerId: fc.constantFrom('a', 'b', 'c'),
        fails: fc.boolean(),
      }),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(calls, async (steps) => {
        const { plugin, pool, network } = await startedWorld();
        await Promise.all(
          steps.map(async ({ command, containerId, fails }, i) => {
            network.attachFault = fails ? new Error('no') : undefined;
            await plugin.handle(request(command, { containerId }), [100 + i]);
          }),
        );
        const linked = [...network.links.values()].map((link) => link.owner!.key.containerId).sort();
        assert.deepEqual(
          pool
            .keys()
            .map((key) => key.containerId)
            .sort(),
          linked,
        );
        for (const containerId of ['a', 'b', 'c']) await plugin.handle(request('DEL', { containerId }), []);
        assert.equal(pool.keys().length + network.links.size, 0);
      }),
      { numRuns: 200 },
    );
  });
});
