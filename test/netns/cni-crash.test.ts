import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type RandomSource, randomBelow } from '../../base/random.ts';
import { seededRandom } from '../seeded-random.ts';
import { RealDaemon } from './cni-real-daemon.ts';
import { type PluginOutcome, runPlugin } from './cni-runner.ts';
import { eventually, Namespace } from './namespaces.ts';

/** Rounds of kills, each with a restart of weftd, and the seed of all chances in them. */
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 8);
const SEED = Number(process.env.CRASH_SEED ?? 1);
const PODS = 4;
/** An ADD takes about 10 ms, a DEL as much; both are to be hit at every step. */
const KILL_WITHIN_MS = 40;

/**
 * SIGKILL for weftd and for executables at any moment of ADDs and DELs, several at once for one container: whatever
 * was cut off, the addresses dealt out and the links in the kernel are the same set afterwards.
 */
describe('weftd and weft-net killed at any moment', function () {
  this.timeout(30_000 + ROUNDS * 5_000);
  let folder: string;
  let node: Namespace;
  let daemon: RealDaemon;
  const pods: Namespace[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weft-crash-'));
    node = await Namespace.create('cgk');
    for (let i = 0; i < PODS; i++) pods.push(await Namespace.create('cgk'));
    daemon = new RealDaemon(node, folder);
    await daemon.start();
  });

  after(async () => {
    await daemon.stop('SIGKILL');
    await Promise.all([node, ...pods].map((namespace) => namespace?.delete()));
    rmSync(folder, { recursive: true, force: true });
  });

  function call(command: string, i: number, id: string, killAfterMs?: number): Promise<PluginOutcome> {
    const gc = command === 'GC' ? { 'cni.dev/valid-attachments': [] } : {};
    return runPlugin({
      command,
      node: node.path,
      containerId: id,
      netns: pods[i]!.path,
      ifname: 'eth0',
      config: { cniVersion: '1.1.0', name: 'crash', type: 'weft-net', runDir: daemon.runDir, ...gc },
      ...(killAfterMs === undefined ? {} : { killAfterMs }),
    });
  }

  /** What the kernel has: `containerId/ifname` of each link, and what is routed to it. */
  async function kernelState(): Promise<Map<string, readonly string[]>> {
    const links = JSON.parse(await node.run('ip', '-j', 'link', 'show')) as {
      ifname: string;
      ifalias?: string;
    }[];
    const state = new Map<string, readonly string[]>();
    for (const { ifname, ifalias } of links.filter((link) => link.ifname.startsWith('wv'))) {
      const addresses: string[] = [];
      for (const family of ['-4', '-6']) {
        const routes = JSON.parse(await node.run('ip', family, '-j', 'route', 'show', 'dev', ifname)) as {
          dst: string;
        }[];
        addresses.push(...routes.map(({ dst }) => dst));
      }
      state.set(ifalias?.split('/').slice(0, 2).join('/') ?? ifname, addresses);
    }
    return state;
  }

  async function agree(): Promise<boolean> {
    const [dealt, real] = [await daemon.addressesByKey(), await kernelState()];
    return JSON.stringify([...dealt].sort()) === JSON.stringify([...real].sort());
  }

  /** Two runtimes at odds about one container, one of them cut off. Answers what the last to succeed says. */
  async function quarrel(random: RandomSource, i: number, id: string): Promise<void> {
    const commands = ['ADD', 'DEL', 'ADD', 'DEL', 'ADD'].slice(randomBelow(random, 3));
    const calls: Promise<PluginOutcome>[] = [];
    for (const command of commands) {
      const killed = randomBelow(random, 3) === 0;
      const running = call(command, i, id, killed ? randomBelow(random, KILL_WITHIN_MS) : undefined);
      calls.push(running);
      if (randomBelow(random, 2) === 0) await running;
    }
    for (const outcome of await Promise.all(calls)) {
      const expected = [undefined, 11, 100];
      if (outcome.code > 0) assert.ok(expected.includes(outcome.json?.code), outcome.stdout);
    }
  }

  for (let round = 0; round < ROUNDS; round++) {
    it(`round ${round} of seed ${SEED}`, async () => {
      const random = seededRandom(SEED * 1000 + round);
      const quarrels = pods.map((_, i) => quarrel(random, i, `r${round}-${i}`));
      await delay(randomBelow(random, 2 * KILL_WITHIN_MS));
      await daemon.stop('SIGKILL');
      await daemon.start();
      await Promise.all(quarrels);
      // Calls whose executable was killed may still be under way.
      await eventually('addresses and links to be the same', agree);
      const dealt = [...(await daemon.addressesByKey()).values()].flat();
      assert.equal(new Set(dealt).size, dealt.length, 'no address twice');
      if (randomBelow(random, 2) === 0) {
        assert.equal((await call('GC', 0, 'any')).code, 0);
      } else {
        for (const i of pods.keys()) assert.equal((await call('DEL', i, `r${round}-${i}`)).code, 0);
      }
      assert.deepEqual([await daemon.allocations(), [...(await kernelState()).keys()]], [[], []]);
      for (const pod of pods) assert.doesNotMatch(await pod.run('ip', 'link', 'show'), /eth0/);
    });
  }
});
