import { deepEqual, equal, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { run } from '../../cluster/command.ts';

const RAW_FRAMES = new URL('../inside/raw-frames.c', import.meta.url).pathname;
const PORT_HOLDER = new URL('../inside/port-holder.ts', import.meta.url).pathname;
const WEFT_NODE = new URL('../../../bin/weft-node', import.meta.url).pathname;

/** A pod with CAP_NET_RAW, whose processes are not trusted. */
describe('a pod that attacks its node', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let node: ClusterNode;
  let peer: ClusterNode;
  let pod: ClusterPod;
  let rawFrames: string;
  let hostEnd: string;

  before(async () => {
    cluster = await Cluster.create({ prefix: `pa${process.pid % 10_000}` });
    rawFrames = join(cluster.folder, 'raw-frames');
    await run(['gcc', '-O1', '-Wall', '-Wextra', '-Werror', '-o', rawFrames, RAW_FRAMES]);
    [node, peer] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    await node.ready();
    await node.connected([peer]);
    pod = await node.attachPod('evil');
    hostEnd = (await on('ip', 'route', 'show', pod.v4)).split(' ')[2]!;
  });

  after(async () => {
    await cluster?.destroy();
  });

  const on = async (...argv: string[]): Promise<string> => (await node.run(argv)).stdout;
  async function dropped(counter: string): Promise<number> {
    return Number(/packets (\d+)/.exec(await on('nft', 'list', 'counter', 'inet', 'weft', counter))![1]);
  }

  it('makes no neighbour entry of the host, whoever it says it is', async () => {
    const { stdout } = await pod.run([rawFrames, 'eth0', 'arp', '40', node.host.v4]);
    equal(stdout, '40\n');
    const entries = (await on('ip', 'neighbour', 'show', 'dev', hostEnd)).trim().split('\n');
    deepEqual(
      entries.filter((line) => !line.includes('PERMANENT')),
      [],
    );
    equal(entries.length, 2, 'its own addresses');
    ok((await pod.ping(node.host.v4)) !== undefined, 'and still reaches its node');
  });

  it('sends nothing from 0.0.0.0, nor from any address outside the pod ranges', async () => {
    for (const [source, destination] of [
      ['0.0.0.0', '255.255.255.255'],
      ['0.0.0.0', '224.0.0.1'],
      ['127.0.0.1', '127.0.0.1'],
      ['203.0.113.7', node.host.v4],
    ] as const) {
      const before = await dropped('dropSpoofed');
      equal((await pod.run([rawFrames, 'eth0', 'ip', source, destination])).stdout, '1\n');
      equal(await dropped('dropSpoofed'), before + 1, `${source} to ${destination}`);
    }
  });

  it("gets nothing of what peers send to its node's port, though it holds that port while the node is away", async () => {
    await node.stop('SIGKILL');
    const holding = pod.run([WEFT_NODE, PORT_HOLDER, peer.host.v4, '6783', '6']);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await node.start();
    const { stdout } = await holding;
    equal(stdout, '0\n');
    await node.connected([peer]);
  });
});
