/**
 * What a pair of nodes carries where the network holds each flow (addresses and ports) to 1 Gbit/s, as clouds do: eight TCP
 * streams between two pods of nodes that run the fast datapath, of nodes that run the sleeve, and between two hosts joined
 * by the kernel's VXLAN, which encrypts nothing; in turn, five times each. Prints one JSON line.
 *
 * `bin/weft-node bench/policed-flows.ts [seconds per run, default 3] [runs, default 5]`
 */
import { Cluster } from '../test/cluster/cluster.ts';
import { run } from '../test/cluster/command.ts';
import { iperf } from '../test/cluster/traffic.ts';
import type { Underlay } from '../test/cluster/underlay.ts';
import { VxlanPair } from './baselines/vxlan.ts';
import { report, spread } from './report.ts';

const STREAMS = 8;
const TARGET_GBIT = 3;
const FLOW = 'ip saddr . udp sport . ip daddr . udp dport';
const POLICE = `table bridge police {
  set flows { type ipv4_addr . inet_service . ipv4_addr . inet_service; size 4096; flags dynamic; timeout 60s; }
  chain forward {
    type filter hook forward priority 0;
    ip protocol udp update @flows { ${FLOW} limit rate over 125000 kbytes/second burst 2 mbytes } drop
  }
}`;
const seconds = Number(process.argv[2] ?? 3);
const runs = Number(process.argv[3] ?? 5);

interface Ends {
  readonly from: string;
  readonly to: string;
  readonly address: string;
}

const clusters: Cluster[] = [];
try {
  const [fast, sleeve] = [await pods('fast'), await pods('sleeve')];
  const { hosts, addresses } = await VxlanPair.start(clusters[0]!.underlay);
  const vxlan = { from: hosts[0].namespace, to: hosts[1].namespace, address: addresses[1] };
  for (const { underlay } of clusters) await police(underlay);
  const sides: Readonly<Record<string, Ends>> = { fast, sleeve, vxlan };
  const gbit: Record<string, number[]> = { fast: [], sleeve: [], vxlan: [] };
  // The first stream has the ports found.
  for (const ends of Object.values(sides)) await iperf({ ...ends, seconds: 1 });
  for (let i = 0; i < runs; i++) {
    for (const [name, ends] of Object.entries(sides))
      gbit[name]!.push((await iperf({ ...ends, seconds, streams: STREAMS })).bitsPerSecond / 1e9);
  }
  const figures = Object.entries(gbit).map(([name, values]) => [`${name}Gbit`, spread(values)]);
  report('policed-flows', {
    runs,
    seconds,
    streams: STREAMS,
    targetGbit: TARGET_GBIT,
    ...Object.fromEntries(figures),
  });
} finally {
  for (const cluster of clusters) await cluster.destroy();
}

/** A pod on each of two nodes that run `datapath`. */
async function pods(datapath: 'fast' | 'sleeve'): Promise<Ends> {
  const cluster = await Cluster.create({ prefix: `bp${datapath[0]}${process.pid % 10_000}` });
  clusters.push(cluster);
  await cluster.startNodes(2, { args: ['--datapath', datapath] });
  const [a, b] = cluster.nodes;
  await a!.connected(cluster.nodes);
  await b!.ready();
  const from = await a!.attachPod('bench1');
  const to = await b!.attachPod('bench2');
  return { from: from.namespace, to: to.namespace, address: to.v4 };
}

async function police({ namespace }: Underlay): Promise<void> {
  await run(['nft', '-f', '-'], { namespace, input: POLICE });
}
