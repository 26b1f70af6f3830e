import { parseAddress } from '../../../base/address.ts';
import { type RandomSource, randomBelow } from '../../../base/random.ts';
import { parseCidr, type Range } from '../../../base/range.ts';
import type { DropSettings } from '../../../linux/policy-rules.ts';
import type { PodAttachment } from '../../../npc/compiler/attachments.ts';
import { type Changes, PolicyCompiler } from '../../../npc/compiler/policy-compiler.ts';
import { readClusterNetworkPolicy } from '../../../npc/model/cluster-network-policy.ts';
import {
  type PolicyNamespace,
  type PolicyNode,
  readNamespace,
  readPolicyNode,
} from '../../../npc/model/cluster-objects.ts';
import { LabelSets } from '../../../npc/model/labels.ts';
import { readNetworkPolicy } from '../../../npc/model/network-policy.ts';
import { type PolicyPod, readPod } from '../../../npc/model/pod.ts';
import type { Policy } from '../../../npc/model/policy.ts';
import { clusterPolicy, namespace, networkPolicy, node, pod } from './objects.ts';

export const HERE = 'here';

const NAMESPACES = ['x', 'y', 'z'];
const PODS = ['a', 'b', 'c', 'd', 'e', 'f'];
const POLICIES = ['p', 'q', 'r', 's'];
const NODES = [HERE, 'there', 'yonder'];
const PORTS = [80, 81, 443, 8080];
const PORT_NAMES = ['http', 'dns', 'none'];

/**
 * A small cluster that changes at random, one object at a time, and a compiler that is told of each change. So few names
 * are used that they come and go, and addresses are dealt out again.
 */
export class RandomWorld {
  readonly compiler: PolicyCompiler;
  readonly pods = new Map<string, PolicyPod>();
  readonly #namespaces = new Map<string, PolicyNamespace>();
  readonly #nodes = new Map<string, PolicyNode>();
  readonly #policies = new Map<string, Policy>();
  readonly #attachments = new Map<string, PodAttachment>();
  readonly #random: RandomSource;
  readonly #drops: DropSettings;
  readonly #labels = new LabelSets();
  readonly #families: readonly (4 | 6)[];
  #overlay = new Map<string, readonly string[]>();
  #podRanges: readonly Range[] = [];
  #count = 0;

  constructor(random: RandomSource, drops: DropSettings, families: readonly (4 | 6)[] = [4, 6]) {
    this.#random = random;
    this.#drops = drops;
    this.#families = families;
    this.compiler = new PolicyCompiler(HERE, drops);
    for (const name of NAMESPACES) this.changeNamespace(name);
    for (const name of NODES) this.changeNode(name);
  }

