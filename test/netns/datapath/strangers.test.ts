import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import { run, until } from '../../cluster/command.ts';
import { type DatapathName, Transfers } from './transfers.ts';

const PER_SECOND = 20_000;
const SECONDS = 5;
const MEGABYTES = 100;
/** Of what was sent; the rest may be lost on the way, where a busy machine's queues between namespaces are full. */
const ARRIVES = 0.9;
/** What the queue towards the event loop, and Node's heap around it, may grow by; the sleeve has each datagram in its heap. */
const MORE_MEGABYTES = { fast: 96, sleeve: 256 };

/** Handshakes that lanes leave to the event loop from all hosts at once, and then a second (native/fastdp/inbound.h). */
const JUDGED = { atOnce: 4_096, perSecond: 1_024 };

/** What strangers' datagrams are counted as; the last are those that found no room, in Weft's queue and in the kernel's. */
const COUNTED = [
  'datapath.inMalformed',
  'datapath.inUnknownIndex',
  'handshake.badMac1',
  'datapath.upwardFull',
] as const;

describe('a flood from strangers', function () {
  this.timeout(120_000);
  let transfers: Transfers;

  beforeEach(async () => {
    transfers = await Transfers.create();
  });
  afterEach(() => transfers.end());

  const unqueued = async (node: ClusterNode): Promise<number> =>
    Number((await node.run(['awk', '/^Udp:/ {full = $6} END {print full}', '/proc/net/snmp'])).stdout);
  const residentMegabytes = async (node: ClusterNode): Promise<number> =>
    Number(/^VmRSS:\s*(\d+)/m.exec(await readFile(`/proc/${node.pid}/status`, 'utf8'))![1]) / 1024;

  for (const datapath of ['fast', 'sleeve'] as const satisfies readonly DatapathName[])
    it(`is counted, takes bounded memory, and leaves others their tunnels (${datapath})`, async () => {
      const [from, to] = await transfers.pods([datapath, datapath]);
      const { node } = to;
      const { cluster } = transfers;
      const program = join(cluster.folder, 'strangers');
      await run(['gcc', '-O2', '-o', program, `${REPOSITORY}/test/cluster/inside/strangers.c`]);
      const stranger = await cluster.underlay.addHost('strange', 120);
      await transfers.serve(to, to.v4);
      await transfers.send(from, 'tcp', to.v4, MEGABYTES);
      const before = await residentMegabytes(node);
      const argv = [program, node.host.v4, '6783', String(PER_SECOND), String(SECONDS)];
      const begun = performance.now();
      const flood = run(argv, { namespace: stranger.namespace, timeoutMs: 60_000 });
      assert.deepEqual(await transfers.send(from, 'tcp', to.v4, MEGABYTES), { same: true });
      const sent = Number((await flood).stdout);
      assert.ok(sent > PER_SECOND, `${sent} sent`);
      // Lanes tell their counts once a second.
      const counters = await until('all to be counted', async () => {
        const seen: Readonly<Record<string, number>> = (await node.ask('report')).counters;
        const dropped = COUNTED.reduce((sum, name) => sum + (seen[name] ?? 0), await unqueued(node));
        return dropped >= sent * ARRIVES ? seen : undefined;
      });
      const seconds = (performance.now() - begun) / 1000;
      for (const name of COUNTED.slice(0, 3)) assert.ok((counters[name] ?? 0) > 0, name);
      const judged = counters['handshake.badMac1'] ?? 0;
      if (datapath === 'fast')
        assert.ok(judged <= JUDGED.atOnce + JUDGED.perSecond * seconds, `${judged} in ${seconds} s`);
      const more = (await residentMegabytes(node)) - before;
      assert.ok(more < MORE_MEGABYTES[datapath], `${more} MB more`);
      assert.equal((await node.ask('peers')).peers[0]?.state, 'connected');
      assert.ok((await from.ping(to.v4)) !== undefined);
    });
});
