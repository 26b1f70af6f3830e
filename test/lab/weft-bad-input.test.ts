import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { until } from '../cluster/command.ts';
import { isReady, type KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { manifest, NAMESPACE, WeftLab } from './weft-lab.ts';
import { addressesOf, get, PORT, url, WEB } from './workloads.ts';

describe('Weft among faults of a cluster', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;
  let pods: KubeObject[];

  before(async () => {
    weft = await WeftLab.up({ nodes: 2 });
    lab = weft.lab;
    await lab.apply(WEB);
    pods = await lab.kubectl.waitForPods('app=web', { count: 2 });
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  /** What worked goes on. */
  const stillWorks = async (): Promise<void> => {
    const [from, to] = pods as [KubeObject, KubeObject];
    for (const address of addressesOf(to))
      equal(await get(lab, from, url(address, PORT, '/hostname')), to.metadata.name);
  };

  const restart = (): Promise<unknown> =>
    lab.kubectl.run(['delete', 'pods', '-n', NAMESPACE, '--all', '--wait=true']);
  /** Waits until Weft serves on each of the real nodes, whatever other nodes somebody made up. */
  const running = async (): Promise<void> => {
    for (const node of ['n1', 'n2'])
      await until(`Weft on ${node}`, async () => isReady(await weft.podOn(node)), {
        timeoutMs: 90_000,
        everyMs: 500,
      });
  };

  it('lives without its permissions, and says which are missing', async () => {
    await lab.kubectl.run(['delete', 'clusterrole', 'weft']);
    await lab.kubectl.run([
      'patch',
      'role',
      'weft',
      '-n',
      NAMESPACE,
      '--type=json',
      '-p',
      FORGET_CONFIG_MAPS,
    ]);
    await restart();
    await running();
    await until('the log to say so', async () =>
      /does not serve status=403.*apply the manifest again/.test(await weft.log('n1')),
    );
    await weft.settled();
    await stillWorks();
    const refused = async (): Promise<string[]> =>
      (await weft.warnings('n1')).filter((each) => each.includes('answers 403 (Forbidden)'));
    const [line] = await refused();
    for (const asked of ["the watch of Weft's ConfigMaps", 'the list of nodes', 'the list of ServiceCIDRs'])
      ok(line?.includes(asked), line);
    await weft.apply();
    await until('the warning to go', async () => (await refused()).length === 0, {
      timeoutMs: 60_000,
      everyMs: 1_000,
    });
  });

  it('does not mind that the object which began the ring is gone, nor that somebody writes nonsense there', async () => {
    await lab.kubectl.run(['delete', 'configmap', 'weft-genesis', '-n', NAMESPACE]);
    await restart();
    await running();
    await weft.settled();
    const { owners } = await weft.ipam('n1');
    equal(new Set(owners.map(({ name }) => name)).size, 2);
    // A node of the ring puts the right one back, so it takes some haste to write something else there.
    await until('nonsense to be there', async () => {
      await lab.kubectl.run(['delete', 'configmap', 'weft-genesis', '-n', NAMESPACE, '--ignore-not-found']);
      const { status } = await lab.kubectl.run(['create', '-f', '-'], {
        input: JSON.stringify(NONSENSE),
        mayFail: true,
      });
      return status === 0;
    });
    await until('the log to say so', async () =>
      (await weft.log('n1')).includes('the object that begins the ring is damaged'),
    );
    await stillWorks();
    const warned = async (): Promise<boolean> =>
      (await weft.warnings('n1')).some((each) => /damaged; delete ConfigMap weft-genesis/.test(each));
    equal(await warned(), true);
    await lab.kubectl.run(['delete', 'configmap', 'weft-genesis', '-n', NAMESPACE]);
    await until('the warning to go', async () => !(await warned()));
    await until(
      'the right one to be put back',
      async () => (await lab.kubectl.get('configmap', 'weft-genesis', NAMESPACE)) !== undefined,
    );
    equal(await warned(), false);
  });

  it('takes nothing from a removal that somebody made up badly', async () => {
    const { peerId } = await weft.status('n2');
    for (const data of [
      {},
      { peer: peerId, heir: peerId, phase: 'removed', cut: '0' },
      { peer: 'x', phase: 'fenced' },
    ]) {
      await lab.apply({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name: `weft-removal-${peerId.slice(0, 32)}`,
          namespace: NAMESPACE,
          labels: { 'app.kubernetes.io/part-of': 'weft' },
        },
        data,
      });
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      equal((await weft.status('n2')).ipam.state, 'ready');
    }
    await stillWorks();
    await lab.kubectl.run(['delete', 'configmap', `weft-removal-${peerId.slice(0, 32)}`, '-n', NAMESPACE]);
  });

  it('lifts a fence that somebody put up by hand around a node that lives', async () => {
    const [one, two] = [(await weft.status('n1')).peerId, (await weft.status('n2')).peerId];
    const name = `weft-removal-${two.slice(0, 32)}`;
    await lab.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: NAMESPACE, labels: { 'app.kubernetes.io/part-of': 'weft' } },
      data: { peer: two, heir: one, phase: 'fenced', cut: '0', node: 'n2' },
    });
    await until('the fence to be lifted', async () => {
      const object = (await lab.kubectl.get('configmap', name, NAMESPACE)) as unknown as {
        readonly data: { readonly phase: string };
      };
      return object.data.phase === 'lifted';
    });
    await until('n2 to deal out addresses', async () => (await weft.status('n2')).ipam.state === 'ready');
    await stillWorks();
  });

  it('bears nodes with hostile names of addresses and annotations', async () => {
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'evil.example', annotations: { 'weft/peer': '$(reboot)' } },
    });
    const status = {
      status: {
        addresses: [
          { type: 'InternalIP', address: '127.0.0.1' },
          { type: 'InternalIP', address: '0.0.0.0' },
          { type: 'InternalIP', address: '; rm -rf /' },
          { type: 'InternalIP', address: '::' },
        ],
      },
    };
    await lab.kubectl.run(
      [
        ...[
          'patch',
          'node',
          'evil.example',
          '--subresource=status',
          '--type=merge',
          '-p',
          JSON.stringify(status),
        ],
      ],
      { mayFail: true },
    );
    try {
      await restart();
      await running();
      await weft.settled();
      await stillWorks();
    } finally {
      await lab.kubectl.run(['delete', 'node', 'evil.example']);
    }
  });

  for (const [why, env, line] of [
    [
      'a setting that means nothing',
      { CONN_LIMIT: '100' },
      /environment variable CONN_LIMIT has no meaning for Weft; .*remove it/,
    ],
    [
      'a setting that nobody knows',
      { WEAVE_TURBO: '1' },
      /environment variable WEAVE_TURBO has no meaning for Weft/,
    ],
    [
      "a range that overlaps the nodes' addresses",
      { IPALLOC_RANGE: '192.168.0.0/16' },
      /pod range 192\.168\.0\.0\/16 overlaps the host's .*; choose another range/,
    ],
    [
      "a range that holds the API's own address",
      { IPALLOC_RANGE: '10.96.0.0/12' },
      /pod range 10\.96\.0\.0\/12 holds 10\.96\.0\.1, the address of the API .*; choose another range/,
    ],
  ] as const) {
    it(`refuses ${why} by name, in the first new pod, and all old ones go on`, async () => {
      await lab.apply(manifest(env));
      await until(
        'a pod of weft to refuse',
        async () => {
          const all = await weft.pods();
          for (const pod of all) {
            const { stdout } = await lab.kubectl.run(
              ['logs', '-n', NAMESPACE, pod.metadata.name, '-c', 'weft'],
              { mayFail: true },
            );
            if (line.test(stdout)) return true;
          }
          return false;
        },
        { timeoutMs: 60_000, everyMs: 1_000 },
      );
      const ready = (await weft.pods()).filter(isReady);
      equal(ready.length, 2, 'the rollout stops before the first is replaced');
      await weft.apply();
      await restart();
      await running();
      await weft.settled();
      await stillWorks();
    });
  }

  it('serves a node by the old pod where the new one fails as it takes over, and goes no further', async () => {
    const before = await Promise.all(['n1', 'n2'].map((node) => weft.status(node)));
    // The kubelet has that port: it shows only when the new one listens, and the old one has made room by then.
    await lab.apply(manifest({ WEFT_PORT: '10250' }));
    const logOf = async (pod: KubeObject, ...more: string[]): Promise<string> => {
      const argv = ['logs', '-n', NAMESPACE, pod.metadata.name, '-c', 'weft', ...more];
      return (await lab.kubectl.run(argv, { mayFail: true })).stdout;
    };
    const [old, failed] = await until(
      'an old one to serve again, and the new one to say why it did not',
      async () => {
        const all = await weft.pods();
        for (const pod of all.filter(isReady)) {
          if (!(await logOf(pod)).includes('serving it again')) continue;
          const successor = all.find((each) => each !== pod && each.spec.nodeName === pod.spec.nodeName);
          if (successor && /port 10250 .*in use/.test(await logOf(successor, '--previous')))
            return [pod, successor] as const;
        }
        return undefined;
      },
      { timeoutMs: 60_000, everyMs: 1_000 },
    );
    notEqual(old.metadata.name, failed.metadata.name);
    await until(
      'the new one to wait',
      async () => /waiting for the weftd .*took it back/.test(await logOf(failed)),
      {
        timeoutMs: 30_000,
        everyMs: 1_000,
      },
    );
    await stillWorks();
    const ready = (await weft.pods()).filter(isReady);
    equal(ready.length, 2, 'no other node was touched');
    await weft.apply();
    await until(
      'the failed one to be gone',
      async () => {
        const pods = await weft.pods();
        return pods.every(({ metadata }) => metadata.name !== failed.metadata.name);
      },
      { timeoutMs: 60_000, everyMs: 500 },
    );
    await running();
    await weft.settled();
    await stillWorks();
    const after = await Promise.all(['n1', 'n2'].map((each) => weft.status(each)));
    deepEqual(
      after.map(({ peerId }) => peerId),
      before.map(({ peerId }) => peerId),
    );
  });

  it('lets a second DaemonSet fail, in one line, and the first one be', async () => {
    const before = await weft.status('n1');
    // The whole manifest once more, under another name.
    const second = manifest()
      .replaceAll('namespace: weft\n', 'namespace: weft2\n')
      .replaceAll('namespace: weft }', 'namespace: weft2 }')
      .replaceAll('name: weft-npc', 'name: weft2-npc')
      .replaceAll('name: weft\n', 'name: weft2\n')
      .replaceAll('name: weft }', 'name: weft2 }')
      .replaceAll('name: weft, namespace', 'name: weft2, namespace')
      .replace('serviceAccountName: weft\n', 'serviceAccountName: weft2\n')
      .replace('serviceAccountName: weft-npc\n', 'serviceAccountName: weft2-npc\n')
      .replace('- name: weft2\n          image', '- name: weft\n          image');
    await lab.apply(second);
    await until(
      'the second to refuse',
      async () => {
        const [pod] = await lab.kubectl.list('pods', 'weft2', 'app.kubernetes.io/name=weft2');
        if (pod === undefined) return false;
        const { stdout } = await lab.kubectl.run(['logs', '-n', 'weft2', pod.metadata.name, '-c', 'weft'], {
          mayFail: true,
        });
        return /weftd: the weftd that serves this node is of cluster/.test(stdout);
      },
      { timeoutMs: 60_000, everyMs: 1_000 },
    );
    equal((await weft.status('n1')).peerId, before.peerId);
    await stillWorks();
    await lab.kubectl.run(['delete', 'namespace', 'weft2', '--wait=true'], { timeoutMs: 90_000 });
    await stillWorks();
  });
});

/** What is no genesis, where one should be. */
const NONSENSE = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: 'weft-genesis',
    namespace: NAMESPACE,
    labels: { 'app.kubernetes.io/part-of': 'weft' },
  },
  data: { genesis: 'bm9uc2Vuc2U=' },
};

/** All that the role grants, without ConfigMaps. */
const FORGET_CONFIG_MAPS = JSON.stringify([{ op: 'remove', path: '/rules/2' }]);
