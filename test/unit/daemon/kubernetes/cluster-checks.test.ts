import { deepEqual, equal, match } from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseCidr } from '../../../../base/range.ts';
import { ClusterChecks } from '../../../../daemon/kubernetes/cluster-checks.io.ts';
import { KubernetesWarnings } from '../../../../daemon/kubernetes/kubernetes-warnings.ts';
import { policyEngineOf } from '../../../../daemon/kubernetes/policy-engine.ts';
import { clock } from '../../../../host/clock.io.ts';
import { Log } from '../../../../host/log.ts';
import { ApiClient } from '../../../../kube/api-client.io.ts';
import { until } from '../../../cluster/command.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { FakeApi, json } from '../../kube/fake-api.ts';

describe('ClusterChecks', () => {
  let api: FakeApi;
  let client: ApiClient;
  let proxy: Server;
  let checks: ClusterChecks;
  let warnings: KubernetesWarnings;
  /** What the kube-proxy answers, how many policies there are, who enforces them. */
  let answer: string;
  let policies: number;
  let engine: string | undefined;
  let everyMs: number;

  beforeEach(async () => {
    api = await FakeApi.listen();
    client = new ApiClient(api.access, 'test');
    [answer, policies, engine, everyMs] = ['', 0, undefined, 20];
    api.answer = (request, response) => {
      const rest = policies > 1 ? { remainingItemCount: policies - 1 } : {};
      const items = policies === 0 ? [] : [{}];
      json(200, { metadata: { resourceVersion: '1', ...rest }, items })(request, response);
    };
    proxy = createServer((_request, response) => response.end(answer));
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const log = new Log({ write: () => {}, now: clock, date: () => 'D' }, { level: 'info', format: 'text' });
    warnings = new KubernetesWarnings(log, []);
    checks = new ClusterChecks({
      client,
      ranges: [parseCidr('10.32.0.0/12')!],
      random: seededRandom(1),
      now: clock,
      warnings,
      policyEngine: async () => engine,
      kubeProxyUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/configz`,
      get everyMs() {
        return everyMs;
      },
    });
  });
  afterEach(async () => {
    checks.stop();
    client.close();
    proxy.closeAllConnections();
    proxy.close();
    await api.close();
  });

  const lines = (): string => warnings.lines(clock()).join('\n');
  const shows = (what: RegExp): Promise<unknown> => until(`${what}`, () => what.test(lines()));
  const showsNothing = (): Promise<unknown> => until('no warning', () => lines() === '');
  const proxyWith = (clusterCIDR: string): string =>
    JSON.stringify({ 'kubeproxy.config.k8s.io': { detectLocalMode: 'ClusterCIDR', clusterCIDR } });

  it('warns of a kube-proxy with another range for as long as it has that', async () => {
    answer = proxyWith('10.244.0.0/16');
    checks.start();
    await shows(/kube-proxy takes only 10\.244\.0\.0\/16/);
    answer = proxyWith('10.32.0.0/12');
    await showsNothing();
  });

  it('warns of ipvs mode for as long as weft-npc enforces policies there', async () => {
    answer = JSON.stringify({ 'kubeproxy.config.k8s.io': { mode: 'ipvs' } });
    engine = 'weft-npc';
    checks.start();
    await shows(/kube-proxy works in ipvs mode/);
    engine = undefined;
    await showsNothing();
    engine = 'weft-npc';
    await shows(/kube-proxy works in ipvs mode/);
    answer = JSON.stringify({ 'kubeproxy.config.k8s.io': { mode: 'nftables' } });
    await showsNothing();
  });

  it("looks at the nodes' podCIDRs where no kube-proxy tells, whoever answers in its place", async () => {
    const node = {
      namespace: '',
      name: 'n1',
      uid: 'u',
      resourceVersion: '1',
      internalIps: [],
      isReady: true,
    };
    checks.nodesSeen([{ ...node, podCidrs: ['10.244.1.0/24'] }]);
    for (answer of ['', 'hello', '{"kubeproxy.config.k8s.io":7}', `"${'x'.repeat(400_000)}"`]) {
      checks.start();
      await shows(/node n1 has the podCIDR 10\.244\.1\.0\/24/);
    }
    answer = proxyWith('');
    await showsNothing();
  });

  it('warns of NetworkPolicies that nobody enforces', async () => {
    checks.start();
    policies = 7;
    await shows(/the 7 NetworkPolicies of this cluster are not enforced/);
    policies = 1;
    await shows(/the NetworkPolicy of this cluster is not enforced/);
    engine = 'kube-router';
    await showsNothing();
    engine = undefined;
    await shows(/not enforced/);
    policies = 0;
    await showsNothing();
    deepEqual([...new Set(api.requests)], ['GET /apis/networking.k8s.io/v1/networkpolicies?limit=1']);
  });

  it('says that it may not ask for them', async () => {
    const granted = api.answer;
    api.answer = json(403, { reason: 'Forbidden' });
    everyMs = 1e9;
    checks.start();
    await shows(/answers 403 .*the list of NetworkPolicies/);
    // It asks again long before the usual pause is over.
    api.answer = granted;
    await showsNothing();
  });
});

describe('policyEngineOf', () => {
  it('knows engines by what they make on a node, and no one else', () => {
    equal(policyEngineOf(['kube-proxy', 'weft', 'KUBE-SERVICES', 'FORWARD', 'DOCKER-USER']), undefined);
    equal(policyEngineOf(['filter', 'KUBE-NWPLCY-DEFAULT']), 'kube-router');
    equal(policyEngineOf(['kube-network-policies']), 'kube-network-policies');
    match(policyEngineOf(['cali-FORWARD'])!, /Calico/);
  });
});
