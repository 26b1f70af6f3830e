/**
 * What a running weft-npc takes, with a real API server (`tools/lab-build`), a real weftd and the real nft in namespaces:
 *
 *   bench/npc.ts [PODS [SECONDS [ROUNDS [PARTS]]]]
 *
 * weft-npc runs as its DaemonSet runs it, with the environment of weave-daemonset.yaml. A cluster of PODS pods (10,000) and
 * 1,000 policies, of which 250 pods hang here. Each of ROUNDS (5) starts weft-npc anew. Prints two lines of JSON.
 * `npc`: from the start to Ready, with all lists; CPU at rest for SECONDS (30); memory then, and at most while 1,000 pods a
 * minute come and go for twice as long; what comes from the API for each of those; p99 from the event of a watch to the
 * kernel, of labels and policies that change, and while those pods come and go; how long ADD takes here, and how much more
 * than on a node without policies, p50 one after the other and p99 of 50 at once. `npc-drop-log`: CPU while a pod here sends
 * as fast as it can to one that may not be reached, for half of SECONDS. PARTS, with commas between them, are those that are
 * wanted of rest, changes, churn, adds and flood.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { until } from '../test/cluster/command.ts';
import { connect, Namespace } from '../test/netns/namespaces.ts';
import { NpcHost } from '../test/netns/policy/npc-process.ts';
import { PolicyHost, type TestPod } from '../test/netns/policy/policy-host.ts';
import { RealApi } from '../test/netns/policy/real-api.ts';
import { ADDED_PODS, addTimes } from './policy/add-times.ts';
import { npcOfImage } from './policy/npc-image.ts';
import { PodMaker } from './policy/pod-maker-process.ts';
import { benchNamespaces, benchPod, benchPolicy, NODE } from './policy/policy-cluster.ts';
import { type ProcessFigures, processFigures } from './process-figures.ts';
import { report, rounded, spread } from './report.ts';

const SENDER = fileURLToPath(new URL('./send-datagrams.ts', import.meta.url));
const POLICIES = 1_000;
const NODES = 40;
/** Of the pods of weftd's node; those of the API are in it, too, and never the same. */
const RANGES = { v4: '10.32.0.0/11', v6: 'fd00:40::/32' };
const PODS_A_MINUTE = 1_000;
const CHANGES = { count: 250, everyMs: 80 };
const ATTACHED_AT_ONCE = 4;
const BATCH = 100;
/** The numbers of pods that are attached in each round; no others are as high. */
const ADDED_FROM = 50_000;
const PROBE_EVERY_MS = 3_000;
const TARGETS = {
  megabytes: 180,
  idleCorePercent: 1,
  labelP99Ms: 100,
  policyP99Ms: 250,
  addMoreP50Ms: 20,
  togetherMoreP99Ms: 150,
  dropLogCorePercent: 5,
};

type Figures = Record<string, number>;

const [pods = 10_000, seconds = 30, rounds = 5] = process.argv.slice(2, 5).map(Number);
const parts = process.argv[5]?.split(',');
const isWanted = (part: 'rest' | 'changes' | 'churn' | 'adds' | 'flood'): boolean =>
  parts === undefined || parts.includes(part);
if (!RealApi.isBuilt) throw new Error("there is no kube-apiserver: run 'tools/lab-build' before");

const corePercent = (from: ProcessFigures, to: ProcessFigures): number =>
  (100 * (to.cpuSeconds - from.cpuSeconds)) / ((to.at - from.at) / 1000);

