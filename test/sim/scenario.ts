import { randomUnit } from '../../base/random.ts';
import { Insider, Outsider } from './attackers.ts';
import { Chaos, type ChaosCounts, type Convergence, converge } from './chaos.ts';
import { Simulation } from './simulation.ts';
import type { VirtualNode } from './virtual-node.ts';

/**
 * After healing, every node sees every other alive, they have one ring and reach each other within this. What it
 * takes: a dead path whose TCP links live is found by the tunnel's own pings alone, 10 to 15 s after it died
 * (router/tunnel/liveness.ts); all else is quicker, see the median that `npm run sim` prints.
 */
export const CONVERGE_LIMIT_MS = 20_000;
/** A pod has its addresses within this in a cluster that is well. */
const ALLOCATE_LIMIT_MS = 3_000;
/** How the cluster comes to its ring. */
const GENESES = ['seed', 'consensus'] as const;
/** Clocks of real machines differ by less than a thousandth; these by up to so much. */
const MAX_SKEW = 0.1;
const ELECTORS = 3;

/** What one run was like. */
export interface Outcome extends Convergence {
  readonly trace: string;
  readonly counts: ChaosCounts;
  /** Virtual milliseconds, times nodes. */
  readonly nodeMs: number;
}

/**
 * One run, as `seed` says: a cluster of `size` forms by a seed or by consensus, in chaos from the first moment or
 * after a while, with or without attackers, NATs and skewed clocks; then it heals, agrees, reaches itself and gives
 * out addresses. Throws a Violation where it does not, or where an invariant broke on the way.
 */
export function runSeed(seed: number, options: { readonly size: number; readonly chaosMs: number }): Outcome {
  const sim = new Simulation(seed);
  const { network, invariants } = sim;
  const genesis = sim.pick(GENESES)!;
  const nodes = cluster(sim, options.size, genesis);
  const oneRing = watchRings(sim, nodes);
  const attackers = network.chance(0.5) ? [new Outsider(sim), insider(sim, nodes)] : [];
  const chaos = new Chaos(sim, nodes, {
    attackers,
    // A seed that loses its disk, or a listed elector, has no vote of its own any more: that is what the others are
    // for. Here everybody else may, and electors as long as a majority keeps theirs (genesis.test.ts goes further).
    mayLoseDisk: (node) => (genesis === 'seed' ? node !== nodes[0] : nodes.indexOf(node) >= ELECTORS - 1),
  });
  for (const node of nodes) node.start();
  if (network.chance(0.5)) sim.run(5_000);
  chaos.rage(options.chaosMs);
  chaos.calm();
  const convergence = converge(sim, nodes, { limitMs: CONVERGE_LIMIT_MS, gone: chaos.gone });
  oneRing();
  givePods(sim, nodes);
  return {
    ...convergence,
    trace: invariants.trace,
    counts: chaos.counts,
    nodeMs: sim.queue.now * sim.nodes.length,
  };
}

function cluster(sim: Simulation, size: number, genesis: (typeof GENESES)[number]): VirtualNode[] {
  const { network } = sim;
  const electorate = Array.from({ length: ELECTORS }, (_, i) => Simulation.nameOf(i + 1));
  const nodes = Array.from({ length: size }, (_, i) =>
    sim.add({
      clockRate: 1 + MAX_SKEW * (2 * randomUnit(network.random) - 1),
      // The others dial it; it is behind a NAT and dials them.
      behindNat: i === size - 1 && i > 0 && network.chance(0.3),
      ipam:
        genesis === 'consensus'
          ? { init: i < ELECTORS ? { mode: 'consensus', electorate } : { mode: 'observer' } }
          : i === 0
            ? { init: { mode: 'seed' }, seedWaitMs: 1_500 }
            : {},
    }),
  );
  for (const node of nodes) node.setSeeds(nodes.slice(0, 2).map(({ host }) => host.published));
  return nodes;
}

function insider(sim: Simulation, nodes: readonly VirtualNode[]): Insider {
  const member = new Insider(sim);
  member.node.setSeeds([nodes[0]!.host.published]);
  member.node.start();
  return member;
}

/** There is never a second ring: looks at each change. Returns a check that there is one at all. */
export function watchRings(sim: Simulation, nodes: readonly VirtualNode[]): () => void {
  const rings = new Set<string>();
  sim.invariants.listen((node) => {
    const ring = nodes.includes(node) ? node.core?.ipam.status().ring : undefined;
    if (ring !== undefined) rings.add(ring);
    if (rings.size > 1) sim.invariants.fail(`${node.name} is in a second ring`);
  });
  return () => {
    if (rings.size !== 1) sim.invariants.fail('there is no ring');
  };
}

/** Every node attaches a pod, and every pod reaches the next node's. */
export function givePods(sim: Simulation, nodes: readonly VirtualNode[]): void {
  const { invariants } = sim;
  const container = 'last';
  for (const node of nodes) node.addPod(container);
  const waiting = (): VirtualNode[] => nodes.filter((node) => !node.podByContainer.has(container));
  if (sim.runUntil(() => waiting().length === 0, ALLOCATE_LIMIT_MS) === undefined)
    invariants.fail(`${waiting()[0]!.name} gave a pod no address within ${ALLOCATE_LIMIT_MS} ms`);
  const sent = nodes.map((node, i) => {
    const to = nodes[(i + 1) % nodes.length]!;
    return { node, to, id: sim.send(node, container, to, container)! };
  });
  sim.run(ALLOCATE_LIMIT_MS);
  const lost = sent.find(({ id, node, to }) => node !== to && !invariants.hasArrived(id));
  if (lost !== undefined) invariants.fail(`a pod of ${lost.node.name} does not reach one of ${lost.to.name}`);
}
