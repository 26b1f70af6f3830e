import type { Family } from '../../base/address.ts';
import {
  type PortProtocol,
  peerIn,
  peerUnknown,
  portConditions,
  type View,
} from '../../linux/policy-rules.ts';
import type { PolicyPod } from '../model/pod.ts';
import {
  type Direction,
  type Peer,
  type PodSelector,
  type PolicyRule,
  podsOfNamespaces,
} from '../model/policy.ts';
import { allPorts, type NamedPort, type PortMatch, PROTOCOLS } from '../model/port-match.ts';
import type { AddressSets, NodeSet } from './address-sets.ts';
import type { Chain, Chains } from './chain.ts';
import type { KnownAddresses } from './known-addresses.ts';
import type { FamilySets, LiveSet, LiveSets } from './live-set.ts';
import type { PodSets, PortGroups } from './pod-sets.ts';
import {
  intersectSpans,
  mergeSpans,
  type PortSpan,
  type PortSpans,
  portsText,
  spanOf,
} from './port-spans.ts';

/** What a rule does to what it matches: `accept`, `return`, or `goto` a chain. */
export interface Verdict {
  readonly text: string;
  readonly chain: Chain | undefined;
}

/** What rules are compiled with. */
export interface Workshop {
  readonly podSets: PodSets;
  readonly addressSets: AddressSets;
  readonly known: KnownAddresses;
  readonly chains: Chains;
  readonly liveSets: LiveSets;
  /** Of the addresses of pods of this node: packets of another family never reach one. */
  readonly families: readonly Family[];
}

/** What rules depend on beside the elements of sets. */
export type Shape = NodeSet | PortGroups | KnownAddresses;

/** Rules as nft has them, with what they point to and what would change them. */
export interface RuleText {
  readonly rules: string[];
  readonly chains: Chain[];
  readonly sets: LiveSet[];
  /** As long as none of these has another version, the rules are the same. */
  readonly shapes: Set<Shape>;
  /** What no packet can match at present, and why. */
  readonly notes: string[];
  /** Some rule says `return`, which would not come far out of a chain of its own. */
  returns: boolean;
}

/** Ports of a rule of which nobody can tell whether it means a stranger. */
export type PassedPorts = PolicyRule['ports'];

/** Of what rules are written. */
export interface RuleScope {
  readonly direction: Direction;
  readonly view: View;
  /** The pod that the policy selects, whose named ports count in ingress. */
  readonly subject: PolicyPod;
  /** Of the rules of the tier that come before and pass a stranger on, if he is whom they mean. */
  readonly passed: readonly PassedPorts[];
}

const RETURN: Verdict = { text: 'return', chain: undefined };
const EVERY_POD: PodSelector = podsOfNamespaces([], []);
/** More spans of one protocol than this are looked up in a set. */
const MAX_RULES_OF_PORTS = 3;
const PROTOCOLS_IN_ORDER: readonly PortProtocol[] = ['tcp', 'udp', 'sctp'];

/** Nothing yet. */
export function noRules(): RuleText {
  return { rules: [], chains: [], sets: [], shapes: new Set(), notes: [], returns: false };
}

/** Whether a rule of this action could mean a stranger: some peer selects pods, and he may be one of those. */
export function mayMeanStranger({ action, peers }: PolicyRule, of: 'Deny' | 'Pass'): boolean {
  return action === of && peers !== 'any' && peers.some(({ kind }) => kind === 'pods');
}

/**
 * Writes one policy in one direction and one view.
 *
 * A stranger may be any pod, so what becomes of him is the least that could become of one: an Accept by selectors does
 * not mean him, a Deny does, and after a Pass by selectors he gets no more than what is left after it and what the tiers
 * behind would give him. So the Pass is passed over, and an Accept after it is none more than a Pass.
 */
export class RuleCompiler {
  readonly #workshop: Workshop;
  readonly #direction: Direction;
  readonly #view: View;
  readonly #subject: PolicyPod;
  readonly #passed: PassedPorts[];
  readonly #out: RuleText;

  constructor(workshop: Workshop, { direction, view, subject, passed }: RuleScope, out: RuleText) {
    this.#workshop = workshop;
    this.#direction = direction;
    this.#view = view;
    this.#subject = subject;
    this.#passed = [...passed];
    this.#out = out;
  }

