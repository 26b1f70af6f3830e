/**
 * What it costs to watch flows: a pod begins 10,000 connections a second, to its node's host, for some seconds at a time:
 * with nobody watching, with a reader that follows one port of all these, and with one that takes every row, in turn. Prints one JSON line: the
 * share of a core of weftd in each, what a reader got and lost, how soon the first row of `flows` is there, and the share of
 * a core at rest.
 *
 * `bin/weft-node bench/flows.ts [rounds, default 5 [seconds, default 8]]`
 */
import { setTimeout as pause } from 'node:timers/promises';
import { askDaemon } from '../control/control-client.io.ts';
import type { FlowFilter, FlowsResult } from '../control/flow-request.ts';
import { Cluster } from '../test/cluster/cluster.ts';
import type { ClusterNode } from '../test/cluster/cluster-node.ts';
import type { ClusterPod } from '../test/cluster/cluster-pod.ts';
import { processFigures } from './process-figures.ts';
import { report, rounded, spread } from './report.ts';

const PER_SECOND = 10_000;
const TARGETS = { cpuPercent: 10, idleCpuPercent: 0.3, firstRowMs: 100 } as const;
const PROGRAM = `${import.meta.dirname}/../test/netns/inside/begin-connections.ts`;
const WEFT_NODE = `${import.meta.dirname}/../bin/weft-node`;

const rounds = Number(process.argv[2] ?? 5);
const seconds = Number(process.argv[3] ?? 8);

const cluster = await Cluster.create();
try {
  const off = await cluster.addNode('off', { args: ['--ipalloc-init', 'seed'] });
  await off.start();
  await off.ready();
  const pod = await off.attachPod('p');
  for (const name of ['udp_timeout', 'udp_timeout_stream'])
    await off.run(['sysctl', '-qw', `net.netfilter.nf_conntrack_${name}=1`]);
  await pause(5_000);
  const idleCpuPercent = await cpuPercent(off, () => pause(20_000));

  const firstRowMs: number[] = [];
  const figures = { unwatched: [] as number[], watched: [] as number[], everyRow: [] as number[] };
  const begun: number[] = [];
  let [rows, lost, gaps] = [0, 0, 0];
  const every = { rows: 0, lost: 0 };
  for (let round = 0; round < rounds; round++) {
    // Nobody watches any more 15 s after the last question.
    if (round > 0) await pause(18_000);
    figures.unwatched.push(await cpuPercent(off, async () => void begun.push(await beginConnections(pod))));
    const at = performance.now();
    await ask(off, { want: 'open', filter: {} });
    firstRowMs.push(performance.now() - at);
    const reader = follow(off, { port: 1_024 });
    figures.watched.push(await cpuPercent(off, async () => void begun.push(await beginConnections(pod))));
    const read = await reader.stop();
    rows += read.rows;
    lost += read.lost;
    gaps += read.gaps;
    const taker = follow(off, {});
    figures.everyRow.push(await cpuPercent(off, async () => void begun.push(await beginConnections(pod))));
    const taken = await taker.stop();
    every.rows += taken.rows;
    every.lost += taken.lost;
  }
  const [unwatched, watched] = [spread(figures.unwatched), spread(figures.watched)];
  const extra = rounded(watched.median - unwatched.median);
  report('flows', {
    rounds,
    seconds,
    connectionsPerSecond: spread(begun),
    cpuPercent: { unwatched, watched, extra, everyRow: spread(figures.everyRow) },
    idleCpuPercent: rounded(idleCpuPercent),
    firstRowMs: spread(firstRowMs),
    reader: { rows, lost, gaps },
    readerOfEveryRow: every,
    targets: TARGETS,
    ratioToTarget: {
      cpuPercent: rounded(extra / TARGETS.cpuPercent),
      firstRowMs: rounded(spread(firstRowMs).median / TARGETS.firstRowMs),
    },
  });
} finally {
  await cluster.destroy();
}

/** How many a second it came to. */
async function beginConnections(from: ClusterPod): Promise<number> {
  const argv = [WEFT_NODE, PROGRAM, from.node.host.v4, String(PER_SECOND * seconds), String(PER_SECOND)];
  const { stdout } = await from.run(argv, { timeoutMs: 3_000 * seconds });
  return (JSON.parse(stdout) as { perSecond: number }).perSecond;
}

/** The share of a core that a node's weftd takes while `work` is under way. */
async function cpuPercent(node: ClusterNode, work: () => Promise<unknown>): Promise<number> {
  const { pid } = await node.ask('process');
  const before = processFigures(pid);
  await work();
  const after = processFigures(pid);
  return (100 * (after.cpuSeconds - before.cpuSeconds) * 1000) / (after.at - before.at);
}

function ask(
  node: ClusterNode,
  { want, cursor = '', filter }: { want: 'open' | 'follow'; cursor?: string; filter: FlowFilter },
): Promise<FlowsResult> {
  return askDaemon(node.runDir, { op: 'flows', want, cursor, limit: want === 'open' ? 500 : 2_000, filter });
}

/** A reader that follows, as fast as it can. */
function follow(
  node: ClusterNode,
  filter: FlowFilter,
): { stop(): Promise<{ rows: number; lost: number; gaps: number }> } {
  let isOver = false;
  const read = { rows: 0, lost: 0, gaps: 0 };
  const reading = (async () => {
    for (let cursor = ''; !isOver; ) {
      const result = await ask(node, { want: 'follow', cursor, filter });
      cursor = result.cursor;
      read.rows += result.rows.length;
      read.lost += result.lost;
      read.gaps += result.rows.filter(({ kind }) => kind === 'gap').length;
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await reading;
      return read;
    },
  };
}
