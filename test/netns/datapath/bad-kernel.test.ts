import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenDatapath } from '../../../router/datapath/datapath.ts';
import { REPOSITORY } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { run, until } from '../../cluster/command.ts';
import { Transfers } from './transfers.ts';

const SOURCE = `${REPOSITORY}/test/netns/datapath/inside/bad-kernel.c`;
const MEGABYTES = 30;
const DATAGRAMS = 1000;

type Counters = Readonly<Record<string, number>>;

describe('the fast datapath on a kernel that cannot, or will not', function () {
  this.timeout(120_000);
  let transfers: Transfers;

  beforeEach(async () => {
    transfers = await Transfers.create();
  });
  afterEach(() => transfers.end());

  /** A pod on each of two nodes whose weftd sees these faults, as `bad-kernel.c` names them. */
  async function podsOf(faults: string): Promise<readonly [ClusterPod, ClusterPod]> {
    const { folder } = transfers.cluster;
    const library = join(folder, 'bad-kernel.so');
    await run(['gcc', '-O2', '-shared', '-fPIC', '-o', library, SOURCE, '-ldl']);
    const program = join(folder, 'weftd');
    const environment = `LD_PRELOAD=${library} BAD_KERNEL=${faults} CRASH_WHEN=${folder}/crash`;
    await writeFile(program, `#!/bin/sh\n${environment} exec ${REPOSITORY}/bin/weftd "$@"\n`);
    await chmod(program, 0o755);
    return transfers.pods(['fast', 'fast'], program);
  }

  async function counters(node: ClusterNode): Promise<Counters> {
    return (await node.ask('report')).counters as Counters;
  }

  /** Streams of both families arrive whole; of datagrams, what comes. */
  async function check([a, b]: readonly [ClusterPod, ClusterPod]): Promise<void> {
    for (const address of [b.v4, b.v6]) {
      await transfers.serve(b, address);
      assert.deepEqual(await transfers.send(a, 'tcp', address, MEGABYTES), { same: true });
    }
    const { whole, damaged } = await transfers.send(a, 'udp', b.v4, DATAGRAMS);
    assert.equal(damaged, 0);
    assert.ok(Number(whole) > 0);
  }

  /** Features that do not work, as weftd tells them. */
  async function missing(node: ClusterNode): Promise<string[]> {
    const { datapath } = await node.ask('report');
    const { features } = datapath as Pick<OpenDatapath, 'features'>;
    return features.filter(({ fault }) => fault !== undefined).map(({ name }) => name);
  }

  /** Lacks these, beside what this kernel lacks by itself. */
  const lacks =
    (...names: string[]) =>
    async (node: ClusterNode): Promise<void> => {
      const all = await missing(node);
      for (const name of names) assert.ok(all.includes(name), `${name} is among ${all}`);
    };

  /** Something was dropped for that reason, and counted. */
  const counts =
    (name: string) =>
    async (node: ClusterNode): Promise<void> =>
      until(`${name} to be counted`, async () => ((await counters(node))[`datapath.${name}`] ?? 0) > 0).then(
        () => undefined,
      );

  const WITHOUT: Readonly<Record<string, (node: ClusterNode) => Promise<void>>> = {
    'no-uso': lacks('UDP super-packets from the TUN', 'UDP super-packets to the TUN'),
    'no-segments': lacks('several datagrams in one call', 'several datagrams as one message'),
    eio: async (node) => {
      const { 'datapath.segmentsOff': off = 0, 'datapath.sendFailed': failed = 0 } = await counters(node);
      assert.deepEqual({ off: off > 0, failed }, { off: true, failed: 0 });
    },
    'no-buffers': counts('sendNoBuffers'),
    'too-large': counts('sendTooLarge'),
    'tun-refuses': async (node) => {
      await counts('tunWriteFailed')(node);
      const { 'datapath.tunTcpSegmentsOff': off = 0 } = await counters(node);
      assert.equal(off, 0, 'a TUN that is down is no reason to give super-packets up');
    },
  };
  for (const [fault, told] of Object.entries(WITHOUT)) {
    it(`carries all the same with ${fault}, and tells of it`, async () => {
      const pods = await podsOf(fault);
      await check(pods);
      await told(pods[0].node);
    });
  }

  it('ends at once where a lane has a fault, by a signal', async () => {
    const [a, b] = await podsOf('crash');
    const { pid } = b.node;
    await writeFile(join(transfers.cluster.folder, 'crash'), '');
    await a.ping(b.v4, 1);
    await until('weftd to end', () => !alive(pid!), { timeoutMs: 5000 });
    await transfers.cluster.nodes[1]!.stop();
  });

  it('ends, and says why, where its TUN device is taken away', async () => {
    const [, b] = await transfers.pods(['fast', 'fast']);
    const { node } = b;
    await node.run(['ip', 'link', 'delete', 'weft0']);
    await until('weftd to end', () => !alive(node.pid!), { timeoutMs: 10_000 });
    assert.match(await node.log(), /TUN device weft0 can be read no more/);
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
