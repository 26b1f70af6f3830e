import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { until } from '../cluster/command.ts';
import { isReady, type KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import { ROOT } from './harness/paths.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { NAMESPACE, WeftLab } from './weft-lab.ts';
import { addressesOf, get, PORT, url, WEB } from './workloads.ts';

const SECRET = 'weft-secret';
const RING = 'weft-genesis';
const SLOW = { timeoutMs: 120_000, everyMs: 500 };

/** What the API holds goes, while the nodes keep what is theirs. */
describe('Weft whose objects in the API are lost', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;

  before(async () => {
    weft = await WeftLab.up({ nodes: 2 });
    lab = weft.lab;
    await lab.apply(WEB);
    await lab.kubectl.waitForPods('app=web', { count: 2 });
    await weft.settled();
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  const dataOf = async (kind: string, name: string): Promise<Record<string, string> | undefined> =>
    ((await lab.kubectl.get(kind, name, NAMESPACE)) as { data?: Record<string, string> } | undefined)?.data;
  const peers = async (): Promise<string[]> =>
    Promise.all(['n1', 'n2'].map(async (node) => (await weft.status(node)).peerId));

  const everyoneReachesEveryone = async (count: number): Promise<KubeObject[]> => {
    const pods = await lab.kubectl.waitForPods('app=web', { count, timeoutMs: 120_000 });
    for (const from of pods)
      for (const to of pods)
        for (const address of addressesOf(to))
          equal(await get(lab, from, url(address, PORT, '/hostname')), to.metadata.name);
    return pods;
  };

  /** Waits until an init container has said something. */
  const said = (node: string, what: RegExp): Promise<unknown> =>
    until(
      `kube-init on ${node} to say ${what}`,
      async () => {
        const { metadata } = await weft.podOn(node);
        const argv = ['logs', '-n', NAMESPACE, metadata.name, '-c', 'prepare'];
        const { stdout } = await lab.kubectl.run(argv, { mayFail: true });
        if (!what.test(stdout)) throw new Error(stdout);
        return true;
      },
      SLOW,
    );

  it('puts the Secret and the beginning of the ring back when somebody deletes them', async () => {
    const before = [await dataOf('secret', SECRET), (await dataOf('configmap', RING))?.genesis];
    for (const what of [`secret/${SECRET}`, `configmap/${RING}`]) {
      await lab.kubectl.run(['delete', '-n', NAMESPACE, what]);
      await until(
        'both to be as they were',
        async () => {
          const now = [await dataOf('secret', SECRET), (await dataOf('configmap', RING))?.genesis];
          return JSON.stringify(now) === JSON.stringify(before);
        },
        SLOW,
      );
    }
    await until('no warning to remain', async () => (await weft.warnings('n1')).length === 0, SLOW);
  });

  it('comes back after the manifest was deleted and applied again, with a new node among the old ones', async () => {
    const secret = await dataOf('secret', SECRET);
    const [before, pods] = [await peers(), await everyoneReachesEveryone(2)];
    await lab.kubectl.run(['delete', '-f', `${ROOT}/weave-daemonset.yaml`], { timeoutMs: 120_000 });
    equal(await dataOf('secret', SECRET), undefined);
    const newcomer = await weft.addNode();
    await weft.apply();
    await lab.waitForNodes();
    await weft.settled(120_000);
    deepEqual(await dataOf('secret', SECRET), secret);
    deepEqual(await peers(), before, 'no node became another one');
    equal((await weft.status(newcomer)).ipam.state, 'ready');
    const after = await everyoneReachesEveryone(3);
    for (const { metadata } of pods)
      equal(
        after.some(({ metadata: { uid } }) => uid === metadata.uid),
        true,
        'pods live on',
      );
  });

  it('refuses another Secret beside its ring in each new pod, and mends itself once that one is deleted', async () => {
    const secret = await dataOf('secret', SECRET);
    const before = await peers();
    await lab.kubectl.run(['delete', 'ds', 'weft', '-n', NAMESPACE, '--wait=true']);
    await until('its pods to be gone', async () => (await weft.pods()).length === 0, SLOW);
    await lab.kubectl.run(['delete', 'secret', SECRET, '-n', NAMESPACE]);
    const other = '0123456789abcdeffedcba98765432100f1e2d3c4b5a69788796a5b4c3d2e1f0';
    await lab.kubectl.run([
      'create',
      'secret',
      'generic',
      SECRET,
      '-n',
      NAMESPACE,
      `--from-literal=secret=${other}`,
    ]);
    await weft.apply();
    await said('n1', /E_SECRET_OTHER|is of cluster .*delete the Secret/);
    const newcomer = await weft.addNode();
    await said(newcomer, /the ring \(ConfigMap weft-genesis\) of cluster .*delete the Secret/);
    await lab.kubectl.run(['delete', 'secret', SECRET, '-n', NAMESPACE]);
    await until(
      'Weft on all nodes',
      async () => {
        const pods = await lab.kubectl.list('pods', NAMESPACE);
        if (pods.every(isReady)) return true;
        throw new Error((await lab.kubectl.run(['describe', 'pods', '-n', NAMESPACE])).stdout.slice(-6_000));
      },
      { ...SLOW, timeoutMs: 240_000 },
    );
    await weft.settled(120_000);
    notEqual(secret, undefined);
    deepEqual(await dataOf('secret', SECRET), secret);
    deepEqual(await peers(), before);
    await everyoneReachesEveryone(4);
  });

  it('makes no new Secret beside a ring while the nodes of that ring are away', async () => {
    const secret = await dataOf('secret', SECRET);
    const old = lab.nodes.map(({ name }) => name);
    for (const name of old) await lab.powerOff(name);
    await lab.kubectl.run(['delete', 'secret', SECRET, '-n', NAMESPACE]);
    const newcomer = await weft.addNode();
    await said(newcomer, /waiting for a node of that ring to put the Secret back/);
    equal(await dataOf('secret', SECRET), undefined);
    await lab.powerOn(old[0]!);
    await until('the newcomer to serve', async () => isReady(await weft.podOn(newcomer)), SLOW);
    deepEqual(await dataOf('secret', SECRET), secret);
  });
});