  /** Adds what `rule` comes to. */
  add(rule: PolicyRule, verdict: Verdict): void {
    if (rule.action === 'Accept') this.#addPassedOn(rule);
    this.#addKnown(rule, verdict);
    if (mayMeanStranger(rule, 'Deny')) this.#addStrangers(rule.ports, verdict);
    if (mayMeanStranger(rule, 'Pass')) this.#passed.push(rule.ports);
  }

  /** The strangers to whom an Accept by blocks does not open, for an earlier rule may have passed them on. */
  #addPassedOn({ peers, ports }: PolicyRule): void {
    if (this.#passed.length === 0 || peers === 'any') return;
    const passed = this.#passed.includes('any')
      ? 'any'
      : this.#strangerSpans(this.#passed.flatMap((each) => (each === 'any' ? [] : each)));
    const accepted =
      ports === 'any' ? ports : this.#strangerSpans(ports.filter(({ kind }) => kind === 'range'));
    const both = intersectSpans(accepted, passed);
    if (both.length === 0) return;
    const { families, addressSets } = this.#workshop;
    for (const peer of peers) {
      if (peer.kind !== 'blocks') continue;
      const { blocks } = addressSets.blocksOf(peer.blocks);
      for (const family of families.filter((each) => blocks[each] !== undefined))
        for (const stranger of this.#strangers([family]))
          this.#writePorts(join(stranger, this.#in(family, blocks)), both, RETURN);
    }
  }

  #addStrangers(ports: PolicyRule['ports'], verdict: Verdict): void {
    const spans = ports === 'any' ? ports : this.#strangerSpans(ports);
    if (spans.length === 0) return;
    for (const stranger of this.#strangers(this.#workshop.families))
      this.#writePorts(stranger, spans, verdict);
  }

  #writePorts(condition: string, ports: PortSpans, verdict: Verdict): void {
    if (ports === 'any') this.#write(condition, verdict);
    else this.#writeSpans(condition, ports, verdict);
  }

  /** One condition for each range of pods. */
  #strangers(families: readonly Family[]): readonly string[] {
    const { known } = this.#workshop;
    this.#out.shapes.add(known);
    return families.flatMap((family) =>
      known.rangesOf(family).map((range) => {
        const set = known.sets[family];
        this.#out.sets.push(set);
        return peerUnknown(this.#direction, this.#view, { family, range, known: set.name });
      }),
    );
  }

