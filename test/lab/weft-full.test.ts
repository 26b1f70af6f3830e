import { deepEqual, equal, ok } from 'node:assert/strict';
import { until } from '../cluster/command.ts';
import { isReady, type KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { KILL_WEFTD, NAMESPACE, WeftLab } from './weft-lab.ts';
import { addressesOf, get, PORT, podOn, sleeper, url, WEB } from './workloads.ts';

/** Of 32 addresses: more pods than have room, on two nodes. */
const RANGE = '10.32.0.0/27';
const CROWD = 40;
const STATE = '/var/lib/weft';
const SLOW = { timeoutMs: 120_000, everyMs: 1_000 };

/** Nothing is left to give: addresses of the cluster, or the disk of a node. Weft is replaced all the same. */
describe('Weft where nothing is left to give', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;
  let web: KubeObject[];

  before(async () => {
    weft = await WeftLab.bare({ nodes: 2, env: { IPALLOC_RANGE: RANGE } });
    lab = weft.lab;
    // A disk of its own, small enough to be filled.
    await onNode(`mkdir -m 700 ${STATE} && mount -t tmpfs -o mode=700,size=4m none ${STATE}`);
    await weft.apply();
    await weft.serves();
    await lab.apply(WEB);
    web = await lab.kubectl.waitForPods('app=web', { count: 2 });
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  const onNode = async (script: string): Promise<string> =>
    (await lab.node('n1').run(['sh', '-c', script])).stdout;
  const worksBothWays = async (): Promise<void> => {
    const [one, two] = [podOn(web, 'n1'), podOn(web, 'n2')];
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const)
      for (const address of addressesOf(to))
        equal(await get(lab, from, url(address, PORT, '/hostname')), to.metadata.name);
  };
  const serving = async (): Promise<string[]> =>
    (await weft.pods())
      .filter(isReady)
      .map(({ metadata }) => metadata.name)
      .sort();
  const replaced = async (): Promise<void> => {
    const before = await serving();
    equal(before.length, 2);
    await lab.kubectl.run(['rollout', 'restart', 'ds/weft', '-n', NAMESPACE]);
    await weft.rolledOut();
    const after = await serving();
    ok(after.length === 2 && !after.some((name) => before.includes(name)), `${before} became ${after}`);
  };
  const warned = (what: RegExp, wanted = true): Promise<unknown> =>
    until(
      `${wanted ? 'a' : 'no'} warning ${what}`,
      async () => (await weft.warnings('n1')).some((each) => what.test(each)) === wanted,
      SLOW,
    );

  describe('of addresses', () => {
    before(async () => {
      const crowd = Array.from({ length: CROWD }, (_, i) => `crowd-${i}`);
      await lab.apply(crowd.map((name) => sleeper(name, { labels: { app: 'crowd' } })));
      await until(
        'a pod to be told that no address is left',
        async () =>
          (await lab.kubectl.list('events')).some(({ message }: KubeObject & { message?: string }) =>
            message?.includes("the cluster's range has no free address"),
          ),
        SLOW,
      );
    });

    it('is replaced on all nodes, and pods that run go on', async () => {
      await replaced();
      await worksBothWays();
    });

    it('stays where it is while the image of the new version cannot be had', async () => {
      const before = await serving();
      await lab.kubectl.run(['set', 'image', 'ds/weft', '-n', NAMESPACE, 'weft=lab.test/none:1']);
      await until(
        'the new pod to lack its image',
        async () =>
          (await weft.pods()).some(({ status }) =>
            status.containerStatuses?.some((each: { readonly state: { waiting?: { reason?: string } } }) =>
              /^(ErrImage|ImagePull)/.test(each.state.waiting?.reason ?? ''),
            ),
          ),
        SLOW,
      );
      deepEqual(await serving(), before);
      await worksBothWays();
      await lab.kubectl.run(['rollout', 'undo', 'ds/weft', '-n', NAMESPACE]);
      await weft.rolledOut();
    });

    it('gives addresses again once pods went', async () => {
      await lab.kubectl.run(
        ['delete', 'pods', '-l', 'app=crowd', '--grace-period=0', '--force', '--wait=false'],
        { timeoutMs: 60_000 },
      );
      await lab.apply(sleeper('latecomer', { labels: { app: 'latecomer' }, node: 'n1' }));
      await lab.kubectl.waitForPods('app=latecomer', { timeoutMs: 120_000 });
    });
  });

  describe('of the disk', () => {
    before(async () => {
      await onNode(`dd if=/dev/zero of=${STATE}/ballast bs=4k 2>/dev/null; true`);
      equal(await onNode(`df --output=avail ${STATE} | tail -1`).then((text) => text.trim()), '0');
      // Weft learns of it by the next thing that it has to write.
      await lab.apply(sleeper('refused', { labels: { app: 'refused' }, node: 'n1' }));
      await warned(/no space left/);
    });

    it('is replaced on all nodes, and pods that run go on', async () => {
      await replaced();
      await worksBothWays();
    });

    it('serves again after it was killed', async () => {
      const before = (await weft.podOn('n1')).status.containerStatuses[0].restartCount;
      await onNode(KILL_WEFTD);
      await until(
        'weftd to serve again',
        async () => {
          const pod = await weft.podOn('n1');
          return isReady(pod) && pod.status.containerStatuses[0].restartCount > before;
        },
        SLOW,
      );
      await worksBothWays();
    });

    it('starts pods again once there is room, also those that waited', async () => {
      await onNode(`rm ${STATE}/ballast`);
      await lab.apply(sleeper('afterwards', { labels: { app: 'afterwards' }, node: 'n1' }));
      for (const app of ['refused', 'afterwards'])
        await lab.kubectl.waitForPods(`app=${app}`, { timeoutMs: 120_000 });
      await warned(/no space left/, false);
    });
  });
});
