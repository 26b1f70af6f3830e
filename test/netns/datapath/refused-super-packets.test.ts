import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Cluster, REPOSITORY } from '../../cluster/cluster.ts';
import { run, until } from '../../cluster/command.ts';
import { iperf } from '../../cluster/traffic.ts';

const SOURCE = `${REPOSITORY}/test/netns/inside/refuse-super-packets.c`;
const FEATURE = 'TCP super-packets to the TUN';
const FAULT = 'the kernel refused some, so it was given up';

describe('a kernel that begins to refuse super-packets', function () {
  this.timeout(120_000);
  let cluster: Cluster;

  afterEach(async () => {
    delete process.env.LD_PRELOAD;
    delete process.env.REFUSE_SUPER_PACKETS;
    await cluster.destroy();
  });

  it('gets single packets from then on, streams go on, and the status says so', async () => {
    cluster = await Cluster.create();
    const library = join(cluster.folder, 'refuse-super-packets.so');
    const refuse = join(cluster.folder, 'refuse');
    await run(['gcc', '-O1', '-Wall', '-shared', '-fPIC', '-o', library, SOURCE]);
    const a = await cluster.addNode('n1', { args: ['--ipalloc-init', 'seed', '--datapath', 'fast'] });
    const b = await cluster.addNode('n2', { args: ['--peer', a.host.v4, '--datapath', 'fast'] });
    await a.start();
    process.env.LD_PRELOAD = library;
    process.env.REFUSE_SUPER_PACKETS = refuse;
    await b.start();
    delete process.env.LD_PRELOAD;
    delete process.env.REFUSE_SUPER_PACKETS;
    for (const node of [a, b]) await node.ready(30_000);
    const [from, to] = [await a.attachPod('pod1'), await b.attachPod('pod2')];
    await until('a pod to reach the other', () => from.ping(to.v4), { timeoutMs: 30_000 });
    const ends = { from: from.namespace, to: to.namespace, address: to.v4, seconds: 1 };
    await iperf(ends);
    const without = async (): Promise<readonly { readonly feature: string; readonly fault: string }[]> =>
      (await b.ask('status')).datapath?.without ?? [];
    assert.ok((await without()).every(({ feature }) => feature !== FEATURE));
    await writeFile(refuse, '');
    const { bitsPerSecond } = await iperf({ ...ends, seconds: 2 });
    assert.ok(bitsPerSecond > 10e6, `${bitsPerSecond} bit/s`);
    await until('the status to say so', async () =>
      (await without()).some(({ feature, fault }) => feature === FEATURE && fault === FAULT),
    );
    const { counters } = await b.ask('report');
    assert.equal(counters['datapath.tunTcpSegmentsOff'], 1);
    assert.ok((counters['datapath.tunInvalid'] ?? 0) >= 3);
  });
});
