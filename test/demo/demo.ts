/**
 * `npm run demo [-- --keep]`: three nodes on one underlay, each with a real weftd, two pods a node, and a look at
 * everything that a user would want to see before trusting it. Exit status 1 when anything did not hold.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Cluster, REPOSITORY } from '../cluster/cluster.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { ClusterPod } from '../cluster/cluster-pod.ts';
import { endProcess, inNamespace, run, until } from '../cluster/command.ts';
import { Capture, iperf, occurrences, pingTimes } from '../cluster/traffic.ts';

const NODES = 3;
const PODS_PER_NODE = 2;
const TALK = [`${REPOSITORY}/bin/weft-node`, `${REPOSITORY}/test/demo/talk.ts`];

const keep = process.argv.includes('--keep');
let failures = 0;

function step(title: string): void {
  console.log(`\n\x1b[1m${title}\x1b[0m`);
}

function say(text: string): void {
  console.log(`  ${text}`);
}

function check(holds: boolean, text: string): void {
  if (!holds) failures++;
  say(`${holds ? '\x1b[32m✓\x1b[0m' : '\x1b[31m✗\x1b[0m'} ${text}`);
}

async function discovery(cluster: Cluster): Promise<void> {
  step(`${NODES} nodes, one secret, one seed address`);
  await cluster.startNodes(NODES);
  await Promise.all(cluster.nodes.map((node) => node.connected(cluster.nodes)));
  const meshMs = performance.now() - cluster.nodes.at(-1)!.startedAt;
  await Promise.all(cluster.nodes.map((node) => node.ready()));
  check(true, `full mesh of encrypted tunnels ${meshMs.toFixed(0)} ms after the last weftd was started`);
  for (const node of cluster.nodes) {
    const { addresses, ipam } = await node.ask('status');
    say(`${node.name}  ${node.host.v4}  overlay ${addresses.join(' ')}  owns ${ipam.ranges.join(' ')}`);
  }
}

async function attach(cluster: Cluster): Promise<ClusterPod[]> {
  step(`${PODS_PER_NODE} pods a node, attached by the CNI plugin`);
  for (const node of cluster.nodes) {
    for (let i = 1; i <= PODS_PER_NODE; i++) {
      const begun = performance.now();
      const pod = await node.attachPod(`${node.name}p${i}`);
      say(`${pod.name} on ${node.name}  ${pod.v4} ${pod.v6}  (${(performance.now() - begun).toFixed(0)} ms)`);
    }
  }
  return cluster.nodes.flatMap((node) => node.pods);
}

async function reach(cluster: Cluster, pods: readonly ClusterPod[]): Promise<void> {
  step('every pod reaches every pod, and every node every pod');
  for (const family of ['v4', 'v6'] as const) {
    const pairs = pods.flatMap((from) => pods.filter((to) => to !== from).map((to) => ({ from, to })));
    const times = await Promise.all(pairs.map(({ from, to }) => from.ping(to[family])));
    const reached = times.filter((time) => time !== undefined).length;
    check(reached === pairs.length, `pod to pod, IP${family}: ${reached} of ${pairs.length}`);
  }
  const [first] = cluster.nodes as [ClusterNode];
  const remote = pods.find((pod) => pod.node !== first)!;
  const own = (await first.ask('status')).addresses;
  for (const target of [remote.v4, remote.v6]) {
    const ends = { from: first.namespace, to: remote.namespace };
    const caller = await converse({ ...ends, address: target, text: 'hello' });
    check(own.includes(caller), `node to pod without NAT: ${remote.name} sees ${first.name} as ${caller}`);
  }
}

async function speed(pods: readonly ClusterPod[]): Promise<void> {
  step('throughput and latency between pods on different nodes (all on this one machine)');
  const from = pods[0]!;
  const to = pods.find((pod) => pod.node !== from.node)!;
  const ends = { from: from.namespace, to: to.namespace };
  const { datapath } = await from.node.ask('status');
  await throughput(`${datapath?.name} datapath`, from, to);
  const sleeve = await Cluster.create({ prefix: `sl${process.pid % 10_000}` });
  beside = sleeve;
  try {
    const [a, b] = (await sleeve.startNodes(2, { args: ['--datapath', 'sleeve'] })) as [
      ClusterNode,
      ClusterNode,
    ];
    await b.ready();
    await a.connected([b]);
    await throughput('sleeve datapath', await a.attachPod('sleeve1'), await b.attachPod('sleeve2'));
  } finally {
    beside = undefined;
    await sleeve.destroy();
  }
  const udp = await iperf({ ...ends, address: to.v4, seconds: 2, udp: { megabits: 300 } });
  const loss = `${(udp.lost * 100).toFixed(1)} % lost`;
  check(udp.bitsPerSecond > 0, `UDP, 1200 B, 300 Mbit/s offered: ${gigabits(udp.bitsPerSecond)}, ${loss}`);
  const times = await pingTimes(from.namespace, to.v4, 200);
  const at = (share: number): string => `${times[Math.floor(share * (times.length - 1))]} ms`;
  check(times.length > 0, `round trip: median ${at(0.5)}, 99th percentile ${at(0.99)}`);
}

/** Says what TCP over both families carries between two pods. */
async function throughput(name: string, from: ClusterPod, to: ClusterPod): Promise<void> {
  const ends = { from: from.namespace, to: to.namespace, seconds: 2 };
  const v4 = await iperf({ ...ends, address: to.v4 });
  const v6 = await iperf({ ...ends, address: to.v6 });
  const said = `TCP over IPv4 ${gigabits(v4.bitsPerSecond)}, over IPv6 ${gigabits(v6.bitsPerSecond)}`;
  check(v4.bitsPerSecond > 0 && v6.bitsPerSecond > 0, `${name}: ${said}`);
}

