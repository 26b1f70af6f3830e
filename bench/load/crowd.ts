/**
 * What 1,000 peers with sessions cost a node that runs the fast datapath: one TCP stream between two pods, of two nodes that
 * know nobody else, and of two nodes of which the sender has tunnels to 998 further peers (`crowd-peers.ts`), in turn, five
 * times each; and the memory of both senders. The crowd stands still while streams are measured, for it shares the machine.
 * Prints one JSON line.
 *
 * `bin/weft-node bench/load/crowd.ts [peers, default 1000] [seconds per run, default 3] [runs, default 5]`
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseClusterSecret } from '../../crypto/cluster-secret.ts';
import { cryptoReady } from '../../crypto/ready.ts';
import { KeptRecords } from '../../daemon/state/kept-records.ts';
import { SqliteStore } from '../../ipam/sqlite-store.io.ts';
import { Cluster, REPOSITORY } from '../../test/cluster/cluster.ts';
import type { ClusterNode } from '../../test/cluster/cluster-node.ts';
import { endProcess, inNamespace, until } from '../../test/cluster/command.ts';
import { iperf } from '../../test/cluster/traffic.ts';
import { processFigures } from '../process-figures.ts';
import { report, rounded, spread } from '../report.ts';
import { crowdRecord } from './crowd-identity.ts';

const peers = Number(process.argv[2] ?? 1000);
const seconds = Number(process.argv[3] ?? 3);
const runs = Number(process.argv[4] ?? 5);
const TARGET_RATIO = 0.95;
const TARGET_MEGABYTES = 200;
/** Of a member, the two nodes are the others. */
const CROWD = peers - 2;
const FORM_LIMIT_MS = 180_000;

interface Side {
  readonly sender: ClusterNode;
  readonly from: string;
  readonly to: string;
  readonly address: string;
}

await cryptoReady;
const clusters: Cluster[] = [];
let crowd: ChildProcess | undefined;
try {
  const alone = await pair();
  const crowded = await pair();
  crowd = await join(crowded.sender);
  const sides = { alone, crowded };
  const gbit = { alone: [] as number[], crowded: [] as number[] };
  const idle = await idleCpu(crowded.sender);
  for (const name of ['alone', 'crowded'] as const) await iperf({ ...sides[name], seconds: 1 });
  for (let i = 0; i < runs; i++) {
    for (const name of i % 2 === 0 ? (['alone', 'crowded'] as const) : (['crowded', 'alone'] as const)) {
      crowd.kill('SIGSTOP');
      gbit[name].push((await iperf({ ...sides[name], seconds })).bitsPerSecond / 1e9);
      crowd.kill('SIGCONT');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
  const memory = ({ sender }: Side): number => rounded(processFigures(sender.pid!).residentMegabytes);
  report('load/crowd', {
    peers,
    runs,
    seconds,
    tunnels: await tunnels(crowded.sender),
    gbitAlone: spread(gbit.alone),
    gbitCrowded: spread(gbit.crowded),
    ratio: spread(gbit.crowded.map((value, i) => rounded(value / gbit.alone[i]!))),
    targetRatio: TARGET_RATIO,
    residentMegabytesAlone: memory(alone),
    residentMegabytes: memory(crowded),
    targetMegabytes: TARGET_MEGABYTES,
    cpuShareOfACore: idle,
  });
} finally {
  if (crowd !== undefined) {
    crowd.kill('SIGCONT');
    await endProcess(crowd);
  }
  for (const cluster of clusters) await cluster.destroy();
}

/** A pod on each of two nodes. */
async function pair(): Promise<Side> {
  const cluster = await Cluster.create({ prefix: `bc${clusters.length}${process.pid % 10_000}` });
  clusters.push(cluster);
  await cluster.startNodes(2, { args: ['--datapath', 'fast'] });
  const [a, b] = cluster.nodes as [ClusterNode, ClusterNode];
  await a.connected([b]);
  await b.ready();
  await a.ready();
  const from = await a.attachPod('bench1');
  const to = await b.attachPod('bench2');
  return { sender: a, from: from.namespace, to: to.namespace, address: to.v4 };
}

/** Has `node` know of the crowd, as if gossip had told it before it started, and the crowd make its tunnels. */
async function join(node: ClusterNode): Promise<ChildProcess> {
  const { cluster } = node;
  const host = await cluster.underlay.addHost('crowd', 100);
  const { clusterId } = parseClusterSecret(readFileSync(cluster.secretFile, 'utf8').trim());
  await node.stop();
  const store = SqliteStore.open(`${node.stateDir}/weft.db`);
  const records = new KeptRecords(store);
  for (let i = 0; i < CROWD; i++) records.put(crowdRecord(i, clusterId, host.v4));
  store.flush();
  store.close();
  await node.start();
  await node.connected(cluster.nodes.filter((other) => other !== node));
  const argv = [`${REPOSITORY}/bin/weft-node`, new URL('./crowd-peers.ts', import.meta.url).pathname];
  const args = [cluster.secretFile, node.stateDir, `${node.host.v4}:6783`, host.v4, String(CROWD)];
  const [program, ...rest] = inNamespace(host.namespace, [...argv, ...args]);
  const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until('the tunnels of the crowd', () => said.includes('ready'), { timeoutMs: FORM_LIMIT_MS });
  return child;
}

async function tunnels(node: ClusterNode): Promise<unknown> {
  const { gauges } = (await node.ask('report')) as { gauges?: Record<string, unknown> };
  return gauges?.['tunnel.tunnels'];
}

/** Of a core, over 20 s in which nothing is carried. */
async function idleCpu(node: ClusterNode): Promise<number> {
  const before = processFigures(node.pid!);
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  const after = processFigures(node.pid!);
  return rounded((after.cpuSeconds - before.cpuSeconds) / ((after.at - before.at) / 1000));
}