  /** Ports of a stranger, who may have a port of any name at any number. */
  #strangerSpans(ports: readonly PortMatch[]): readonly PortSpan[] {
    const spans = ports.flatMap((port) => {
      if (port.kind === 'range') return [spanOf(port)];
      if (this.#direction === 'ingress') return this.#ownSpans(port);
      const protocols = port.protocol === undefined ? PROTOCOLS : [port.protocol];
      return protocols.map((protocol) => spanOf(allPorts(protocol)));
    });
    return mergeSpans(spans.filter((span) => this.#isPossible(span)));
  }

  #addKnown({ peers, ports }: PolicyRule, verdict: Verdict): void {
    if (ports === 'any') {
      for (const condition of this.#peerConditions(peers)) this.#write(condition, verdict);
      return;
    }
    const spans = ports.filter((port) => port.kind === 'range').map((range) => spanOf(range));
    const named = ports.filter((port) => port.kind === 'named');
    if (this.#direction === 'ingress') spans.push(...named.flatMap((port) => this.#ownSpans(port)));
    const merged = mergeSpans(spans.filter((span) => this.#isPossible(span)));
    if (merged.length > 0) this.#addSpans(peers, merged, verdict);
    if (this.#direction === 'egress') for (const port of named) this.#addNamed(peers, port, verdict);
  }

  /** Only entries of TCP are ever judged by the turned view. */
  #isPossible({ protocol }: PortSpan): boolean {
    return this.#view === 'straight' || protocol === 'tcp';
  }

  #ownSpans({ name, protocol }: NamedPort): PortSpan[] {
    const own = this.#subject.namedPorts.filter(
      (port) => port.name === name && (protocol ?? port.protocol) === port.protocol,
    );
    if (own.length === 0) this.#note(name, 'no container of a pod here has it');
    return own.map((each) => spanOf({ protocol: each.protocol, first: each.port, last: each.port }));
  }

  #note(port: string, why: string): void {
    this.#out.notes.push(
      `${this.#direction}: port ${JSON.stringify(port.slice(0, 63))} matches nothing: ${why}`,
    );
  }

  /** A port of a name: at each number that a destination has it, the destinations that have it there. */
  #addNamed(peers: PolicyRule['peers'], { name, protocol }: NamedPort, verdict: Verdict): void {
    const { podSets, families } = this.#workshop;
    let isServed = false;
    for (const peer of peers === 'any' ? [undefined] : peers) {
      if (peer?.kind === 'nodes') continue;
      const groups = podSets.portsOf(peer?.kind === 'pods' ? peer.pods : EVERY_POD, name, protocol);
      this.#out.shapes.add(groups);
      for (const group of groups.groups()) {
        isServed = true;
        const span = spanOf({ protocol: group.protocol, first: group.port, last: group.port });
        if (!this.#isPossible(span)) continue;
        for (const family of families) {
          const at = this.#in(family, group.sets);
          const within = peer?.kind === 'blocks' ? this.#blockConditions(peer, [family]) : [''];
          for (const condition of within) this.#writeSpans(join(condition, at), [span], verdict);
        }
      }
    }
    if (!isServed) this.#note(name, 'no pod that is a destination has it');
  }

  #addSpans(peers: PolicyRule['peers'], spans: readonly PortSpan[], verdict: Verdict): void {
    for (const condition of this.#peerConditions(peers)) this.#writeSpans(condition, spans, verdict);
  }

  /** By a chain of ports of its own, which all rules share that have these ports; a `return` would not come far from it. */
  #writeSpans(condition: string, spans: readonly PortSpan[], verdict: Verdict): void {
    const sets: LiveSet[] = [];
    const conditions = PROTOCOLS_IN_ORDER.flatMap((protocol) => {
      const ports = spans.filter((span) => span.protocol === protocol).map(portsText);
      if (ports.length <= MAX_RULES_OF_PORTS || ports.includes(undefined))
        return ports.flatMap((text) => portConditions(this.#view, protocol, text));
      const listed = ports as string[];
      const set = this.#workshop.liveSets.of('s-', listed.join(), 'ports', listed);
      sets.push(set);
      return portConditions(this.#view, protocol, `@${set.name}`);
    });
    if (verdict.text === 'return' || conditions.length === 1) {
      for (const port of conditions) this.#write(join(condition, port), verdict);
      this.#out.sets.push(...sets);
      return;
    }
    const ports = this.#workshop.chains.of('o-', {
      rules: conditions.map((port) => `${port} ${verdict.text}`),
      chains: verdict.chain === undefined ? [] : [verdict.chain],
      sets,
    });
    this.#write(condition, { text: `jump ${ports.name}`, chain: ports });
  }

  #write(condition: string, { text, chain }: Verdict): void {
    if (text === 'return') this.#out.returns = true;
    this.#out.rules.push(join(condition, text));
    if (chain !== undefined) this.#out.chains.push(chain);
  }

  /** One condition for each set that a peer is in; an empty one where any peer will do. */
  #peerConditions(peers: PolicyRule['peers']): readonly string[] {
    if (peers === 'any') return [''];
    const { podSets, addressSets, families } = this.#workshop;
    return peers.flatMap((peer) => {
      switch (peer.kind) {
        case 'pods': {
          const sets = podSets.podsOf(peer.pods);
          return families.map((family) => this.#in(family, sets));
        }
        case 'blocks':
          return this.#blockConditions(peer, families);
        case 'nodes':
          return this.#nodeConditions(addressSets.nodesOf(peer.nodes), families);
      }
      return [];
    });
  }

  #blockConditions(
    { blocks }: Extract<Peer, { kind: 'blocks' }>,
    families: readonly Family[],
  ): readonly string[] {
    const { blocks: sets, nodes } = this.#workshop.addressSets.blocksOf(blocks);
    const own = families.flatMap((family) => {
      const set = sets[family];
      return set === undefined ? [] : [this.#in(family, { [family]: set })];
    });
    return [...own, ...this.#nodeConditions(nodes, families)];
  }

  #nodeConditions(nodes: NodeSet, families: readonly Family[]): readonly string[] {
    this.#out.shapes.add(nodes);
    return families.flatMap((family) => (nodes.sets[family].isEmpty ? [] : [this.#in(family, nodes.sets)]));
  }

  #in(family: Family, sets: Partial<FamilySets>): string {
    const set = sets[family]!;
    this.#out.sets.push(set);
    return peerIn(this.#direction, this.#view, family, set.name);
  }
}

function join(condition: string, rest: string): string {
  return condition === '' ? rest : `${condition} ${rest}`;
}
