/**
 * What Weft's pods cost in a cluster of three nodes: memory and CPU of the processes in the container at rest and with
 * 200 pods, and how often each node asks the API server at rest, by that server's own audit log. Prints one JSON line.
 *
 * `bin/weft-node bench/k8s-daemon.ts [minutes of rest, default 7 [seconds of each look, default 60]]`
 */

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { apiRequests } from '../test/lab/api-audit.ts';
import { allPids } from '../test/lab/harness/process-id.ts';
import { takeDown } from '../test/lab/harness/take-down.ts';
import { WeftLab } from '../test/lab/weft-lab.ts';
import { idlePod, PodStarts } from './pod-starts/pod-starts.ts';
import { type ProcessFigures, processFigures } from './process-figures.ts';
import { report, rounded, spread } from './report.ts';

const PODS = 200;
/** What starts leave behind is over by then. */
const SETTLE_MS = 20_000;
const TARGETS = { residentMegabytes: 150, cpuPercent: 1, apiRequestsPerMinute: 2 } as const;

const restMinutes = Number(process.argv[2] ?? 7);
const lookSeconds = Number(process.argv[3] ?? 60);

try {
  const weft = await WeftLab.up();
  await weft.settled();
  await pause(SETTLE_MS);
  const [requests, idle] = await Promise.all([requestsAtRest(weft), look(weft)]);

  const { nodes } = weft.lab;
  const starts = await PodStarts.begin(weft.lab);
  const pods = Array.from({ length: PODS }, (_, i) => idlePod(`many-${i}`, nodes[i % nodes.length]!.name));
  const startedMs = await starts.create(pods);
  await starts.end();
  await pause(SETTLE_MS);
  const manyPods = await look(weft);
  report('k8s-daemon', {
    nodes: nodes.length,
    idle,
    manyPods: { pods: PODS, startedMs: rounded(startedMs), ...manyPods },
    api: requests,
    targets: TARGETS,
    ratioToTarget: {
      residentMegabytes: rounded(manyPods.residentMegabytes.max / TARGETS.residentMegabytes),
      cpuPercent: rounded(idle.cpuPercent.median / TARGETS.cpuPercent),
      apiRequestsPerMinute: rounded(requests.perMinuteANode.max / TARGETS.apiRequestsPerMinute),
    },
  });
} finally {
  await takeDown();
}

/** Leaves the cluster alone for `restMinutes` and counts what the nodes ask meanwhile. */
async function requestsAtRest({ lab }: WeftLab) {
  const since = Date.now();
  await pause(restMinutes * 60_000);
  const requests = apiRequests(lab.controlPlane.machine).filter(({ at }) => at >= since);
  const countByWhat: Record<string, number> = {};
  for (const { what } of requests) countByWhat[what] = (countByWhat[what] ?? 0) + 1;
  const ofNode = lab.nodes.map(({ name }) => requests.filter(({ node }) => node === name).length);
  return {
    minutes: restMinutes,
    perMinuteANode: spread(ofNode.map((count) => count / restMinutes)),
    countByRequest: countByWhat,
  };
}

/** Memory and CPU of the container of each node over `lookSeconds`, from the least to the most. */
async function look(weft: WeftLab) {
  const pidsByNode = await Promise.all(weft.lab.nodes.map(({ name }) => containerProcesses(weft, name)));
  const before = pidsByNode.map(figuresOf);
  await pause(lookSeconds * 1000);
  const after = pidsByNode.map(figuresOf);
  const share = after.map((is, i) => (is.cpuSeconds - before[i]!.cpuSeconds) / (is.at - before[i]!.at));
  return {
    residentMegabytes: spread(after.map(({ residentMegabytes }) => residentMegabytes)),
    cpuPercent: spread(share.map((coreSecondsPerMs) => 100_000 * coreSecondsPerMs)),
    wakeUpsPerSecond: spread(after.map((is, i) => (is.wakeUps - before[i]!.wakeUps) / lookSeconds)),
  };
}

/** The processes of Weft's container on a node. */
async function containerProcesses(weft: WeftLab, node: string): Promise<number[]> {
  const [container] = (await weft.podOn(node)).status.containerStatuses;
  const id = container.containerID.replace('containerd://', '');
  const pids = allPids().filter((pid) => cgroupsOf(pid).includes(id));
  if (pids.length === 0) throw new Error(`no process of weft is found on ${node}`);
  return pids;
}

/** All of them together. */
function figuresOf(pids: readonly number[]): ProcessFigures {
  const each = pids.map(processFigures);
  const sum = (of: (figures: ProcessFigures) => number): number =>
    each.reduce((total, one) => total + of(one), 0);
  return {
    at: each[0]!.at,
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    residentMegabytes: sum(({ residentMegabytes }) => residentMegabytes),
    proportionalMegabytes: sum(({ proportionalMegabytes }) => proportionalMegabytes),
    wakeUps: sum(({ wakeUps }) => wakeUps),
  };
}

/** Empty where the process is gone. */
function cgroupsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return '';
  }
}
