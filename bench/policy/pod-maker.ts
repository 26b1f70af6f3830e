/**
 * Makes pods in an API server, as the scheduler and kubelets would, and takes them away again: for benchmarks of what
 * follows the API. It runs where the API server can be reached.
 *
 *   pod-maker.ts KUBECONFIG     KUBECONFIG is JSON with a token
 *
 * A command a line, JSON: `{"make": {"from": N, "to": N, "perNode": N}}` makes pods that run, as fast as may be;
 * `{"churn": {"from": N, "count": N, "perMinute": N, "nodes": N}}` makes them one after the other through all that becomes
 * of a pod, and deletes each after 10 s; `{"change": {"what": "labels", "count": N,
 * "everyMs": N, "round": N, "pods": N}}` changes the labels of pods, or with "policies" policies, one after the
 * other; each round makes other changes of the same. One line answers each: `{"uids": […]}`.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { benchPod, benchPolicy, KINDS_WITH_PORT } from './policy-cluster.ts';

const AT_ONCE = 24;
const LIFE_MS = 10_000;

interface Kubeconfig {
  readonly clusters: readonly [{ cluster: { server: string; 'certificate-authority-data': string } }];
  readonly users: readonly [{ user: { token: string } }];
}

const config = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Kubeconfig;
const { server, 'certificate-authority-data': authority } = config.clusters[0].cluster;
const { token } = config.users[0].user;
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE, ca: Buffer.from(authority, 'base64') });

async function ask(method: string, path: string, body: object): Promise<{ metadata?: { uid: string } }> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const text = JSON.stringify(body);
  // Node.js itself tells no length for a DELETE.
  const length = Buffer.byteLength(text);
  const headers = { authorization: `Bearer ${token}`, 'content-type': type, 'content-length': length };
  const asked = request(`${server}${path}`, { method, headers, agent }, (response) => {
    let answer = '';
    response.on('data', (data: Buffer) => {
      answer += data.toString();
    });
    response.on('error', reject);
    response.on('end', () => {
      if ((response.statusCode ?? 500) < 300) resolve(answer);
      else reject(new Error(`${method} ${path}: ${response.statusCode} ${answer.slice(0, 300)}`));
    });
  });
  asked.on('error', reject);
  asked.end(text);
  return JSON.parse(await promise) as { metadata?: { uid: string } };
}

interface Planned {
  readonly folder: string;
  readonly name: string;
  readonly node: string;
  readonly labels: object;
  readonly addresses: readonly string[];
}

function plan(number: number, node: string): Planned {
  const pod = benchPod(number, { pods: 0, policies: 0, local: 1 }, { node });
  const { metadata } = pod.object as { metadata: { labels: object } };
  const { name, addresses } = pod;
  return {
    folder: `/api/v1/namespaces/${pod.namespace}/pods`,
    name,
    node,
    labels: metadata.labels,
    addresses,
  };
}

/** About as much as a usual pod says of itself. */
function manifest({ name, labels }: Planned, nodeName?: string): object {
  const probe = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 10 };
  const env = Array.from({ length: 12 }, (_, i) => ({ name: `SETTING_${i}`, value: `value of it, ${i}` }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels, annotations: { 'example.test/checksum': 'c'.repeat(64) } },
    spec: {
      ...(nodeName === undefined ? {} : { nodeName }),
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'c',
          image: 'registry.test/team/app:1.2.3',
          env,
          ports: [{ name: 'web', containerPort: 8080 }],
          resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
          readinessProbe: probe,
          livenessProbe: probe,
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
      ],
      volumes: [{ name: 'data', emptyDir: {} }],
    },
  };
}

const running = ({ addresses }: Planned): object => ({
  status: {
    phase: 'Running',
    podIP: addresses[0],
    podIPs: addresses.map((ip) => ({ ip })),
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: new Date().toISOString(),
    })),
  },
});

async function makeRunning(number: number, node: string): Promise<string> {
  const planned = plan(number, node);
  const { metadata } = await ask('POST', planned.folder, manifest(planned, planned.node));
  await ask('PATCH', `${planned.folder}/${planned.name}/status`, running(planned));
  return metadata!.uid;
}

/** As it goes in a cluster: made, bound, its containers made, running, deleted. */
async function live(number: number, nodes: number): Promise<string> {
  const planned = plan(number, `n${number % nodes}`);
  const path = `${planned.folder}/${planned.name}`;
  const { metadata } = await ask('POST', planned.folder, manifest(planned));
  const target = { apiVersion: 'v1', kind: 'Node', name: planned.node };
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: planned.name }, target };
  await ask('POST', `${path}/binding`, binding);
  await ask('PATCH', `${path}/status`, { status: { phase: 'Pending', hostIP: '192.0.2.99' } });
  await ask('PATCH', `${path}/status`, running(planned));
  await delay(LIFE_MS);
  await ask('DELETE', path, { gracePeriodSeconds: 0 });
  return metadata!.uid;
}

interface Command {
  readonly make?: { readonly from: number; readonly to: number; readonly perNode: number };
  readonly churn?: {
    readonly from: number;
    readonly count: number;
    readonly perMinute: number;
    readonly nodes: number;
  };
  readonly change?: ChangeCommand;
}

interface ChangeCommand {
  readonly what: 'labels' | 'policies';
  readonly count: number;
  readonly everyMs: number;
  readonly round: number;
  /** How many there are. */
  readonly pods: number;
}

/** Another label of a pod, every other one on the node that is looked at; or another port of a policy. */
async function change(number: number, { what, round, pods }: ChangeCommand): Promise<void> {
  if (what === 'labels') {
    // Those of the first node are the first of all.
    const changed = number % 2 === 0 ? number : pods - 1 - number;
    const { namespace, name } = benchPod(changed, { pods, policies: 0, local: 1 });
    const labels = { app: `app-${(number + round) % 10}`, changed: String(round) };
    await ask('PATCH', `/api/v1/namespaces/${namespace}/pods/${name}`, { metadata: { labels } });
    return;
  }
  const one = (number % 100) + 100 * KINDS_WITH_PORT[Math.floor(number / 100) % KINDS_WITH_PORT.length]!;
  const { metadata, spec } = benchPolicy(one, 1_000 + round) as {
    metadata: { namespace: string; name: string };
    spec: object;
  };
  const path = `/apis/networking.k8s.io/v1/namespaces/${metadata.namespace}/networkpolicies/${metadata.name}`;
  await ask('PATCH', path, { spec });
}

async function carryOut({ make, churn, change: changes }: Command): Promise<string[]> {
  const uids: string[] = [];
  if (make !== undefined) {
    let next = make.from;
    const worker = async (): Promise<void> => {
      while (next < make.to) {
        const number = next++;
        uids[number - make.from] = await makeRunning(number, `n${Math.floor(number / make.perNode)}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }
  if (churn !== undefined) {
    const begun = performance.now();
    const lives: Promise<string>[] = [];
    for (let i = 0; i < churn.count; i++) {
      await delay(Math.max(0, begun + (i * 60_000) / churn.perMinute - performance.now()));
      lives.push(live(churn.from + i, churn.nodes));
    }
    uids.push(...(await Promise.all(lives)));
  }
  if (changes !== undefined) {
    const { count, everyMs } = changes;
    const begun = performance.now();
    for (let i = 0; i < count; i++) {
      await delay(Math.max(0, begun + i * everyMs - performance.now()));
      await change(i, changes);
    }
  }
  return uids;
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ uids: await carryOut(JSON.parse(line) as Command) }));
}
process.exit(0);
