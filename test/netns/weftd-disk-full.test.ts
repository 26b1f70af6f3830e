import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { CNI_CODE } from '../../cni/fault.ts';
import { askDaemon } from '../../control/control-client.io.ts';
import { run, until } from '../cluster/command.ts';
import { type PluginOutcome, runPlugin } from './cni-runner.ts';
import { Namespace } from './namespaces.ts';
import { WeftdHost } from './weftd-host.ts';

const HEALTH = '127.0.0.1:6784';

describe('a weftd whose disk fills up while it runs', () => {
  let host: WeftdHost;
  let state = '';
  const pods: Namespace[] = [];

  before(async () => {
    host = await WeftdHost.create();
    state = await host.emptyFolder('state');
    await run(['mount', '-t', 'tmpfs', '-o', 'mode=700,size=2m', 'none', state]);
    for (let i = 0; i < 3; i++) pods.push(await Namespace.create('wd'));
  });

  after(async () => {
    for (const pod of pods) await pod.delete();
    await run(['umount', '-l', state], { mayFail: true });
    await host?.destroy();
  });

  const cni = (command: string, pod: Namespace): Promise<PluginOutcome> =>
    runPlugin({
      command,
      node: host.namespace.path,
      containerId: pod.name,
      netns: pod.path,
      ifname: 'eth0',
      config: { cniVersion: '1.1.0', name: 'weft', type: 'weft-net', runDir: host.path('run') },
    });

  const allocated = async (): Promise<string[]> => {
    const { allocations } = await askDaemon<'ipam'>(host.path('run'), { op: 'ipam' });
    return allocations
      .map(({ containerId }) => containerId)
      .filter((id) => id !== '(this node)')
      .sort();
  };

  it('goes on, says so, deals out no address, and starts doing so again once there is room', async () => {
    const [first, second, third] = pods as [Namespace, Namespace, Namespace];
    const weftd = await host.serve(host.args());
    const before = await cni('ADD', first);
    assert.equal(before.code, 0, before.stdout);

    await run(['dd', 'if=/dev/zero', `of=${state}/ballast`, 'bs=4k'], { mayFail: true });
    // The journal may still have room for a few; each of them is durable.
    const refused = await until('an ADD to be refused', async () => {
      const outcome = await cni('ADD', second);
      if (outcome.code === 0) assert.equal((await cni('DEL', second)).code, 0);
      return outcome.code === 0 ? undefined : outcome;
    });
    assert.equal(refused.json?.code, CNI_CODE.tryLater);
    assert.match(refused.json?.msg ?? '', /no space left to write \S+weft\.db/);
    assert.ok(refused.ms < 3_000, `answered in ${refused.ms} ms`);
    assert.equal((await cni('STATUS', second)).code, 0, 'a pod runs, and has its network');
    const seen = await askDaemon<'status'>(host.path('run'), { op: 'status' });
    assert.match(seen.warnings?.[0] ?? '', /no space left .*; free some space/);
    assert.match(weftd.stderr, /error no space left to write/);

    // What is attached works meanwhile, can be deleted, and what was refused left nothing.
    await host.namespace.run('ping', '-c', '1', '-W', '1', before.json!.ips![0]!.address.split('/')[0]!);
    assert.equal((await cni('DEL', first)).code, 0);
    assert.deepEqual(await allocated(), []);
    const status = await cni('STATUS', second);
    assert.equal(status.json?.code, CNI_CODE.notAvailable);
    assert.match(status.json?.msg ?? '', /no space left/);

    await rm(`${state}/ballast`);
    const added = await until('an ADD to succeed', async () => {
      const outcome = await cni('ADD', third);
      return outcome.code === 0 ? outcome : undefined;
    });
    assert.deepEqual(await allocated(), [third.name]);
    assert.match(weftd.stderr, /the disk has room again/);

    await weftd.stop('SIGKILL');
    const again = await host.serve(host.args());
    assert.deepEqual(await allocated(), [third.name]);
    const check = await runPlugin({
      command: 'CHECK',
      node: host.namespace.path,
      containerId: third.name,
      netns: third.path,
      ifname: 'eth0',
      config: {
        cniVersion: '1.1.0',
        name: 'weft',
        type: 'weft-net',
        runDir: host.path('run'),
        prevResult: added.json,
      },
    });
    assert.equal(check.code, 0, check.stdout);
    await again.stop();
    assert.equal((await cni('DEL', third)).code, 0);
  });

  it('starts on the full disk after a kill, serves its pods and is ready', async () => {
    const [first, second] = pods as [Namespace, Namespace];
    const args = [...host.args({ '--health-listen': HEALTH }), '--take-over'];
    const weftd = await host.serve(args);
    const before = await cni('ADD', first);
    assert.equal(before.code, 0, before.stdout);
    const epoch = (): Promise<number> => readFile(`${state}/epoch`, 'utf8').then(Number);
    const startsBefore = await epoch();
    await run(['dd', 'if=/dev/zero', `of=${state}/ballast`, 'bs=4k'], { mayFail: true });
    await until('an ADD to be refused', async () => {
      const outcome = await cni('ADD', second);
      if (outcome.code === 0) assert.equal((await cni('DEL', second)).code, 0);
      return outcome.code === 0 ? undefined : outcome;
    });
    assert.deepEqual(await probe(), '200');
    await weftd.stop('SIGKILL');

    const again = await host.serve(args);
    assert.equal(await epoch(), startsBefore + 1);
    assert.deepEqual(await allocated(), [first.name]);
    await host.namespace.run('ping', '-c', '1', '-W', '1', before.json!.ips![0]!.address.split('/')[0]!);
    assert.equal(await probe(), '200');

    // A rollout: the successor starts on the full disk too, and the one that serves makes room for it.
    const successor = await host.serve(args);
    await until('the successor to serve', async () => {
      const { pid } = await askDaemon<'process'>(host.path('run'), { op: 'process' });
      return pid === successor.child.pid || undefined;
    });
    await again.stop();
    assert.equal(await epoch(), startsBefore + 2);
    assert.equal(await probe(), '200');
    assert.equal((await cni('DEL', first)).code, 0);

    await rm(`${state}/ballast`);
    await until('an ADD to succeed', async () => (await cni('ADD', second)).code === 0 || undefined);
    assert.deepEqual(await allocated(), [second.name]);
  });

  const probe = async (): Promise<string> => {
    const asked = ['-s', '-o', '/dev/null', '-w', '%{http_code}', `http://${HEALTH}/readyz`];
    return (await host.namespace.attempt('curl', asked)).stdout;
  };
});
