import assert from 'node:assert/strict';
import { eventually } from '../namespaces.ts';
import { PolicyHost, type TestPod } from './policy-host.ts';

/** Every row of the table that says what happens to a pod that starts, with the real weftd, plugin and nft. */
describe('a pod that starts on a node with a gate', function () {
  this.timeout(120_000);
  let host: PolicyHost;
  /** A container that is no pod; it is let through whatever weft-npc does. */
  let plain: TestPod;

  before(async () => {
    host = await PolicyHost.create();
    await host.start();
  });
  after(() => host?.destroy());
  afterEach(() => host.stopNpc());

  /** How often weft-npc was asked for a pod, and left unanswered, while `act` ran. */
  async function asked(act: () => Promise<unknown>): Promise<readonly [asked: number, silent: number]> {
    const before = await host.counters();
    await act();
    const after = await host.counters();
    const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    return [grown('admission.asked'), grown('admission.silent')];
  }

  it('is let through at once where it is no pod of Kubernetes', async () => {
    plain = await host.attach('');
    assert.deepEqual([...(await host.decided())!], [plain.link]);
    assert.equal(await host.reachesPod(host.node, plain), true);
    assert.equal(host.files()[plain.link]!.ungoverned, true);
  });

  it('is closed where weft-npc never had a complete copy, and the status says why', async () => {
    const pod = await host.attach('free/a');
    assert.equal((await host.decided())!.has(pod.link), false);
    assert.equal(await host.reachesPod(pod.namespace, plain), false, 'what it sends');
    assert.equal(await host.reachesPod(plain.namespace, pod), false, 'what is sent to it');
    assert.equal(await host.reachesPod(host.node, pod), true, 'probes of its node');
    assert.ok((await host.problems()).includes('E_POLICY_NEVER_COMPLETE'));
    await eventually('the pod to be named', async () => (await host.problems()).includes('E_PODS_AT_GATE'));
    const { warnings = [], policy } = await host.status();
    assert.match(warnings.join('\n'), /1: free\/a \(no policies are known\)/);
    assert.partialDeepStrictEqual(policy, { npc: 'absent', open: 1, waiting: 1 });
    await host.detach(pod);
  });

  it('cannot begin anything with its own node while it is closed', async () => {
    const pod = await host.attach('free/b');
    const [v4, v6] = (await host.status()).addresses as [string, string];
    assert.equal(await host.reaches(pod.namespace, v4), false);
    assert.equal(await host.reaches(pod.namespace, v6), false);
    const { 'gate.dropInput': input, 'gate.dropForwarded': forwarded } = await host.counters();
    assert.ok(input! >= 2 && forwarded! >= 2, `${input} ${forwarded}`);
    await host.detach(pod);
  });

  it('is let through by weftd where weft-npc is away and no policy may select it, without a wait', async () => {
    host.govern('policed');
    let pod!: TestPod;
    assert.deepEqual(await asked(async () => (pod = await host.attach('free/c'))), [0, 0]);
    assert.equal(await host.reachesPod(pod.namespace, plain), true);
    assert.equal(await host.reachesPod(plain.namespace, pod), true);
    assert.deepEqual(host.files()[pod.link]!.pod, { namespace: 'free', name: 'c', uid: 'u-c' });
    await host.detach(pod);
    assert.equal(host.files()[pod.link], undefined);
    await eventually('its element to be gone', async () => !(await host.decided())!.has(pod.link));
  });

  it('is closed where weft-npc is away and a policy may select it, without a wait, until weft-npc is there', async () => {
    host.govern('policed');
    let pod!: TestPod;
    assert.deepEqual(await asked(async () => (pod = await host.attach('policed/d'))), [0, 0]);
    assert.equal(await host.reachesPod(pod.namespace, plain), false);
    await host.npc('decide');
    await eventually('it to be open', () => host.reachesPod(pod.namespace, plain));
    await eventually('weftd to know', async () => (await host.status()).policy?.waiting === 0);
    await host.detach(pod);
  });

  it('is closed, though no policy may select it, while rules take its address for that of a pod before it', async () => {
    host.govern('policed');
    const before = await host.attach('free/first');
    const [v4] = before.addresses as [string, string];
    // Addresses are dealt out one after the other.
    const after = ({ addresses }: TestPod, steps = 1): string =>
      addresses[1]!.replace(/[0-9a-f]+$/, (last) => (Number.parseInt(last, 16) + steps).toString(16));
    const next = after(before);
    await host.nft('add', 'set', 'inet', 'weft-npc', 'a6-x', '{ type ipv6_addr; }');
    await host.nft('add', 'element', 'inet', 'weft-npc', 'a6-x', `{ ${next}, fd00::1 }`);
    // A range is nobody's own address.
    await host.nft('add', 'set', 'inet', 'weft-npc', 'c4-x', '{ type ipv4_addr; flags interval; }');
    await host.nft('add', 'element', 'inet', 'weft-npc', 'c4-x', `{ ${v4.replace(/\d+$/, '0')}/24 }`);
    const pod = await host.attach('free/second');
    assert.equal(pod.addresses[1], next);
    assert.equal((await host.decided())!.has(pod.link), false);
    assert.equal(await host.reachesPod(pod.namespace, before), false);
    assert.equal((await host.counters())['admission.addressHeld'], 1);
    await eventually('the pod to be named', async () => (await host.problems()).includes('E_PODS_AT_GATE'));
    assert.match(
      (await host.status()).warnings!.join('\n'),
      /free\/second \(its address was that of another pod\)/,
    );
    const third = await host.attach('free/third');
    assert.equal((await host.decided())!.has(third.link), true, 'others are opened as ever');
    // Who is known by his address need not be a pod.
    await host.nft('add', 'set', 'inet', 'weft-npc', 'h6-x', '{ type ipv6_addr; }');
    await host.nft('add', 'element', 'inet', 'weft-npc', 'h6-x', `{ ${after(third)}, ${after(third, 2)} }`);
    const [container, fourth] = [await host.attach(''), await host.attach('free/fourth')];
    assert.deepEqual([container.addresses[1], fourth.addresses[1]], [after(third), after(third, 2)]);
    assert.equal((await host.decided())!.has(container.link), true);
    assert.equal((await host.decided())!.has(fourth.link), false);
    await host.nft('delete', 'element', 'inet', 'weft-npc', 'a6-x', `{ ${next} }`);
    await eventually('it to be opened', async () => (await host.decided())!.has(pod.link));
    for (const each of [before, pod, third, container, fourth]) await host.detach(each);
    for (const set of ['a6-x', 'c4-x', 'h6-x']) await host.nft('delete', 'set', 'inet', 'weft-npc', set);
  });

  for (const namespace of ['free', 'policed']) {
    it(`is decided before ADD answers where weft-npc serves (${namespace})`, async () => {
      host.govern('policed');
      await host.npc('decide');
      const before = await host.counters();
      const pod = await host.attach(`${namespace}/e`);
      assert.equal((await host.decided())!.has(pod.link), true);
      const after = await host.counters();
      assert.equal((after['admission.decided'] ?? 0) - (before['admission.decided'] ?? 0), 1);
      await host.detach(pod);
    });
  }

  it('is told to weft-npc with all that is known of it, and the peers by name', async () => {
    await host.npc('decide');
    const pod = await host.attach('free/f');
    const { attachments, peers } = host.npcAnswer();
    const mine = attachments.find(({ link }) => link === pod.link)!;
    assert.deepEqual(
      [mine.pod, mine.addresses, mine.containerId],
      [{ namespace: 'free', name: 'f', uid: 'u-f' }, pod.addresses, pod.containerId],
    );
    assert.deepEqual(peers, [{ name: 'node', addresses: (await host.status()).addresses }]);
    await host.detach(pod);
  });

  for (const [namespace, open] of [
    ['free', true],
    ['policed', false],
  ] as const) {
    it(`does not wait for ever where weft-npc does not answer (${namespace})`, async () => {
      host.govern('policed');
      await host.npc('hold');
      let pod!: TestPod;
      assert.deepEqual(await asked(async () => (pod = await host.attach(`${namespace}/g`))), [1, 1]);
      assert.equal((await host.decided())!.has(pod.link), open);
      await host.detach(pod);
    });

    it(`does not wait where weft-npc knows that it does not know it (${namespace})`, async () => {
      host.govern('policed');
      await host.npc('unknown');
      let pod!: TestPod;
      assert.deepEqual(await asked(async () => (pod = await host.attach(`${namespace}/h`))), [1, 0]);
      assert.equal((await host.decided())!.has(pod.link), open);
      await host.detach(pod);
    });

    it(`does not ask a weft-npc without a complete copy (${namespace})`, async () => {
      host.govern('policed');
      await host.npc('incomplete');
      let pod!: TestPod;
      assert.deepEqual(await asked(async () => (pod = await host.attach(`${namespace}/i`))), [0, 0]);
      assert.equal((await host.decided())!.has(pod.link), open);
      await host.detach(pod);
    });

    it(`goes on as soon as weft-npc dies while it is asked (${namespace})`, async function () {
      this.retries(2); // on a machine with other work the signal may come after the bound
      host.govern('policed');
      await host.npc('hold');
      let pod!: TestPod;
      const counts = await asked(async () => {
        const adding = host.attach(`${namespace}/j`);
        await eventually('it to be asked', () =>
          host.npcAnswer().attachments.some(({ pod: one }) => (one as { name: string } | null)?.name === 'j'),
        );
        await host.stopNpc('SIGKILL');
        pod = await adding;
      });
      assert.deepEqual(counts, [1, 0]);
      assert.equal((await host.decided())!.has(pod.link), open);
      await host.detach(pod);
    });

    it(`is as ever where weft-npc is stopped, and no other pod waits for it after a moment (${namespace})`, async () => {
      host.govern('policed');
      await host.npc('decide');
      await host.stopNpc('SIGSTOP');
      const first = await host.attach(`${namespace}/k`);
      assert.equal((await host.decided())!.has(first.link), open);
      await eventually(
        'weft-npc to count as away',
        async () => (await host.status()).policy?.npc === 'absent',
      );
      let second!: TestPod;
      assert.deepEqual(await asked(async () => (second = await host.attach(`${namespace}/l`))), [0, 0]);
      assert.equal((await host.decided())!.has(second.link), open);
      await host.detach(first);
      await host.detach(second);
    });
  }
});
