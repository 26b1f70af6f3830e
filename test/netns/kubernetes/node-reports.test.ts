import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Warning } from '../../../base/warning.ts';
import { until } from '../../cluster/command.ts';
import { Namespace } from '../namespaces.ts';
import { RealApi } from '../policy/real-api.ts';

const MANIFEST = fileURLToPath(new URL('../../../weave-daemonset.yaml', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../inside/node-reports.ts', import.meta.url));

const FULL: Warning = {
  code: 'E_NO_POD_ADDRESS',
  severity: 'error',
  message: 'no more pods can start here: none left',
  remedy: "see 'weft ipam'",
};
const OTHER_NODE = /of its own node only/;
const OVERLAP: Warning = { ...FULL, code: 'E_RANGE_OVERLAP', message: 'the pod range a overlaps b' };

interface Event {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly reason: string;
  readonly note: string;
  readonly reportingInstance: string;
  readonly series?: { readonly count: number };
}

/** A real kube-apiserver, under the roles and the admission policy of the manifest, with tokens that are bound to nodes. */
describe('what a node tells the API', function () {
  this.timeout(120_000);
  let namespace: Namespace;
  let api: RealApi;
  let folder: string;
  const kubeconfigOf = (node: string): string => join(folder, `kubeconfig-${node}`);
  const tokenByNode = new Map<string, string>();
  let started: ChildProcess[] = [];

  before(async function () {
    // npm run test:k8s builds it.
    if (!RealApi.isBuilt) return this.skip();
    folder = mkdtempSync(join(tmpdir(), 'weft-reports-'));
    namespace = await Namespace.create('nr');
    await namespace.run('ip', 'link', 'add', 'eth0', 'type', 'bridge');
    await namespace.run('ip', 'address', 'add', '192.0.2.10/24', 'dev', 'eth0');
    await namespace.run('ip', 'link', 'set', 'eth0', 'up');
    api = await RealApi.start(namespace, join(folder, 'api'), '192.0.2.10', 'RBAC');
    await api.kubectl(['apply', '--server-side', '-f', MANIFEST]);
    for (const name of ['n1', 'n2']) {
      const [node] = await api.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name } });
      const bound = [
        '--bound-object-kind=Node',
        `--bound-object-name=${name}`,
        `--bound-object-uid=${node!.metadata.uid}`,
      ];
      const token = await api.kubectl(['-n', 'weft', 'create', 'token', 'weft', ...bound]);
      api.writeKubeconfig(kubeconfigOf(name), token.trim());
      tokenByNode.set(name, token.trim());
    }
    const other = { conditions: [{ type: 'NetworkUnavailable', status: 'False' }] };
    await until('the admission policy to hold', async () =>
      OTHER_NODE.test(await patchAsWeft('n1', 'n2', other)),
    );
  });
  afterEach(async () => {
    for (const child of started) await namespace.stop(child);
    started = [];
  });
  after(async () => {
    await api?.stop();
    await namespace?.delete();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const asWeft = (node: string, args: readonly string[]): Promise<string> =>
    api.kubectl([`--kubeconfig=${kubeconfigOf(node)}`, ...args]);
  /** What the API answers. (kubectl reads the status first, which weftd may not.) */
  async function patchAsWeft(node: string, target: string, status: object): Promise<string> {
    const url = `https://192.0.2.10:6443/api/v1/nodes/${target}/status`;
    const headers = [
      `Authorization: Bearer ${tokenByNode.get(node)}`,
      'Content-Type: application/strategic-merge-patch+json',
    ];
    const given = headers.flatMap((each) => ['-H', each]);
    return namespace.run('curl', '-sk', '-X', 'PATCH', ...given, '-d', JSON.stringify({ status }), url);
  }
  const patchOf = (node: string, status: object): string[] => [
    ...['patch', 'node', node, '--subresource=status', '--type=strategic', '-p', JSON.stringify({ status })],
  ];

  function start(node: string, role: 'speaker' | 'other'): (told: object) => void {
    const child = namespace.startProgram(PROGRAM, [kubeconfigOf(node), node, role]);
    child.stderr?.on('data', (text) => process.stderr.write(String(text)));
    started.push(child);
    let last = '';
    child.stdout?.on('data', (text) => {
      last = String(text);
    });
    // What weftd would warn of goes into the message of a test that fails.
    child.on('exit', () => last !== '' && last.trim() !== '[]' && console.error(`${node} warned: ${last}`));
    return ({ readiness = { ready: true }, problems = [] }: { readiness?: object; problems?: Warning[] }) =>
      child.stdin?.write(`${JSON.stringify({ readiness, problems })}\n`);
  }

  async function condition(node: string): Promise<string> {
    const path = `jsonpath={.status.conditions[?(@.type=="NetworkUnavailable")]['status','reason']}`;
    return api.kubectl(['get', 'node', node, '-o', path]);
  }
  async function events(): Promise<Event[]> {
    const text = await api.kubectl(['get', 'events.events.k8s.io', '-A', '-o', 'json']);
    return (JSON.parse(text) as { items: Event[] }).items.filter(({ reason }) =>
      /^(NoPodAddress|RangeOverlap)$/.test(reason),
    );
  }

  it('clears the condition that a cloud set, and says when weftd serves no more', async () => {
    const cloud = { type: 'NetworkUnavailable', status: 'True', reason: 'NoRouteCreated' };
    const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady' };
    await api.kubectl(patchOf('n1', { conditions: [cloud, ready] }));
    equal(await condition('n1'), 'True NoRouteCreated');
    const tell = start('n1', 'other');
    tell({});
    await until('the condition to be cleared', async () => (await condition('n1')) === 'False WeftIsUp');
    tell({ readiness: { ready: false, reason: 'removed' } });
    await until('the condition to be set', async () => (await condition('n1')) === 'True WeftIsDown');
    match(await api.kubectl(['describe', 'node', 'n1']), /Ready +True .*KubeletReady/, 'the others stay');
  });

  it('tells a warning once on its Node, where kubectl describe shows it, and counts it up after a restart', async () => {
    const tell = start('n1', 'other');
    tell({ problems: [FULL, OVERLAP] });
    const [event] = await until('an event', async () => ((await events()).length > 0 ? events() : undefined));
    equal(event!.note, "no more pods can start here: none left; see 'weft ipam'");
    deepEqual(
      [event!.metadata.namespace, event!.reportingInstance, event!.series],
      ['default', 'n1', undefined],
    );
    match(
      await api.kubectl(['describe', 'node', 'n1']),
      /Warning +NoPodAddress .*no more pods can start here/,
    );
    const again = start('n1', 'other');
    again({ problems: [FULL] });
    await until('it to be counted up', async () => (await events())[0]?.series?.count === 2);
    deepEqual(
      (await events()).map(({ reason }) => reason),
      ['NoPodAddress'],
      'not what concerns the cluster',
    );
  });

  it('tells what concerns the cluster on the DaemonSet, from the one node that is chosen', async () => {
    for (const [node, role] of [
      ['n1', 'other'],
      ['n2', 'speaker'],
    ] as const)
      start(node, role)({ problems: [OVERLAP] });
    const told = await until('an event', async () => {
      const found = (await events()).filter(({ reason }) => reason === 'RangeOverlap');
      return found.length > 0 ? found : undefined;
    });
    deepEqual(
      told.map((each) => [each.metadata.namespace, each.reportingInstance]),
      [['weft', 'n2']],
    );
    match(await api.kubectl(['-n', 'weft', 'describe', 'daemonset', 'weft']), /Warning +RangeOverlap/);
  });

  it('tells afterwards what still stands, where the API was away', async () => {
    const tell = start('n2', 'other');
    tell({ problems: [{ ...FULL, message: 'while it was away' }] });
    await api.stopServer();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    tell({ problems: [{ ...FULL, message: 'afterwards' }] });
    await api.startServer();
    const notes = await until(
      'an event',
      async () => {
        const found = (await events()).filter(({ reportingInstance }) => reportingInstance === 'n2');
        const own = found.filter(({ reason }) => reason === 'NoPodAddress').map(({ note }) => note);
        return own.length > 0 ? own : undefined;
      },
      { timeoutMs: 30_000 },
    );
    deepEqual(notes, ["afterwards; see 'weft ipam'"]);
  });

  it('may change nothing of another node, and of its own no more than the one condition', async () => {
    const up = { type: 'NetworkUnavailable', status: 'False', reason: 'WeftIsUp' };
    match(await patchAsWeft('n1', 'n1', { conditions: [up] }), /"reason": "WeftIsUp"/);
    match(await patchAsWeft('n1', 'n2', { conditions: [up] }), OTHER_NODE);
    const unready = { conditions: [{ type: 'Ready', status: 'False' }] };
    match(await patchAsWeft('n1', 'n1', unready), /the condition NetworkUnavailable only/);
    for (const status of [
      { addresses: [{ type: 'InternalIP', address: '192.0.2.66' }] },
      { capacity: { pods: '7' } },
      { daemonEndpoints: { kubeletEndpoint: { Port: 66 } } },
      { images: [{ names: ['x'], sizeBytes: 1 }] },
    ])
      match(await patchAsWeft('n1', 'n1', status), /no part of a node's status/);
    await rejects(asWeft('n1', ['label', 'node', 'n1', 'a=b']), /cannot patch resource "nodes"/);
    await rejects(asWeft('n1', ['get', 'events', '-A']), /cannot list resource "events"/);
    await rejects(asWeft('n1', ['-n', 'weft', 'delete', 'daemonset', 'weft']), /cannot delete/);
    ok(await asWeft('n1', ['-n', 'weft', 'get', 'daemonset', 'weft']));
  });
});