const host = await PolicyHost.create();
const plain = await PolicyHost.create();
const machine = await Namespace.create('bnpc');
let api: RealApi | undefined;
try {
  await connect(
    { namespace: host.node, link: 'eth0', addresses: ['192.0.2.10/24'] },
    { namespace: machine, link: 'eth0', addresses: ['192.0.2.20/24'] },
  );
  api = await RealApi.start(machine, join(host.folder, 'api'), '192.0.2.20');
  await applyAll(Array.from({ length: NODES }, (_, i) => ({ kind: 'Node', metadata: { name: `n${i}` } })));
  await applyAll(benchNamespaces().map((each) => ({ kind: 'Namespace', ...each })));
  await applyAll(Array.from({ length: POLICIES }, (_, i) => benchPolicy(i)));
  const maker = new PodMaker(machine, api.kubeconfig);
  const uids = await maker.carryOut({ make: { from: 0, to: pods, perNode: Math.ceil(pods / NODES) } });

  await host.start(['--policy', '--ipalloc-range6', RANGES.v6], {}, RANGES.v4);
  await plain.start([]);
  const local = await attachAll(uids);
  const image = join(host.folder, 'image');
  mkdirSync(image);
  const at = { runDir: host.runDir, stateDir: host.folder, nodeName: NODE, command: npcOfImage(image) };
  const npcHost = new NpcHost(host.node, at, api.kubeconfig);
  const results: Figures[] = [];
  for (let round = 0; round < rounds; round++) results.push(await measure(npcHost, maker, round));

  const figures = Object.fromEntries(
    Object.keys(results[0]!).map((name) => [name, spread(results.map((result) => result[name]!))]),
  );
  const { dropLogCorePercent, packetsDroppedASecond, ...others } = figures;
  const ratiosOf = (wanted: readonly (readonly [string, number])[]): Figures =>
    Object.fromEntries(
      wanted
        .filter(([name]) => figures[name] !== undefined)
        .map(([name, target]) => [name, rounded(figures[name]!.median / target)]),
    );
  const ratio = ratiosOf([
    ['churnMegabytesMost', TARGETS.megabytes],
    ['idleCorePercent', TARGETS.idleCorePercent],
    ['podP99Ms', TARGETS.labelP99Ms],
    ['labelP99Ms', TARGETS.labelP99Ms],
    ['policyP99Ms', TARGETS.policyP99Ms],
    ['addMoreP50Ms', TARGETS.addMoreP50Ms],
    ['togetherMoreP99Ms', TARGETS.togetherMoreP99Ms],
  ]);
  const size = { rounds, pods, policies: POLICIES, local: local.length };
  report('npc', { ...size, ...others, ratio, targets: TARGETS });
  if (isWanted('flood')) {
    const flood = { rounds, dropLogCorePercent, packetsDroppedASecond };
    const floodRatio = ratiosOf([['dropLogCorePercent', TARGETS.dropLogCorePercent]]);
    report('npc-drop-log', { ...flood, ratio: floodRatio, targets: TARGETS });
  }
} finally {
  await api?.stop();
  await machine.delete();
  await plain.destroy();
  await host.destroy();
}

async function applyAll(objects: readonly object[]): Promise<void> {
  for (let i = 0; i < objects.length; i += BATCH) await api!.apply(...objects.slice(i, i + BATCH).map(named));
}

/** Without what only a server gives. */
function named(object: object): object {
  const { metadata, ...rest } = object as { metadata: Record<string, unknown> };
  const { uid: _uid, resourceVersion: _version, ...own } = metadata;
  return { apiVersion: 'v1', ...rest, metadata: own };
}

/** The pods of this node, attached as a runtime does it. */
async function attachAll(uids: readonly string[]): Promise<TestPod[]> {
  const numbers = Array.from({ length: Math.ceil(pods / NODES) }, (_, i) => i);
  const attached: TestPod[] = [];
  const worker = async (): Promise<void> => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
      const { namespace, name } = benchPod(number, { pods, policies: POLICIES, local: 1 });
      attached.push(await attach(namespace, name, uids[number]!));
    }
  };
  await Promise.all(Array.from({ length: ATTACHED_AT_ONCE }, worker));
  return attached;
}

function attach(namespace: string, name: string, uid: string): Promise<TestPod> {
  return host.attach('', { args: argsOf(namespace, name, uid) });
}

function argsOf(namespace: string, name: string, uid: string): string {
  return `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_UID=${uid}`;
}

/** With pods that the API has already, as it has them for a runtime. */
async function ofAdds(maker: PodMaker, round: number): Promise<Figures> {
  const from = ADDED_FROM + round * ADDED_PODS;
  const uids = await maker.carryOut({ make: { from, to: from + ADDED_PODS, perNode: ADDED_FROM * 2 } });
  return addTimes({ policed: host, plain }, (i) => {
    const { namespace, name } = benchPod(from + i, { pods, policies: POLICIES, local: 1 });
    return argsOf(namespace, name, uids[i]!);
  });
}

