import type { Address } from '../../base/address.ts';
import { concat, hex, utf8 } from '../../base/bytes.ts';
import { type PeerId, shortPeerId } from '../../base/peer-id.ts';
import { type RandomSource, shuffle } from '../../base/random.ts';
import { parseCidr, type Range } from '../../base/range.ts';
import { type ClusterKeys, parseClusterSecret } from '../../crypto/cluster-secret.ts';
import { cryptoReady } from '../../crypto/ready.ts';
import { NODE_KEY } from '../../ipam/model/types.ts';
import { seededRandom } from '../seeded-random.ts';
import { EventQueue } from './event-queue.ts';
import { Invariants } from './invariants.ts';
import { podFrame } from './pod-packets.ts';
import { type Host, VirtualNetwork } from './virtual-network.ts';
import { VirtualNode, type VirtualNodeOptions } from './virtual-node.ts';
import { VirtualTcp } from './virtual-tcp.ts';

await cryptoReady;

export const RANGES: readonly Range[] = [parseCidr('10.32.0.0/16')!, parseCidr('fd00:77::/64')!];
/** How every node's name begins: to be found nowhere on the wire. */
const NAME = 'weft-simulated-node';
/** How closely {@link Simulation.runUntil} looks. */
const LOOK_MS = 50;

export type NodeSettings = Omit<VirtualNodeOptions, 'name' | 'ipam'> & {
  readonly ipam?: Partial<VirtualNodeOptions['ipam']>;
};

/** A cluster on a virtual network and virtual time, with everything watched. One seed is one run. */
export class Simulation {
  readonly queue = new EventQueue();
  readonly random: RandomSource;
  readonly invariants: Invariants;
  readonly network: VirtualNetwork;
  readonly tcp: VirtualTcp;
  readonly clusterKeys: ClusterKeys;
  readonly nodes: VirtualNode[] = [];

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const secret = this.random.bytes(32);
    this.clusterKeys = parseClusterSecret(hex(secret));
    const canary = concat(utf8('CANARY'), this.random.bytes(8));
    this.invariants = new Invariants(this.queue, canary, [
      { what: 'the name of a node', bytes: utf8(NAME) },
      { what: 'the secret of the cluster', bytes: secret },
      { what: 'the pre-shared key', bytes: this.clusterKeys.psk },
      { what: 'the key of mac1', bytes: this.clusterKeys.mac1Key },
    ]);
    this.network = new VirtualNetwork(this.queue, seededRandom(seed + 0x5eed), this.invariants);
    this.tcp = new VirtualTcp(this.network);
  }

  /** The name of node `number`, from 1. */
  static nameOf(number: number): string {
    return `${NAME}-${number}`;
  }

  /** A new node, not started. Its genesis mode is 'none' unless said otherwise. */
  add(settings: NodeSettings = {}): VirtualNode {
    const { queue, network, tcp, clusterKeys, random, invariants } = this;
    const node = new VirtualNode(
      { queue, network, tcp, clusterKeys, random, watch: invariants },
      {
        ...settings,
        name: Simulation.nameOf(this.nodes.length + 1),
        ipam: { ranges: RANGES, init: { mode: 'none' }, ...settings.ipam },
      },
    );
    this.nodes.push(node);
    return node;
  }

  /** `count` nodes that start at once: the first starts the ring, the others know its endpoint. */
  form(count: number, settings: NodeSettings = {}): VirtualNode[] {
    const nodes = Array.from({ length: count }, (_, i) =>
      this.add(
        i > 0 ? settings : { ...settings, ipam: { ...settings.ipam, init: { mode: 'seed' }, seedWaitMs: 0 } },
      ),
    );
    for (const node of nodes.slice(1)) node.setSeeds([nodes[0]!.host.published]);
    for (const node of nodes) node.start();
    return nodes;
  }

  run(ms: number): void {
    this.queue.run(ms);
  }

  /** Runs until `condition` holds, at most `ms`: the virtual milliseconds it took, or undefined. */
  runUntil(condition: () => boolean, ms: number, lookMs = LOOK_MS): number | undefined {
    const start = this.queue.now;
    while (!condition()) {
      if (this.queue.now - start >= ms) return undefined;
      this.queue.run(lookMs);
    }
    return this.queue.now - start;
  }

  // ── the network ──

  /** Parts `group` from everybody else. */
  partition(group: ReadonlySet<Host>): void {
    for (const a of this.network.hosts)
      for (const b of this.network.hosts) if (group.has(a) !== group.has(b)) this.network.cut(a, b);
    this.tcp.breakSome();
  }

  heal(): void {
    this.network.heal();
  }

  // ── pods ──

  /** Sends a packet between two addresses of nodes; its number. */
  send(
    from: VirtualNode,
    source: string,
    to: VirtualNode,
    destination: string,
    filler = 0,
  ): number | undefined {
    const a = addressesOf(from, source);
    const b = addressesOf(to, destination);
    const i = this.network.below(Math.max(1, Math.min(a.length, b.length)));
    if (a[i] === undefined || b[i] === undefined) return undefined;
    const id = this.invariants.sending(from, a[i], b[i]);
    from.sendPacket(podFrame(a[i], b[i], this.invariants.canary, id, filler));
    return id;
  }

  /** Sends one packet from every node of `nodes` to every other, between the nodes' own addresses. */
  pingAll(
    nodes: readonly VirtualNode[],
  ): { readonly from: VirtualNode; readonly to: VirtualNode; readonly id: number }[] {
    return nodes.flatMap((from) =>
      nodes
        .filter((to) => to !== from)
        .flatMap((to) => {
          const id = this.send(from, NODE_KEY.containerId, to, NODE_KEY.containerId);
          return id === undefined ? [] : [{ from, to, id }];
        }),
    );
  }

  /** A random element. */
  pick<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : items[this.network.below(items.length)];
  }

  /** `count` random elements. */
  sample<T>(items: readonly T[], count: number): T[] {
    return shuffle(this.network.random, [...items]).slice(0, count);
  }
}

