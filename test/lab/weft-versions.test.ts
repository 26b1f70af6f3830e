import { deepEqual, equal, ok } from 'node:assert/strict';
import { copyFileSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { type CommandResult, run, until } from '../cluster/command.ts';
import type { KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import { ROOT } from './harness/paths.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { replaceUnderLoad } from './replace-under-load.ts';
import { earlierImage, makeEarlierImage, WEFT_IMAGE } from './weft-image.ts';
import { KILL_WEFTD, manifest, NAMESPACE, WeftLab } from './weft-lab.ts';
import { addressesOf, get, PORT, sleeper, url, WEB } from './workloads.ts';

/** The first version whose rollouts take over: the oldest that a cluster can be taken from, and back to. */
const EARLIER = '6a20058fd374ccfe3a716298fe37d788c184b185';

/** Where a node has the plugin, where its runtime keeps what plugins answered, where deletions wait for weftd. */
const PLUGIN = '/opt/cni/bin/weft-net';
const RESULTS = '/var/lib/cni/results';
const DELETIONS = '/run/weft/deletions';

const LIMIT = { timeoutMs: 60_000, everyMs: 500 };

/** What the runtime keeps of an ADD, as far as it is looked at here; `config` is Base64. */
interface CachedAdd {
  readonly containerId: string;
  readonly ifName: string;
  readonly netns: string;
  readonly config: string;
  readonly result: object;
}

describe('Weft in two versions', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;
  /** Copies of the plugin of each version, from the images. */
  const pluginFile = { earlier: '', present: '' };

  before(async function () {
    if (!(await isInHistory(EARLIER))) {
      console.log(
        `      the checkout has no commit ${EARLIER} to build the earlier version from: a shallow clone?`,
      );
      this.skip();
    }
    weft = await WeftLab.bare({ nodes: 2 });
    lab = weft.lab;
    await lab.importImage(await makeEarlierImage(EARLIER));
    const { stdout } = await run(['git', '-C', ROOT, 'show', `${EARLIER}:weave-daemonset.yaml`]);
    await lab.apply(stdout.replaceAll(shortName(WEFT_IMAGE), shortName(earlierImage(EARLIER))));
    await weft.serves();
    await lab.apply(WEB);
    await lab.kubectl.waitForPods('app=web', { count: 2 });
    await weft.settled();
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  const imagesThatRun = async (): Promise<string[]> => {
    const pods = await weft.pods();
    return pods.flatMap(({ spec }) => spec.containers.map(({ image }: { image: string }) => image));
  };

  it('goes from the earlier version to this one under load: no pod fails, no connection breaks', async () => {
    deepEqual(await imagesThatRun(), Array(2).fill(shortName(earlierImage(EARLIER))));
    pluginFile.earlier = keepPlugin('earlier');
    const before = await peerIds();
    await replaceUnderLoad(weft, ['apply', '-f', '-'], manifest());
    deepEqual(await imagesThatRun(), Array(2).fill(shortName(WEFT_IMAGE)));
    pluginFile.present = keepPlugin('present');
    ok(!readFileSync(pluginFile.earlier).equals(readFileSync(pluginFile.present)), 'two plugins');
    deepEqual(await peerIds(), before);
  });

  it("serves the earlier version's plugin", () => servesPlugin('earlier'));

  it('goes back to the earlier version under load: no pod fails, no connection breaks', async () => {
    const before = await peerIds();
    await replaceUnderLoad(weft, ['rollout', 'undo', 'ds/weft', '-n', NAMESPACE]);
    deepEqual(await imagesThatRun(), Array(2).fill(shortName(earlierImage(EARLIER))));
    deepEqual(await peerIds(), before);
  });

  it("serves this version's plugin from the earlier one", () => servesPlugin('present'));

  const peerIds = async (): Promise<string[]> => {
    await weft.settled();
    return Promise.all(['n1', 'n2'].map(async (node) => (await weft.status(node)).peerId));
  };

  /** Copies what the init container of the version that runs has installed on n1. */
  const keepPlugin = (name: string): string => {
    const { folder } = lab.node('n1').machine;
    const copy = `${folder}/var/weft-net.${name}`;
    copyFileSync(`${folder}${PLUGIN}`, copy);
    return copy;
  };

  /** Puts a version's plugin in its place on n1, and has it do all that a runtime may ask. */
  const servesPlugin = async (version: keyof typeof pluginFile): Promise<void> => {
    const { folder } = lab.node('n1').machine;
    copyFileSync(pluginFile[version], `${folder}${PLUGIN}.new`);
    renameSync(`${folder}${PLUGIN}.new`, `${folder}${PLUGIN}`);

    const [pod, other] = [await start(`${version}-a`), await start(`${version}-b`)];
    for (const to of await lab.kubectl.waitForPods('app=web', { count: 2 }))
      for (const address of addressesOf(to))
        equal(await get(lab, pod, url(address, PORT, '/hostname')), to.metadata.name);
    await weft.assertIpamAgrees('n1');

    const added = addOf(pod);
    equal((await call('CHECK', added)).stdout, '');
    equal((await call('STATUS', added)).stdout, '');
    const attached = (await weft.ipam('n1')).allocations.flatMap(({ containerId, ifname }) =>
      containerId === '(this node)' ? [] : [{ containerID: containerId, ifname }],
    );
    equal((await call('GC', added, { 'cni.dev/valid-attachments': attached })).stdout, '');
    await weft.assertIpamAgrees('n1');

    await remove(pod);
    await weft.assertIpamAgrees('n1');
    const gone = await call('CHECK', added, {}, true);
    ok(gone.status !== 0 && /"code":/.test(gone.stdout), gone.stdout);
    await leavesDeletionForLater(other);
  };

  /** A deletion that comes while nobody serves is kept for the weftd that comes back. */
  const leavesDeletionForLater = async (pod: KubeObject): Promise<void> => {
    const node = lab.node('n1');
    const added = addOf(pod);
    const isAllocated = async (): Promise<boolean> =>
      (await weft.ipam('n1')).allocations.some(({ containerId }) => containerId === added.containerId);
    ok(await isAllocated());
    await node.stopKubelet(); // or it would start weftd again at once
    await node.run(['sh', '-c', KILL_WEFTD]);
    await call('DEL', added);
    equal((await node.run(['ls', DELETIONS])).stdout.trim().split('\n').length, 1);
    await node.startKubelet();
    await until('the deletion to be worked off', async () => !(await isAllocated()), LIMIT);
    equal((await node.run(['ls', DELETIONS])).stdout, '');
    await remove(pod);
    await lab.waitForNodes();
    await weft.settled();
    await weft.assertIpamAgrees('n1');
  };

  const start = async (name: string): Promise<KubeObject> => {
    await lab.apply(sleeper(name, { labels: { name }, node: 'n1' }));
    const [pod] = await lab.kubectl.waitForPods(`name=${name}`);
    return pod!;
  };

  const remove = async ({ metadata }: KubeObject): Promise<void> => {
    await lab.kubectl.run(['delete', 'pod', metadata.name, '--grace-period=0', '--force']);
  };

  /** What the runtime of n1 keeps of the ADD of a pod, found by the pod's address. */
  const addOf = (pod: KubeObject): CachedAdd => {
    const folder = `${lab.node('n1').machine.folder}${RESULTS}`;
    const [address] = addressesOf(pod);
    for (const file of readdirSync(folder).filter((each) => each.startsWith('weft-'))) {
      const text = readFileSync(`${folder}/${file}`, 'utf8');
      if (text.includes(`"${address}/32"`)) return JSON.parse(text) as CachedAdd;
    }
    throw new Error(`the runtime knows no ADD of ${pod.metadata.name}`);
  };

  /** Calls the plugin on n1 as the runtime does, with the config that it had at that ADD. */
  const call = (
    command: string,
    added: CachedAdd,
    more: object = {},
    mayFail = false,
  ): Promise<CommandResult> => {
    const list = JSON.parse(Buffer.from(added.config, 'base64').toString()) as {
      readonly name: string;
      readonly cniVersion: string;
      readonly plugins: readonly object[];
    };
    // Neither of the two is about one attachment, and both came with 1.1.0.
    const ofAll = command === 'STATUS' || command === 'GC';
    const about = ofAll ? { cniVersion: '1.1.0' } : { cniVersion: list.cniVersion, prevResult: added.result };
    const config = { ...list.plugins[0], name: list.name, ...about, ...more };
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: added.containerId,
      CNI_IFNAME: added.ifName,
      CNI_NETNS: added.netns,
      CNI_PATH: '/opt/cni/bin',
    };
    return lab.node('n1').run([PLUGIN], { env, input: JSON.stringify(config), mayFail });
  };
});

async function isInHistory(commit: string): Promise<boolean> {
  const argv = ['git', '-C', ROOT, 'cat-file', '-e', `${commit}^{commit}`];
  return (await run(argv, { mayFail: true })).status === 0;
}

/** A Docker image as a manifest names it. */
function shortName(image: string): string {
  return image.replace('docker.io/', '');
}
