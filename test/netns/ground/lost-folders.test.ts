import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import { until } from '../../cluster/command.ts';

/** What of a weftd's files may go while it runs. */
describe('a weftd whose folders somebody empties', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let node: ClusterNode;

  before(async () => {
    cluster = await Cluster.create({ prefix: `lf${process.pid % 10_000}` });
    [node] = (await cluster.startNodes(1)) as [ClusterNode];
    await node.ready();
  });
  after(() => cluster?.destroy());

  const codes = async (): Promise<string[]> =>
    ((await node.ask('status')).problems ?? []).map(({ code }) => code);

  for (const [what, harm] of [
    ['the socket is removed', (run: string) => rmSync(`${run}/weft.sock`)],
    ['the run folder is removed', (run: string) => rmSync(run, { recursive: true })],
    ['the run folder is moved away', (run: string) => renameSync(run, `${run}.old`)],
  ] as const) {
    it(`is reached again, and attaches pods, where ${what}`, async () => {
      const held = await node.attachPod('held');
      harm(node.runDir);
      const begun = performance.now();
      await until('it to answer', () => node.ask('status').catch(() => undefined), { timeoutMs: 70_000 });
      const passed = performance.now() - begun;
      ok(passed < 5_000, `after ${passed} ms`);
      const late = await node.attachPod('late');
      ok((await late.ping(held.v4)) !== undefined, 'the new pod reaches the old one');
      for (const pod of [late, held]) await pod.destroy();
      match(await node.log(), /the control socket was removed by another program and put right/);
      deepEqual(await codes(), []);
    });
  }

  it('makes room for its name when it ends, though it was made again', async () => {
    rmSync(`${node.runDir}/weft.sock`);
    await until('it to answer', () => node.ask('status').catch(() => undefined));
    await node.stop();
    match((await node.weft('status')).stderr, /no weftd answers/);
    await node.start();
  });

  it('says so where a file of its state is removed', async () => {
    deepEqual(await codes(), []);
    rmSync(`${node.stateDir}/identity`);
    deepEqual(await codes(), ['E_STATE_LOST']);
    match((await node.ask('status')).warnings![0]!, /state\/identity was removed while weftd runs/);
    rmSync(node.stateDir, { recursive: true });
    equal((await codes()).length, 5);
  });
});