  /** A compiler that is told of everything at once. */
  fresh(): PolicyCompiler {
    const compiler = new PolicyCompiler(HERE, this.#drops);
    compiler.changePolicies(added([...this.#policies.values()]));
    compiler.changePods(added([...this.pods.values()]));
    compiler.setOverlay(this.#overlay);
    compiler.setPodRanges(this.#podRanges);
    compiler.setAttachments([...this.#attachments.values()]);
    compiler.changeNodes(added([...this.#nodes.values()]));
    compiler.changeNamespaces(added([...this.#namespaces.values()]));
    return compiler;
  }

  /**
   * Takes away the links of which only a compiler that was there can know whose they are: those of pods that are gone,
   * and those that were found by addresses.
   */
  forgetHistory(): void {
    for (const [link, { pod: named }] of this.#attachments) {
      const known = named && this.pods.get(`${named.namespace}/${named.name}`);
      if (known?.uid !== named?.uid || named === null) this.#attachments.delete(link);
    }
    this.compiler.setAttachments([...this.#attachments.values()]);
  }

  get links(): readonly PodAttachment[] {
    return [...this.#attachments.values()];
  }

  /** Changes one thing. Answers what, for a failing test to tell. */
  step(): string {
    const what = this.#pick([
      'pod',
      'pod',
      'pod',
      'pod',
      'policy',
      'policy',
      'policy',
      'policy',
      'space',
      'node',
      'gone',
      'ranges',
    ]);
    switch (what) {
      case 'pod':
        return this.changePod();
      case 'policy':
        return this.changePolicy();
      case 'space':
        return this.changeNamespace(this.#pick(NAMESPACES));
      case 'node':
        return this.changeNode(this.#pick(NODES));
      case 'ranges':
        return this.#changePodRanges();
      default:
        return this.#chance(3) ? this.#removePolicy() : this.#removePod();
    }
  }

  changePod(): string {
    const key = `${this.#pick(NAMESPACES)}/${this.#pick(PODS)}`;
    const before = this.pods.get(key);
    const nodeName = before?.nodeName ?? (this.#chance(2) ? HERE : this.#pick(NODES));
    const number = this.#below(40) + 1;
    const fresh = this.#families.map((family) => (family === 4 ? `10.0.0.${number}` : `fd00::${number}`));
    const kept = before !== undefined && this.#chance(2) ? before.addresses : fresh;
    const raw = pod(key, this.#chance(12) ? [] : kept, this.#labelsOf(), {
      node: nodeName,
      phase: this.#chance(12) ? 'Succeeded' : 'Running',
      hostNetwork: before?.hostNetwork ?? this.#chance(15),
      ports: this.#some(PORT_NAMES.slice(0, 2)).map((name) => ({
        name,
        containerPort: this.#pick(PORTS),
        protocol: this.#pick(['TCP', 'TCP', 'UDP']),
      })),
    }) as { metadata: object };
    const uid = before !== undefined && !this.#chance(8) ? before.uid : `uid-${++this.#count}`;
    const after = readPod({ ...raw, metadata: { ...raw.metadata, uid } }, this.#labels)!;
    this.pods.set(key, after);
    this.compiler.changePods(replaced(before, after));
    if (after.nodeName === HERE && !after.hostNetwork) this.#attach(key, after);
    return `pod ${key} ${JSON.stringify([...after.labels])} ${after.addresses.join()} ${after.uid}`;
  }

  /** Before the API knows the address, or after, or by a weftd that does not know whose it is. */
  #attach(key: string, after: PolicyPod): void {
    const link = `wv${key.charCodeAt(0).toString(16)}${key.charCodeAt(2).toString(16)}${'0'.repeat(7)}`;
    const known = this.#attachments.get(link);
    const addresses = after.addresses.map((text) => parseAddress(text)!);
    const [namespaceName, name] = key.split('/') as [string, string];
    if (this.#chance(10)) this.#attachments.delete(link);
    else if (known === undefined || known.pod?.uid !== after.uid || this.#chance(6)) {
      const named = { namespace: namespaceName, name, uid: after.uid };
      const whose = this.#chance(10) ? null : named;
      for (const other of this.#attachments.values()) {
        const isSame = other.addresses.some(({ value }) => addresses.some((own) => own.value === value));
        if (isSame) this.#attachments.delete(other.link); // an address is dealt out again when its link is gone
      }
      this.#attachments.set(link, { link, addresses, pod: whose, ungoverned: this.#chance(12) });
    }
    this.compiler.setAttachments([...this.#attachments.values()]);
  }

  #removePod(): string {
    const [key] = this.pods.keys();
    if (key === undefined) return 'nothing';
    const before = this.pods.get(key)!;
    this.pods.delete(key);
    this.compiler.changePods({ gone: [before], added: [], changed: [] });
    return `no pod ${key}`;
  }

  #changePodRanges(): string {
    const ranges = this.#pick([['10.0.0.0/16', 'fd00::/112'], ['10.0.0.0/27'], []]);
    this.#podRanges = ranges.map((cidr) => parseCidr(cidr)!);
    this.compiler.setPodRanges(this.#podRanges);
    return `ranges ${ranges.join()}`;
  }

  #removePolicy(): string {
    const [key] = this.#policies.keys();
    if (key === undefined) return 'nothing';
    const before = this.#policies.get(key)!;
    this.#policies.delete(key);
    this.compiler.changePolicies({ gone: [before], added: [], changed: [] });
    return `no policy ${key}`;
  }

  changeNamespace(name: string): string {
    const before = this.#namespaces.get(name);
    const after = readNamespace(namespace(name, this.#labelsOf()), this.#labels)!;
    this.#namespaces.set(name, after);
    this.compiler.changeNamespaces(replaced(before, after));
    return `namespace ${name} ${JSON.stringify([...after.labels])}`;
  }

  changeNode(name: string): string {
    const before = this.#nodes.get(name);
    const number = this.#below(6) + 1;
    const raw = node(name, [`192.0.2.${number}`, `2001:db8::${number}`], this.#labelsOf());
    const after = readPolicyNode(raw, this.#labels)!;
    this.#nodes.set(name, after);
    this.compiler.changeNodes(replaced(before, after));
    this.#overlay = new Map(
      NODES.slice(0, 2).map((each, i) => [each, [`10.0.9.${i + 1}`, `fd00::9:${i + 1}`]]),
    );
    this.compiler.setOverlay(this.#overlay);
    return `node ${name} ${number}`;
  }

  changePolicy(): string {
    const name = this.#pick(POLICIES);
    const isCluster = this.#chance(3);
    const key = isCluster ? name : `${this.#pick(NAMESPACES)}/${name}`;
    const before = this.#policies.get(key);
    const raw = isCluster ? clusterPolicy(name, this.#clusterSpec()) : networkPolicy(key, this.#spec());
    const after = (isCluster ? readClusterNetworkPolicy : readNetworkPolicy)(raw)!;
    this.#policies.set(key, after);
    this.compiler.changePolicies(replaced(before, after));
    return `policy ${JSON.stringify(raw)}`;
  }

  /** Puts in a NetworkPolicy of the caller's. */
  putPolicy(key: string, spec: object): void {
    const before = this.#policies.get(key);
    const after = readNetworkPolicy(networkPolicy(key, spec))!;
    this.#policies.set(key, after);
    this.compiler.changePolicies(replaced(before, after));
  }

  #spec(): object {
    return {
      podSelector: this.#selector(),
      policyTypes: this.#pick([['Ingress'], ['Egress'], ['Ingress', 'Egress']]),
      ingress: this.#times(3, () => ({ from: this.#times(3, () => this.#peer()), ports: this.#ports() })),
      egress: this.#times(3, () => ({ to: this.#times(3, () => this.#peer()), ports: this.#ports() })),
    };
  }

  #peer(): object {
    if (this.#chance(3)) {
      const cidr = this.#pick([
        '10.0.0.0/28',
        '10.0.0.16/28',
        '192.0.2.2/31',
        '0.0.0.0/0',
        'fd00::/124',
        '::/0',
        '2001:db8::2/127',
      ]);
      return {
        ipBlock: {
          cidr,
          ...(cidr.startsWith('10') && this.#chance(2) ? { except: [`10.0.0.${this.#below(32)}/30`] } : {}),
        },
      };
    }
    if (this.#chance(2)) return { podSelector: this.#selector() };
    return {
      namespaceSelector: this.#selector(),
      ...(this.#chance(2) ? { podSelector: this.#selector() } : {}),
    };
  }

  #ports(): object[] {
    return this.#times(3, () => {
      const protocol = this.#pick(['TCP', 'TCP', 'UDP', 'SCTP', undefined]);
      const port = this.#pick<number | string | undefined>([...PORTS, ...PORT_NAMES, undefined]);
      const endPort = typeof port === 'number' && this.#chance(4) ? port + this.#below(3) : undefined;
      return { protocol, port, endPort };
    });
  }

  #clusterSpec(): object {
    const rules = (side: 'from' | 'to'): object[] | undefined => {
      const made = this.#times(4, () => {
        const protocols = this.#times(2, () =>
          this.#pick<object>([
            { tcp: {} },
            { tcp: { destinationPort: { number: this.#pick(PORTS) } } },
            { udp: { destinationPort: { range: { start: 50, end: 90 } } } },
            { destinationNamedPort: this.#pick(PORT_NAMES) },
          ]),
        );
        return {
          action: this.#pick(['Accept', 'Deny', 'Pass']),
          [side]: [this.#clusterPeer(side), ...this.#times(2, () => this.#clusterPeer(side))],
          protocols: protocols.length > 0 ? protocols : undefined,
        };
      });
      return made.length > 0 ? made : undefined;
    };
    return {
      tier: this.#pick(['Admin', 'Baseline']),
      priority: this.#below(4),
      subject: this.#podsField(),
      ingress: rules('from'),
      egress: rules('to'),
    };
  }

  #podsField(): object {
    if (this.#chance(2)) return { namespaces: this.#selector() };
    return { pods: { namespaceSelector: this.#selector(), podSelector: this.#selector() } };
  }

  #clusterPeer(side: 'from' | 'to'): object {
    if (side === 'from' || !this.#chance(3))
      return this.#chance(25) ? { domainNames: ['a.b'] } : this.#podsField();
    return this.#chance(2)
      ? { nodes: this.#selector() }
      : { networks: [this.#pick(['10.0.0.8/29', '192.0.2.0/30', '::/0'])] };
  }

  #selector(): object {
    if (this.#chance(4)) return {};
    const key = this.#pick(['a', 'b']);
    if (this.#chance(2)) return { matchLabels: { [key]: this.#pick(['1', '2']) } };
    const operator = this.#pick(['In', 'NotIn', 'Exists', 'DoesNotExist']);
    const values = operator.endsWith('In') ? [this.#pick(['1', '2'])] : undefined;
    return { matchExpressions: [{ key, operator, values }] };
  }

  #labelsOf(): Record<string, string> {
    return Object.fromEntries(this.#some(['a', 'b']).map((key) => [key, this.#pick(['1', '2'])]));
  }

  #times<T>(below: number, make: () => T): T[] {
    return Array.from({ length: this.#below(below) }, make);
  }

  #some<T>(items: readonly T[]): T[] {
    return items.filter(() => this.#chance(2));
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!;
  }

  #below(bound: number): number {
    return randomBelow(this.#random, bound);
  }

  /** True once in `n` times. */
  #chance(n: number): boolean {
    return this.#below(n) === 0;
  }
}

/** Changes by which all of these come. */
export function added<T>(items: readonly T[]): Changes<T> {
  return { gone: [], added: items, changed: [] };
}

function replaced<T extends { readonly uid: string }>(before: T | undefined, after: T): Changes<T> {
  if (before === undefined) return added([after]);
  if (before.uid !== after.uid) return { gone: [before], added: [after], changed: [] };
  return { gone: [], added: [], changed: [{ before, after }] };
}
