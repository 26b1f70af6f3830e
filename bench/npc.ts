/**
 * What a running weft-npc takes, with a real API server (`tools/lab-build`) and the real nft in namespaces:
 *
 *   bench/npc.ts [PODS] [SECONDS]
 *
 * Prints two lines of JSON. `npc-churn`: a cluster of PODS pods (10,000) and 1,000 policies, of which 250 pods are here: CPU at
 * rest for SECONDS (60); memory then, and at most while 1,000 pods a minute come and go for twice as long; what comes
 * from the API for each of those. `npc-drop-log`: CPU while a pod here sends as fast as it can to one that may not be
 * reached, for half as long.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { until } from '../test/cluster/command.ts';
import { connect, Namespace } from '../test/netns/namespaces.ts';
import { NpcHost } from '../test/netns/policy/npc-process.ts';
import { PolicyNode } from '../test/netns/policy/policy-node.ts';
import { RealApi } from '../test/netns/policy/real-api.ts';
import { benchNamespaces, benchPod, benchPolicy, NODE } from './policy/policy-cluster.ts';
import { type ProcessFigures, processFigures } from './process-figures.ts';
import { report, rounded } from './report.ts';

const POD_MAKER = fileURLToPath(new URL('./policy/pod-maker.ts', import.meta.url));
const SENDER = fileURLToPath(new URL('./send-datagrams.ts', import.meta.url));
const POLICIES = 1_000;
const NODES = 40;
const NODE_OPTIONS = '--max-semi-space-size=4';
const PODS_A_MINUTE = 1_000;
const BATCH = 100;
const TARGETS = { megabytes: 180, idleCorePercent: 1, dropLogCorePercent: 5 };

const [pods, seconds] = [Number(process.argv[2] ?? 10_000), Number(process.argv[3] ?? 60)];
if (!RealApi.isBuilt) throw new Error("there is no kube-apiserver: run 'tools/lab-build' before");

const corePercent = (from: ProcessFigures, to: ProcessFigures): number =>
  rounded((100 * (to.cpuSeconds - from.cpuSeconds)) / ((to.at - from.at) / 1000));

/** Makes pods, one command after the other. */
class PodMaker {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(machine: Namespace, kubeconfig: string) {
    this.#child = machine.startProgram(POD_MAKER, [kubeconfig]);
    this.#child.stderr!.pipe(process.stderr);
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** The UIDs of the pods that were made. */
  async carryOut(command: object): Promise<string[]> {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('the pod maker ended');
    return (JSON.parse(value) as { uids: string[] }).uids;
  }
}

const folder = mkdtempSync(join(tmpdir(), 'weft-bench-npc-'));
const node = await PolicyNode.create();
const machine = await Namespace.create('bnpc');
let api: RealApi | undefined;
try {
  const here = node.node.namespace;
  await connect(
    { namespace: here, link: 'eth0', addresses: ['192.0.2.10/24'] },
    { namespace: machine, link: 'eth0', addresses: ['192.0.2.20/24'] },
  );
  api = await RealApi.start(machine, join(folder, 'api'), '192.0.2.20');
  await api.apply(
    ...Array.from({ length: NODES }, (_, i) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `n${i}` },
    })),
  );
  await applyAll(benchNamespaces().map((each) => ({ apiVersion: 'v1', kind: 'Namespace', ...each })));
  await applyAll(Array.from({ length: POLICIES }, (_, i) => benchPolicy(i)));
  const maker = new PodMaker(machine, api.kubeconfig);
  const uids = await maker.carryOut({ make: { from: 0, to: pods, nodes: NODES } });

  const at = { runDir: join(folder, 'run'), stateDir: join(folder, 'npc'), nodeName: NODE };
  const host = new NpcHost(here, at, api.kubeconfig);
  let local = 0;
  for (let i = 0; i < pods; i += NODES) {
    const { link, addresses, namespace, name } = benchPod(i, { pods, policies: POLICIES, local: 1 });
    host.attach({ link, addresses, pod: { namespace, name, uid: uids[i]! } });
    local++;
  }
  // As in weave-daemonset.yaml.
  process.env.NODE_OPTIONS = NODE_OPTIONS;
  const npc = host.start();
  delete process.env.NODE_OPTIONS;
  await until('weft-npc to be ready', async () => (await host.readiness()) === 'ok', { timeoutMs: 120_000 });
  const pid = npc.child.pid!;
  await delay(10_000);
  const rest = processFigures(pid);
  await delay(seconds * 1000);
  const rested = processFigures(pid);

  const received = await bytesFromApi(here);
  const count = Math.round((PODS_A_MINUTE * 2 * seconds) / 60);
  let most = 0;
  const sampling = setInterval(() => {
    most = Math.max(most, processFigures(pid).residentMegabytes);
  }, 500);
  await maker.carryOut({ churn: { from: pods, count, perMinute: PODS_A_MINUTE, nodes: NODES } });
  clearInterval(sampling);
  const churned = processFigures(pid);
  report('npc-churn', {
    pods,
    policies: POLICIES,
    local,
    podsStarted: count,
    restMegabytes: rounded(rested.residentMegabytes),
    churnMegabytesMost: rounded(most),
    idleCorePercent: corePercent(rest, rested),
    churnCorePercent: corePercent(rested, churned),
    bytesFromApiForEachPod: Math.round(((await bytesFromApi(here)) - received) / count),
    ratio: {
      megabytes: rounded(most / TARGETS.megabytes),
      idleCorePercent: rounded(corePercent(rest, rested) / TARGETS.idleCorePercent),
    },
    targets: TARGETS,
  });
  report('npc-drop-log', await dropFlood(host, pid));
  await npc.stop();
} finally {
  await api?.stop();
  await machine.delete();
  await node.delete();
  rmSync(folder, { recursive: true, force: true });
}

