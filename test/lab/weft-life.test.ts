import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { until } from '../cluster/command.ts';
import { apiRequests } from './api-audit.ts';
import type { KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import { ROOT } from './harness/paths.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { replaceUnderLoad } from './replace-under-load.ts';
import { TcpProbe } from './tcp-probe.ts';
import { forWeftd, KILL_WEFTD, NAMESPACE, WeftLab } from './weft-lab.ts';
import { addressesOf, get, PORT, podOn, sleeper, url, WEB } from './workloads.ts';

/** Seconds that a removed peer's ranges rest: short, and long enough to see that they do. */
const SAFE_WAIT_S = 10;
/** Pods that come and go at once. */
const CROWD = 200;
/** Nodes that come and go in turn. */
const VISITORS = 10;
/** Seconds that the API is away. */
const OUTAGE_S = 120;
/** Requests of a node from the return of the API until all is settled: two watches, their lists, some tries. */
const MOST_REQUESTS_ON_RETURN = 12;
/** How often three nodes begin a ring at once. */
const BEGINNINGS = 10;

describe('the life of Weft in a cluster', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;

  const webPods = (count: number): Promise<KubeObject[]> => lab.kubectl.waitForPods('app=web', { count });
  const everyoneReachesEveryone = async (pods: readonly KubeObject[]): Promise<void> => {
    for (const from of pods)
      for (const to of pods)
        for (const address of addressesOf(to)) {
          const answers = async (): Promise<boolean> =>
            (await get(lab, from, url(address, PORT, '/hostname'))) === to.metadata.name;
          await until(`${from.metadata.name} to reach ${to.metadata.name}`, answers, { timeoutMs: 20_000 });
        }
  };
  before(async () => {
    weft = await WeftLab.up({ env: { WEFT_SAFE_WAIT: String(SAFE_WAIT_S) } });
    lab = weft.lab;
    await lab.apply(WEB);
    await webPods(3);
    await weft.settled();
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  it('is replaced node by node under load: no pod fails, no connection breaks', async () => {
    await replaceUnderLoad(weft, ['rollout', 'restart', 'ds/weft', '-n', NAMESPACE]);
  });

  it('serves a crowd of pods that come and go at once, with kubelet and containerd killed among it', async () => {
    const names = Array.from({ length: CROWD }, (_, i) => `crowd-${i}`);
    await lab.apply(names.map((name) => sleeper(name, { labels: { app: 'crowd' } })));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const node = lab.node('n1');
    await node.stopContainerd();
    await lab.node('n2').stopKubelet();
    await node.startContainerd();
    await lab.node('n2').startKubelet();
    await lab.kubectl.waitForPods('app=crowd', { count: CROWD, timeoutMs: 180_000 });
    for (const { name } of lab.nodes) await weft.assertIpamAgrees(name);
    await lab.kubectl.run(['delete', 'pods', '-l', 'app=crowd', '--grace-period=0', '--force'], {
      timeoutMs: 120_000,
    });
    await until(
      'the crowd to be gone',
      async () => (await lab.kubectl.list('pods', 'default', 'app=crowd')).length === 0,
      {
        timeoutMs: 120_000,
        everyMs: 500,
      },
    );
    for (const { name } of lab.nodes) await weft.assertIpamAgrees(name);
  });

  it('finds a node again that lost its power', async () => {
    await lab.powerOff('n3');
    await lab.kubectl.waitForNodes(['n3'], { status: 'Unknown' });
    await lab.powerOn('n3');
    await lab.waitForNodes();
    await weft.settled(60_000);
    await everyoneReachesEveryone(await webPods(3));
    for (const { name } of lab.nodes) await weft.assertIpamAgrees(name);
  });

  it("takes over a deleted node's ranges, and takes the node in again as a new one", async () => {
    const before = (await weft.status('n3')).peerId;
    const lost = (await weft.ipam('n1')).owners.filter(({ peerId }) => peerId === before);
    notEqual(lost.length, 0);
    await lab.kubectl.run(['delete', 'node', 'n3']);
    await lab.powerOff('n3');
    const begun = performance.now();
    await until(
      'the ranges of n3 to have another owner',
      async () => (await weft.ipam('n1')).owners.every(({ peerId }) => peerId !== before),
      { timeoutMs: 120_000, everyMs: 1_000 },
    );
    const tookS = (performance.now() - begun) / 1000;
    console.log(
      `      taken over ${tookS.toFixed(1)} s after its power went, ${SAFE_WAIT_S} s of it safe wait`,
    );
    ok(tookS < SAFE_WAIT_S + 60, 'within a minute of the safe wait');
    ok(tookS > SAFE_WAIT_S, 'not before the safe wait is over');
    await lab.powerOn('n3');
    await lab.waitForNodes();
    await webPods(3);
    await weft.settled(60_000);
    const { peerId, ipam } = await weft.status('n3');
    notEqual(peerId, before);
    equal(ipam.state, 'ready');
    await everyoneReachesEveryone(await webPods(3));
    for (const { name } of lab.nodes) await weft.assertIpamAgrees(name);
  });

  it(`lets ${VISITORS} nodes come and go in turn without a trace`, async function () {
    this.timeout(900_000);
    const traces = async (): Promise<string> => {
      const { stdout } = await lab.node('n1').run(['sh', '-c', TRACES_OF_PEERS]);
      return stdout;
    };
    const openFiles = async (): Promise<number> =>
      Number((await lab.node('n1').run(['sh', '-c', OPEN_FILES])).stdout);
    const before = await traces();
    const openBefore = await openFiles();
    const gone: string[] = [];
    for (let round = 0; round < VISITORS; round++) {
      const name = await weft.addNode();
      await lab.waitForNodes();
      // It takes part: it has a range, and a pod with an address in it.
      const { ipam, peerId } = await until(
        `${name} to have a range`,
        async () => {
          const status = await weft.status(name);
          return status.ipam.ranges.length > 0 && status;
        },
        { timeoutMs: 60_000, everyMs: 500 },
      );
      equal(ipam.state, 'ready');
      await until(`a pod on ${name}`, async () =>
        (await lab.kubectl.list('pods', 'default', 'app=web')).some(
          ({ spec, status }) => spec.nodeName === name && status.podIPs !== undefined,
        ),
      );
      gone.push(peerId);
      await lab.removeNode(name);
    }
    await until(
      'the ranges of all that left to have another owner',
      async () => (await weft.ipam('n1')).owners.every(({ peerId }) => !gone.includes(peerId)),
      { timeoutMs: 120_000, everyMs: 1_000 },
    );
    const { owners } = await weft.ipam('n1');
    deepEqual([...new Set(owners.map(({ name }) => name))].sort(), ['n1', 'n2', 'n3']);
    await until('nothing to be left of them', async () => (await traces()) === before, {
      timeoutMs: 60_000,
      everyMs: 1_000,
    });
    // Requests to the API may be under way, and n1 may have become the caretaker; but nothing for each that came.
    const opened = (await openFiles()) - openBefore;
    ok(opened < VISITORS, `${opened} more open files`);
    for (const { name } of lab.nodes) await weft.assertIpamAgrees(name);
  });

  it('goes on while the API is away, and afterwards all agree', async () => {
    const pods = await webPods(3);
    const probe = await TcpProbe.start(lab, podOn(pods, 'n1'), podOn(pods, 'n2'), OUTAGE_S);
    await lab.stopApiServer();
    // A pod needs no API to be attached: a static one is the kubelet's own.
    const node = lab.node('n2');
    node.startStaticPod(sleeper('static'));
    const attached = async (): Promise<boolean> => {
      const { stdout } = await node.run(['ip', '-o', 'link', 'show', 'type', 'veth']);
      return stdout.trim().split('\n').length >= 2;
    };
    await until('the static pod to be attached', attached, { timeoutMs: 30_000, everyMs: 500 });
    // Weft itself starts again without the API too: its container does, and the pod's files are there.
    await node.run(['sh', '-c', KILL_WEFTD]);
    const { broken, longestGapMs } = await probe.result();
    equal(broken, null);
    console.log(`      longest gap ${longestGapMs} ms, a weftd killed meanwhile`);
    const backAt = Date.now(); // who comes as soon as it listens counts too
    await lab.startApiServer();
    // The controllers come back by and by, and judge the nodes by what they remember until then.
    await lab.waitForNodes(undefined, 180_000);
    await weft.settled();
    // Each node comes back to it by and by, and nobody storms it.
    const askedBy = (name: string): string[] =>
      apiRequests(lab.controlPlane.machine)
        .filter((each) => each.node === name && each.at >= backAt)
        .map(({ what }) => what);
    for (const { name } of lab.nodes) {
      await until(`${name} to follow the API again`, () => askedBy(name).includes('watch configmaps'), {
        timeoutMs: 60_000,
        everyMs: 1_000,
      });
      const asked = askedBy(name);
      ok(asked.length <= MOST_REQUESTS_ON_RETURN, `${name} asked ${asked.join(', ')}`);
    }
    node.stopStaticPod('static');
    await everyoneReachesEveryone(await webPods(3));
    for (const { name } of lab.nodes) await weft.assertIpamAgrees(name);
  });
});

/** Everything of a node that Weft changes; kernel settings apart, which others may rely on. */
const NODE_STATE = `ip -o link | sed 's/.*: \\(.*\\): .*/\\1/' | sort; ip route; ip -6 route | sort
ls /etc/cni/net.d /opt/cni/bin; find /var/lib/weft /run/weft -mindepth 1 2>/dev/null; nft list tables | grep weft; true`;

describe('the beginning of a ring in a cluster', function () {
  this.timeout(60_000 * BEGINNINGS);

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  it(`is one, whoever is first, ${BEGINNINGS} times over with three nodes at once`, async () => {
    const weft = await WeftLab.bare();
    const { lab } = weft;
    const founders = new Set<string>();
    const rings = new Set<string>();
    for (let i = 0; i < BEGINNINGS; i++) {
      await weft.apply();
      await lab.kubectl.waitForPods('app.kubernetes.io/name=weft', { namespace: NAMESPACE, count: 3 });
      await weft.settled();
      const genesis = (await lab.kubectl.get('configmap', 'weft-genesis', NAMESPACE)) as unknown as {
        readonly data: { readonly founder: string; readonly genesis: string };
      };
      founders.add(genesis.data.founder);
      rings.add(genesis.data.genesis);
      for (const { name } of lab.nodes) deepEqual((await weft.status(name)).warnings ?? [], []);
      await lab.kubectl.run(['delete', '-n', NAMESPACE, 'ds/weft', 'ds/weft-npc']);
      await until(
        'its pods to be gone',
        async () => (await lab.kubectl.list('pods', NAMESPACE)).length === 0,
        { timeoutMs: 60_000, everyMs: 250 },
      );
      await lab.kubectl.run(['delete', '-n', NAMESPACE, 'configmap/weft-genesis']);
      for (const { machine } of lab.nodes)
        await machine.run(['sh', '-c', 'rm -rf /var/lib/weft/*; ip link delete weft0']);
    }
    equal(rings.size, BEGINNINGS);
    console.log(`      founders: ${[...founders].sort().join(', ')}`);
  });
});

describe('Weft that is removed', function () {
  this.timeout(600_000);

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  it('leaves the nodes as they were, and can be applied again', async () => {
    const weft = await WeftLab.bare({ nodes: 2 });
    const { lab } = weft;
    const state = async (): Promise<string[]> =>
      Promise.all(lab.nodes.map(async ({ machine }) => (await machine.run(['sh', '-c', NODE_STATE])).stdout));
    const before = await state();
    for (let round = 0; round < 2; round++) {
      await weft.apply();
      await lab.waitForNodes();
      // Pods that lost their network with the reset have to be made anew.
      await lab.kubectl.run(['delete', 'pods', '-n', 'kube-system', '-l', 'k8s-app=kube-dns']);
      await lab.kubectl.waitForPods('k8s-app=kube-dns', { namespace: 'kube-system', count: 2 });
      await lab.kubectl.run(['delete', '-f', `${ROOT}/weave-daemonset.yaml`], { timeoutMs: 120_000 });
      const reset = `${ROOT}/weft-reset.yaml`;
      await lab.kubectl.run(['apply', '-f', reset]);
      await lab.kubectl.run(['rollout', 'status', '-n', 'weft-reset', 'ds/weft-reset', '--timeout=60s']);
      await lab.kubectl.run(['delete', '-f', reset], { timeoutMs: 120_000 });
      deepEqual(await state(), before, `round ${round}`);
    }
  });
});

/** What a peer could leave on a node: routes, neighbours, connections. */
const TRACES_OF_PEERS = `ip route | grep weft0; ip -6 route | grep weft0; ip neigh show dev weft0
ss -Htn state established '( sport = :6783 or dport = :6783 )' | wc -l`;

/** How many files the weftd of a machine holds open. */
const OPEN_FILES = forWeftd('ls $p/fd | wc -l');
