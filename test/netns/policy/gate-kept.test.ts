import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { eventually } from '../namespaces.ts';
import { PolicyHost, type TestPod } from './policy-host.ts';

/** A gate that somebody removes or changes, and a weftd that ends and starts at any moment. */
describe('the gate of a node', function () {
  this.timeout(180_000);
  let host: PolicyHost;
  let plain: TestPod;
  let free: TestPod;
  let policed: TestPod;

  /** Plain and free are open; policed is, for weft-npc has decided, which is away now. */
  beforeEach(async () => {
    host = await PolicyHost.create();
    await host.start();
    host.govern('policed');
    await host.npc('decide');
    plain = await host.attach('');
    free = await host.attach('free/a');
    policed = await host.attach('policed/a');
    await host.stopNpc();
    await eventually('weft-npc to count as away', async () => (await host.status()).policy?.npc === 'absent');
    assert.deepEqual(await host.decided(), new Set([plain.link, free.link, policed.link]));
  });
  afterEach(async function () {
    if (this.currentTest?.isFailed()) console.log(host.daemon.log);
    await host?.destroy();
  });

  const open = (...pods: readonly TestPod[]): Set<string> => new Set(pods.map(({ link }) => link));
  const isOpen = async (...pods: readonly TestPod[]): Promise<boolean> => {
    const found = await host.decided();
    const wanted = open(...pods);
    return found !== undefined && found.size === wanted.size && [...wanted].every((link) => found.has(link));
  };

  /** Milliseconds until the gate stands again with these open; the time is told and does not decide. */
  async function untilBack(how: string, ...pods: readonly TestPod[]): Promise<void> {
    const begun = performance.now();
    await eventually('the gate to be back', async () => (await host.isLaid()) && (await isOpen(...pods)));
    console.log(`      back ${Math.round(performance.now() - begun)} ms after ${how}`);
  }

  for (const how of ['flush ruleset', 'delete table inet weft-npc', 'delete set inet weft-npc decided']) {
    it(`is back after '${how}', open only to pods that no policy may select`, async () => {
      if (how.startsWith('delete set')) {
        for (const chain of ['gateForward', 'gateInput'])
          await host.nft('flush', 'chain', 'inet', 'weft-npc', chain);
      }
      await host.nft(...how.split(' '));
      await untilBack(how, plain, free);
      assert.equal(await host.reachesPod(plain.namespace, free), true);
      assert.equal(await host.reachesPod(plain.namespace, policed), false);
      assert.equal(await host.reachesPod(policed.namespace, plain), false);
      await host.npc('decide');
      await eventually('the third to be open again', () => host.reachesPod(policed.namespace, plain));
    });
  }

  for (const [what, change] of [
    ['a chain is flushed', 'flush chain inet weft-npc gateForward'],
    ['a rule is put before the others', 'insert rule inet weft-npc gateForward accept'],
    ['a chain is deleted', 'delete chain inet weft-npc gateInput'],
    ['the table is put to sleep', 'add table inet weft-npc { flags dormant; }'],
  ] as const) {
    it(`is whole again, with all who were open, when ${what}`, async () => {
      const before = await host.nft('--stateless', 'list', 'table', 'inet', 'weft-npc');
      await host.nft(...change.split(' '));
      const begun = performance.now();
      await eventually('the table to be as it was', async () => {
        return (await host.nft('--stateless', 'list', 'table', 'inet', 'weft-npc')) === before;
      });
      console.log(`      whole ${Math.round(performance.now() - begun)} ms after`);
      await eventually(
        'it to be counted',
        async () => (await host.counters())['admission.gateRepaired'] === 1,
      );
    });
  }

  it('takes the place of a table that somebody has filled with other things of its names', async () => {
    const batch = `delete table inet weft-npc
      table inet weft-npc { map decided { type ifname : verdict; }
        chain gateForward { }
      }`;
    assert.equal((await host.node.attempt('nft', ['-f', '-'], `${batch}\n`)).code, 0);
    await untilBack('a map of the same name', plain, free);
  });

  it('closes again whom somebody opened by hand once weft-npc has long been away, and not what weft-npc did just before', async () => {
    const late = await host.attach('policed/late');
    await host.nft('add', 'element', 'inet', 'weft-npc', 'decided', `{ "${late.link}", "wvfffffffffff" }`);
    await eventually('the pod to count as decided', async () => (await host.status()).policy?.waiting === 0);
    assert.equal((await host.decided())!.has(late.link), true, 'it may be what weft-npc had begun');
    await host.detach(late);
    await eventually('what is of nobody to be gone', () => isOpen(plain, free, policed));
    // 20 s after the last word of weft-npc nothing of it can be under way.
    await eventually(
      'one to be closed again',
      async () => {
        const byHand = await host.attach('policed/hand');
        await host.nft('add', 'element', 'inet', 'weft-npc', 'decided', `{ "${byHand.link}" }`);
        await eventually('weftd to have looked', async () => {
          const { policy } = await host.status();
          return policy?.waiting === 0 || !(await host.decided())!.has(byHand.link);
        });
        const isClosed = !(await host.decided())!.has(byHand.link);
        await host.detach(byHand);
        return isClosed;
      },
      60_000,
    );
  });

  it('lets weft-npc know of an element that vanished while it serves', async () => {
    await host.npc('decide');
    await host.nft('delete', 'element', 'inet', 'weft-npc', 'decided', `{ "${policed.link}" }`);
    const waiting = await host.attach('policed/w'); // whatever makes weftd look
    await host.nft('flush', 'chain', 'inet', 'weft-npc', 'gateInput');
    await eventually('it to be there again', () => isOpen(plain, free, policed, waiting));
  });

  it('is taken over by the next weftd as it is, whose files say who hangs here', async () => {
    const before = host.files();
    await host.daemon.stop('SIGKILL');
    const listing = await host.nft('--stateless', 'list', 'table', 'inet', 'weft-npc');
    await host.start();
    assert.equal(await host.nft('--stateless', 'list', 'table', 'inet', 'weft-npc'), listing);
    assert.deepEqual(host.files(), before);
    assert.partialDeepStrictEqual((await host.status()).policy, { npc: 'absent', open: 3, waiting: 0 });
  });

  it('is laid by the next weftd as after a loss, where somebody removed it while none ran', async () => {
    await host.daemon.stop('SIGKILL');
    await host.nft('flush', 'ruleset');
    await host.start();
    assert.deepEqual(await host.decided(), open(plain, free));
    assert.partialDeepStrictEqual((await host.status()).policy, { npc: 'absent', open: 2, waiting: 1 });
  });

  it('opens nobody at the next start of weftd where somebody emptied the run folder, and the gate went then', async () => {
    const before = host.files();
    for (const lost of [['pods'], ['pods', 'policy-gate', 'weft.sock']]) {
      for (const name of lost) rmSync(join(host.runDir, name), { recursive: true });
      await eventually('its files to be there again', () => {
        if (!lost.every((name) => existsSync(join(host.runDir, name)))) return false;
        return isDeepStrictEqual(host.files(), before);
      });
    }
    await eventually('weftd to be reached', async () => (await host.status()) !== undefined);
    await host.daemon.stop('SIGKILL');
    await host.nft('flush', 'ruleset');
    await host.start();
    assert.deepEqual(await host.decided(), open(plain, free));
    assert.partialDeepStrictEqual((await host.status()).policy, { npc: 'absent', open: 2, waiting: 1 });
  });

  it('forgets, at the start of a weftd, pods that went while none ran', async () => {
    await host.daemon.stop('SIGKILL');
    await host.detach(policed); // the plugin keeps the deletion
    await host.start();
    await eventually('its element to be gone', () => isOpen(plain, free));
    assert.equal(host.files()[policed.link], undefined);
  });

  it('goes by the addresses that weftd dealt out, where a file tells others of the same container', async () => {
    const { [policed.link]: before } = host.files();
    await host.daemon.stop('SIGKILL');
    const file = join(host.runDir, 'pods', `${policed.link}.json`);
    writeFileSync(file, JSON.stringify({ ...before, addresses: ['10.32.250.250'] }));
    await host.start();
    const { [policed.link]: after } = host.files();
    assert.deepEqual([after!.addresses, after!.pod], [policed.addresses, before!.pod]);
    assert.notEqual(after!.serial, before!.serial, 'weft-npc is told of it as of a new one');
    assert.deepEqual(await host.decided(), open(plain, free, policed), 'who runs stays as he is');
  });

  it('is not shaken by garbage in the run folder and in the state folder of weft-npc', async () => {
    await host.daemon.stop('SIGKILL');
    const folder = join(host.runDir, 'pods');
    writeFileSync(join(folder, `${free.link}.json`), '{"version":1,"link":');
    writeFileSync(join(folder, `${policed.link}.json`), JSON.stringify({ version: 99 }));
    writeFileSync(join(folder, 'wvaaaaaaaaaaa.json'), 'x'.repeat(1 << 20));
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    mkdirSync(join(folder, 'wvbbbbbbbbbbb.json'));
    writeFileSync(join(folder, `${plain.link}.json.weft-new`), '{');
    writeFileSync(join(host.folder, 'governed.json'), '{"version":1,"all":false,"namespaces":[1]}');
    await host.start();
    assert.deepEqual(await host.decided(), open(plain, free, policed), 'who runs stays as he is');
    assert.deepEqual([host.files()[free.link]!.pod, host.files()[policed.link]!.pod], [null, null]);
    assert.ok(!readdirSync(folder).some((name) => name.endsWith('.weft-new')));
    assert.ok((await host.problems()).includes('W_POD_FILES'));
    assert.ok(
      (await host.problems()).includes('E_POLICY_NEVER_COMPLETE'),
      'a file that cannot be read is none',
    );
    const later = await host.attach('free/later');
    assert.equal((await host.decided())!.has(later.link), false);
    host.govern('policed');
    await eventually('it to be open once there is a file', async () =>
      (await host.decided())!.has(later.link),
    );
    rmSync(folder, { recursive: true });
    const last = await host.attach('free/last');
    assert.deepEqual(host.files()[last.link]!.pod, { namespace: 'free', name: 'last', uid: 'u-last' });
  });

  it('is removed by a weftd without --policy, and laid anew for all who run by one with it', async () => {
    await host.daemon.stop('SIGTERM');
    await host.start([]);
    assert.equal(await host.decided(), undefined);
    assert.ok(!readdirSync(host.runDir).some((name) => name === 'pods' || name === 'policy-gate'));
    assert.equal(await host.reachesPod(policed.namespace, plain), true);
    assert.equal((await host.status()).policy, undefined);
    const meanwhile = await host.attach('policed/meanwhile');
    await host.daemon.stop('SIGTERM');
    await host.start();
    assert.deepEqual(await host.decided(), open(plain, free, policed, meanwhile));
    assert.deepEqual(
      Object.values(host.files()).map(({ pod }) => pod),
      [null, null, null, null],
      'whose they are is for weft-npc to find',
    );
  });
});