async function applyAll(objects: readonly object[]): Promise<void> {
  for (let i = 0; i < objects.length; i += BATCH) await api!.apply(...objects.slice(i, i + BATCH).map(named));
}

/** Without what only a server gives. */
function named(object: object): object {
  const { metadata, ...rest } = object as { metadata: Record<string, unknown> };
  const { uid: _uid, resourceVersion: _version, ...own } = metadata;
  return { ...rest, metadata: own };
}

/** What came in from the API server's machine, all of TLS, TCP and IP within it. */
async function bytesFromApi(here: Namespace): Promise<number> {
  return Number(await here.run('cat', '/sys/class/net/eth0/statistics/rx_bytes'));
}

/** Floods a pod that no policy lets be reached; answers what weft-npc takes meanwhile. */
async function dropFlood(host: NpcHost, pid: number): Promise<Record<string, unknown>> {
  const placed = [];
  for (const [name, number] of [
    ['flooding', 201],
    ['flooded', 202],
  ] as const) {
    const pod = await node.addPod(name, number);
    const [made] = await api!.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: { app: name } },
      spec: { nodeName: NODE, containers: [{ name: 'c', image: 'x' }] },
    });
    const own = { namespace: 'default', name, uid: made!.metadata.uid };
    host.attach({ link: pod.link, addresses: [pod.addresses[4], pod.addresses[6]], pod: own });
    placed.push(pod);
  }
  await api!.apply({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'flooded', namespace: 'default' },
    spec: { podSelector: { matchLabels: { app: 'flooded' } }, policyTypes: ['Ingress'] },
  });
  const [flooding, flooded] = placed;
  await until('the pod to be shut', async () => {
    const open = await flooding!.prober.udp(flooded!.addresses[4], 80);
    const { waiting } = await host.status();
    return open === 'silent' && waiting.length === 0;
  });
  const dropped = async (): Promise<number> => (await host.status()).counters?.['policy.dropIngress'] ?? 0;
  const before = { figures: processFigures(pid), dropped: await dropped() };
  const flood = flooding!.namespace.startProgram(SENDER, [flooded!.addresses[4], '1000000000', '1']);
  await delay((seconds / 2) * 1000);
  await flooding!.namespace.stop(flood);
  const after = { figures: processFigures(pid), dropped: await dropped() };
  const percent = corePercent(before.figures, after.figures);
  const lapse = (after.figures.at - before.figures.at) / 1000;
  return {
    packetsDroppedASecond: Math.round((after.dropped - before.dropped) / lapse),
    corePercent: percent,
    ratio: { dropLogCorePercent: rounded(percent / TARGETS.dropLogCorePercent) },
    targets: TARGETS,
  };
}
