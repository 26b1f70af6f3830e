/**
 * How long a pod takes from its creation until it runs, with Weft and, in the same run, with Debian's bridge + host-local
 * plugins: labs of three nodes with the one and the other in turn, in each some pods one after the other and some all at
 * once. Prints one JSON line with percentiles over all labs and their ratios (under 1: Weft is faster).
 *
 * `bin/weft-node bench/k8s-pod-start.ts [labs of each, default 2 [pods one after the other, default 20]]`
 */
import { Lab } from '../test/lab/harness/lab.ts';
import { takeDown } from '../test/lab/harness/take-down.ts';
import { WeftLab } from '../test/lab/weft-lab.ts';
import { idlePod, type PodStart, PodStarts } from './pod-starts/pod-starts.ts';
import { percentile, report, rounded, spread } from './report.ts';

const PODS_TOGETHER = 50;
const CROWDS_A_LAB = 2;
/** Pods that are started one after the other begin at other moments of the kubelet's second each. */
const PHASE_STEP_MS = 618;

const SIDES = ['weft', 'bridge'] as const;
type Side = (typeof SIDES)[number];

interface Taken {
  readonly inTurn: PodStart[];
  readonly together: PodStart[];
  readonly allTogetherMs: number[];
}

const labs = Number(process.argv[2] ?? 2);
const podsInTurn = Number(process.argv[3] ?? 20);
const taken: Record<Side, Taken> = { weft: nothing(), bridge: nothing() };
try {
  for (let round = 0; round < labs; round++) {
    for (const side of SIDES) {
      const lab = side === 'weft' ? (await WeftLab.up()).lab : await Lab.up({ cni: 'bridge' });
      await measure(lab, taken[side]);
      await lab.down();
    }
  }
  report('k8s-pod-start', {
    labs,
    inTurn: beside('inTurn'),
    together: {
      ...beside('together'),
      allMs: { weft: spread(taken.weft.allTogetherMs), bridge: spread(taken.bridge.allTogetherMs) },
    },
  });
} finally {
  await takeDown();
}

function nothing(): Taken {
  return { inTurn: [], together: [], allTogetherMs: [] };
}

async function measure(lab: Lab, into: Taken): Promise<void> {
  const starts = await PodStarts.begin(lab);
  const nodeOf = (i: number): string => lab.nodes[i % lab.nodes.length]!.name;
  // The first pod of a node finds caches cold.
  await starts.create(lab.nodes.map(({ name }) => idlePod(`first-${name}`, name)));
  for (let i = 0; i < podsInTurn; i++) {
    await new Promise((resolve) => setTimeout(resolve, (i * PHASE_STEP_MS) % 1_000));
    await starts.create([idlePod(`turn-${i}`, nodeOf(i))]);
    into.inTurn.push(...starts.times());
  }
  await starts.clear();
  for (let crowd = 0; crowd < CROWDS_A_LAB; crowd++) {
    const pods = Array.from({ length: PODS_TOGETHER }, (_, i) => idlePod(`crowd-${crowd}-${i}`, nodeOf(i)));
    into.allTogetherMs.push(await starts.create(pods));
    into.together.push(...starts.times());
    await starts.clear();
  }
  await starts.end();
}

function beside(what: 'inTurn' | 'together'): Record<string, unknown> {
  const ms = { weft: summary(taken.weft[what]), bridge: summary(taken.bridge[what]) };
  const ratio = Object.fromEntries(
    Object.entries(ms.weft).map(([name, value]) => [name, rounded(value / ms.bridge[name]!)]),
  );
  return { pods: taken.weft[what].length, ms, ratio };
}

/** `startedP50`, `startedP95`, `runningP50`… */
function summary(starts: readonly PodStart[]): Record<string, number> {
  const figures = (['started', 'running', 'sandbox'] as const).flatMap((name) => {
    const values = starts.map((start) => start[`${name}Ms`]);
    return [0.5, 0.95].map((share) => [`${name}P${share * 100}`, percentile(values, share)] as const);
  });
  return Object.fromEntries(figures);
}
