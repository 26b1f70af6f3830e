import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import { CANARIES, canaryVerdict } from '../doctor/canary.ts';
import { type Finding, fault, fine, skipped } from '../doctor/finding.ts';
import type { ApiClient } from '../kube/api-client.io.ts';
import { ApiError } from '../kube/api-error.ts';
import { readNode } from '../kube/objects.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import { type Check, readOutcome } from './check.ts';
import { readImage, readWeftNodes, type WeftNodeFacts } from './cluster-facts.ts';
import { allowedChecks, type ClusterPlanFacts, clientChecks, MARK, readLog } from './cluster-plan.ts';
import { outcomeFinding } from './outcome-finding.ts';
import type { OutsideTarget } from './outside-target.ts';
import { TestNamespace } from './test-namespace.io.ts';
import type { Watched } from './watch.io.ts';
import {
  clientPod,
  NAMESPACE,
  policyObject,
  type Role,
  serverPod,
  serviceObject,
  watcherPod,
} from './workload-objects.ts';

/** Pods start within this, or something is wrong. */
const START_MS = 90_000;
/** A client with all its checks, the slowest of which take 15 s where they fail. */
const CLIENT_MS = 300_000;
const LOOK_EVERY_MS = 700;
/** The watcher is there before the client is made. */
const WATCH_S = 90;
const MARKER_BYTES = 32;
/** Namespace of Weft. */
const WEFT = 'weft';

/** What a test of a cluster is made with. */
export interface ClusterOptions {
  readonly client: ApiClient;
  readonly own: OwnLinks;
  /** Names of one or two nodes; empty: any two. */
  readonly nodes: readonly string[];
  readonly outside: readonly OutsideTarget[];
  readonly signal: AbortSignal;
}

/** Makes workloads on two nodes, has them try what they reach, and removes them at the end, however it comes. */
export async function* testCluster(options: ClusterOptions): AsyncGenerator<Finding> {
  const { client, own, outside, signal } = options;
  const { near, far, image } = await choose(options);
  const namespace = new TestNamespace(client, signal);
  try {
    await namespace.make();
    const hasPolicies = await enforcesPolicies(options);
    const place = (role: Role, node = near.name) => ({ role, node, image });
    const marker = far === undefined ? undefined : randomBytes(MARKER_BYTES).toString('hex');
    const farName = far?.name ?? near.name;
    const serving: Role[] = [
      'near',
      ...(far === undefined ? [] : (['far'] as const)),
      ...(hasPolicies ? (['guarded'] as const) : []),
    ];
    if (hasPolicies) await namespace.create('networkpolicies', policyObject());
    await namespace.create('services', serviceObject(far === undefined ? 'near' : 'far'));
    for (const role of serving)
      await namespace.create('pods', serverPod(place(role, role === 'near' ? near.name : farName)));
    if (marker !== undefined)
      await namespace.create('pods', watcherPod(place('watcher'), { marker, own, seconds: WATCH_S }));
    const pods = await namespace.started(serving, START_MS);
    yield fine(
      'workloads',
      `pods on ${[near.name, ...(far === undefined ? [] : [far.name])].join(' and ')}, reached by their nodes`,
    );
    if (far === undefined) yield skipped('other nodes', 'the cluster has one node with Weft');
    const isWatched = marker !== undefined && (await namespace.logHas('watcher', '"watching"', START_MS));
    const addresses = (role: Role): readonly string[] => pods.get(role)?.addresses ?? [];
    const facts: ClusterPlanFacts = {
      near,
      far,
      addressesOf: { near: addresses('near'), far: addresses('far'), guarded: addresses('guarded') },
      service: await namespace.service(),
      outside,
      marker,
    };
    if (hasPolicies) await namespace.create('pods', clientPod(place('allowed'), allowedChecks(facts)));
    await namespace.create('pods', clientPod(place('client'), clientChecks(facts)));
    yield* followed(namespace, 'client', clientChecks(facts), near.name);
    yield* followed(namespace, 'allowed', allowedChecks(facts), near.name);
    if (!hasPolicies) yield skipped('policies', 'there is no DaemonSet weft-npc');
    if (outside.length === 0)
      yield skipped(
        'outside',
        'no address was given; give one that should be reached with --outside ADDRESS:PORT',
      );
    yield marker === undefined
      ? skipped('encryption', 'needs two nodes')
      : await encryption(namespace, { isWatched, own, far: farName, addresses: addresses('far').length });
  } finally {
    await namespace.close();
  }
}

