/**
 * What policies cost, with the real compiler and the real nft in a namespace, and no Kubernetes:
 *
 *   bench/policy.ts [ROUNDS]
 *
 * Prints two lines of JSON. `policy-apply`: a cluster of 10,000 pods and 1,000 policies, of which 250 pods are here: the
 * first full apply; from an object of the API to its enforcement, of a pod that comes, a label and a policy that change,
 * p50 and p99 of each round, and beside it of nft itself, which puts one element into a set of an
 * otherwise empty namespace; a full resync. `policy-packet`: UDP of 64 B between two pods through their node without
 * policies, under one, and under 1,000: microseconds of a core that a packet takes, of a flow that is there and of one
 * that it begins.
 */
import { Namespace } from '../test/netns/namespaces.ts';
import {
  benchNamespaces,
  benchPod,
  benchPolicy,
  type ClusterSize,
  KINDS_WITH_PORT,
} from './policy/policy-cluster.ts';
import { PolicyNode } from './policy/policy-node.ts';
import { measurePackets } from './policy/policy-packets.ts';
import { percentile, report, rounded, spread } from './report.ts';

const SIZE: ClusterSize = { pods: 10_000, policies: 1_000, local: 250 };
/** Changes of each kind in a round; a round's p99 is the largest but one of them. */
const CHANGES = 100;
const TARGETS = { firstApplyMs: 5_000, podP99Ms: 100, labelP99Ms: 100, policyP99Ms: 250 };

const rounds = Number(process.argv[2] ?? 5);

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** p50 and p99 of one round, in milliseconds. */
async function changes(change: (number: number) => Promise<void>): Promise<{ p50: number; p99: number }> {
  const times: number[] = [];
  for (let i = 0; i < CHANGES; i++) times.push(await timed(() => change(i)));
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

async function applyRound(): Promise<Record<string, number>> {
  const namespace = await Namespace.create('bpol');
  const bare = await Namespace.create('bpol');
  try {
    const node = new PolicyNode(namespace);
    await bare.run('nft', 'add table inet bare; add set inet bare few { type ipv4_addr; }');
    const nft = await changes(async (i) => {
      await bare.run('nft', `add element inet bare few { 10.0.0.${i} }`);
    });
    const namespaces = benchNamespaces();
    const pods = Array.from({ length: SIZE.pods }, (_, i) => benchPod(i, SIZE));
    const policies = Array.from({ length: SIZE.policies }, (_, i) => benchPolicy(i));
    const firstApplyMs = await timed(async () => {
      node.namespaces(namespaces);
      node.pods(pods);
      node.policies(policies);
      node.attach(pods.slice(0, SIZE.local));
      await node.load();
    });
    const pod = await changes(async (i) => {
      node.pods([benchPod(SIZE.pods + i, SIZE)]);
      await node.load();
    });
    const label = await changes(async (i) => {
      // Every other one is of this node.
      const number = i % 2 === 0 ? i : SIZE.pods - 1 - i;
      node.changePod(
        benchPod(number, SIZE),
        benchPod(number, SIZE, { labels: { app: `app-${(i + 3) % 10}` } }),
      );
      await node.load();
    });
    const policy = await changes(async (i) => {
      const number = (i % 100) + 100 * KINDS_WITH_PORT[i % KINDS_WITH_PORT.length]!;
      node.changePolicy(benchPolicy(number), benchPolicy(number, 81));
      await node.load();
    });
    const resyncMs = await timed(() => node.load(true));
    return {
      firstApplyMs,
      resyncMs,
      nftP50Ms: nft.p50,
      nftP99Ms: nft.p99,
      podP50Ms: pod.p50,
      podP99Ms: pod.p99,
      labelP50Ms: label.p50,
      labelP99Ms: label.p99,
      policyP50Ms: policy.p50,
      policyP99Ms: policy.p99,
    };
  } finally {
    await namespace.delete();
    await bare.delete();
  }
}

const results: Record<string, number>[] = [];
for (let round = 0; round < rounds; round++) results.push(await applyRound());
const figures = Object.fromEntries(
  Object.keys(results[0]!).map((name) => [name, spread(results.map((result) => result[name]!))]),
);
const ratio = Object.fromEntries(
  Object.entries(TARGETS).map(([name, target]) => [name, rounded(figures[name]!.median / target)]),
);
report('policy-apply', { rounds, ...SIZE, ...figures, ratio, targets: TARGETS });
report('policy-packet', { rounds, ...(await measurePackets(rounds, SIZE)) });
