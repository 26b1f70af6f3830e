/**
 * A take-over under load: two nodes, a pod on each, 10,000 datagrams a second each way between them, and the weftd of one
 * node is replaced by another, five times for each datapath, and five times with a predecessor that hands nothing over.
 * Prints one JSON line with what was lost, the longest time between two datagrams that arrived, and the longest way of one.
 *
 * `bin/weft-node bench/latency/take-over.ts [runs, default 5] [datagrams a second, default 10000]`
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from '../../test/cluster/cluster.ts';
import { endProcess } from '../../test/cluster/command.ts';
import { type ExchangeResult, UdpExchange } from '../../test/cluster/udp-exchange.ts';
import { report, spread } from '../report.ts';

const runs = Number(process.argv[2] ?? 5);
const perSecond = Number(process.argv[3] ?? 10_000);
const SETTLE_MS = 1_000;

const figures: Record<string, unknown> = {};
for (const datapath of ['fast', 'sleeve']) {
  const seen = await measure(datapath);
  const each = (of: (one: ExchangeResult) => number): unknown => spread(seen.map(of));
  figures[datapath] = {
    sent: seen.reduce((sum, { sent }) => sum + sent, 0),
    lost: each(({ lost }) => lost),
    longestGapMs: each(({ longestGapMs }) => longestGapMs),
    longestDelayMs: each(({ longestDelayMs }) => longestDelayMs),
  };
}
report('take-over', { runs, perSecond, ...figures });

async function measure(datapath: string): Promise<ExchangeResult[]> {
  const cluster = await Cluster.create({ prefix: `bt${datapath[0]}${process.pid % 10_000}` });
  const seen: ExchangeResult[] = [];
  let exchange: UdpExchange | undefined;
  try {
    await cluster.startNodes(2, { args: ['--take-over', '--datapath', datapath] });
    const [node, peer] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]];
    await peer.ready();
    await node.connected([peer]);
    const pods = [await node.attachPod('bench1'), await peer.attachPod('bench2')] as const;
    for (let run = 0; run < runs; run++) {
      exchange = await UdpExchange.start(pods, perSecond);
      await delay(SETTLE_MS);
      const before = await node.succeed();
      await delay(SETTLE_MS);
      seen.push(await exchange.end());
      await endProcess(before);
    }
  } finally {
    await exchange?.kill();
    await cluster.destroy();
  }
  return seen;
}
