import type { PeerId } from '../../base/peer-id.ts';
import { randomUnit } from '../../base/random.ts';
import type { Attacker } from './attackers.ts';
import { disagreements, type Simulation } from './simulation.ts';
import type { Host } from './virtual-network.ts';
import { FAIR_WEATHER } from './virtual-network.ts';
import type { VirtualNode } from './virtual-node.ts';

/** Pods a node, at most. */
const MAX_PODS = 12;
/** How long things stay bad: up to these, each drawn anew. */
const MAX_DOWN_MS = 20_000;
const MAX_PAUSE_MS = 15_000;
const MAX_FULL_MS = 15_000;
const MAX_GAP_MS = 1_200;
const PING_TIMEOUT_MS = 500;
/** A suspicion that nobody confirms runs for 12 s (gossip/swim/membership.ts), after a round of probes. */
export const BURIED_LIMIT_MS = 30_000;

/** How much of what happened, to see that a run was no walk in the park. */
export type ChaosCounts = Record<string, number>;

/**
 * Does random harm to a cluster, and random work with it, as its seed says: storms, partitions of all kinds, kills,
 * power losses, reboots, full disks, lost disks, stopped processes, NATs that rebind; pods that come, go and talk.
 */
export class Chaos {
  readonly #sim: Simulation;
  readonly #nodes: readonly VirtualNode[];
  /** Whose disk may be lost: never one that alone may start the ring. */
  readonly #maySuffer: (node: VirtualNode) => boolean;
  readonly #attackers: readonly Attacker[];
  readonly counts: ChaosCounts = {};
  /** Identities that were on lost disks. */
  readonly gone: PeerId[] = [];
  readonly #downUntil = new Map<VirtualNode, number>();
  readonly #pausedUntil = new Map<VirtualNode, number>();
  readonly #fullUntil = new Map<VirtualNode, number>();
  #lastPod = 0;

  constructor(
    sim: Simulation,
    nodes: readonly VirtualNode[],
    options: {
      readonly mayLoseDisk?: (node: VirtualNode) => boolean;
      readonly attackers?: readonly Attacker[];
    } = {},
  ) {
    this.#sim = sim;
    this.#nodes = nodes;
    this.#maySuffer = options.mayLoseDisk ?? (() => false);
    this.#attackers = options.attackers ?? [];
  }

  /** Goes on for `ms`. */
  rage(ms: number): void {
    const { network, queue } = this.#sim;
    const end = queue.now + ms;
    while (queue.now < end) {
      this.#act();
      this.#sim.run(1 + randomUnit(network.random) * MAX_GAP_MS);
      this.#revive();
    }
  }

  /** Ends all harm: the weather is fair, everybody runs and reaches everybody. */
  calm(): void {
    this.#sim.network.weather = { ...FAIR_WEATHER };
    this.#sim.heal();
    for (const node of this.#nodes) {
      node.resume();
      node.store.full = false;
      node.start();
    }
    this.#downUntil.clear();
    this.#pausedUntil.clear();
    this.#fullUntil.clear();
  }