/** Where to test: the first nodes that have Weft, or those that were named. */
async function choose({ client, nodes: asked, signal }: ClusterOptions): Promise<{
  readonly near: WeftNodeFacts;
  readonly far: WeftNodeFacts | undefined;
  readonly image: string;
}> {
  const get = (path: string): Promise<unknown> => client.request(path, { signal });
  const image = readImage(await get(`/apis/apps/v1/namespaces/${WEFT}/daemonsets/weft`));
  if (image === undefined)
    throw new WeftError(
      'E_TEST_CLUSTER',
      'the DaemonSet weft has no container weft',
      'apply the manifest of Weft',
    );
  const selector = encodeURIComponent('app.kubernetes.io/name=weft');
  const pods = (await get(`/api/v1/namespaces/${WEFT}/pods?labelSelector=${selector}`)) as {
    readonly items?: unknown[];
  };
  const ready = readWeftNodes(pods.items ?? []).sort();
  const missing = asked.find((name) => !ready.includes(name));
  if (missing !== undefined)
    throw new WeftError(
      'E_TEST_CLUSTER',
      `Weft is not ready on a node ${printable(missing)}`,
      `give one of ${ready.slice(0, 10).join(', ')}`,
    );
  const [nearName, farName] = asked.length > 0 ? asked : ready;
  if (nearName === undefined)
    throw new WeftError('E_TEST_CLUSTER', 'Weft is ready on no node', "see 'kubectl -n weft get pods'");
  const facts = async (name: string): Promise<WeftNodeFacts> => ({
    name,
    addresses: readNode(await get(`/api/v1/nodes/${name}`))?.internalIps ?? [],
  });
  return {
    image,
    near: await facts(nearName),
    far: farName === undefined ? undefined : await facts(farName),
  };
}

async function enforcesPolicies({ client, signal }: ClusterOptions): Promise<boolean> {
  try {
    await client.request(`/apis/apps/v1/namespaces/${WEFT}/daemonsets/weft-npc`, { signal });
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}

/** The outcomes of a client as it prints them, until it is done or the time is over. */
async function* followed(
  namespace: TestNamespace,
  role: Role,
  checks: readonly Check[],
  node: string,
): AsyncGenerator<Finding> {
  const asked = { source: `${NAMESPACE}/${role}`, node };
  const left = new Map(checks.filter(({ name }) => name !== MARK).map((check) => [check.name, check]));
  const until = performance.now() + CLIENT_MS;
  while (left.size > 0 && performance.now() < until) {
    const { outcomes, isDone } = readLog(await namespace.log(role), readOutcome);
    for (const outcome of outcomes) {
      const check = left.get(outcome.name);
      if (check !== undefined && left.delete(outcome.name)) yield outcomeFinding(check, outcome, asked);
    }
    if (isDone) break;
    const phase = (await namespace.pod(role))?.phase;
    if (phase === 'Failed') break;
    await delay(LOOK_EVERY_MS, undefined, { signal: namespace.signal });
  }
  for (const check of left.values()) yield outcomeFinding(check, undefined, asked);
}

async function encryption(
  namespace: TestNamespace,
  seen: {
    readonly isWatched: boolean;
    readonly own: OwnLinks;
    readonly far: string;
    readonly addresses: number;
  },
): Promise<Finding> {
  const check = 'encryption';
  if (!seen.isWatched) {
    const why = (await namespace.pod('watcher').catch(() => undefined))?.waitsFor;
    return skipped(
      check,
      `nobody could look at what the node sends (${printable(why || 'the pod watcher did not start', 200)})`,
    );
  }
  await namespace.logHas('watcher', '"links"', WATCH_S * 1000);
  const line = (await namespace.log('watcher')).split('\n').find((each) => each.includes('"links"'));
  if (line === undefined)
    return fault(
      check,
      'the pod watcher saw nothing',
      "see its log before the namespace is removed, and 'weft doctor' on the node",
    );
  const { links } = JSON.parse(line) as Watched;
  const sent = CANARIES * seen.addresses;
  return {
    ...canaryVerdict({
      peers: [seen.far],
      tun: seen.own.tun,
      sent,
      captureByLink: new Map(Object.entries(links)),
    }),
    check,
  };
}