/** One weft-npc, from its start to its end. */
async function measure(npcHost: NpcHost, maker: PodMaker, round: number): Promise<Figures> {
  const begun = performance.now();
  const npc = npcHost.start();
  const pid = npc.child.pid!;
  await until('weft-npc to be ready', async () => (await npcHost.readiness()) === 'ok', {
    timeoutMs: 120_000,
  });
  const readySeconds = (performance.now() - begun) / 1000;
  // As the kubelet does.
  const probing = setInterval(() => void npcHost.readiness(), PROBE_EVERY_MS);
  await delay(10_000);
  const figures: Figures = { readySeconds };
  if (isWanted('rest')) Object.assign(figures, await atRest(pid));
  if (isWanted('changes')) {
    for (const what of ['labels', 'policies'] as const) {
      await maker.carryOut({ change: { what, ...CHANGES, round, pods } });
      const { applyP99Ms } = (await npcHost.status()).loaded!;
      figures[what === 'labels' ? 'labelP99Ms' : 'policyP99Ms'] = applyP99Ms;
    }
  }
  if (isWanted('churn')) {
    Object.assign(figures, await underChurn(pid, maker, round));
    figures.podP99Ms = (await npcHost.status()).loaded!.applyP99Ms;
  }
  if (isWanted('adds')) Object.assign(figures, await ofAdds(maker, round));
  if (isWanted('flood')) Object.assign(figures, await dropFlood(npcHost, pid, round));
  clearInterval(probing);
  await npc.stop();
  return figures;
}

async function atRest(pid: number): Promise<Figures> {
  const before = processFigures(pid);
  await delay(seconds * 1000);
  const after = processFigures(pid);
  return { restMegabytes: after.residentMegabytes, idleCorePercent: corePercent(before, after) };
}

/** While pods come and go. */
async function underChurn(pid: number, maker: PodMaker, round: number): Promise<Figures> {
  const count = Math.round((PODS_A_MINUTE * 2 * seconds) / 60);
  const before = { figures: processFigures(pid), received: await bytesFromApi() };
  let most = 0;
  const sampling = setInterval(() => {
    most = Math.max(most, processFigures(pid).residentMegabytes);
  }, 500);
  const from = pods + round * count;
  await maker.carryOut({ churn: { from, count, perMinute: PODS_A_MINUTE, nodes: NODES } });
  clearInterval(sampling);
  return {
    podsStarted: count,
    churnMegabytesMost: most,
    churnCorePercent: corePercent(before.figures, processFigures(pid)),
    bytesFromApiForEachPod: ((await bytesFromApi()) - before.received) / count,
  };
}

/** What came in from the API server's machine, all of TLS, TCP and IP within it. */
async function bytesFromApi(): Promise<number> {
  return Number(await host.node.run('cat', '/sys/class/net/eth0/statistics/rx_bytes'));
}

/** Floods a pod that no policy lets be reached; what weft-npc takes meanwhile. */
async function dropFlood(npcHost: NpcHost, pid: number, round: number): Promise<Figures> {
  const placed: TestPod[] = [];
  for (const role of ['flooding', 'flooded']) {
    const name = `${role}-${round}`;
    const [made] = await api!.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: { app: role } },
      spec: { nodeName: NODE, containers: [{ name: 'c', image: 'x' }] },
    });
    placed.push(await attach('default', name, made!.metadata.uid));
  }
  await api!.apply({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'flooded', namespace: 'default' },
    spec: { podSelector: { matchLabels: { app: 'flooded' } }, policyTypes: ['Ingress'] },
  });
  const [flooding, flooded] = placed as [TestPod, TestPod];
  await until('the pods to be let through', async () => (await npcHost.status()).waiting.length === 0);
  await delay(2_000);
  const dropped = async (): Promise<number> => (await npcHost.status()).counters?.['policy.dropIngress'] ?? 0;
  const sender = flooding.namespace.startProgram(SENDER, [flooded.addresses[0]!, '1000000000', '1']);
  await until('packets to be denied', async () => (await dropped()) > 0);
  const before = { figures: processFigures(pid), dropped: await dropped() };
  await delay((seconds / 2) * 1000);
  const after = { figures: processFigures(pid), dropped: await dropped() };
  await flooding.namespace.stop(sender);
  for (const pod of placed) await host.detach(pod);
  return {
    dropLogCorePercent: corePercent(before.figures, after.figures),
    packetsDroppedASecond: (after.dropped - before.dropped) / ((after.figures.at - before.figures.at) / 1000),
  };
}
