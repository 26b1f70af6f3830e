/**
 * How long attaching and detaching a pod takes with a real weftd, beside Debian's bridge + host-local plugins in the same run:
 *
 *   bench/cni-attach.ts [ROUNDS [PODS]]
 *
 * A round adds and deletes PODS pods one after the other with the one, then with the other. Prints one line of JSON:
 * percentiles over all rounds in milliseconds, from start to end of the plugin process, and their ratios (under 1:
 * weft is faster). The bridge gives its pods IPv4 alone, for with IPv6 it waits for duplicate address detection;
 * weft gives both. `together` is the time until PODS_TOGETHER pods that start, then end at once
 * are all attached, then detached.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from '../test/cluster/cluster.ts';
import { type PluginCall, runPlugin } from '../test/netns/cni-runner.ts';
import { Namespace } from '../test/netns/namespaces.ts';
import { percentile, report, rounded, spread } from './report.ts';

const PODS_TOGETHER = 100;
const TOGETHER_RUNS = 5;
const TOGETHER_TARGET_MS = 3_000;
const MAX_PODS = 200;

interface Contender {
  readonly binary: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly addMs: number[];
  readonly delMs: number[];
}

const rounds = Number(process.argv[2] ?? 5);
const podCount = Math.min(Number(process.argv[3] ?? 20), MAX_PODS);
const pods: Namespace[] = [];
const cluster = await Cluster.create();

try {
  const [node] = await cluster.startNodes(1);
  await node!.ready();
  for (let i = 0; i < Math.max(podCount, PODS_TOGETHER); i++) pods.push(await Namespace.create('cgm'));
  const weft = contender(undefined, {
    cniVersion: '1.0.0',
    name: 'weft',
    type: 'weft-net',
    runDir: node!.runDir,
  });
  const bridge = contender('/usr/lib/cni/bridge', {
    cniVersion: '1.0.0',
    name: 'bridge',
    type: 'bridge',
    bridge: 'cgbr0',
    isGateway: true,
    ipam: {
      type: 'host-local',
      dataDir: join(cluster.folder, 'host-local'),
      ranges: [[{ subnet: '10.99.0.0/16' }]],
      routes: [{ dst: '0.0.0.0/0' }],
    },
  });
  const contenders = existsSync('/usr/lib/cni/bridge') ? [weft, bridge] : [weft];
  for (const one of contenders) await attachOneByOne({ ...one, addMs: [], delMs: [] }, 3);
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const one of order) await attachOneByOne(one, podCount);
  }
  const attached: number[] = [];
  const detached: number[] = [];
  for (let run = 0; run < TOGETHER_RUNS; run++) {
    const { addMs, delMs } = await attachTogether(weft);
    attached.push(addMs);
    detached.push(delMs);
  }
  const times = { weft: summary(weft), bridge: summary(bridge) };
  const ratios = Object.fromEntries(
    Object.entries(times.weft).map(([name, ms]) => [
      name,
      rounded(ms / times.bridge[name as keyof typeof times.bridge]),
    ]),
  );
  report('cni-attach', {
    rounds,
    pods: podCount,
    ms: times,
    ratio: ratios,
    together: {
      pods: PODS_TOGETHER,
      attachMs: spread(attached),
      detachMs: spread(detached),
      attachTargetMs: TOGETHER_TARGET_MS,
      ratioToTarget: rounded(spread(attached).median / TOGETHER_TARGET_MS),
    },
  });
} finally {
  for (const namespace of pods) await namespace.delete();
  await cluster.destroy();
}

function contender(binary: string | undefined, config: Readonly<Record<string, unknown>>): Contender {
  return { binary, config, addMs: [], delMs: [] };
}

async function attachOneByOne(one: Contender, count: number): Promise<void> {
  for (let i = 0; i < count; i++) one.addMs.push(await call(one, 'ADD', i));
  for (let i = 0; i < count; i++) one.delMs.push(await call(one, 'DEL', i));
}

async function attachTogether(one: Contender): Promise<{ addMs: number; delMs: number }> {
  const started = performance.now();
  await Promise.all(Array.from({ length: PODS_TOGETHER }, (_, i) => call(one, 'ADD', i)));
  const added = performance.now();
  await Promise.all(Array.from({ length: PODS_TOGETHER }, (_, i) => call(one, 'DEL', i)));
  return { addMs: added - started, delMs: performance.now() - added };
}

async function call({ binary, config }: Contender, command: 'ADD' | 'DEL', i: number): Promise<number> {
  const pod: PluginCall = {
    command,
    node: `/run/netns/${cluster.nodes[0]!.namespace}`,
    containerId: `bench-${i}`,
    netns: pods[i]!.path,
    ifname: 'eth0',
    config,
  };
  const outcome = await runPlugin(binary === undefined ? pod : { ...pod, binary });
  if (outcome.code !== 0) throw new Error(`${command} failed: ${outcome.stdout}${outcome.stderr}`);
  return outcome.ms;
}

function summary({ addMs, delMs }: Contender): Record<'addP50' | 'addP95' | 'delP50' | 'delP95', number> {
  return {
    addP50: percentile(addMs, 0.5),
    addP95: percentile(addMs, 0.95),
    delP50: percentile(delMs, 0.5),
    delP95: percentile(delMs, 0.95),
  };
}
