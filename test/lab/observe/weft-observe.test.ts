import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { Finding } from '../../../doctor/finding.ts';
import type { WhyResult } from '../../../why/why.io.ts';
import { until } from '../../cluster/command.ts';
import { kubeconfig } from '../harness/kubeconfig.ts';
import type { KubeObject } from '../harness/kubectl.ts';
import type { Lab } from '../harness/lab.ts';
import { leftovers, takeDown } from '../harness/take-down.ts';
import { NAMESPACE, WeftLab } from '../weft-lab.ts';
import { PORT, podOn, WEB } from '../workloads.ts';

const TEST_NAMESPACE = 'weft-test';

interface TestResult {
  readonly status: number;
  readonly well: boolean;
  readonly findings: readonly Finding[];
}

/** What an operator sees of Weft in a cluster, out of its pods and by kubectl. */
describe('what an operator sees', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;
  let pods: KubeObject[];

  before(async () => {
    weft = await WeftLab.up({ nodes: 3 });
    lab = weft.lab;
    await lab.kubectl.run(['rollout', 'status', 'ds/weft-npc', '-n', NAMESPACE, '--timeout=120s'], {
      timeoutMs: 130_000,
    });
    await lab.apply(WEB);
    pods = await lab.kubectl.waitForPods('app=web', { count: 3 });
    await weft.settled();
  });
  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  const podName = (node: string): string => `default/${podOn(pods, node).metadata.name}`;

  describe('by kubectl', () => {
    it('is that the network is there, on each node', async () => {
      for (const { metadata, status } of await lab.kubectl.list('nodes')) {
        const conditions = status.conditions as { type: string; status: string; reason: string }[];
        const found = conditions.find(({ type }) => type === 'NetworkUnavailable');
        deepEqual([metadata.name, found?.status, found?.reason], [metadata.name, 'False', 'WeftIsUp']);
      }
      await until('no taint on any node', async () =>
        (await lab.kubectl.list('nodes')).every(({ spec }) => spec.taints === undefined),
      );
    });

    it('is a warning of a node, as an event of that node, once', async () => {
      const file = '/etc/cni/net.d/00-other.conflist';
      const other = JSON.stringify({ cniVersion: '1.0.0', name: 'other', plugins: [{ type: 'bridge' }] });
      const node = lab.node('n2');
      await node.run(['sh', '-c', `cat > ${file}`], { input: other });
      const events = async (): Promise<KubeObject[]> =>
        (await lab.kubectl.list('events', '*')).filter((each) => each.metadata.name.includes('.weftd.'));
      try {
        await until('an event', async () => (await events()).length > 0, {
          timeoutMs: 150_000,
          everyMs: 2_000,
        });
        const [event, ...more] = (await events()) as unknown as Record<string, string>[];
        deepEqual(more, []);
        match(event!.message!, /^the container runtime takes '00-other\.conflist', which sorts before /);
        match((await lab.kubectl.run(['describe', 'node', 'n2'])).stdout, /Warning +CniConfigOrder /);
      } finally {
        await node.run(['rm', file]);
      }
    });
  });

  describe('by weft why', () => {
    const why = async (source: string, target: string, port: string): Promise<WhyResult> => {
      const { metadata } = await weft.podOn('n1');
      const argv = ['weft', '--json', 'why', source, target, port];
      const { stdout, stderr } = await lab.kubectl.exec(metadata.name, argv, {
        inNamespace: NAMESPACE,
        mayFail: true,
      });
      ok(stdout.startsWith('{'), stderr);
      return JSON.parse(stdout) as WhyResult;
    };
    const told = ({ verdict, findings }: WhyResult): string =>
      verdict.talk
        ? `talk: ${verdict.because}`
        : `${verdict.station}: ${verdict.because} ${JSON.stringify(findings)}`;

    it('is that two pods talk, by a packet that was traced at each station', async () => {
      const result = await why(podName('n1'), podName('n2'), String(PORT));
      match(told(result), /^talk: the target accepts connections there/);
      const probe = result.findings.find(({ check }) => check === 'probe');
      match(
        probe!.seen,
        /^there by n1: wv\w+ → weft0, n2: weft0 → wv\w+; back by n2: wv\w+ → weft0, n1: weft0 → wv\w+$/,
      );
      // The manifest does not record flows.
      const skipped = result.findings.filter(({ verdict }) => verdict === 'skipped');
      deepEqual(
        skipped.map(({ check }) => check),
        ['denied before'],
      );
    });

    it('is the endpoint that a Service became', async () => {
      const service = await lab.kubectl.get('service', 'web');
      for (const address of service!.spec.clusterIPs as string[])
        match(told(await why(podName('n1'), address, '80')), /^talk: the target accepts connections there/);
    });

    it('is the policy that drops, on either side', async () => {
      const deny = {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'deny', namespace: 'default' },
        spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] },
      };
      await lab.apply([deny]);
      try {
        await until('the policy to hold', async () =>
          /^ingress policy: .*deny/.test(told(await why(podName('n1'), podName('n2'), String(PORT)))),
        );
      } finally {
        await lab.kubectl.run(['delete', 'networkpolicy', 'deny']);
      }
    });

    it('is the packet filter of another program on the other node', async () => {
      const rules = `table inet other { chain f { type filter hook forward priority 0; tcp dport ${PORT} drop; }; }`;
      await lab.node('n2').run(['nft', '-f', '-'], { input: rules });
      try {
        match(
          told(await why(podName('n1'), podName('n2'), String(PORT))),
          /^packet filters: the rule with handle \d+ of the chain f of the nftables table inet other drops it on n2/,
        );
      } finally {
        await lab.node('n2').run(['nft', 'delete', 'table', 'inet', 'other']);
      }
    });
  });

  describe('by weft test', () => {
    /** In weftd's pod, with the kubeconfig of the administrator by standard input. */
    async function test(...flags: string[]): Promise<TestResult> {
      const { metadata } = await weft.podOn('n3');
      const argv = ['weft', '--json', 'test', '--kubeconfig', '-', ...flags];
      const { status, stdout, stderr } = await lab.kubectl.exec(metadata.name, argv, {
        inNamespace: NAMESPACE,
        input: kubeconfig('admin'),
        mayFail: true,
        timeoutMs: 400_000,
      });
      ok(stdout.startsWith('{'), stderr);
      return { status, ...(JSON.parse(stdout) as { well: boolean; findings: Finding[] }) };
    }
    const unwell = ({ findings }: TestResult): Finding[] =>
      findings.filter(({ verdict }) => verdict === 'fault' || verdict === 'warning');
    const named = ({ findings }: TestResult, check: string): string => {
      const found = findings.find((each) => each.check === check);
      ok(found, `${check} in ${findings.map((each) => each.check).join('; ')}`);
      return `${found.verdict} ${found.seen}`;
    };
    const isGone = async (): Promise<boolean> =>
      (await lab.kubectl.get('namespace', TEST_NAMESPACE)) === undefined;

    it('is that all is well, in both families, and nothing is left', async () => {
      const begun = performance.now();
      const result = await test('--outside', '203.0.113.1:80', '--outside', '[2001:db8:113::1]:80');
      console.log(
        `      ${result.findings.length} findings in ${((performance.now() - begun) / 1000).toFixed(1)} s`,
      );
      deepEqual(unwell(result), []);
      equal(result.status, 0);
      for (const family of ['IPv4', 'IPv6']) {
        match(named(result, `pod to pod of another node, ${family}, TCP`), /^ok answered/);
        match(
          named(result, `pod to pod of another node, ${family}, largest packet`),
          /^ok packets of \d+ bytes pass, there and back/,
        );
        match(named(result, `Service, ${family}, UDP`), /^ok answered/);
        match(named(result, `policy keeps others out, ${family}`), /^ok .* takes no connection/);
        match(named(result, `policy lets its pod in, ${family}`), /^ok answered/);
      }
      match(named(result, 'DNS, a Service'), /^ok server\.weft-test\.svc is /);
      match(named(result, 'NodePort of n2, IPv4'), /^ok/);
      match(named(result, 'outside, IPv4, 203.0.113.1'), /^ok/);
      match(
        named(result, 'encryption'),
        /^ok all 6 packets for n2 went into weft0; none of [1-9]\d* packets on .*eth0.* holds/,
      );
      ok(await isGone());
    });

    it('is where packets are lost, what a policy lets through, and who is to be asked', async () => {
      const rules =
        'table inet other { chain f { type filter hook forward priority 0; iifname "weft0" udp dport 8080 drop; }; }';
      await lab.node('n2').run(['nft', '-f', '-'], { input: rules });
      try {
        const result = await test('--nodes', 'n1,n2');
        const wrong = unwell(result);
        deepEqual(
          wrong.map(({ check }) => check).filter((check) => !check.startsWith('Service')),
          ['IPv4', 'IPv6'].flatMap((family) =>
            ['UDP', 'largest packet'].map((what) => `pod to pod of another node, ${family}, ${what}`),
          ),
        );
        match(wrong[0]!.remedy!, /^ask 'weft why weft-test\/client 10\.\S+ 8080\/udp' on n1$/);
        equal(result.status, 1);
        ok(await isGone());
      } finally {
        await lab.node('n2').run(['nft', 'delete', 'table', 'inet', 'other']);
      }
    });

    it('removes what it made where it is ended, and what one that was killed left', async () => {
      const { metadata } = await weft.podOn('n3');
      const argv = ['exec', '-n', NAMESPACE, '-i', metadata.name, '--', 'weft', 'test', '--kubeconfig', '-'];
      const ended = lab.kubectl.run(argv, { input: kubeconfig('admin'), mayFail: true, timeoutMs: 300_000 });
      await until('the namespace', async () => !(await isGone()), { timeoutMs: 60_000, everyMs: 300 });
      const signal = (name: string): Promise<unknown> =>
        lab
          .node('n3')
          .run(['sh', '-c', `kill -${name} $(pgrep -f 'cli/weft.js test|weft test --kubeconfig' | head -1)`]);
      await signal('INT');
      const { stderr, status } = await ended;
      match(stderr, /the test was ended, and what it had made is removed/);
      equal(status, 1);
      ok(await isGone());
      const killed = lab.kubectl.run(argv, { input: kubeconfig('admin'), mayFail: true, timeoutMs: 300_000 });
      await until('a pod', async () => (await lab.kubectl.list('pods', TEST_NAMESPACE)).length > 2, {
        timeoutMs: 60_000,
        everyMs: 300,
      });
      await signal('KILL');
      await killed;
      ok(!(await isGone()));
      deepEqual(unwell(await test()), []);
      ok(await isGone());
    });

    it('touches no namespace that it has not made, and makes no pods without rights', async () => {
      await lab.kubectl.run(['create', 'namespace', TEST_NAMESPACE]);
      const { metadata } = await weft.podOn('n3');
      const run = async (...argv: string[]) =>
        lab.kubectl.exec(metadata.name, ['weft', 'test', ...argv], {
          inNamespace: NAMESPACE,
          input: kubeconfig('admin'),
          mayFail: true,
        });
      match((await run('--kubeconfig', '-')).stderr, /a namespace weft-test that no weft test has made/);
      ok(!(await isGone()));
      await lab.kubectl.run(['delete', 'namespace', TEST_NAMESPACE]);
      match((await run()).stderr, /no rights to make pods; give --kubeconfig/);
      match(
        (await run('--kubeconfig', '-', '--nodes', 'n9')).stderr,
        /Weft is not ready on a node n9; give one of n1, n2, n3/,
      );
    });
  });
});
