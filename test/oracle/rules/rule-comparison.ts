import type { Cluster, Flow } from '../api-objects.ts';
import { changeCluster } from '../cluster-change.ts';
import { generateCluster } from '../cluster-generator.ts';
import { Dice } from '../dice.ts';
import { endOf, nameOf } from '../ends.ts';
import { generateFlows } from '../flow-generator.ts';
import { minimise } from '../minimise.ts';
import { judge } from '../oracle.ts';
import { CompiledNode } from './compiled-node.ts';
import { attachedPods, type Passage, type RuledNode, walkFlow } from './node-walk.ts';

/** A packet that the rules of a node treat in another way than the oracle says. */
export interface RuleMismatch {
  readonly flow: Flow;
  /** `the first packet at n1`, and whether it passes there. */
  readonly what: string;
  readonly passes: boolean;
  readonly why: readonly string[];
}

/** The names of the nodes on which pods hang. */
export function nodesWithPods(cluster: Cluster): string[] {
  const names = new Set(cluster.pods.flatMap(({ spec: { nodeName } }) => (nodeName ? [nodeName] : [])));
  return [...names].filter((name) => attachedPods(cluster, name).length > 0);
}

/** The rules of every node with pods, each compiled from nothing; `isApiBehind` as in {@link CompiledNode}. */
export function compileAll(cluster: Cluster, dice: Dice, isApiBehind = false): RuledNode[] {
  return nodesWithPods(cluster).map((name, i) => {
    const node = new CompiledNode(name, i === 1);
    node.become(cluster, dice, isApiBehind);
    return node.ruled();
  });
}

/** The first packet of a flow, whose pods all hang on nodes, that passes one node too many or too few, or undefined. */
export function compareFlow(
  cluster: Cluster,
  nodes: readonly RuledNode[],
  flow: Flow,
): RuleMismatch | undefined {
  const attached = new Set(nodes.flatMap(({ linkByPod }) => [...linkByPod.keys()]));
  const ends = [flow.source, flow.destination].map((end) => endOf(cluster, end, flow.family));
  if (!ends.every(({ pod }) => pod === undefined || attached.has(nameOf(pod)))) return undefined;
  const judgement = judge(cluster, flow);
  const mismatch = compareFates(walkFlow(cluster, nodes, flow), judgement.allowed);
  if (mismatch !== undefined) return { flow, ...mismatch, why: judgement.why };
  if (flow.protocol !== 'TCP' || flow.viaService === true) return undefined;
  // Whoever began this connection, the source or the destination, it must be allowed.
  const sourcePort = flow.port === 80 ? 81 : 80;
  const turned = judge(cluster, {
    ...flow,
    source: flow.destination,
    destination: flow.source,
    port: sourcePort,
  });
  const fates = walkFlow(cluster, nodes, flow, { isUnsure: true, sourcePort });
  const unsure = compareFates(fates, judgement.allowed && turned.allowed);
  if (unsure === undefined) return undefined;
  return {
    flow,
    ...unsure,
    what: `without SYN, ${unsure.what}`,
    why: [...judgement.why, 'turned:', ...turned.why],
  };
}

/** A flow is dropped at the first node that denies it: one must where it is denied, and none where it is allowed. */
function compareFates(
  passages: readonly Passage[],
  allowed: boolean,
): Pick<RuleMismatch, 'what' | 'passes'> | undefined {
  const passagesByPacket = Map.groupBy(passages, ({ what }) => what.replace(/ at .*/, ''));
  for (const [what, at] of passagesByPacket) {
    const passes = at.every((passage) => passage.passes);
    if (passes !== allowed)
      return { what: `${what} at ${at.map(({ what: where }) => where.split(' at ')[1]).join(', ')}`, passes };
  }
  return undefined;
}

/** Compares flows of the cluster with this number among those of the seed, at every node. */
export function compareRules({
  seed,
  index,
  flows,
}: {
  readonly seed: number;
  readonly index: number;
  readonly flows: number;
}): (RuleMismatch & { readonly cluster: Cluster }) | undefined {
  const dice = new Dice(seed, index);
  const cluster = generateCluster(dice);
  const nodes = compileAll(cluster, dice, dice.chance(20));
  for (const flow of generateFlows(dice, cluster, flows)) {
    const mismatch = compareFlow(cluster, nodes, flow);
    if (mismatch !== undefined) return { ...mismatch, cluster };
  }
  return undefined;
}

/** A mismatch with as few objects as still show it, if it shows without what went before. */
export function minimiseRuleMismatch(
  mismatch: RuleMismatch & { readonly cluster: Cluster },
): RuleMismatch & { readonly cluster: Cluster } {
  const { flow } = mismatch;
  const compare = (cluster: Cluster): RuleMismatch | undefined =>
    compareFlow(cluster, compileAll(cluster, new Dice(0)), flow);
  const cluster = minimise(mismatch.cluster, (smaller) => compare(smaller) !== undefined);
  return { ...mismatch, ...compare(cluster), cluster };
}

/**
 * The same of rules that were not compiled from nothing: each node is told of the cluster, and then of all that changes in
 * it, `steps` times.
 */
export function compareChangingRules(
  { seed, index, flows }: { readonly seed: number; readonly index: number; readonly flows: number },
  steps: number,
): (RuleMismatch & { readonly cluster: Cluster }) | undefined {
  const dice = new Dice(seed, index);
  let cluster = generateCluster(dice);
  const nodeByName = new Map<string, CompiledNode>();
  for (let step = 0; step < steps; step++) {
    for (const name of new Set([...nodeByName.keys(), ...nodesWithPods(cluster)])) {
      const node = nodeByName.get(name) ?? new CompiledNode(name);
      nodeByName.set(name, node);
      node.become(cluster, dice, dice.chance(20));
    }
    const nodes = [...nodeByName.values()].map((node) => node.ruled());
    for (const flow of generateFlows(dice, cluster, flows)) {
      const mismatch = compareFlow(cluster, nodes, flow);
      if (mismatch !== undefined) return { ...mismatch, cluster };
    }
    cluster = changeCluster(dice, cluster, generateCluster(dice));
  }
  return undefined;
}