  #act(): void {
    const actions: readonly (readonly [weight: number, name: string, act: () => boolean | undefined])[] = [
      [6, 'addPod', () => this.#addPod()],
      [3, 'removePod', () => this.#removePod()],
      [12, 'talk', () => this.#talk()],
      [2, 'weather', () => this.#weather()],
      [2, 'partition', () => this.#partition()],
      [1, 'partialPartition', () => this.#cutPairs(true)],
      [1, 'oneWay', () => this.#cutPairs(false)],
      [3, 'heal', () => this.#heal()],
      [1.5, 'kill', () => this.#kill(false)],
      [1, 'powerLoss', () => this.#kill(true)],
      [0.7, 'diskFull', () => this.#failDisk()],
      [0.4, 'loseDisk', () => this.#loseDisk()],
      [1.5, 'pause', () => this.#pause()],
      [1, 'rebind', () => this.#rebind()],
      [6 * this.#attackers.length, 'attack', () => this.#attack()],
    ];
    let at = randomUnit(this.#sim.network.random) * actions.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, name, act] of actions) {
      at -= weight;
      if (at >= 0) continue;
      if (act() !== false) this.counts[name] = (this.counts[name] ?? 0) + 1;
      return;
    }
  }

  #addPod(): boolean {
    const node = this.#anyRunning();
    if (node === undefined || node.podByContainer.size >= MAX_PODS) return false;
    node.addPod(`pod${++this.#lastPod}`);
    return true;
  }

  #removePod(): boolean {
    const node = this.#anyRunning();
    const container = node && !node.paused ? this.#sim.pick([...node.podByContainer.keys()]) : undefined;
    if (container === undefined) return false;
    node!.removePod(container);
    return true;
  }

  #talk(): boolean {
    const pods = this.#nodes
      .filter((node) => node.running)
      .flatMap((node) => [...node.podByContainer.keys()].map((container) => ({ node, container })));
    for (let i = 0; i < 8; i++) {
      const [a, b] = [this.#sim.pick(pods), this.#sim.pick(pods)];
      if (a === undefined || b === undefined || a.node === b.node) continue;
      this.#sim.send(a.node, a.container, b.node, b.container, this.#sim.network.below(1200));
    }
    return pods.length > 0;
  }

  #weather(): undefined {
    const { network } = this.#sim;
    const up = (limit: number): number => (network.chance(0.3) ? 0 : limit * randomUnit(network.random));
    network.weather = {
      loss: up(0.3),
      duplicate: up(0.1),
      reorder: up(0.2),
      delayMs: 0.2 + up(60),
      jitterMs: up(40),
    };
  }

  #partition(): undefined {
    const hosts = this.#nodes.map(({ host }) => host);
    this.#sim.partition(new Set(this.#sim.sample(hosts, 1 + this.#sim.network.below(hosts.length - 1))));
  }

  #cutPairs(bothWays: boolean): undefined {
    const { network, tcp } = this.#sim;
    for (const a of network.hosts) {
      for (const b of network.hosts) {
        if (a === b || !network.chance(0.25)) continue;
        network.cut(a, b);
        if (bothWays) network.cut(b, a);
      }
    }
    tcp.breakSome();
  }

  #heal(): boolean {
    if (this.#sim.network.cuts === 0) return false;
    this.#sim.heal();
    return true;
  }

  #kill(power: boolean): boolean {
    const node = this.#anyRunning();
    if (node === undefined) return false;
    node.kill({ power });
    if (power) node.reboot();
    this.#downFor(node);
    return true;
  }

  #failDisk(): boolean {
    const node = this.#anyRunning();
    if (node === undefined) return false;
    node.store.full = true;
    this.#fullUntil.set(node, this.#sim.queue.now + this.#upTo(MAX_FULL_MS));
    return true;
  }

  #loseDisk(): boolean {
    const node = this.#anyRunning();
    if (node === undefined || !this.#maySuffer(node) || this.gone.length >= 2) return false;
    node.kill({ power: true });
    this.gone.push(node.peer);
    node.loseDisk();
    this.#downFor(node);
    return true;
  }

  #pause(): boolean {
    const node = this.#anyRunning();
    if (node === undefined || node.paused) return false;
    node.pause();
    this.#pausedUntil.set(node, this.#sim.queue.now + this.#upTo(MAX_PAUSE_MS));
    return true;
  }

  #rebind(): undefined {
    const host: Host = this.#sim.pick(this.#nodes)!.host;
    this.#sim.network.rebind(host);
  }

  #attack(): undefined {
    const name = this.#sim.pick(this.#attackers)!.strike();
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }

  #revive(): void {
    const { now } = this.#sim.queue;
    for (const node of this.#nodes) {
      const room = this.#fullUntil.get(node);
      if (room !== undefined && room <= now) {
        this.#fullUntil.delete(node);
        node.store.full = false;
      }
      // A start on a full disk ends the process without our doing; it is started again like any other.
      if (!node.running && !this.#downUntil.has(node)) this.#downFor(node);
      const up = this.#downUntil.get(node);
      if (up !== undefined && up <= now) {
        this.#downUntil.delete(node);
        node.start();
      }
      const resume = this.#pausedUntil.get(node);
      if (resume !== undefined && resume <= now) {
        this.#pausedUntil.delete(node);
        node.resume();
      }
    }
  }

  #downFor(node: VirtualNode): void {
    this.#pausedUntil.delete(node);
    this.#downUntil.set(node, this.#sim.queue.now + this.#upTo(MAX_DOWN_MS));
  }

  #upTo(ms: number): number {
    return ms * randomUnit(this.#sim.network.random) ** 2;
  }

  #anyRunning(): VirtualNode | undefined {
    return this.#sim.pick(this.#nodes.filter((node) => node.running));
  }
}

/** What {@link converge} found, in virtual milliseconds after healing. */
export interface Convergence {
  /** All saw each other alive and had one ring. */
  readonly agreedMs: number;
  /** … and packets between every two of them arrived. */
  readonly reachedMs: number;
  /** … and nobody took a lost identity for alive any more. */
  readonly buriedMs: number;
}

/**
 * Lets a cluster that is well again come together. Fails with what is missing: at `limitMs` of the first two, at
 * {@link BURIED_LIMIT_MS} of the third.
 */
export function converge(
  sim: Simulation,
  nodes: readonly VirtualNode[],
  options: { readonly limitMs: number; readonly gone?: readonly PeerId[] },
): Convergence {
  const start = sim.queue.now;
  const { limitMs, gone = [] } = options;
  const within = (check: () => string[], ms: number): number => {
    const left = Math.max(0, start + ms - sim.queue.now);
    if (sim.runUntil(() => check().length === 0, left) === undefined) {
      const found = check();
      sim.invariants.fail(
        `${ms} ms after healing there are still ${found.length} disagreements: ${found.slice(0, 3).join('; ')}`,
      );
    }
    return sim.queue.now - start;
  };
  const agreedMs = within(() => disagreements(nodes), limitMs);
  for (;;) {
    const pings = sim.pingAll(nodes);
    const missing = (): typeof pings => pings.filter(({ id }) => !sim.invariants.hasArrived(id));
    sim.runUntil(() => missing().length === 0, PING_TIMEOUT_MS, 10);
    const [lost] = missing();
    if (pings.length === nodes.length * (nodes.length - 1) && lost === undefined) break;
    if (sim.queue.now - start > limitMs)
      sim.invariants.fail(`${limitMs} ms after healing ${lost?.from.name} does not reach ${lost?.to.name}`);
  }
  const reachedMs = sim.queue.now - start;
  return { agreedMs, reachedMs, buriedMs: within(() => disagreements(nodes, gone), BURIED_LIMIT_MS) };
}
