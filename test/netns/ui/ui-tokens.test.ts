import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Picture } from '../../../ui/picture/picture.ts';
import { endProcess, until } from '../../cluster/command.ts';
import { shortTimes } from '../../cluster/short-times.ts';
import { PolicedHost } from '../policed-host.ts';
import type { TestPod } from '../policy/policy-host.ts';
import { RealApi } from '../policy/real-api.ts';
import { UiProcess } from './ui-process.ts';

const NAMESPACES = ['red', 'blue'];
const RBAC = 'rbac.authorization.k8s.io';

/** A service account in a namespace, and a role there that lets it list pods. */
function accountOf(namespace: string, name: string): object[] {
  const listPods = { apiGroups: [''], resources: ['pods'], verbs: ['list'] };
  const subject = { kind: 'ServiceAccount', name, namespace };
  const metadata = { name, namespace };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: `${RBAC}/v1`, kind: 'Role', metadata, rules: [listPods] },
    {
      ...{ apiVersion: `${RBAC}/v1`, kind: 'RoleBinding', metadata, subjects: [subject] },
      roleRef: { apiGroup: RBAC, kind: 'Role', name },
    },
  ];
}

/** Rights are asked for anew each half minute; here more often, so that nobody waits. */
const SHORT = shortTimes({
  '/ui/access/kube-user.io.ts': { KEEP_MS: 3_000 },
  '/ui/ui-answers.io.ts': { REFRESH_MS: 1_000 },
});

const DENY_BLUE = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'secret-of-blue', namespace: 'blue' },
  spec: {
    podSelector: {},
    policyTypes: ['Ingress'],
    ingress: [{ from: [{ podSelector: {} }] }],
  },
};

