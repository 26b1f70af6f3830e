import { deepEqual, equal, match, notEqual } from 'node:assert/strict';
import { until } from '../cluster/command.ts';
import { INTERNET } from './harness/addresses.ts';
import type { KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { forWeftd, NAMESPACE, WeftLab } from './weft-lab.ts';
import { addressesOf, agnhost, get, getFrom, HOST_PORT, PORT, podOn, url, WEB } from './workloads.ts';

const FAMILIES = ['-4', '-6'] as const;
/** What /proc says of the weftd of a machine. */
const DAEMON_STATUS = forWeftd('cat $p/status');

describe('Weft on Kubernetes', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;
  let pods: KubeObject[];
  let readyMs = 0;

  before(async () => {
    weft = await WeftLab.bare();
    lab = weft.lab;
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  it('makes all nodes Ready by one apply, with nothing done before', async () => {
    const begun = performance.now();
    await weft.apply();
    await lab.waitForNodes();
    readyMs = performance.now() - begun;
    await lab.apply(WEB);
    pods = await lab.kubectl.waitForPods('app=web', { count: 3 });
    await lab.kubectl.waitForPods('k8s-app=kube-dns', { namespace: 'kube-system', count: 2 });
    console.log(`      from apply to all nodes Ready: ${(readyMs / 1000).toFixed(1)} s`);
  });

  it('runs with CAP_NET_ADMIN alone, read-only, without privilege, and no restart', async () => {
    for (const pod of await lab.kubectl.list('pods', NAMESPACE)) {
      const [container] = pod.status.containerStatuses;
      equal(container.restartCount, 0);
      const { stdout } = await lab.node(pod.spec.nodeName).run(['sh', '-c', DAEMON_STATUS]);
      match(stdout, /CapPrm:\s+0000000000001000\n/);
      match(stdout, /CapBnd:\s+0000000000001000\n/);
    }
  });

  it('forms one ring of all nodes, each with a range, all tunnels up', async () => {
    await weft.settled();
    const { owners } = await weft.ipam('n1');
    deepEqual([...new Set(owners.map(({ name }) => name))].sort(), ['n1', 'n2', 'n3']);
  });

  for (const [family, flag] of FAMILIES.entries()) {
    it(`lets pods of different nodes reach each other with their own addresses (${flag})`, async () => {
      for (const from of pods)
        for (const to of pods) {
          if (from === to) continue;
          const seen = await get(lab, from, url(addressesOf(to)[family]!, PORT, '/clientip'));
          match(seen, new RegExp(`^\\[?${addressesOf(from)[family]}\\]?:`));
        }
    });

    it(`lets a node reach pods of others without NAT (${flag})`, async () => {
      const { addresses } = await weft.status('n1');
      const seen = await getFrom(
        lab.machine('n1'),
        url(addressesOf(podOn(pods, 'n2'))[family]!, PORT, '/clientip'),
      );
      match(seen, new RegExp(`^\\[?${addresses[family]}\\]?:`));
    });

    it(`serves a Service by address and by name to every pod and node (${flag})`, async () => {
      const service = await lab.kubectl.get('service', 'web');
      const to = url(service!.spec.clusterIPs[family], 80, '/hostname');
      const answered = new Set<string>();
      for (const pod of pods) {
        for (let i = 0; i < 8; i++) answered.add(await get(lab, pod, to));
        match(await get(lab, pod, 'http://web.default/hostname', flag), /^web-/);
      }
      for (const { machine } of lab.nodes)
        for (let i = 0; i < 4; i++) match(await getFrom(machine, to), /^web-/);
      equal(answered.size, 3, 'all three pods of the Service answer');
    });

    it(`leads a NodePort and a hostPort from the outside to a pod (${flag})`, async () => {
      const service = await lab.kubectl.get('service', 'web');
      for (const { name, addresses } of lab.nodes) {
        const address = family === 0 ? addresses.v4 : addresses.v6;
        match(
          await getFrom(lab.outside, url(address, service!.spec.ports[0].nodePort, '/hostname')),
          /^web-/,
        );
        equal(
          await getFrom(lab.outside, url(address, HOST_PORT, '/hostname')),
          podOn(pods, name).metadata.name,
        );
      }
    });
  }

  it('lets a pod reach itself by its Service', async () => {
    const name = 'lonely';
    await lab.apply([
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, labels: { app: name } },
        spec: { terminationGracePeriodSeconds: 1, containers: [agnhost(['netexec', `--http-port=${PORT}`])] },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name },
        spec: {
          selector: { app: name },
          ipFamilyPolicy: 'RequireDualStack',
          ports: [{ port: 80, targetPort: PORT }],
        },
      },
    ]);
    const [pod] = await lab.kubectl.waitForPods(`app=${name}`);
    for (const flag of FAMILIES) {
      const answers = async (): Promise<boolean> =>
        (await get(lab, pod!, `http://${name}.default/hostname`, flag)) === name;
      await until('the pod to reach itself', answers);
    }
  });

  it('keeps a client on one pod where the Service wants that', async () => {
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'sticky' },
      spec: {
        selector: { app: 'web' },
        sessionAffinity: 'ClientIP',
        ports: [{ port: 80, targetPort: PORT }],
      },
    });
    const answers = async (): Promise<boolean> =>
      (await get(lab, podOn(pods, 'n1'), 'http://sticky.default/hostname')) !== '';
    await until('the Service to answer', answers);
    for (const pod of pods) {
      const first = await get(lab, pod, 'http://sticky.default/hostname');
      for (let i = 0; i < 6; i++) equal(await get(lab, pod, 'http://sticky.default/hostname'), first);
    }
  });

  it('names the pods of a headless Service', async () => {
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'headless' },
      spec: {
        selector: { app: 'web' },
        clusterIP: 'None',
        ipFamilyPolicy: 'RequireDualStack',
        ports: [{ port: PORT }],
      },
    });
    const expected = pods.flatMap(addressesOf).sort();
    await until('all addresses of the pods', async () => {
      const found: string[] = [];
      for (const type of ['A', 'AAAA']) {
        const argv = ['dig', '+short', '+search', type, 'headless.default.svc.cluster.local'];
        found.push(...(await lab.exec(podOn(pods, 'n1').metadata.name, argv)).stdout.trim().split('\n'));
      }
      deepEqual(found.sort(), expected);
      return true;
    });
  });

  it('lets every pod reach the API by its Service', async () => {
    for (const pod of pods)
      match(await get(lab, pod, 'https://kubernetes.default/livez', '-k'), /ok|Unauthorized/);
  });

  it("lets pods out with their node's address", async () => {
    await lab.outside.start('web', ['agnhost', 'netexec', '--http-port=80']);
    const answers = async (): Promise<boolean> => (await getFrom(lab.outside, 'http://127.0.0.1/')) !== '';
    await until('the outside to serve', answers);
    const { v4, v6 } = lab.node('n1').addresses;
    match(await get(lab, podOn(pods, 'n1'), 'http://outside.test/clientip', '-4'), new RegExp(`^${v4}:`));
    match(await get(lab, podOn(pods, 'n1'), url(INTERNET.v6, 80, '/clientip')), new RegExp(`^\\[${v6}\\]:`));
  });

  it('bounds the bandwidth of a pod that asks for that', async () => {
    const name = 'slow';
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: name }, annotations: { 'kubernetes.io/egress-bandwidth': '8M' } },
      spec: {
        nodeName: 'n1',
        terminationGracePeriodSeconds: 1,
        containers: [agnhost(['netexec', `--http-port=${PORT}`])],
      },
    });
    await lab.kubectl.waitForPods(`app=${name}`);
    // containerd asks for a burst of half a gigabyte, so the limit shows in the kernel, and not in a short upload.
    const { stdout } = await lab.machine('n1').run(['tc', 'qdisc', 'show']);
    match(stdout, /tbf .* rate 8Mbit/);
  });

  it('lets nothing of what pods say to each other be seen on the underlay', async () => {
    const canary = `canary-${Date.now()}-of-weft`;
    const [from, to] = [podOn(pods, 'n1'), podOn(pods, 'n2')];
    const capture = '/var/log/underlay.pcap';
    await lab.outside.start('tcpdump', ['tcpdump', '-i', 'br0', '-U', '-w', capture]);
    await until('the capture to run', () => lab.outside.log('tcpdump').includes('listening on'));
    const say = (where: string): Promise<string> => get(lab, from, `${where}/echo?msg=${canary}`);
    for (const family of [0, 1]) equal(await say(url(addressesOf(to)[family]!, PORT)), canary);
    const found = async (): Promise<number> =>
      Number((await lab.outside.run(['grep', '-c', '-a', canary, capture], { mayFail: true })).stdout);
    await new Promise((resolve) => setTimeout(resolve, 500));
    equal(await found(), 0);
    // What leaves the cluster is not Weft's to seal: so the search is known to find what is there.
    equal(await say(url(INTERNET.v4, 80)), canary);
    await until('the capture to hold what was said in clear', async () => (await found()) > 0);
    await lab.outside.stop('tcpdump');
  });

  it('takes a plain host into the mesh, such as the one that the API server runs on', async () => {
    await weft.joinControlPlane();
    const name = podOn(pods, 'n2').metadata.name;
    const path = `/api/v1/namespaces/default/pods/${name}:${PORT}/proxy/hostname`;
    equal((await lab.kubectl.run(['get', '--raw', path])).stdout, name);
    const { peers } = await weft.status('n1');
    deepEqual(peers.map((peer) => peer.name).sort(), ['cp', 'n2', 'n3']);
  });

  it('accounts for every address', async () => {
    for (const { name } of lab.nodes) await weft.assertIpamAgrees(name);
  });

  it('keeps its secret out of reach of everyone but itself', async () => {
    const { stdout } = await lab.kubectl.run([
      ...['auth', 'can-i', '--list', '-n', 'kube-system'],
      `--as=system:serviceaccount:${NAMESPACE}:weft`,
    ]);
    equal(/secrets|configmaps|pods\b/.test(stdout), false, stdout);
    const secret = await lab.kubectl.get('secret', 'weft-secret', NAMESPACE);
    const text = Buffer.from(
      (secret as unknown as { data: { secret: string } }).data.secret,
      'base64',
    ).toString();
    notEqual(text, '');
    for (const { name, machine } of lab.nodes) {
      equal(machine.log('containerd').includes(text), false);
      const { metadata } = await weft.podOn(name);
      const { stdout: log } = await lab.kubectl.run(['logs', '-n', NAMESPACE, metadata.name]);
      equal(log.includes(text), false);
    }
  });
});
