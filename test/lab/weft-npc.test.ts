import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { PolicyExplainResult, PolicyStatusResult } from '../../control/npc-request.ts';
import { until } from '../cluster/command.ts';
import type { KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { TcpProbe } from './tcp-probe.ts';
import { forProgram, NAMESPACE, ROLLOUT_LIMIT_S, WeftLab } from './weft-lab.ts';
import { addressesOf, agnhost, PORT, sleeper, url } from './workloads.ts';

const NODES = ['n1', 'n2'] as const;
const POLICY = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' };
const DENY = {
  ...POLICY,
  metadata: { name: 'deny' },
  spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] },
};
const ALLOW = {
  ...POLICY,
  metadata: { name: 'allow' },
  spec: {
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }] }],
  },
};
/** Kills the weft-npc of the machine that it runs on. */
const KILL_NPC = forProgram('npc/weft-npc.ts', 'kill -9 $(basename $p)');

describe('weft-npc on Kubernetes', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;
  let web: KubeObject;
  /** On the web server's node, and on the other one. */
  let near: KubeObject;
  let far: KubeObject;

  before(async () => {
    weft = await WeftLab.up({ nodes: NODES.length });
    lab = weft.lab;
    await rolledOut();
    await lab.apply([
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web', labels: { app: 'web' } },
        spec: {
          nodeName: 'n1',
          terminationGracePeriodSeconds: 1,
          containers: [
            agnhost(['netexec', `--http-port=${PORT}`], {
              readinessProbe: { httpGet: { path: '/healthz', port: PORT }, periodSeconds: 1 },
            }),
          ],
        },
      },
      sleeper('near', { labels: { app: 'client' }, node: 'n1' }),
      sleeper('far', { labels: { app: 'client' }, node: 'n2' }),
    ]);
    [web] = (await lab.kubectl.waitForPods('app=web')) as [KubeObject];
    const clients = await lab.kubectl.waitForPods('app=client', { count: 2 });
    near = clients.find(({ metadata }) => metadata.name === 'near')!;
    far = clients.find(({ metadata }) => metadata.name === 'far')!;
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  async function rolledOut(): Promise<void> {
    const argv = ['rollout', 'status', 'ds/weft-npc', '-n', NAMESPACE, `--timeout=${ROLLOUT_LIMIT_S}s`];
    await lab.kubectl.run(argv, { timeoutMs: 1000 * (ROLLOUT_LIMIT_S + 10) });
  }

  /** Whether the web server answers, by either family. */
  async function answers(from: KubeObject): Promise<boolean> {
    const outcomes = await Promise.all(
      addressesOf(web).map((address) =>
        lab.exec(from.metadata.name, ['curl', '-sS', '-m', '1', url(address, PORT, '/hostname')], {
          mayFail: true,
        }),
      ),
    );
    const passed = outcomes.map(({ status }) => status === 0);
    // While a policy comes or goes one may have been before it and the other behind it.
    if (passed[0] !== passed[1]) return answers(from);
    return passed[0]!;
  }
  const denied = (from: KubeObject): Promise<unknown> =>
    until(`${from.metadata.name} to be denied`, async () => !(await answers(from)), { everyMs: 100 });
  const allowed = (from: KubeObject): Promise<unknown> =>
    until(`${from.metadata.name} to be allowed`, () => answers(from), { everyMs: 100 });
  const status = (node: string): Promise<PolicyStatusResult> => weft.weft(node, 'policy', 'status');

  it('runs on each node with a complete copy, and no pod waits', async () => {
    for (const node of NODES) {
      const { copy, loaded, waiting, problems } = await status(node);
      equal(copy.complete, true);
      ok(loaded);
      deepEqual(waiting, []);
      deepEqual(problems, []);
      deepEqual(await weft.warnings(node), []);
    }
  });

  it('has no restart, and CAP_NET_ADMIN alone', async () => {
    const pods = await lab.kubectl.list('pods', NAMESPACE, 'app.kubernetes.io/name=weft-npc');
    equal(pods.length, NODES.length);
    for (const pod of pods) {
      equal(pod.status.containerStatuses[0].restartCount, 0);
      const script = KILL_NPC.replace('kill -9 $(basename $p)', 'cat $p/status');
      const { stdout } = await lab.node(pod.spec.nodeName).run(['sh', '-c', script]);
      match(stdout, /CapPrm:\s+0000000000001000\n/);
    }
  });

  it('lets everything pass without a policy, denies by one, and allows what another one says', async () => {
    for (const client of [near, far]) ok(await answers(client));
    await lab.apply(DENY);
    for (const client of [near, far]) await denied(client);
    await lab.apply(ALLOW);
    for (const client of [near, far]) await allowed(client);
    // The kubelet's probes pass all the time.
    const [pod] = await lab.kubectl.list('pods', 'default', 'app=web');
    equal(pod!.status.containerStatuses[0].ready, true);
    equal(pod!.status.containerStatuses[0].restartCount, 0);
  });

  it('follows a label, wherever the pod is', async () => {
    for (const client of [near, far]) {
      const { name } = client.metadata;
      await lab.kubectl.run(['label', 'pod', name, 'app=stranger', '--overwrite']);
      await denied(client);
      await lab.kubectl.run(['label', 'pod', name, 'app=client', '--overwrite']);
      await allowed(client);
    }
  });

  it('explains in the words of the policies', async () => {
    const ask = (port: string): Promise<PolicyExplainResult> =>
      weft.weft('n1', 'policy', 'explain', 'default/far', 'default/web', port);
    const passes = await ask(String(PORT));
    equal(passes.passes, true);
    equal(passes.ingress.rule?.policy, 'NetworkPolicy default/allow');
    await lab.kubectl.run(['delete', 'networkpolicy', 'allow']);
    await denied(far);
    const dropped = await ask(String(PORT));
    equal(dropped.passes, false);
    deepEqual(
      dropped.ingress.selecting.map(({ policy }) => policy),
      ['NetworkPolicy default/deny'],
    );
    await lab.apply(ALLOW);
    await allowed(far);
  });

  it('cuts a connection that a tightened policy forbids', async () => {
    const probe = await TcpProbe.start(lab, far, web, 30);
    await lab.kubectl.run(['delete', 'networkpolicy', 'allow']);
    await denied(far);
    const { longestGapMs, broken } = await probe.result();
    ok(broken !== null || longestGapMs > 5_000, `the connection went on: ${longestGapMs} ms, ${broken}`);
  });

  it('opens nothing when it is killed, and again and again', async () => {
    for (let round = 0; round < 3; round++) {
      await lab.node('n1').run(['sh', '-c', KILL_NPC]);
      for (const client of [near, far]) equal(await answers(client), false);
    }
    await until(
      'weft-npc to serve again',
      async () => {
        const { loaded } = await status('n1');
        return loaded !== null;
      },
      { timeoutMs: 90_000, everyMs: 500 },
    );
    for (const client of [near, far]) equal(await answers(client), false);
  });

  it('starts a pod in a namespace with policies under them, from its first packet', async () => {
    // Its first container asks at once, and says what it got.
    await lab.apply([
      {
        ...POLICY,
        metadata: { name: 'quiet' },
        spec: { podSelector: { matchLabels: { app: 'eager' } }, policyTypes: ['Egress'] },
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'eager', labels: { app: 'eager' } },
        spec: {
          nodeName: 'n2',
          restartPolicy: 'Never',
          containers: [agnhost(['connect', `${addressesOf(near)[0]}:${PORT}`, '--timeout=3s'])],
        },
      },
    ]);
    const ended = await until(
      'the pod to end',
      async () => {
        const [pod] = await lab.kubectl.list('pods', 'default', 'app=eager');
        return pod?.status.phase === 'Failed' && pod;
      },
      { timeoutMs: 60_000, everyMs: 500 },
    );
    equal(ended.status.containerStatuses[0].state.terminated.exitCode, 1);
    const { stdout } = await lab.kubectl.run(['logs', 'eager']);
    match(stdout, /TIMEOUT/);
  });

  it('is replaced without a moment in which something passes', async () => {
    const patch = JSON.stringify({
      spec: { template: { metadata: { annotations: { replaced: 'now' } } } },
    });
    await lab.kubectl.run(['patch', 'ds', 'weft-npc', '-n', NAMESPACE, '-p', patch]);
    let isOver = false;
    const rollout = rolledOut().finally(() => {
      isOver = true;
    });
    while (!isOver) for (const client of [near, far]) equal(await answers(client), false);
    await rollout;
    await lab.apply(ALLOW);
    for (const client of [near, far]) await allowed(client);
    for (const node of NODES) deepEqual((await status(node)).problems, []);
  });

  it('goes on with what it knows while the API is away', async () => {
    await lab.kubectl.run(['delete', 'networkpolicy', 'allow']);
    for (const client of [near, far]) await denied(client);
    const other = lab.machine('n2');
    await lab.stopApiServer();
    const asks = ['curl', '-sS', '-m', '1', url(addressesOf(web)[0], PORT, '/hostname')];
    // From a node, which policies see by its overlay address; kubectl exec needs the API.
    for (let i = 0; i < 5; i++) equal((await other.run(asks, { mayFail: true })).status === 0, false);
    await lab.startApiServer();
    for (const client of [near, far]) equal(await answers(client), false);
  });
});