async function secrecy(cluster: Cluster, pods: readonly ClusterPod[]): Promise<void> {
  step('nothing in clear on the underlay');
  const canary = `canary-${randomBytes(12).toString('hex')}`;
  const control = `control-${randomBytes(12).toString('hex')}`;
  const capture = await Capture.start(cluster.underlay.namespace, join(cluster.folder, 'underlay.pcap'));
  const from = pods[0]!;
  const to = pods.find((pod) => pod.node !== from.node)!;
  for (const address of [to.v4, to.v6]) {
    const caller = await converse({ from: from.namespace, to: to.namespace, address, text: canary });
    check(caller === from.v4 || caller === from.v6, `${to.name} heard the canary from ${caller}`);
  }
  const [first, second] = cluster.nodes as [ClusterNode, ClusterNode];
  await first.run([...TALK, 'shout', second.host.v4, '7777', control]);
  const bytes = await capture.stop();
  const seen = occurrences(bytes, control);
  check(seen > 0, `a packet sent in clear on purpose is found in the capture (${seen} times)`);
  const found = occurrences(bytes, canary);
  check(
    found === 0,
    `what the pods said to each other is found ${found} times (${bytes.length} bytes searched)`,
  );
}

interface Conversation {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  readonly text: string;
}

/** Says `text` by TCP from one namespace to an address in another; returns the address it came from there. */
async function converse({ from, to, address, text }: Conversation): Promise<string> {
  const [program, ...rest] = inNamespace(to, [...TALK, 'hear', '7777']);
  const hearing = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  let heard = '';
  hearing.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    heard += chunk;
  });
  try {
    await until('the listener', () => heard.includes('listening'));
    await run([...TALK, 'say', address, '7777', text], { namespace: from });
    const match = await until('the text to be heard', () => /^(\S+) said (.*)$/m.exec(heard) ?? undefined);
    return match[2] === text ? match[1]! : '';
  } finally {
    await endProcess(hearing);
  }
}

