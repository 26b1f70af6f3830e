import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomBelow } from '../../../base/random.ts';
import { seededRandom } from '../../seeded-random.ts';
import { eventually } from '../namespaces.ts';
import { PolicyHost, type TestPod } from './policy-host.ts';

const EAGER = fileURLToPath(new URL('../inside/eager-sender.ts', import.meta.url));
const PODS = 50;
const SEED = Number(process.env.GATE_SEED ?? 1);

/** Many pods at once, pods that send from their first instruction, and kills at any moment. */
describe('the gate when much happens at once', function () {
  this.timeout(240_000);
  let host: PolicyHost;

  beforeEach(async () => {
    host = await PolicyHost.create();
    await host.start();
    host.govern('policed');
  });
  afterEach(() => host?.destroy());

  /** Half of them of a namespace that has policies. */
  async function attachMany(): Promise<TestPod[]> {
    const namespaces = await Promise.all(Array.from({ length: PODS }, () => host.podNamespace()));
    const begun = performance.now();
    const pods = await Promise.all(
      namespaces.map((namespace, i) => host.attach(`${i % 2 ? 'policed' : 'free'}/p${i}`, { namespace })),
    );
    console.log(`      ${PODS} ADDs in ${Math.round(performance.now() - begun)} ms`);
    return pods;
  }
  const links = (pods: readonly TestPod[], which: 'free' | 'policed'): Set<string> =>
    new Set(pods.filter((_, i) => (i % 2 === 1) === (which === 'policed')).map(({ link }) => link));

  for (const state of ['absent', 'killed', 'stopped'] as const) {
    it(`attaches ${PODS} pods at once with weft-npc ${state}, and opens those alone that no policy may select`, async () => {
      if (state !== 'absent') {
        await host.npc('decide');
        await host.stopNpc(state === 'killed' ? 'SIGKILL' : 'SIGSTOP');
      }
      const pods = await attachMany();
      assert.deepEqual(await host.decided(), links(pods, 'free'));
      assert.equal((await host.status()).policy?.waiting, PODS / 2);
      assert.equal(Object.keys(host.files()).length, PODS);
      await Promise.all(pods.map((pod) => host.detach(pod)));
      await eventually('the set to be empty', async () => (await host.decided())!.size === 0);
      assert.deepEqual(host.files(), {});
    });
  }

  it(`attaches ${PODS} pods at once, all decided, where weft-npc serves`, async () => {
    await host.npc('decide');
    const pods = await attachMany();
    assert.deepEqual(await host.decided(), new Set([...links(pods, 'free'), ...links(pods, 'policed')]));
    assert.equal((await host.counters())['admission.silent'] ?? 0, 0);
  });

  it(`attaches ${PODS} pods where nft is missing, all closed, and opens whom it may once nft is there`, async () => {
    await host.daemon.stop('SIGTERM');
    const bin = join(host.folder, 'bin');
    mkdirSync(bin);
    const hide = join(bin, 'nft');
    await host.start(['--policy'], { PATH: `${bin}:${process.env.PATH}` });
    await host.node.run('sh', '-c', `printf '#!/bin/sh\\nexit 1\\n' > ${hide}; chmod 755 ${hide}`);
    const pods = await attachMany();
    assert.deepEqual(await host.decided(), new Set());
    assert.ok((await host.problems()).includes('E_GATE'));
    await host.node.run('rm', hide);
    await eventually('the others to be open', async () => (await host.decided())!.size === PODS / 2);
    assert.deepEqual(await host.decided(), links(pods, 'free'));
    await eventually('the fault to be over', async () => !(await host.problems()).includes('E_GATE'));
  });

  it('does not let ADD wait for an nft that takes long, and opens the pod when that is done', async () => {
    await host.daemon.stop('SIGTERM');
    const bin = join(host.folder, 'bin');
    mkdirSync(bin);
    const slow = join(bin, 'nft');
    await host.start(['--policy'], { PATH: `${bin}:${process.env.PATH}` });
    await host.node.run(
      'sh',
      '-c',
      `printf '#!/bin/sh\\nsleep 4; exec /usr/sbin/nft "$@"\\n' > ${slow}; chmod 755 ${slow}`,
    );
    const pod = await host.attach('free/slow');
    assert.equal((await host.decided())!.has(pod.link), false, 'nft has not ended yet');
    await eventually('it to be open', async () => (await host.decided())!.has(pod.link));
    assert.equal(await host.reachesPod(host.node, pod), true);
  });

  it('lets nothing through of pods that send from their first instruction, nor to them, until they are decided', async () => {
    const plain = await host.attach('');
    const [v4, v6] = plain.addresses as [string, string];
    const listener = plain.namespace.startProgram(EAGER, ['listen', '30']);
    let heard = '';
    listener.stdout!.on('data', (data: Buffer) => (heard += data.toString()));
    await eventually('the listener to listen', () => heard.includes('ready'));
    const closed = [];
    for (let i = 0; i < 3; i++) {
      const namespace = await host.podNamespace();
      for (const address of [v4, v6]) namespace.startProgram(EAGER, ['send', address]);
      closed.push(namespace);
    }
    await delay(500); // they send before they have a network
    const pods = await Promise.all(
      closed.map((namespace, i) => host.attach(`policed/eager${i}`, { namespace })),
    );
    const senders = pods.flatMap(({ addresses }) => addresses);
    for (const pod of pods) {
      assert.equal(await host.reachesPod(plain.namespace, pod), false);
      assert.equal(await host.reachesPod(host.node, pod), true, 'a probe of its node');
    }
    const dropped = (await host.counters())['gate.dropForwarded'] ?? 0;
    assert.ok(dropped > 100, `they have sent much: ${dropped}`);
    assert.ok(!senders.some((address) => heard.includes(address)), heard);
    await host.npc('decide');
    await eventually('all of them to be heard', () => senders.every((address) => heard.includes(address)));
  });

  it('stands after kills of weftd at any moment of ADD and DEL: who is undecided is closed, and all agree', async () => {
    const random = seededRandom(SEED);
    const namespaces = await Promise.all(Array.from({ length: 6 }, () => host.podNamespace()));
    for (let round = 0; round < 6; round++) {
      const calls = namespaces.map((namespace, i) =>
        host.add(`${i % 2 ? 'policed' : 'free'}/p${i}`, { namespace, containerId: `r${round}-${i}` }),
      );
      await delay(randomBelow(random, 60));
      await host.daemon.stop('SIGKILL');
      await host.start();
      const pods = await Promise.all(calls);
      // Of an ADD that was cut off just before its answer all is there; the runtime will delete it.
      const hang = async (): Promise<TestPod[]> => {
        const keys = await host.daemon.allocations();
        return pods.filter(({ containerId }) => keys.includes(`${containerId}/eth0`));
      };
      const linksOf = (some: readonly TestPod[]): string[] => some.map(({ link }) => link).sort();
      await eventually('the set to hold the free ones that hang here, and nobody else', async () => {
        const free = (await hang()).filter(({ containerId }) => Number(containerId.at(-1)) % 2 === 0);
        const decided = await host.decided();
        return decided !== undefined && [...decided].sort().join() === linksOf(free).join();
      });
      assert.deepEqual(
        Object.keys(host.files()).sort(),
        linksOf(await hang()),
        'a file for each that hangs here',
      );
      for (const pod of pods) await host.detach(pod);
      await eventually('nothing to be left', async () => (await host.decided())!.size === 0);
      assert.deepEqual(host.files(), {});
    }
  });

  it('takes CNI_ARGS that lie or are as long as can be for what they are', async () => {
    const long = `K8S_POD_NAMESPACE=free;K8S_POD_NAME=a;X=${'y'.repeat(16 * 1024 - 60)}`;
    const cases: readonly [string, boolean, unknown][] = [
      [long, true, { namespace: 'free', name: 'a', uid: '' }],
      ['K8S_POD_NAMESPACE=free;K8S_POD_NAMESPACE=policed;K8S_POD_NAME=a', false, null],
      ['K8S_POD_NAMESPACE=../../etc;K8S_POD_NAME=a', false, null],
      ['K8S_POD_NAMESPACE=free', false, null],
      [`K8S_POD_NAMESPACE=free;K8S_POD_NAME="};flush ruleset;{"`, false, null],
    ];
    for (const [args, isOpen, expected] of cases) {
      const pod = await host.attach('', { args });
      assert.equal((await host.decided())!.has(pod.link), isOpen, args.slice(0, 80));
      assert.deepEqual(host.files()[pod.link]!.pod, expected);
      await host.detach(pod);
    }
  });

  it('closes a container that is attached anew under its name, whatever was decided for the one before', async () => {
    await host.npc('decide');
    const first = await host.attach('policed/a', { containerId: 'same' });
    await host.stopNpc();
    await host.detach(first);
    const second = await host.attach('policed/a', { containerId: 'same' });
    assert.equal(second.link, first.link);
    assert.equal((await host.decided())!.has(second.link), false);
  });
});