/** What still differs between what `nodes` believe and what is so: empty once all agree. One line each. */
export function disagreements(nodes: readonly VirtualNode[], gone: readonly PeerId[] = []): string[] {
  const found: string[] = [];
  const first = nodes[0];
  if (first === undefined) return found;
  const ring = ringOf(first);
  for (const node of nodes) {
    const { core } = node;
    if (core === undefined) {
      found.push(`${node.name} does not run`);
      continue;
    }
    const stateByPeer = new Map(core.gossip.members().map(({ peer, state }) => [peer, state]));
    for (const other of nodes) {
      const state = stateByPeer.get(other.peer);
      if (other !== node && state !== 'alive')
        found.push(`${node.name} sees ${other.name} ${state ?? 'not at all'}`);
    }
    for (const peer of gone) {
      const state = stateByPeer.get(peer);
      if (state === 'alive' || state === 'suspect')
        found.push(`${node.name} sees ${shortPeerId(peer)}, which is gone, ${state}`);
    }
    if (ringOf(node) !== ring) found.push(`${node.name} has another ring than ${first.name}`);
    const { state, detail } = core.ipam.status();
    if (state !== 'ready') found.push(`the ring of ${node.name} is ${state}: ${detail}`);
    if (core.ownAddresses.length !== RANGES.length) found.push(`${node.name} has no address of its own`);
  }
  return found;
}

/** The routing table of a node as text. */
export function ringOf(node: VirtualNode): string {
  const { core } = node;
  if (core === undefined) return '';
  return core.ipam
    .owners()
    .map(({ range: { family, start, end }, owner }) => `${family} ${start} ${end} ${owner}`)
    .join('\n');
}

/** A node's addresses of a container, IPv4 first; of {@link NODE_KEY} its own. */
function addressesOf(node: VirtualNode, containerId: string): readonly Address[] {
  if (containerId === NODE_KEY.containerId) return node.core?.ownAddresses ?? [];
  return node.podByContainer.get(containerId) ?? [];
}
