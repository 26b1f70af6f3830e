import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { SETTLE_MS } from '../../../daemon/pods/held-end.io.ts';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { endProcess, run, until } from '../../cluster/command.ts';

/** Pods of the node that takes over, as far as they live by then: here, fighter, doomed2, made. */
const HELD = 4;

/** What is changed inside pods, by who has the right to, each followed by what pods see of it. */
describe('a pod whose interface is changed inside the pod', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let node: ClusterNode;
  let here: ClusterPod;
  let there: ClusterPod;
  let fighter: ClusterPod;
  let doomed: ClusterPod[];
  let made: ClusterPod;
  let asMade: string[];

  before(async () => {
    cluster = await Cluster.create({ prefix: `pe${process.pid % 10_000}` });
    const nodes = await cluster.startNodes(2, { args: ['--take-over'] });
    node = nodes[0]!;
    await node.ready();
    await nodes[1]!.ready();
    await node.connected([nodes[1]!]);
    here = await node.attachPod('here');
    fighter = await node.attachPod('fighter');
    doomed = [await node.attachPod('doomed1'), await node.attachPod('doomed2')];
    there = await nodes[1]!.attachPod('there');
    made = await node.attachPod('made');
    asMade = await inside(here);
    // As another plugin of the chain, or another network, changes it.
    await made.run(['ip', 'route', 'del', 'default']);
    await made.run(['ip', 'link', 'set', 'eth0', 'mtu', '1300']);
    await delay(SETTLE_MS + 500);
  });

  after(async () => {
    await cluster?.destroy();
  });

  const counted = async (name = 'pods.mended'): Promise<number> =>
    (await node.ask('report')).counters[name] ?? 0;

  /** All of Weft's in the pod, without what changes by itself. */
  async function inside(pod: ClusterPod): Promise<string[]> {
    const commands = [
      'ip -o link show dev eth0 | sed "s/<[^>]*>//; s/state [A-Z]*//"',
      'ip -o address show dev eth0 scope global',
      'ip -4 route show',
      // Link-local is the kernel's own.
      'ip -6 route show | grep -v ^fe80::/64',
      'ip neighbour show nud permanent',
    ];
    const { stdout } = await pod.run(['sh', '-c', commands.join(';')]);
    return stdout.replaceAll('linkdown ', '').split('\n').sort();
  }

  async function reachable(pod: ClusterPod): Promise<void> {
    for (const [from, to] of [
      [pod, there.v4],
      [pod, there.v6],
      [there, pod.v4],
      [there, pod.v6],
    ] as const)
      await until(`a way from ${from.name} to ${to}`, async () => (await from.ping(to, 1)) !== undefined);
  }

  /** Does harm in the pod, and sees that all of it is undone. */
  async function survives(pod: ClusterPod, script: string, before = asMade): Promise<void> {
    const count = await counted();
    await pod.run(['sh', '-c', script]);
    await until(`a repair after: ${script}`, async () => (await counted()) > count, { timeoutMs: 15_000 });
    await until('all to be as before', async () => {
      deepEqual(await inside(pod), before);
      return true;
    });
    await reachable(pod);
  }

  /** Netlink sockets in the pod's namespace, whoever has them. */
  const sockets = async (pod: ClusterPod): Promise<number> => {
    const { stdout } = await pod.run(['cat', '/proc/net/netlink']);
    return stdout.split('\n').filter((line) => /^\S+ +0 +[1-9]/.test(line)).length;
  };
  const isThere = async (link: string): Promise<boolean> =>
    (await node.run(['ip', 'link', 'show', link], { mayFail: true })).status === 0;
  const hostEnd = async (pod: ClusterPod): Promise<string> =>
    (await node.run(['ip', 'route', 'show', pod.v4])).stdout.split(' ')[2]!;

  it("takes what is made at the start for nobody's change", async () => {
    equal(await counted(), 0);
    equal(await counted('pods.notHeld'), 0);
    await reachable(here);
  });

  it('has everything again after it was set down and up', async () => {
    await survives(here, 'ip link set eth0 down; ip link set eth0 up');
    match(
      await node.log(),
      /the interface in a pod was changed and put right.*pod="?container .*default route/,
    );
  });

  it('is up again after it was set down', async () => {
    await survives(here, 'ip link set eth0 down');
  });

  it('has its addresses, default routes and neighbours again, each family', async () => {
    await survives(here, 'ip -4 address flush dev eth0');
    await survives(here, 'ip -6 address flush dev eth0');
    await survives(here, 'ip -4 route del default');
    await survives(here, 'ip -6 route del default');
    await survives(here, 'ip neighbour flush nud permanent; ip route flush dev eth0');
  });

  it('has its MTU and its hardware address again', async () => {
    await survives(here, 'ip link set eth0 mtu 1280');
    await survives(here, 'ip link set eth0 address 02:00:00:00:00:01');
  });

  it('keeps what others changed on purpose while it was made, and has the rest again', async () => {
    const before = await inside(made);
    doesNotMatch(before.join('\n'), /^default via 169/m);
    match(before.join('\n'), /mtu 1300/);
    const count = await counted();
    await made.run(['sh', '-c', 'ip link set eth0 down; ip link set eth0 up']);
    await until('a repair', async () => (await counted()) > count);
    await until('all to be as before', async () => {
      deepEqual(await inside(made), before);
      return true;
    });
  });

  it('keeps a default route that another network put in the place of its own', async () => {
    const script =
      'set -e; ip link add net1 type veth peer name net2; ip link set net1 up; ip route replace default dev net1; ip link set eth0 mtu 1299';
    const count = await counted();
    await here.run(['sh', '-c', script]);
    await until('the repair of the MTU', async () => (await counted()) > count);
    match((await here.run(['ip', '-4', 'route', 'show', 'default'])).stdout, /^default dev net1/);
    await survives(here, 'ip link delete net1');
  });

  it('ends with its namespace where that goes without a DEL', async () => {
    const [pod] = doomed as [ClusterPod, ClusterPod];
    const link = await hostEnd(pod);
    equal(await isThere(link), true);
    await run(['ip', 'netns', 'delete', pod.namespace]);
    await until('the pair to go', async () => !(await isThere(link)));
  });

  it('lets its namespace end with a DEL', async () => {
    const pod = await node.attachPod('short');
    // Goes when the namespace goes.
    await node.run(['ip', 'link', 'add', 'tell0', 'type', 'veth', 'peer', 'name', 'tell1']);
    await node.run(['ip', 'link', 'set', 'tell1', 'netns', pod.namespace]);
    await pod.cni('DEL');
    await run(['ip', 'netns', 'delete', pod.namespace]);
    await until('the namespace to end', async () => !(await isThere('tell0')));
  });

  it('lets its namespace end where somebody deletes its interface', async () => {
    const pod = await node.attachPod('cut');
    await delay(SETTLE_MS + 500);
    await node.run(['ip', 'link', 'add', 'tell0', 'type', 'veth', 'peer', 'name', 'tell1']);
    await node.run(['ip', 'link', 'set', 'tell1', 'netns', pod.namespace]);
    // A process keeps the namespace until then, so that its path tells of nothing.
    await node.run(['ip', 'link', 'delete', await hostEnd(pod)]);
    await until('it to be let go', async () => (await sockets(pod)) === 0);
    await pod.destroy();
    await until('the namespace to end', async () => !(await isThere('tell0')));
  });

  it('is held by the next weftd too, and ends with its namespace there', async () => {
    const first = await node.succeed();
    await until('the pods to be handed over', async () => (await counted('pods.handedOver')) === HELD, {
      timeoutMs: 10_000,
    });
    await survives(here, 'ip link set eth0 down; ip link set eth0 up');
    const [, pod] = doomed as [ClusterPod, ClusterPod];
    const link = await hostEnd(pod);
    await run(['ip', 'netns', 'delete', pod.namespace]);
    await until('the pair to go', async () => !(await isThere(link)));
    await endProcess(first);
    await survives(here, 'ip link set eth0 down; ip link set eth0 up');
  });

  it('is not fought with where it undoes the repair, and the host is kept meanwhile', async () => {
    let undone = 0;
    const told = async (): Promise<boolean> =>
      ((await node.ask('status')).warnings ?? []).some((line) =>
        /^container \S+ \([^)]*\): interface eth0 in the pod is down; somebody undoes the repair/.test(line),
      );
    const count = await counted();
    await until(
      'a warning',
      async () => {
        await fighter.run(['ip', 'link', 'set', 'eth0', 'down']);
        undone++;
        return told();
      },
      { timeoutMs: 60_000, everyMs: 200 },
    );
    ok((await counted()) - count < undone * 5, 'each is repaired once at most');
    const repairs = await counted('ground.tunRepaired');
    await node.run(['ip', 'link', 'set', 'weft0', 'txqueuelen', '901']);
    await until('weft0 to be put right', async () => (await counted('ground.tunRepaired')) > repairs, {
      timeoutMs: 3_000,
    });
  });

  it('is named where it was made before a weftd that began alone, and so cannot be put right', async () => {
    await node.stop('SIGKILL');
    await node.start();
    const told = async (): Promise<boolean> =>
      ((await node.ask('status')).warnings ?? []).some(
        (line) => line.includes(`(${here.v4}, ${here.v6}) may be cut off`) && line.includes('delete the pod'),
      );
    /** So that it looks before the minute is over. */
    const stir = (queue: number): Promise<unknown> =>
      node.run(['ip', 'link', 'set', 'weft0', 'txqueuelen', String(queue)]);
    await stir(902);
    await until('a look', async () => (await counted('ground.tunRepaired')) === 1);
    equal(await told(), false);
    await here.run(['sh', '-c', 'ip link set eth0 down; ip link set eth0 up']);
    await stir(903);
    await until('a warning', told);
    await here.destroy();
    await stir(904);
    await until('no warning', async () => !(await told()));
  });
});
