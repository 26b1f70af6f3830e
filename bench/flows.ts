/**
 * What it costs to watch flows: a pod begins 10,000 connections a second, to its node's host, for some seconds at a time:
 * with nobody watching, with a reader that follows one port of all these, and with one that takes every row, in turn. Prints one
 * JSON line: the share of a core of weftd in each, how many connections came about, and its memory; what a reader got and lost;
 * how soon the command `weft flows` prints its first line, with nobody watching before, on a quiet node and after all these
 * connections; and the share of a core at rest.
 *
 * `bin/weft-node bench/flows.ts [rounds, default 5 [seconds, default 8]]`
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { askDaemon } from '../control/control-client.io.ts';
import type { FlowFilter, FlowsResult } from '../control/flow-request.ts';
import { Cluster } from '../test/cluster/cluster.ts';
import type { ClusterNode } from '../test/cluster/cluster-node.ts';
import type { ClusterPod } from '../test/cluster/cluster-pod.ts';
import { processFigures } from './process-figures.ts';
import { report, rounded, spread } from './report.ts';

const PER_SECOND = 10_000;
const WEFT = `${import.meta.dirname}/../bin/weft`;
const TARGETS = { cpuPercent: 10, idleCpuPercent: 0.3, firstLineMs: 100 } as const;
const PROGRAM = `${import.meta.dirname}/../test/netns/inside/begin-connections.ts`;
const WEFT_NODE = `${import.meta.dirname}/../bin/weft-node`;

/** Nobody watches any more 15 s after the last question. */
const UNWATCHED_MS = 18_000;

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

  const firstLineMs = { quiet: [] as number[], busy: [] as number[] };
  const figures = { unwatched: [] as number[], watched: [] as number[], everyRow: [] as number[] };
  const begun = { unwatched: [] as number[], watched: [] as number[], everyRow: [] as number[] };
  const megabytes = { unwatched: [] as number[], watched: [] as number[] };
  const loaded = async (how: keyof typeof figures): Promise<void> => {
    const work = async () => void begun[how].push(await beginConnections(pod));
    figures[how].push(await cpuPercent(off, work));
  };
  const memory = async (): Promise<number> =>
    processFigures((await off.ask('process')).pid).residentMegabytes;
  let [rows, lost, gaps] = [0, 0, 0];
  const every = { rows: 0, lost: 0 };
  for (let round = 0; round < rounds; round++) {
    if (round > 0) await pause(UNWATCHED_MS);
    firstLineMs.quiet.push(await firstLine(off));
    await pause(UNWATCHED_MS);
    await loaded('unwatched');
    megabytes.unwatched.push(await memory());
    firstLineMs.busy.push(await firstLine(off));
    const reader = follow(off, { port: 1_024 });
    await loaded('watched');
    const read = await reader.stop();
    rows += read.rows;
    lost += read.lost;
    gaps += read.gaps;
    const taker = follow(off, {});
    await loaded('everyRow');
    megabytes.watched.push(await memory());
    const taken = await taker.stop();
    every.rows += taken.rows;
    every.lost += taken.lost;
  }
  const [unwatched, watched] = [spread(figures.unwatched), spread(figures.watched)];
  const extra = rounded(watched.median - unwatched.median);
  report('flows', {
    rounds,
    seconds,
    connectionsPerSecond: {
      unwatched: spread(begun.unwatched),
      watched: spread(begun.watched),
      everyRow: spread(begun.everyRow),
    },
    residentMegabytes: { unwatched: spread(megabytes.unwatched), watched: spread(megabytes.watched) },
    cpuPercent: { unwatched, watched, extra, everyRow: spread(figures.everyRow) },
    idleCpuPercent: rounded(idleCpuPercent),
    firstLineMs: { quiet: spread(firstLineMs.quiet), busy: spread(firstLineMs.busy) },
    reader: { rows, lost, gaps },
    readerOfEveryRow: every,
    targets: TARGETS,
    ratioToTarget: {
      cpuPercent: rounded(extra / TARGETS.cpuPercent),
      firstLineMs: rounded(spread(firstLineMs.quiet).median / TARGETS.firstLineMs),
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

/** Milliseconds until the command has printed something. */
async function firstLine(node: ClusterNode): Promise<number> {
  const at = performance.now();
  const child = spawn(WEFT, ['--run-dir', node.runDir, 'flows'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  await once(child.stdout, 'data');
  const ms = performance.now() - at;
  child.stdout.resume();
  await ended;
  return ms;
}

function ask(
  node: ClusterNode,
  { cursor, filter }: { readonly cursor: string; readonly filter: FlowFilter },
): Promise<FlowsResult> {
  return askDaemon(node.runDir, { op: 'flows', want: 'follow', cursor, limit: 2_000, filter });
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
      const result = await ask(node, { cursor, filter });
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
