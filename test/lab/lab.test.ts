import { deepEqual, equal, match, notEqual, rejects } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { until } from '../cluster/command.ts';
import { INTERNET } from './harness/addresses.ts';
import type { KubeObject } from './harness/kubectl.ts';
import { Lab } from './harness/lab.ts';
import { ROOT } from './harness/paths.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { addressesOf, get, getFrom, HOST_PORT, PORT, podOn, url, WEB } from './workloads.ts';

describe('the lab, with the plain bridge', function () {
  this.timeout(180_000);
  let lab: Lab;
  let pods: KubeObject[];

  before(async () => {
    lab = await Lab.up({ nodes: 3, cni: 'bridge' });
    await lab.apply(WEB);
    pods = await lab.kubectl.waitForPods('app=web', { count: 3 });
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  it('has three nodes that are Ready, with an IPv4 and an IPv6 address each', async () => {
    const nodes = await lab.kubectl.list('nodes', '*');
    for (const node of nodes) {
      const internal = node.status.addresses.filter((each: { type: string }) => each.type === 'InternalIP');
      const { v4, v6 } = lab.node(node.metadata.name).addresses;
      deepEqual(
        internal.map((each: { address: string }) => each.address),
        [v4, v6],
      );
    }
    equal(nodes.length, 3);
  });

  it('refuses a second lab', () => rejects(Lab.up(), /a lab is up already/));

  it('lets pods of different nodes reach each other, with their own addresses', async () => {
    const [from, to] = [podOn(pods, 'n1'), podOn(pods, 'n2')];
    for (const family of [0, 1]) {
      const seen = await get(lab, from, url(addressesOf(to)[family]!, PORT, '/clientip'));
      match(seen, new RegExp(`^\\[?${addressesOf(from)[family]}\\]?:`));
    }
  });

  it('serves a Service by address and by name, over both families', async () => {
    const service = await lab.kubectl.get('service', 'web');
    for (const address of service!.spec.clusterIPs)
      match(await get(lab, podOn(pods, 'n1'), url(address, 80, '/hostname')), /^web-/);
    for (const flag of ['-4', '-6'])
      match(await get(lab, podOn(pods, 'n3'), 'http://web.default/hostname', flag), /^web-/);
  });

  it('lets every pod reach the API by its Service', async () => {
    for (const pod of pods)
      match(await get(lab, pod, 'https://kubernetes.default/livez', '-k'), /ok|Unauthorized/);
  });

  it('leads a NodePort and a hostPort from the outside to a pod', async () => {
    const service = await lab.kubectl.get('service', 'web');
    const { v4, v6 } = lab.node('n2').addresses;
    for (const address of [v4, v6]) {
      match(await getFrom(lab.outside, url(address, service!.spec.ports[0].nodePort, '/hostname')), /^web-/);
      equal(
        await getFrom(lab.outside, url(address, HOST_PORT, '/hostname')),
        podOn(pods, 'n2').metadata.name,
      );
    }
  });

  it("lets pods out with their node's address", async () => {
    await lab.outside.start('web', ['agnhost', 'netexec', '--http-port=80']);
    const { v4, v6 } = lab.node('n1').addresses;
    const answers = async (): Promise<boolean> => (await getFrom(lab.outside, 'http://127.0.0.1/')) !== '';
    await until('the outside to serve', answers);
    match(await get(lab, podOn(pods, 'n1'), 'http://outside.test/clientip', '-4'), new RegExp(`^${v4}:`));
    match(await get(lab, podOn(pods, 'n1'), url(INTERNET.v6, 80, '/clientip')), new RegExp(`^\\[${v6}\\]:`));
  });

  it('answers exec and logs, and passes requests on to pods', async () => {
    const { name } = podOn(pods, 'n3').metadata;
    const { stdout } = await lab.exec(name, ['cat'], { input: 'through the API\n' });
    equal(stdout, 'through the API\n');
    match((await lab.kubectl.run(['logs', name])).stdout, /Started HTTP server on port 8080/);
    const path = `/api/v1/namespaces/default/pods/${name}:${PORT}/proxy/hostname`;
    equal((await lab.kubectl.run(['get', '--raw', path])).stdout, name);
  });

  it('keeps pods running while kubelet, containerd and the API are gone', async () => {
    const to = podOn(pods, 'n1');
    const node = lab.node('n1');
    await node.stopKubelet();
    await node.stopContainerd();
    await lab.stopApiServer();
    await rejects(lab.kubectl.list('pods'));
    const target = url(addressesOf(to)[0], PORT, '/hostname');
    equal((await lab.node('n2').run(['curl', '-sS', '-m', '5', target])).stdout, to.metadata.name);
    await lab.startApiServer();
    await node.startContainerd();
    await node.startKubelet();
    await lab.waitForNodes();
    pods = await lab.kubectl.waitForPods('app=web', { count: 3 });
    equal(podOn(pods, 'n1').metadata.uid, to.metadata.uid);
  });

  it('powers a node off and on', async () => {
    const boot = async (): Promise<string> =>
      (await lab.kubectl.get('node', 'n3'))!.status.nodeInfo.bootID as string;
    const before = await boot();
    await lab.powerOff('n3');
    equal(lab.node('n3').machine.isOn, false);
    await rejects(getFrom(lab.outside, url(lab.node('n3').addresses.v4, HOST_PORT, '/')));
    await lab.kubectl.waitForNodes(['n3'], { status: 'Unknown' });
    await lab.powerOn('n3');
    await lab.waitForNodes();
    notEqual(await boot(), before);
    pods = await lab.kubectl.waitForPods('app=web', { count: 3 });
    const seen = await get(lab, podOn(pods, 'n1'), url(addressesOf(podOn(pods, 'n3'))[1], PORT, '/hostname'));
    equal(seen, podOn(pods, 'n3').metadata.name);
  });

  it('takes a node in and lets it go again', async () => {
    const node = await lab.addNode();
    equal(node.name, 'n4');
    await lab.waitForNodes();
    pods = await lab.kubectl.waitForPods('app=web', { count: 4 });
    match(
      await get(lab, podOn(pods, 'n4'), url(addressesOf(podOn(pods, 'n1'))[0], PORT, '/hostname')),
      /^web-/,
    );
    await lab.removeNode('n4');
    equal((await lab.kubectl.list('nodes', '*')).length, 3);
  });

  it('is known to another process', () => {
    const other = Lab.attach();
    deepEqual(
      other.nodes.map((node) => node.name),
      ['n1', 'n2', 'n3'],
    );
    equal(other.node('n1').machine.isRunning('kubelet'), true);
  });

  it('goes without a trace', async () => {
    await lab.down();
    deepEqual(leftovers(), []);
  });
});

describe('a lab whose maker crashed', function () {
  this.timeout(60_000);

  it('is taken down by another process', async () => {
    const up = spawn(`${ROOT}/bin/weft-node`, ['test/lab/run.ts', 'up', '--nodes', '2'], {
      cwd: ROOT,
      stdio: 'ignore',
    });
    const exited = new Promise((resolve) => up.once('exit', resolve));
    await until('a node to start', () => leftovers().some((line) => line.includes(' n1 ')), {
      timeoutMs: 30_000,
    });
    up.kill('SIGKILL');
    await exited;
    await rejects(Lab.up(), /a lab is up already/);
    await takeDown();
    deepEqual(leftovers(), []);
  });
});
