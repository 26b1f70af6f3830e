import type { Cluster, Flow } from './api-objects.ts';
import { generateCluster } from './cluster-generator.ts';
import { Dice } from './dice.ts';
import { generateFlows } from './flow-generator.ts';
import { minimise } from './minimise.ts';
import { judge } from './oracle.ts';

/** What is compared with the oracle: takes a cluster in, and says of each flow whether it is allowed. */
export type Evaluator = (cluster: Cluster) => (flow: Flow) => boolean;

/** A flow of which the oracle says something else than what is compared with it. */
export interface Mismatch {
  readonly cluster: Cluster;
  readonly flow: Flow;
  /** What the oracle says. */
  readonly allowed: boolean;
  readonly why: readonly string[];
}

/** Compares flows of the cluster with this number among those of the seed; the first mismatch, or undefined. */
export function compareCluster(
  evaluator: Evaluator,
  { seed, index, flows }: { readonly seed: number; readonly index: number; readonly flows: number },
): Mismatch | undefined {
  const dice = new Dice(seed, index);
  const cluster = generateCluster(dice);
  const isAllowed = evaluator(cluster);
  for (const flow of generateFlows(dice, cluster, flows)) {
    const { allowed, why } = judge(cluster, flow);
    if (isAllowed(flow) !== allowed) return { cluster, flow, allowed, why };
  }
  return undefined;
}

/** A mismatch with as few objects as still show it. */
export function minimiseMismatch(evaluator: Evaluator, { cluster, flow }: Mismatch): Mismatch {
  const smaller = minimise(cluster, (one) => evaluator(one)(flow) !== judge(one, flow).allowed);
  const { allowed, why } = judge(smaller, flow);
  return { cluster: smaller, flow, allowed, why };
}