async function crash(cluster: Cluster, pods: readonly ClusterPod[]): Promise<void> {
  step('a node is killed and started again, its pods still attached');
  const node = cluster.nodes[1]!;
  const pod = node.pods[0]!;
  const far = pods.find((candidate) => candidate.node !== node)!;
  const before = await node.ask('ipam');
  await node.stop('SIGKILL');
  const begun = performance.now();
  await node.start();
  const servingMs = performance.now() - begun;
  await until('a ping to get through again', async () => (await far.ping(pod.v4, 1)) !== undefined);
  const reachMs = performance.now() - begun;
  const after = await node.ask('ipam');
  const same = JSON.stringify(after.allocations) === JSON.stringify(before.allocations);
  check(
    same,
    `${node.name} serves ${servingMs.toFixed(0)} ms after its start, its pods keep their addresses`,
  );
  check((await pod.ping(far.v6)) !== undefined, `its pods are reached again after ${reachMs.toFixed(0)} ms`);
}

async function repair(cluster: Cluster, pods: readonly ClusterPod[]): Promise<void> {
  step('another program flushes the packet rules and the routes of a node');
  const [node] = cluster.nodes as [ClusterNode];
  const pod = node.pods[0]!;
  const far = pods.find((candidate) => candidate.node !== node)!;
  const hasRules = async (): Promise<boolean> =>
    (await node.run(['nft', 'list', 'table', 'inet', 'weft'], { mayFail: true })).status === 0;
  const hasRoutes = async (): Promise<boolean> =>
    (await node.run(['ip', 'route', 'show', 'dev', 'weft0'])).stdout.trim() !== '';
  await node.run(['nft', 'flush', 'ruleset']);
  await node.run(['ip', 'route', 'flush', 'dev', 'weft0']);
  const begun = performance.now();
  await until('the rules and the routes to be back', async () => (await hasRules()) && (await hasRoutes()));
  check(true, `weftd has put both back after ${(performance.now() - begun).toFixed(0)} ms`);
  check((await pod.ping(far.v4)) !== undefined, `${pod.name} reaches ${far.name} as before`);
  const { stdout } = await node.run([`${REPOSITORY}/bin/weft`, '--run-dir', node.runDir, 'doctor'], {
    mayFail: true,
  });
  const canary = stdout.split('\n').find((line) => line.includes('canary: '));
  check(
    canary?.startsWith('ok') === true,
    `weft doctor: ${canary?.replace(/^\S+ +/, '') ?? 'no line of a canary'}`,
  );
}

function gigabits(bitsPerSecond: number): string {
  return `${(bitsPerSecond / 1e9).toFixed(2)} Gbit/s`;
}

function farewell(cluster: Cluster): void {
  const [node] = cluster.nodes as [ClusterNode];
  const [pod] = node.pods as [ClusterPod];
  step('left up, as asked; look inside:');
  say(`${REPOSITORY}/bin/weft --run-dir ${node.runDir} status`);
  say(`ip netns exec ${pod.namespace} ping ${cluster.nodes[1]!.pods[0]!.v4}`);
  say(`ip netns exec ${node.namespace} ip route`);
  say(`ip netns exec ${cluster.underlay.namespace} tcpdump -n -i any udp port 6783`);
  say(`less ${node.logFile}`);
  say('end with Ctrl-C, which takes everything down');
}

const cluster = await Cluster.create();
let ending: Promise<void> | undefined;
/** The nodes that run the other datapath, while they are measured. */
let beside: Cluster | undefined;
function end(): Promise<void> {
  ending ??= Promise.all([cluster.destroy(), beside?.destroy()]).then(() => undefined);
  return ending;
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void end().then(() => process.exit(130)));
}

try {
  await discovery(cluster);
  const pods = await attach(cluster);
  await reach(cluster, pods);
  await speed(pods);
  await secrecy(cluster, pods);
  await crash(cluster, pods);
  await repair(cluster, pods);
  step(failures === 0 ? 'all of it held' : `${failures} of it did not hold`);
  if (keep) {
    farewell(cluster);
    await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));
  }
} catch (error) {
  if (ending === undefined) {
    failures++;
    console.error(error instanceof Error ? error.message : error);
    for (const node of cluster.nodes) console.error(`--- log of ${node.name}\n${await node.log()}`);
  }
} finally {
  await end();
}
process.exit(failures === 0 ? 0 : 1);
