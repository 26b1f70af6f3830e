import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { askNpc } from '../../../control/ask-npc.io.ts';
import { run, until } from '../../cluster/command.ts';
import { parseExposition, valueIn } from '../metrics/exposition.ts';
import { NpcHost, type NpcProcess } from './npc-process.ts';
import { type PlacedPod, PolicyNode } from './policy-node.ts';
import { RealApi } from './real-api.ts';

/** Policies hold within this of being applied; nothing here hangs on it being short. */
const APPLY = { timeoutMs: 15_000, everyMs: 50 };

const POLICY = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' };
const denyTo = (app: string) => ({
  ...POLICY,
  metadata: { name: 'deny', namespace: 'default' },
  spec: { podSelector: { matchLabels: { app } }, policyTypes: ['Ingress'] },
});
const allowFrom = (app: string, peer: string) => ({
  ...POLICY,
  metadata: { name: 'allow', namespace: 'default' },
  spec: {
    podSelector: { matchLabels: { app } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: peer } } }], ports: [{ port: 80 }] }],
  },
});

/** The real program, the real nftables and a real kube-apiserver; weftd's part, which is files, is done by the test. */
describe('weft-npc', function () {
  this.timeout(120_000);
  let node: PolicyNode;
  let api: RealApi;
  let host: NpcHost;
  let npc: NpcProcess;
  let folder: string;
  let client: PlacedPod;
  let web: PlacedPod;
  let other: PlacedPod;

  before(async function () {
    // npm run test:k8s builds it.
    if (!RealApi.isBuilt) return this.skip();
    folder = mkdtempSync(join(tmpdir(), 'weft-npc-'));
    node = await PolicyNode.create();
    const { namespace } = node.node;
    await namespace.run('ip', 'link', 'add', 'eth0', 'type', 'bridge');
    await namespace.run('ip', 'address', 'add', '192.0.2.10/24', 'dev', 'eth0');
    await namespace.run('ip', 'link', 'set', 'eth0', 'up');
    api = await RealApi.start(namespace, join(folder, 'api'), '192.0.2.10');
    const at = { runDir: join(folder, 'run'), stateDir: join(folder, 'npc'), nodeName: 'here' };
    host = new NpcHost(namespace, at, api.kubeconfig);
    [client, web, other] = [
      await node.addPod('client', 10),
      await node.addPod('web', 11),
      await node.addPod('other', 12),
    ];
    await api.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'here' } });
    for (const pod of [client, web, other]) await create(pod);
    npc = host.start(['--metrics-listen', '127.0.0.1:6781']);
    await host.ready();
  });

  after(async () => {
    await npc?.stop();
    await api?.stop();
    await node?.delete();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  /** Makes a pod in the API, and attaches it. */
  async function create({ name, link, addresses }: PlacedPod, app = name): Promise<string> {
    const [made] = await api.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: { app } },
      spec: {
        nodeName: 'here',
        containers: [{ name: 'c', image: 'x', ports: [{ name: 'http', containerPort: 80 }] }],
      },
    });
    const { uid } = made!.metadata;
    host.attach({ link, addresses: [addresses[4], addresses[6]], pod: { namespace: 'default', name, uid } });
    return uid;
  }

  const reaches = async (from: PlacedPod, to: PlacedPod, port = 80): Promise<boolean> => {
    const results = [
      await from.prober.tcp(to.addresses[4], port),
      await from.prober.tcp(to.addresses[6], port),
    ];
    if (results[0] !== results[1]) throw new Error(`the families differ: ${results}`);
    return results[0] === 'ok';
  };
  const until_ = (what: string, probe: () => Promise<boolean>): Promise<unknown> => until(what, probe, APPLY);

  it('lets everything pass where no policy selects anybody, and says for which namespaces that is', async () => {
    ok(await reaches(client, web));
    deepEqual(JSON.parse(readFileSync(join(host.stateDir, 'governed.json'), 'utf8')), {
      version: 1,
      all: false,
      namespaces: [],
    });
  });

  it('enforces though its disk takes nothing, says so, and makes up for it', async () => {
    const path = join(host.stateDir, 'governed.json');
    rmSync(path);
    mkdirSync(path);
    await api.apply(denyTo('web'));
    await until_('the denial', async () => !(await reaches(client, web)));
    const warned = async (): Promise<boolean> =>
      (await askNpc(host.runDir, { op: 'policyStatus' })).problems.some(({ code }) => code === 'E_WRITE');
    await until_('the warning', warned);
    rmdirSync(path);
    await until_('its end', async () => !(await warned()));
    deepEqual(JSON.parse(readFileSync(path, 'utf8')).namespaces, ['default']);
    await api.kubectl(['delete', 'networkpolicy', 'deny']);
    await until_('the end of the denial', () => reaches(client, web));
  });

  it('enforces a policy once it is applied, and lets pass what another one allows', async () => {
    await api.apply(denyTo('web'));
    await until_('the denial', async () => !(await reaches(client, web)));
    ok(await reaches(web, client));
    await api.apply(allowFrom('web', 'client'));
    await until_('the allowance', () => reaches(client, web));
    equal(await reaches(client, web, 81), false);
    equal(await reaches(other, web), false);
    const { namespaces } = JSON.parse(readFileSync(join(host.stateDir, 'governed.json'), 'utf8'));
    deepEqual(namespaces, ['default']);
  });

  it('follows labels, and cuts what was open once it is not allowed any more', async () => {
    const flow = await client.prober.open('tcp', web.addresses[4], 80);
    equal(await flow.again(), 'ok');
    await api.kubectl(['label', 'pod', 'client', 'app=stranger', '--overwrite']);
    await until_('the cut', async () => (await flow.again()) !== 'ok');
    await api.kubectl(['label', 'pod', 'client', 'app=client', '--overwrite']);
    await until_('the same connection to go on', async () => (await flow.again()) === 'ok');
    await flow.close();
  });

  it('explains who decides, also with a policy that is not there yet', async () => {
    const ask = (port: string, more: { readonly with?: string } = {}) =>
      askNpc(host.runDir, {
        op: 'policyExplain',
        source: 'default/client',
        destination: web.addresses[6],
        port,
        ...more,
      });
    const allowed = await ask('80');
    equal(allowed.passes, true);
    equal(allowed.destination.pod, 'default/web');
    equal(allowed.ingress.rule?.policy, 'NetworkPolicy default/allow');
    const denied = await ask('81/tcp');
    equal(denied.passes, false);
    equal(denied.ingress.rule, null);
    const more = allowFrom('web', 'client');
    const wider = {
      ...more,
      metadata: { name: 'more', namespace: 'default' },
      spec: { ...more.spec, ingress: [{}] },
    };
    const asked = await ask('81', { with: JSON.stringify(wider) });
    equal(asked.passes, true);
    equal(asked.ingress.rule?.policy, 'NetworkPolicy default/more');
    equal((await ask('81')).passes, false);
  });

  it('says what is loaded and what is not honoured', async () => {
    const broken = {
      ...POLICY,
      metadata: { name: 'broken', namespace: 'default' },
      spec: {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }, {}],
      },
    };
    await api.apply({ ...broken, spec: { ...broken.spec, egress: [{ ports: [{ port: 'nobody' }] }, {}] } });
    const status = await until('the policy to be told', async () => {
      const now = await host.status();
      return now.unhonoured.length > 0 && now;
    });
    equal(status.copy.complete, true);
    equal(status.attached, 3);
    deepEqual(status.waiting, []);
    ok(status.loaded!.rules > 0);
    match(status.unhonoured[0]!.policy, /default\/broken/);
    await api.kubectl(['delete', 'networkpolicy', 'broken']);
  });

  it('logs what is denied, with pods, port and policies', async () => {
    await other.prober.tcp(web.addresses[6], 80);
    await npc.says('denied from=default/other to=default/web protocol=TCP port=80 direction=ingress');
    match(npc.log, /policies="NetworkPolicy default\/allow, NetworkPolicy default\/deny"/);
  });

  it('tells Prometheus what the status says, what was denied, and how long changes took', async () => {
    const text = await node.node.namespace.run('curl', '-sf', 'http://127.0.0.1:6781/metrics');
    const { stdout, stderr } = await run(['promtool', 'check', 'metrics'], { input: text, mayFail: true });
    equal(stdout + stderr, '', 'promtool finds nothing to complain of');
    const [series, status] = [parseExposition(text), await host.status()];
    const value = (name: string, labels = {}) => valueIn(series, name, labels);
    equal(value('weft_npc_copy_complete'), 1);
    equal(value('weft_npc_pods_attached'), status.attached);
    equal(value('weft_npc_pods_governed'), status.loaded!.pods);
    equal(value('weft_npc_rules'), status.loaded!.rules);
    equal(value('weft_npc_copy_objects', { kind: 'networkpolicies' }), 2);
    equal(value('weft_npc_loaded_total'), status.counters['npc.loaded']);
    equal(value('weft_npc_apply_time_seconds_count'), status.counters['npc.loaded']);
    equal(value('weft_npc_apply_time_seconds_bucket', { le: '+Inf' }), status.counters['npc.loaded']);
    const reason = 'policy.dropIngress';
    equal(value('weft_dropped_packets_total', { reason }), status.counters[reason]);
    ok(status.counters[reason]! > 0);
    ok(value('weavenpc_blocked_connections_total', { protocol: 'tcp', dport: '80' })! > 0);
    ok(value('weavenpc_blocked_connections_total', { protocol: 'tcp', dport: '81' })! > 0);
  });

  it('counts what is denied by its direction, and says how long changes take', async () => {
    const before = await host.status();
    await other.prober.tcp(web.addresses[4], 80);
    const { counters, loaded, problems, addsWaitedMs } = await host.status();
    ok(counters['policy.dropIngress']! > before.counters['policy.dropIngress']!);
    equal(counters['policy.dropEgress'], before.counters['policy.dropEgress']);
    equal(counters['gate.dropForwarded'], before.counters['gate.dropForwarded']);
    ok(loaded!.applyP99Ms >= loaded!.lastApplyMs && loaded!.lastApplyMs > 0);
    equal(addsWaitedMs, null, 'no weftd is here');
    ok(problems.every(({ code }) => code !== 'E_NFT'));
  });

  const listing = () => node.node.namespace.run('nft', '--stateless', 'list', 'table', 'inet', 'weft-npc');
  // Loaded at once, the same objects come in another order than loaded one after the other.
  const whole = (text: string): string =>
    text
      .replace(/, change \d+/, '')
      .split('\n')
      .sort()
      .join('\n');

  it('takes away what nothing leads to any more, once nothing changes', async () => {
    // What earlier changes left goes first.
    await delay(3_000);
    const before = whole(await listing());
    await api.apply({ ...denyTo('client'), metadata: { name: 'more', namespace: 'default' } });
    await until_('the denial', async () => !(await reaches(web, client)));
    await api.kubectl(['delete', 'networkpolicy', 'more']);
    await until_('its end', () => reaches(web, client));
    await until_('the table to be as it was', async () => whole(await listing()) === before);
  });

  for (const [what, damage] of [
    ['flushed', ['flush', 'table', 'inet', 'weft-npc']],
    ['deleted', ['delete', 'table', 'inet', 'weft-npc']],
    ['robbed of the gate', ['flush', 'chain', 'inet', 'weft-npc', 'gateForward']],
    ['given a hole', ['insert', 'rule', 'inet', 'weft-npc', 'forwardIngress', 'oifname', `"wv*"`, 'accept']],
  ] as const) {
    it(`puts the table right when it is ${what}`, async () => {
      const before = whole(await listing());
      await node.node.namespace.run('nft', ...damage);
      await until_('the table to be whole', async () => whole(await listing().catch(() => '')) === before);
      equal(await reaches(other, web), false);
      ok(await reaches(client, web));
    });
  }

  it('leaves what is loaded when it is killed, and opens nothing when it starts again', async () => {
    await npc.stop('SIGKILL');
    equal(await reaches(other, web), false);
    ok(await reaches(client, web));
    const seen: boolean[] = [];
    npc = host.start();
    const watch = until('the next one', async () => {
      seen.push(await reaches(other, web));
      return (await host.readiness()) === 'ok';
    });
    await watch;
    equal(seen.includes(true), false);
    ok(await reaches(client, web));
  });

  it('changes nothing without a complete copy, and holds on to what it knows while the API is away', async () => {
    await api.stopServer();
    equal(await reaches(other, web), false);
    ok(await reaches(client, web));
    await until(
      'the fault to be told',
      async () => {
        const { problems } = await host.status();
        return problems.some(({ code }) => code === 'E_API_UNREACHED');
      },
      { timeoutMs: 60_000 },
    );
    await npc.stop('SIGKILL');
    npc = host.start();
    await until('weft-npc to say why it is not ready', async () =>
      /not complete: .*pods/.test(await host.readiness()),
    );
    equal(await reaches(other, web), false);
    ok(await reaches(client, web));
    equal((await host.status()).loaded, null);
    await api.startServer();
    await host.ready();
    equal(await reaches(other, web), false);
    ok(await reaches(client, web));
  });

  it('hands over to a successor that is complete, and one that fails leaves the node to it', async () => {
    const successor = host.start();
    await npc.says('another weft-npc serves this node now');
    await host.ready();
    equal(await reaches(other, web), false);
    await successor.stop('SIGKILL');
    await npc.says('serving it again');
    await host.ready();
    equal(await reaches(other, web), false);
    ok(await reaches(client, web));
  });

  it('takes ClusterNetworkPolicies when their kind comes, tells what it cannot honour, and gives them up again', async function () {
    const definition = RealApi.clusterPolicyDefinition;
    if (definition === undefined) return this.skip();
    await api.kubectl(['apply', '--server-side', '-f', definition]);
    const wall = {
      apiVersion: 'policy.networking.k8s.io/v1beta1',
      kind: 'ClusterNetworkPolicy',
      metadata: { name: 'wall' },
      spec: {
        tier: 'Admin',
        priority: 10,
        subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'web' } } } },
        ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }],
        egress: [{ action: 'Accept', to: [{ domainNames: ['example.com'] }] }],
      },
    };
    await until('the kind to be served', () => api.apply(wall).catch(() => false), { timeoutMs: 60_000 });
    await until('the wall', async () => !(await reaches(client, web)), { timeoutMs: 60_000, everyMs: 200 });
    const { copy, unhonoured } = await host.status();
    equal(copy.kinds.find(({ kind }) => kind === 'clusternetworkpolicies')?.version, 'v1beta1');
    match(JSON.stringify(unhonoured), /ClusterNetworkPolicy wall/);
    const event = await until('the event', async () => {
      const text = await api.kubectl(['get', 'events', '-n', 'default', '-o', 'json']);
      const { items } = JSON.parse(text) as { readonly items: readonly Record<string, string>[] };
      return items.find(({ reason }) => reason === 'NotHonoured');
    });
    match(event.message!, /domainNames/);
    await api.kubectl(['delete', '-f', definition]);
    await until('the wall to go', () => reaches(client, web), { timeoutMs: 60_000, everyMs: 200 });
    equal((await host.status()).copy.complete, true);
  });

  it('keeps a pod closed that the API does not know, in a namespace with policies, until it does', async () => {
    const late = await node.addPod('late', 13);
    host.attach({
      link: late.link,
      addresses: [late.addresses[4], late.addresses[6]],
      pod: { namespace: 'default', name: 'late', uid: 'not-yet' },
    });
    await until('the pod to wait', async () => {
      const { waiting } = await host.status();
      return waiting.some(({ pod }) => pod === 'default/late');
    });
    equal(await reaches(late, client), false);
    await create(late);
    await until_('the pod to be let through', () => reaches(late, client));
    host.detach(late.link);
    await node.removePod('late');
  });

  it('keeps a pod that was deleted by force under its last rules until its link is gone', async () => {
    await api.kubectl(['delete', 'pod', 'web', '--force', '--grace-period=0']);
    await until(
      'the pod to be gone',
      async () => !(await api.kubectl(['get', 'pods', '-o', 'name'])).includes('pod/web'),
    );
    equal(await reaches(other, web), false);
    ok(await reaches(client, web));
  });
});
