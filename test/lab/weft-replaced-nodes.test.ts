import { deepEqual, equal, notDeepEqual } from 'node:assert/strict';
import { until } from '../cluster/command.ts';
import { isReady, type KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { NAMESPACE, WeftLab } from './weft-lab.ts';
import { addressesOf, get, PORT, url, WEB } from './workloads.ts';

/** Seconds that a removed peer's ranges rest: short, since nothing of the old nodes is left that could use them. */
const SAFE_WAIT_S = 10;
/** A node that finds an owner which nobody ever heard of looks around for a minute before it judges. */
const TAKEN_OVER = { timeoutMs: 240_000, everyMs: 1_000 };

/** The API outlives the nodes: what it says names peers that nobody knows any more (docs/adr/0008). */
describe('a cluster whose nodes are all replaced', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;
  let ring: unknown;

  before(async () => {
    weft = await WeftLab.up({ nodes: 2, env: { WEFT_SAFE_WAIT: String(SAFE_WAIT_S) } });
    lab = weft.lab;
    await lab.apply(WEB);
    await lab.kubectl.waitForPods('app=web', { count: 2 });
    await weft.settled();
    ring = await genesis();
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  const genesis = async (): Promise<unknown> => {
    const object = await lab.kubectl.get('configmap', 'weft-genesis', NAMESPACE);
    return (object as unknown as { readonly data: unknown }).data;
  };
  const namesOfNodes = (): string[] => lab.nodes.map(({ name }) => name).sort();

  /** A pod on each of these nodes; those of nodes that are gone are listed for a while. */
  const podsOn = (nodes: readonly string[]): Promise<KubeObject[]> =>
    until(
      `a pod on each of ${nodes}`,
      async () => {
        const pods = await lab.kubectl.list('pods', 'default', 'app=web');
        const there = pods.filter((pod) => nodes.includes(pod.spec.nodeName) && isReady(pod));
        return there.length === nodes.length && there;
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );

  /** Waits until the nodes that there are own everything, each has pods, and these reach each other. */
  async function assertServes(): Promise<void> {
    const nodes = namesOfNodes();
    await until(
      `${nodes.join(' and ')} to own everything`,
      async () => {
        const { state, owners } = await weft.ipam(nodes[0]!);
        const names = [...new Set(owners.map(({ name }) => name))].sort();
        if (state === 'ready' && names.join() === nodes.join()) return true;
        throw new Error(`${state}, owned by ${names}: ${await weft.warnings(nodes[0]!)}`);
      },
      TAKEN_OVER,
    );
    await lab.waitForNodes();
    await weft.settled(60_000);
    const pods = await podsOn(nodes);
    for (const from of pods)
      for (const to of pods)
        for (const address of addressesOf(to))
          equal(await get(lab, from, url(address, PORT, '/hostname')), to.metadata.name);
    for (const node of nodes) {
      const others = nodes.filter((other) => other !== node);
      await until(`${node} to list ${others} alone`, async () => {
        const { peers } = await weft.status(node);
        return peers.map(({ name }) => name).join() === others.join();
      });
      deepEqual(await weft.warnings(node), []);
      await weft.assertIpamAgrees(node);
    }
    deepEqual(await genesis(), ring, 'it is the same ring');
  }

  it('goes on when they are replaced one after the other', async () => {
    const old = namesOfNodes();
    for (const name of old) {
      await weft.addNode();
      await lab.waitForNodes();
      await lab.removeNode(name);
    }
    notDeepEqual(namesOfNodes(), old);
    await assertServes();
  });

  it('goes on when all of them went at once, and new ones come', async () => {
    for (const name of namesOfNodes()) await lab.removeNode(name);
    await Promise.all([weft.addNode(), weft.addNode()]);
    await assertServes();
  });
});
