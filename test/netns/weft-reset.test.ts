import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { run } from '../cluster/command.ts';
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
    run([WEFT, '--run-dir', host.path('run'), 'reset', '--state-dir', host.path('state'), ...more], {
      namespace: host.namespace.name,
      mayFail: true,
    });

  it('refuses while a weftd runs, and then leaves nothing of it, but what is not its own', async () => {
    const config = { cniVersion: '1.1.0', name: 'weft', type: 'weft-net', runDir: host.path('run') };
    const [ours, theirs] = [host.path('10-weft.conflist'), host.path('20-other.conflist')];
    const weftd = await host.serve([...host.args(), '--cni-config', ours]);
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
    assert.equal((await run([WEFT, '--run-dir', host.path('run'), 'status'])).status, 0);

    await weftd.stop();
    await writeFile(host.path('state/notes.txt'), 'mine');
    const done = await reset('--cni-config', ours);
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /removed \S+10-weft\.conflist\n/);
    assert.match(done.stdout, /removed interface weft0\n/);
    assert.match(done.stdout, /removed interface wv[0-9a-f]{11}\n/);
    assert.match(await host.traces(), /^(net\.\S+ = 1\n?)*$/, 'settings of the kernel alone');
    assert.deepEqual(await host.names('state'), ['notes.txt']);
    assert.doesNotMatch(await pod.run('ip', '-o', 'link'), /eth0/);
    assert.equal((await reset('--cni-config', theirs)).status, 0);
    assert.ok((await host.names('.')).includes('20-other.conflist'));
  });
});
