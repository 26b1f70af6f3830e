import { deepEqual, equal, ok } from 'node:assert/strict';
import { until } from '../cluster/command.ts';
import { type FaultMode, FaultProxy } from './fault-proxy.ts';
import type { KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { NAMESPACE, WeftLab } from './weft-lab.ts';
import { addressesOf, agnhost, get, PORT, podOn, url, WEB } from './workloads.ts';

/** Parts of the pod range, 10.32.0.0/13, from which no pod here gets an address: for Services, and of a node. */
const SERVICES_INSIDE = '10.35.77.0/24';
const NODE_INSIDE = '10.35.200.1';
/** How long a fault lasts at least. */
const FAULT_MS = 15_000;
/** Requests of one node meanwhile: each watch asks ever more rarely. */
const MOST_REQUESTS = 20;
/** Requests of one node in half a minute at rest: a watch may just have grown old. */
const MOST_AT_REST = 1;
const REST_MS = 30_000;
/** Of a watch that is silent, from the last byte to the warning: its limit, and what a new one is given to stand. */
const SILENCE_MS = 150_000 + 10_000;

/** How the API fails towards n1; what the status says of it, and the log. */
const FAULTS: readonly (readonly [mode: FaultMode, what: string, warning: RegExp, line: RegExp])[] = [
  ['429', 'is overloaded', /answers 429 \(TooManyRequests\).*the server is busy/, /status=429/],
  ['500', 'is broken', /answers 500 \(InternalError\).*see the log of the API server/, /status=500/],
  ['403', 'forbids', /answers 403 \(Forbidden\).*apply the manifest again/, /status=403/],
  // What the API server says to a token that has expired. None of its own lives for less than ten minutes.
  ['401', 'knows the token no more', /answers 401 \(Unauthorized\).*kubelet renews it/, /status=401/],
  ['never', 'never answers', /does not answer.*see that this node reaches/, /status=0 reason=NoAnswer/],
];

const labels = { 'app.kubernetes.io/part-of': 'weft' };

describe('Weft and an API that fails', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;
  let proxy: FaultProxy;
  let pods: KubeObject[];
  let silentSince: number;

  before(async () => {
    weft = await WeftLab.bare({ nodes: 2, env: FaultProxy.ENV });
    lab = weft.lab;
    proxy = await FaultProxy.start(lab);
    await lab.apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'inside' },
      spec: { cidrs: [SERVICES_INSIDE] },
    });
    const taints = [{ key: 'nothing', effect: 'NoSchedule' }];
    await lab.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'inside' }, spec: { taints } });
    const status = { addresses: [{ type: 'InternalIP', address: NODE_INSIDE }] };
    const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
    await lab.kubectl.run(['patch', 'node', 'inside', ...patch]);
    await weft.apply();
    await weft.serves();
    await lab.kubectl.run(['delete', 'node', 'inside']);
    await lab.apply(WEB);
    pods = await lab.kubectl.waitForPods('app=web', { count: 2 });
    await weft.settled();
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  /** The warning that says so, if any. */
  const warning = async (node: string, words: RegExp): Promise<string | undefined> =>
    (await weft.warnings(node)).find((each) => words.test(each));
  const warns = (node: string, words: RegExp, timeoutMs = 30_000): Promise<string> =>
    until(`${node} to warn: ${words.source}`, () => warning(node, words), { timeoutMs, everyMs: 500 });
  const warnsNoMore = (node: string, words: RegExp, timeoutMs = 60_000): Promise<true> =>
    until(
      `${node} not to warn any more: ${words.source}`,
      async () => (await warning(node, words)) === undefined,
      {
        timeoutMs,
        everyMs: 500,
      },
    );

  const reaches = async (from: KubeObject, to: KubeObject): Promise<void> => {
    for (const address of addressesOf(to))
      equal(await get(lab, from, url(address, PORT, '/hostname')), to.metadata.name);
  };
  /** What worked goes on, and a new pod on n1 is attached. */
  const worksOn = async (name: string): Promise<void> => {
    await reaches(podOn(pods, 'n1'), podOn(pods, 'n2'));
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: name } },
      spec: {
        nodeName: 'n1',
        terminationGracePeriodSeconds: 0,
        containers: [agnhost(['netexec', `--http-port=${PORT}`])],
      },
    });
    const [pod] = (await lab.kubectl.waitForPods(`app=${name}`)) as [KubeObject];
    await until(`${name} to answer`, async () => {
      await reaches(podOn(pods, 'n2'), pod);
      return true;
    });
    await lab.kubectl.run(['delete', 'pod', name, '--wait=false']);
  };

  /** A fence around n2 in the name of n1, which has to lift it, since n2 lives. */
  const fence = async (): Promise<() => Promise<boolean>> => {
    const [heir, subject] = [(await weft.status('n1')).peerId, (await weft.status('n2')).peerId];
    const name = `weft-removal-${subject.slice(0, 32)}`;
    // What lifted the one before wrote the subject's log there, which would not go with the `cut` of this one.
    await lab.kubectl.run(['delete', 'configmap', name, '-n', NAMESPACE, '--ignore-not-found']);
    await lab.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: NAMESPACE, labels },
      data: { peer: subject, heir, phase: 'fenced', cut: '0', node: 'n2' },
    });
    return async () => {
      const object = (await lab.kubectl.get('configmap', name, NAMESPACE)) as unknown as {
        readonly data: { readonly phase: string };
      };
      return object.data.phase === 'lifted';
    };
  };

  it('warns of a pod range in which Services and a node are, and goes on', async () => {
    for (const node of ['n1', 'n2']) {
      await warns(node, /range 10\.32\.0\.0\/13 overlaps the range 10\.35\.77\.0\/24 of Services; take/);
      await warns(node, /range 10\.32\.0\.0\/13 overlaps the address 10\.35\.200\.1 of node inside; take/);
    }
    const log = await weft.log('n1');
    for (const used of [/used="the range 10\.35\.77\.0\/24 of/g, /used="the address 10\.35\.200\.1 of/g])
      equal([...log.matchAll(used)].length, 1, 'in the log once');
    await worksOn('overlapping');
  });

  it('sees no byte of its watches on n2 from now on, while something happens there', async () => {
    await proxy.set('n2', 'silent');
    silentSince = performance.now();
    await lab.kubectl.run(['delete', 'configmap', 'weft-genesis', '-n', NAMESPACE]);
    const metadata = { name: 'weft-genesis', namespace: NAMESPACE, labels };
    await lab.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { genesis: 'bm9uc2Vuc2U=' } });
    await warns('n1', /begins the ring is damaged; delete ConfigMap weft-genesis/);
    equal(await warning('n2', /damaged/), undefined);
  });

  for (const [mode, what, words, line] of FAULTS) {
    it(`goes on where the API ${what}, says so, asks ever more rarely, and misses nothing`, async () => {
      const logged = (await weft.log('n1')).length;
      await proxy.set('n1', mode);
      const since = performance.now();
      const isLifted = await fence();
      await warns('n1', words);
      ok(line.test((await weft.log('n1')).slice(logged)));
      await worksOn(`during-${mode}`);
      const leftMs = Math.max(0, since + FAULT_MS - performance.now());
      await new Promise((resolve) => setTimeout(resolve, leftMs));
      const { length } = await proxy.requests('n1');
      const seconds = (performance.now() - since) / 1000;
      console.log(`      ${length} requests in ${seconds.toFixed(0)} s; ${await warning('n1', words)}`);
      ok(length > 0 && length <= MOST_REQUESTS, `${length} requests`);
      equal(await isLifted(), false);
      await proxy.set('n1', 'pass');
      await warnsNoMore('n1', /the API of Kubernetes/);
      await until('the fence to be lifted', isLifted, { timeoutMs: 30_000, everyMs: 500 });
      ok(/serves again/.test((await weft.log('n1')).slice(logged)));
    });
  }

  it('asks for next to nothing at rest', async () => {
    await proxy.set('n1', 'pass');
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const requests = await proxy.requests('n1');
    ok(requests.length <= MOST_AT_REST, requests.join('\n'));
  });

  it('learns what silent watches kept back by a new list, says that they do not work, and misses nothing', async () => {
    const leftMs = silentSince + SILENCE_MS - performance.now();
    await warns('n2', /the API server does not answer within 10000 ms.*the watch of Weft's/, leftMs + 40_000);
    ok(/status=0 reason=NoAnswer/.test(await weft.log('n2')));
    await warns('n2', /damaged/);
    await reaches(podOn(pods, 'n2'), podOn(pods, 'n1'));
    const { length } = await proxy.requests('n2');
    ok(length > 0 && length <= MOST_REQUESTS, `${length} requests`);
    await lab.kubectl.run(['delete', 'configmap', 'weft-genesis', '-n', NAMESPACE]);
    await warnsNoMore('n1', /damaged/);
    await warns('n2', /damaged/);
    await proxy.set('n2', 'pass');
    for (const words of [/damaged/, /the API of Kubernetes/]) await warnsNoMore('n2', words);
    await weft.settled();
    for (const { name } of lab.nodes) await weft.assertIpamAgrees(name);
  });
});
