import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { askDaemon } from '../../../control/control-client.io.ts';
import type { FlowsResult } from '../../../control/flow-request.ts';
import { until } from '../../cluster/command.ts';
import { argsOf, PolicedHost } from '../policed-host.ts';
import type { NpcHost } from './npc-process.ts';
import type { PolicyHost, TestPod } from './policy-host.ts';
import { RealApi } from './real-api.ts';

const DENY = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'deny', namespace: 'shut' },
  spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
};
/** An ADD waits no longer than this for weft-npc, plus what a busy machine adds. */
const BOUND_MS = 10_000;

/** All of it real: weftd with its gate and the CNI plugin, weft-npc, nftables and a kube-apiserver. */
describe('weft-npc and weftd', function () {
  this.timeout(120_000);
  let policed: PolicedHost;
  let host: PolicyHost;
  let api: RealApi;
  let npcHost: NpcHost;
  let open: TestPod;

  before(async function () {
    // npm run test:k8s builds it.
    if (!RealApi.isBuilt) return this.skip();
    policed = await PolicedHost.create({ namespaces: ['shut'] });
    ({ host, api, npcHost } = policed);
  });

  after(() => policed?.destroy());

  /** What the kubelet tells of a pod once it runs. */
  async function tellAddresses(pod: string, addresses: readonly string[]): Promise<void> {
    const [namespace, name] = pod.split('/') as [string, string];
    const status = { phase: 'Running', podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) };
    const patch = JSON.stringify({ status });
    await api.kubectl(['patch', 'pod', name, '-n', namespace, '--subresource=status', '-p', patch]);
  }

  const isDecided = async ({ link }: TestPod): Promise<boolean> => (await host.decided())!.has(link);

  it('answer an ADD once the pod is spoken for', async () => {
    open = await policed.attach('default/open');
    const other = await policed.attach('default/other');
    ok(await isDecided(open));
    ok(await isDecided(other));
    ok(await host.reachesPod(other.namespace, open));
    ok((await npcHost.status()).addsWaitedMs! > 0, 'weftd says how long it waited');
  });

  it('let nothing pass from or to a pod that policies shut, from the answer on', async () => {
    await api.apply(DENY);
    await until('the policy to be known', async () => {
      const { stdout } = await host.node.attempt('cat', [join(host.folder, 'governed.json')]);
      return stdout.includes('"shut"');
    });
    const shut = await policed.attach('shut/first');
    ok(await isDecided(shut));
    equal(await host.reachesPod(open.namespace, shut), false);
    equal(await host.reachesPod(shut.namespace, open), false);
    // The node itself reaches it: probes.
    equal((await host.node.attempt('ping', ['-c', '1', '-W', '1', shut.addresses[0]!])).code, 0);
    await host.detach(shut);
  });

  it('tell flows with the names of pods, and what was denied with the policies', async () => {
    const shut = await policed.attach('shut/told');
    await tellAddresses('shut/told', shut.addresses);
    await tellAddresses('default/open', open.addresses);
    const follow = (cursor: string): Promise<FlowsResult> =>
      askDaemon(host.runDir, { op: 'flows', want: 'follow', cursor, limit: 100, filter: {} });
    let { cursor } = await follow('');
    const row = await until('the denied packet to be told with names', async () => {
      equal(await host.reachesPod(open.namespace, shut), false);
      const result = await follow(cursor);
      cursor = result.cursor;
      return result.rows.find((each) => each.kind === 'drop' && each.target.pod !== null);
    });
    ok(row.kind === 'drop');
    equal(row.source.pod, 'default/open');
    equal(row.target.pod, 'shut/told');
    equal(row.way, 'ingress');
    equal(row.policies.join(), 'NetworkPolicy shut/deny');
    const last = { op: 'flows', want: 'last', cursor: '', limit: 9, filter: { verdict: 'dropped' } } as const;
    const all = await askDaemon(host.runDir, { ...last, cluster: true });
    deepEqual([all.nodes, all.silent], [1, []]);
    ok(all.rows.some((each) => each.kind === 'drop' && each.target.pod === 'shut/told'));
    await host.detach(shut);
  });

  it('speak for a pod by its policies as soon as the API shows it, and answer its ADD within the bound', async () => {
    const { added, ...pod } = await host.add('', { args: argsOf('shut/early', 'uid-to-come') });
    equal(added.code, 0);
    ok(added.ms < BOUND_MS, `${added.ms} ms`);
    equal(await isDecided({ added, ...pod }), false);
    const { waiting } = await npcHost.status();
    equal(
      waiting.some((each) => each.pod === 'shut/early'),
      true,
    );
  });

  it('start pods where weft-npc is killed: open ones open, others closed until it is back', async () => {
    await policed.npc.stop('SIGKILL');
    const uid = await policed.createPod('shut/meanwhile');
    const [free, shut] = [
      await policed.attach('default/free'),
      await host.attach('', { args: argsOf('shut/meanwhile', uid) }),
    ];
    await until('weftd to open the one', () => isDecided(free));
    equal(await isDecided(shut), false);
    ok(await host.reachesPod(free.namespace, open));
    equal(await host.reachesPod(open.namespace, shut), false);
    await policed.restartNpc();
    await until('weft-npc to speak for the other', () => isDecided(shut));
    ok(await isDecided(free));
    equal(await host.reachesPod(open.namespace, shut), false);
    await api.kubectl(['delete', 'networkpolicy', 'deny', '-n', 'shut']);
    await until('the pod to be reached', () => host.reachesPod(open.namespace, shut));
    await api.apply(DENY);
    await until('the pod to be shut again', async () => !(await host.reachesPod(open.namespace, shut)));
  });

  it('go on as they were when weftd is killed and starts again', async () => {
    const before = await host.decided();
    await host.daemon.stop('SIGKILL');
    ok(await host.isLaid());
    await host.start();
    await policed.serving();
    equal([...(await host.decided())!].sort().join(), [...before!].sort().join());
    const late = await policed.attach('default/late');
    ok(await isDecided(late));
    ok(await host.reachesPod(late.namespace, open));
  });

  it('have table and gate whole again when all of nftables is flushed', async () => {
    const pod = await policed.attach('shut/kept');
    await host.nft('flush', 'ruleset');
    await until(
      'the gate',
      async () => (await host.isLaid()) && (await isDecided(pod)) && (await isDecided(open)),
    );
    equal(await host.reachesPod(open.namespace, pod), false);
  });

  it('deny a pod that the API does not show yet what a policy may deny it', async function () {
    const definition = RealApi.clusterPolicyDefinition;
    if (definition === undefined) return this.skip();
    await api.kubectl(['apply', '--server-side', '-f', definition]);
    await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'walled' } });
    const walled = await policed.attach('walled/pod');
    // No policy selects it, so weftd lets it through before anybody knows its labels.
    const early = await host.attach('', { args: argsOf('default/unseen', '') });
    await until('weftd to open it', () => isDecided(early));
    ok(await host.reachesPod(early.namespace, walled));
    const wall = {
      apiVersion: 'policy.networking.k8s.io/v1beta1',
      kind: 'ClusterNetworkPolicy',
      metadata: { name: 'wall' },
      spec: {
        tier: 'Admin',
        priority: 10,
        subject: { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': 'walled' } } },
        ingress: [{ action: 'Deny', from: [{ namespaces: { matchLabels: { team: 'nobody' } } }] }],
      },
    };
    await until('the kind to be served', () => api.apply(wall).catch(() => false), { timeoutMs: 60_000 });
    const isKept = async (): Promise<boolean> => !(await host.reachesPod(early.namespace, walled));
    await until('the pod to be kept out', isKept, { timeoutMs: 60_000 });
    ok(await host.reachesPod(open.namespace, walled));
    await policed.createPod('default/unseen');
    await until('the pod to be let in', async () => !(await isKept()));
    await api.kubectl(['delete', 'clusternetworkpolicy', 'wall']);
  });

  it('leave nothing in nftables where weftd keeps no gate, and enforce again where it does', async () => {
    const pod = await policed.attach('shut/left');
    await host.daemon.stop('SIGTERM');
    await host.start([]);
    await until(
      'weft-npc to say so',
      async () => (await npcHost.status()).problems[0]?.code === 'E_NPC_NO_GATE',
    );
    await until('no table', async () => (await host.decided()) === undefined);
    ok(await host.reachesPod(open.namespace, pod));
    match(await npcHost.readiness(), /no gate/);
    // Nobody lays a table that new pods would hang behind.
    const uid = await policed.createPod('default/free-again');
    const fresh = await host.attach('', { args: argsOf('default/free-again', uid) });
    ok(await host.reachesPod(open.namespace, fresh));
    // Whose links are that were attached without a gate is seen by their addresses.
    for (const [name, { addresses }] of [
      ['default/open', open],
      ['default/free-again', fresh],
      ['shut/left', pod],
    ] as const)
      await tellAddresses(name, addresses);
    await host.daemon.stop('SIGTERM');
    await host.start();
    await npcHost.ready();
    await until('the pod to be shut', async () => !(await host.reachesPod(open.namespace, pod)));
    await until('the other to be reached', () => host.reachesPod(open.namespace, fresh));
  });
});
