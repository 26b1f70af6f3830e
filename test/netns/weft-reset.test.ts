import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { FileLock } from '../../native/file-lock.ts';
import { Cluster } from '../cluster/cluster.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import { type CommandResult, run, until } from '../cluster/command.ts';
import { runPlugin } from './cni-runner.ts';
import { Namespace } from './namespaces.ts';
import { WEFT, WeftdHost } from './weftd-host.ts';

describe('weft reset', () => {
  let host: WeftdHost;
  let pod: Namespace;

  before(async () => {
    host = await WeftdHost.create();
    pod = await Namespace.create('wd');
  });

  after(async () => {
    await pod?.delete();
    await host?.destroy();
  });

  const reset = (...more: string[]) =>
    run(
      [
        ...[WEFT, '--run-dir', host.path('run'), 'reset', '--state-dir', host.path('state')],
        ...['--npc-state-dir', host.path('npc'), ...more],
      ],
      { namespace: host.namespace.name, mayFail: true },
    );

  it('refuses while a weftd runs, and then leaves nothing of it, but what is not its own', async () => {
    const config = { cniVersion: '1.1.0', name: 'weft', type: 'weft-net', runDir: host.path('run') };
    const [ours, theirs] = [host.path('10-weft.conflist'), host.path('20-other.conflist')];
    const weftd = await host.serve([...host.args(), '--cni-config', ours, '--policy']);
    await writeFile(theirs, '{"name": "other"}');
    const added = await runPlugin({
      command: 'ADD',
      node: host.namespace.path,
      containerId: pod.name,
      netns: pod.path,
      ifname: 'eth0',
      config,
    });
    assert.equal(added.code, 0, added.stdout);
    const refused = await reset('--cni-config', ours);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /^weft: a weftd runs on state folder \S+state; stop it first; .*\n$/);
    const elsewhere = await reset('--state-dir', await host.emptyFolder('elsewhere'), '--cni-config', ours);
    assert.equal(elsewhere.status, 1, elsewhere.stdout);
    assert.match(elsewhere.stderr, /^weft: a weftd serves \S+weft\.sock; stop it first; .*\n$/);
    assert.equal((await run([WEFT, '--run-dir', host.path('run'), 'status'])).status, 0);
    assert.match(await pod.run('ip', '-o', 'link'), /eth0/);
    assert.match(await host.traces(), /table inet weft-npc/);
    assert.equal((await host.names('run/pods')).length, 1);

    await weftd.stop();
    await host.emptyFolder('npc');
    await writeFile(host.path('npc/governed.json'), '{}');
    const npc = FileLock.take(host.path('npc/lock'))!;
    const early = await reset('--cni-config', ours);
    assert.equal(early.status, 1);
    assert.match(early.stderr, /^weft: a weft-npc runs on state folder \S+npc; stop it first; .*\n$/);
    assert.match(await host.traces(), /table inet weft-npc/);
    npc.release();
    await writeFile(host.path('state/notes.txt'), 'mine');
    await mkdir(host.path('elsewhere/cluster'));
    await host.namespace.run('ip', 'link', 'add', 'wvpn0', 'type', 'veth', 'peer', 'name', 'wvpn1');
    await host.namespace.run('ip', 'link', 'add', 'wvbridge', 'type', 'bridge');
    const done = await reset('--cni-config', ours);
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /removed \S+10-weft\.conflist\n/);
    assert.match(done.stdout, /removed interface weft0\n/);
    assert.match(done.stdout, /removed interface wv[0-9a-f]{11}\n/);
    assert.doesNotMatch(done.stdout, /wvpn|wvbridge|state\n/);
    assert.match(await host.namespace.run('ip', '-o', 'link'), /wvpn0[\s\S]*wvbridge/);
    assert.match(await host.traces(), /^(net\.\S+ = 1\n?)*$/, 'settings of the kernel alone');
    assert.deepEqual(await host.names('state'), ['notes.txt']);
    assert.deepEqual(await host.names('run'), []);
    assert.ok(!(await host.names('.')).includes('npc'));
    assert.doesNotMatch(await pod.run('ip', '-o', 'link'), /eth0/);
    const again = await reset('--cni-config', theirs);
    assert.deepEqual([again.status, again.stdout], [0, 'nothing to remove\n']);
    await reset('--state-dir', host.path('elsewhere'));
    assert.deepEqual(await host.names('elsewhere'), ['cluster'], 'a folder is no file of ours');
    assert.ok((await host.names('.')).includes('20-other.conflist'));
  });
});

describe('weft leave', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let stays: ClusterNode;
  let leaves: ClusterNode;
  let resets: ClusterNode;

  before(async () => {
    cluster = await Cluster.create();
    [stays, leaves, resets] = (await cluster.startNodes(3)) as [ClusterNode, ClusterNode, ClusterNode];
    for (const node of cluster.nodes) await node.ready(60_000);
  });
  after(() => cluster.destroy());

  /** Waits until nobody of that name owns a part of the range, as the node that stays sees it. */
  async function ownsNothing(name: string): Promise<void> {
    await until(`${name} to own nothing`, async () => {
      const { owners } = await stays.ask('ipam');
      return owners.length > 0 && owners.every((owner) => owner.name !== name) ? true : undefined;
    });
  }

  it('is refused while pods have addresses, and the node goes on', async () => {
    await leaves.attachPod('p');
    const { status, stderr } = await weft(leaves, 'leave');
    assert.equal(status, 1);
    assert.match(stderr, /pods of this node have addresses; stop them first/);
    assert.equal((await leaves.ask('status')).ipam.state, 'ready');
  });

  it('gives the range to the others, and weftd ends', async () => {
    for (const pod of leaves.pods.splice(0)) await pod.destroy();
    const { ranges } = await leaves.ask('ipam');
    const { status, stdout } = await weft(leaves, 'leave');
    assert.equal(status, 0);
    assert.match(stdout, new RegExp(`^gave .*${ranges[0]!.split('/')[0]!.replaceAll('.', '\\.')}`));
    await until('weftd to end', () =>
      leaves.ask('status').then(
        () => undefined,
        () => true,
      ),
    );
    await ownsNothing('n2');
  });

  it('comes before a reset where weftd runs', async () => {
    const { status, stdout } = await weft(resets, 'reset', '--state-dir', resets.stateDir);
    assert.equal(status, 0);
    assert.match(stdout, /removed /);
    await ownsNothing('n3');
    const { owners } = await stays.ask('ipam');
    assert.ok(owners.every(({ name }) => name === 'n1'));
  });
});

/** Runs `weft` of a node on its host, as an operator would. */
function weft(node: ClusterNode, ...args: string[]): Promise<CommandResult> {
  return node.run([`${import.meta.dirname}/../../bin/weft`, '--run-dir', node.runDir, ...args], {
    mayFail: true,
    timeoutMs: 60_000,
  });
}
