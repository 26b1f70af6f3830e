import assert from 'node:assert/strict';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { type DatapathName, Transfers } from './transfers.ts';

const DATAGRAMS = 2000;

describe('what datapaths carry', function () {
  this.timeout(240_000);
  let transfers: Transfers;

  afterEach(() => transfers.end());

  async function pods(
    names: readonly [DatapathName, DatapathName],
    mtu = 1500,
  ): Promise<readonly [ClusterPod, ClusterPod]> {
    transfers = await Transfers.create(mtu);
    return transfers.pods(names);
  }

  /** Streams and datagrams of both families arrive as they were sent. */
  async function check(from: ClusterPod, to: ClusterPod, megabytes: number): Promise<void> {
    for (const address of [to.v4, to.v6]) {
      await transfers.serve(to, address);
      assert.deepEqual(await transfers.send(from, 'tcp', address, megabytes), { same: true });
      const { whole, damaged } = await transfers.send(from, 'udp', address, DATAGRAMS);
      assert.equal(damaged, 0);
      // A busy machine has the receiving socket full now and then.
      assert.ok(Number(whole) > DATAGRAMS / 2, `${whole} of ${DATAGRAMS} datagrams came`);
    }
  }

  async function carried(): Promise<readonly string[]> {
    const { nodes } = transfers.cluster;
    return Promise.all(nodes.map(async (node) => (await node.ask('status')).datapath?.name ?? ''));
  }

  it('is whole from fast to fast, and by far most of it goes by the lanes', async () => {
    const [a, b] = await pods(['fast', 'fast']);
    assert.deepEqual(await carried(), ['fast', 'fast']);
    await check(a, b, 1000);
    const { counters } = await a.node.ask('report');
    for (const name of ['datapath.upwardFull', 'datapath.outUnsent', 'datapath.inForged'])
      assert.equal((counters as Record<string, number>)[name] ?? 0, 0, name);
    const { peers } = await a.node.ask('peers');
    assert.ok(peers[0]!.sentBytes > 2e9, `${peers[0]!.sentBytes} bytes were counted`);
  });

  it('is whole between fast and sleeve, both ways', async () => {
    const [a, b] = await pods(['fast', 'sleeve']);
    assert.deepEqual(await carried(), ['fast', 'sleeve']);
    await check(a, b, 100);
    await check(b, a, 100);
  });

  for (const mtu of [1280, 1400, 9000]) {
    it(`is whole over an underlay of ${mtu} bytes`, async () => {
      const [a, b] = await pods(['fast', 'fast'], mtu);
      await check(a, b, 100);
    });
  }

  it('is whole where pods complete their checksums themselves, and cut their streams', async () => {
    const [a, b] = await pods(['fast', 'fast']);
    await a.run(['ethtool', '-K', 'eth0', 'tx', 'off', 'tso', 'off', 'gso', 'off']);
    await check(a, b, 50);
  });

  for (const names of [
    ['fast', 'fast'],
    ['sleeve', 'fast'],
  ] as const) {
    it(`is whole over a cable that loses, doubles and reorders, from ${names.join(' to ')}`, async () => {
      const [a, b] = await pods(names);
      await transfers.joinBadly({ lost: 30, twice: 100, late: 50 });
      for (const address of [b.v4, b.v6]) await transfers.serve(b, address);
      assert.deepEqual(await transfers.send(a, 'tcp', b.v4, 128), { same: true });
      assert.deepEqual(await transfers.send(a, 'tcp', b.v6, 128), { same: true });
      const { whole, damaged } = await transfers.send(a, 'udp', b.v4, DATAGRAMS);
      assert.equal(damaged, 0);
      assert.ok(
        Number(whole) > DATAGRAMS / 10 && Number(whole) <= DATAGRAMS,
        `${whole} of ${DATAGRAMS} datagrams came`,
      );
      const { counters } = await b.node.ask('report');
      const { lost, twice, late } = await transfers.endCable();
      assert.ok(lost > 100 && twice > 300 && late > 100, `${lost} lost, ${twice} twice, ${late} late`);
      // What came twice was seen, and nothing else.
      const { 'datapath.inReplay': replayed = 0, 'datapath.inForged': forged = 0 } = counters as Record<
        string,
        number
      >;
      assert.ok(replayed > twice / 3 && replayed <= twice, `${replayed} of ${twice} were seen to be replays`);
      assert.equal(forged, 0);
    });
  }
});