/** weftd with its gate, weft-npc and a kube-apiserver with RBAC, all of it real; tokens are those of service accounts. */
describe('weft ui with tokens of Kubernetes', function () {
  this.timeout(180_000);
  let policed: PolicedHost;
  let api: RealApi;
  let ui: UiProcess;
  const podByName = new Map<string, TestPod>();
  const streams: ReturnType<UiProcess['live']>[] = [];

  before(async function () {
    // npm run test:k8s builds it.
    if (!RealApi.isBuilt) return this.skip();
    policed = await PolicedHost.create({
      namespaces: NAMESPACES,
      authorization: 'RBAC',
      objects: [
        ...accountOf('red', 'viewer'),
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'nobody', namespace: 'red' } },
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'operator', namespace: 'red' } },
        {
          ...{ apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name: 'operator' } },
          rules: [{ apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['list'] }],
        },
        {
          ...{ apiVersion: `${RBAC}/v1`, kind: 'ClusterRoleBinding', metadata: { name: 'operator' } },
          subjects: [{ kind: 'ServiceAccount', name: 'operator', namespace: 'red' }],
          roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'operator' },
        },
        DENY_BLUE,
      ],
    });
    const { host } = policed;
    ({ api } = policed);
    for (const name of ['red/web', 'red/api', 'blue/db', 'blue/cache'])
      podByName.set(name, await policed.attach(name));
    for (const name of ['red/api', 'blue/db', 'blue/cache'])
      podByName.get(name)!.namespace.start('socat', ['TCP4-LISTEN:80,fork,reuseaddr', 'PIPE'], 'ignore');
    ui = await UiProcess.start(
      host.node.name,
      host.runDir,
      ['--tokens', '--kubeconfig', api.kubeconfig],
      SHORT,
    );
    const admin = ui.live(await ui.follow(ui.links[0]!));
    streams.push(admin);
    await until('the picture', () => admin.text().includes('event: picture'));
    for (const [from, to] of [
      ['red/web', 'red/api'],
      ['red/api', 'blue/db'],
      ['blue/cache', 'blue/db'],
    ] as const)
      talk(from, to);
    await until('what was denied, and what passed', () =>
      ['NetworkPolicy blue/secret-of-blue', 'w:red/web>w:red/api', 'w:blue/cache>w:blue/db'].every((each) =>
        admin.text().includes(each),
      ),
    );
  });
  after(async () => {
    for (const { child } of streams) await endProcess(child, 'SIGKILL');
    await ui?.stop('SIGKILL');
    await policed?.destroy();
  });

  /** Begins a connection each second. */
  function talk(from: string, to: string): void {
    const [address] = podByName.get(to)!.addresses;
    const text = `while true; do echo hello | timeout 3 socat -t 1 - TCP4:${address}:80,connect-timeout=1; sleep 1; done`;
    podByName.get(from)!.namespace.start('sh', ['-c', text], 'ignore');
  }
  const tokenOf = async (account: string): Promise<string> =>
    (await api.kubectl(['-n', 'red', 'create', 'token', account])).trim();
  const signIn = async (token: string) => ui.post('/api/session', { kubernetesToken: token });
  const sessionOf = async (account: string): Promise<string> => {
    const { status, json, text } = await signIn(await tokenOf(account));
    equal(status, 200, text);
    return json.session as string;
  };
  const workloadsIn = ({ workloads }: Picture): string[] => workloads.map(({ id }) => id).sort();

  it('shows who may list pods of one namespace that one, and nothing of others by name', async () => {
    const session = await sessionOf('viewer');
    const picture = await until('traffic to others', async () => {
      const seen = await ui.picture(session);
      return seen.denied.length > 0 && seen.edges.length > 1 && seen;
    });
    deepEqual(picture.viewer, {
      ...{ user: 'system:serviceaccount:red:viewer', namespaces: ['red'], seesNodes: false },
    });
    deepEqual(workloadsIn(picture), ['other', 'w:red/api', 'w:red/web']);
    deepEqual(picture.edges.map(({ id }) => id).sort(), ['w:red/api>other', 'w:red/web>w:red/api']);
    deepEqual(picture.denied.map(({ target, policies }) => [target, policies])[0], [
      { workload: 'other', pod: null, address: '', node: null },
      ['a policy that you may not see'],
    ]);
    const text = JSON.stringify(picture);
    const foreign = [
      'blue',
      'secret',
      ...['blue/db', 'blue/cache'].flatMap((name) => podByName.get(name)!.addresses),
    ];
    deepEqual(
      foreign.filter((each) => text.includes(each)),
      [],
    );
    deepEqual([picture.nodes, picture.tunnels], [[], []]);
  });

  it('shows the same in the stream, and answers no question about pods of others', async () => {
    const session = await sessionOf('viewer');
    const stream = ui.live(session);
    streams.push(stream);
    await until('changes', () => (stream.text().match(/event: change/g) ?? []).length >= 3);
    ok(!stream.text().includes('blue') && stream.text().includes('w:red/web'));
    const ask = (source: string, destination: string, more: object = {}) =>
      ui.post('/api/explain', { source, destination, port: '80/tcp', ...more }, session);
    equal((await ask('red/web', 'blue/db')).json.error.code, 'E_UI_PODS');
    equal((await ask('red/web', podByName.get('blue/db')!.addresses[0]!)).json.error.code, 'E_UI_PODS');
    equal((await ask('red/web', 'red/api', { with: '{}' })).json.error.code, 'E_UI_TRY');
    const { status, json } = await ask('red/web', 'red/api');
    deepEqual([status, json.passes], [200, true]);
  });

  it('shows who may list nothing nothing, and who may list all everything but what is not asked for', async () => {
    const none = await ui.picture(await sessionOf('nobody'));
    deepEqual(
      [none.viewer.namespaces, none.workloads, none.edges, none.denied, none.nodes],
      [[], [], [], [], []],
    );
    const all = await ui.picture(await sessionOf('operator'));
    deepEqual([all.viewer.namespaces, all.viewer.seesNodes], [null, true]);
    ok(workloadsIn(all).includes('w:blue/cache'));
    equal(all.nodes.length, 1);
    const again = await ui.picture(await ui.follow(await ui.nextLink()));
    const explained = await ui.post(
      '/api/explain',
      { source: 'red/api', destination: 'blue/db', port: '80/tcp' },
      await ui.follow(await ui.nextLink()),
    );
    deepEqual([again.viewer.user, explained.json.passes], [null, false]);
  });

  it('lets nobody in by the kubeconfig that it was given, nor by what is no token', async () => {
    const [head, body, end] = (await tokenOf('viewer')).split('.') as [string, string, string];
    const other = Buffer.from(body, 'base64url').toString().replaceAll('viewer', 'operator');
    const forged = [head, Buffer.from(other).toString('base64url'), end].join('.');
    for (const token of ['', 'x', forged, 'a b']) {
      const { status, json } = await signIn(token);
      deepEqual([token, status, json.error.code], [token, 403, 'E_UI_TOKEN']);
    }
  });

  it('takes a right away soon after it is taken away in the API, also from who looks', async () => {
    const session = await sessionOf('viewer');
    const stream = ui.live(session);
    streams.push(stream);
    await until('the picture', () => stream.text().includes('w:red/web'));
    await api.kubectl(['-n', 'red', 'delete', 'rolebinding', 'viewer']);
    const isEmpty = () => stream.text().split('event: picture').at(-1)!.includes('"namespaces":[]');
    await until('everything to be gone', isEmpty, { timeoutMs: 60_000 });
    const told = stream.text().lastIndexOf('event: picture');
    ok(!stream.text().slice(told).includes('red/web'));
    await api.apply(...accountOf('red', 'viewer'));
    await until('it to be back', () => stream.text().slice(told).includes('w:red/web'), {
      timeoutMs: 60_000,
    });
  });

  it('ends the session of an account that is deleted', async () => {
    const session = await sessionOf('nobody');
    const stream = ui.live(session);
    streams.push(stream);
    await until('the picture', () => stream.text().includes('event: picture'));
    await api.kubectl(['-n', 'red', 'delete', 'serviceaccount', 'nobody']);
    await until('the end', () => stream.text().includes('"code":"E_UI_SESSION"'), { timeoutMs: 60_000 });
    equal((await ui.get('/api/picture', { session })).status, 403);
  });
});
