import assert from 'node:assert/strict';
import { parseAddress } from '../../../base/address.ts';
import { parseCidr } from '../../../base/range.ts';
import { renderPolicyChange } from '../../../linux/policy-change.ts';
import type { DropSettings } from '../../../linux/policy-rules.ts';
import { type PolicyRuleSet, renderPolicyTable } from '../../../linux/policy-table.ts';
import type { PodAttachment } from '../../../npc/compiler/attachments.ts';
import { decide, type Flow, type FlowEnd } from '../../../npc/compiler/decide.ts';
import { type Changes, PolicyCompiler } from '../../../npc/compiler/policy-compiler.ts';
import { readNamespace, readPolicyNode } from '../../../npc/model/cluster-objects.ts';
import { LabelSets } from '../../../npc/model/labels.ts';
import { type PolicyPod, readPod } from '../../../npc/model/pod.ts';
import type { Policy } from '../../../npc/model/policy.ts';
import { readPolicyManifest } from '../../../npc/model/policy-manifest.ts';
import { namespace, node, pod } from '../../unit/npc/objects.ts';
import { PolicyNode } from './policy-node.ts';
import type { Prober } from './prober.ts';

/** What becomes of a probe: it is answered, or dropped where that direction is judged. */
export type Fate = 'passes' | 'egress' | 'ingress';

/** Whether a probe that should pass is answered does not depend on how busy the machine is. */
const LONG_MS = 10_000;
/** A probe that should be dropped is told by the counter of the drop, too, so this may be short. */
const SHORT_MS = 60;

/** Out of which all pods of the cluster have their addresses. */
export const POD_RANGES = ['10.32.0.0/16', 'fd00:77::/64'];

/** The node's own address on its underlay, beside that on the overlay. */
const INTERNAL = { 4: '192.0.2.1', 6: '2001:db8::1' };

/**
 * A node with real pods whose packets real rules judge, and the compiler that makes these rules of a cluster:
 *
 * | namespace | labels | pods: number, labels |
 * |---|---|---|
 * | x | team=red | a (10, app=a), b (11, app=b) |
 * | y | team=blue | a (20, app=a), b (21, app=b), r (60, app=a; on node `there`) |
 * | z | – | a (30, app=a, extra=yes) |
 *
 * Beyond are node `there` (overlay address 10.32.0.2, InternalIP 192.0.2.2) and the `world` (198.51.100.9).
 */
export class PolicyCluster {
  readonly node: PolicyNode;
  readonly #pods = new Map<string, PolicyPod>();
  readonly #labels = new LabelSets();
  readonly #attachments = new Map<string, PodAttachment>();
  readonly #spaces = new Map<string, Record<string, string>>();
  #compiler: PolicyCompiler;
  #policies: readonly Policy[] = [];
  #loaded: PolicyRuleSet | undefined;

  private constructor(node: PolicyNode, drops: DropSettings) {
    this.node = node;
    this.#compiler = new PolicyCompiler('here', drops);
  }

  static async create(drops: DropSettings = { reject: false, log: undefined }): Promise<PolicyCluster> {
    const cluster = new PolicyCluster(await PolicyNode.create(), drops);
    await cluster.#build();
    return cluster;
  }

  async #build(): Promise<void> {
    const { namespace: host } = this.node.node;
    await host.run('ip', 'address', 'add', `${INTERNAL[4]}/32`, 'dev', 'lo');
    await host.run('ip', 'address', 'add', `${INTERNAL[6]}/128`, 'dev', 'lo');
    this.labelNamespace('x', { team: 'red' });
    this.labelNamespace('y', { team: 'blue' });
    this.labelNamespace('z', {});
    const nodes = [
      readPolicyNode(node('here', [INTERNAL[4], INTERNAL[6]], { zone: 'a' }), this.#labels)!,
      readPolicyNode(node('there', ['192.0.2.2', '2001:db8::2'], { zone: 'b' }), this.#labels)!,
    ];
    this.#compiler.changeNodes({ gone: [], added: nodes, changed: [] });
    const overlay = new Map([
      ['here', ['10.32.0.1', 'fd00:77::1']],
      ['there', ['10.32.0.2', 'fd00:77::2']],
    ]);
    this.#compiler.setOverlay(overlay);
    this.setPodRanges(POD_RANGES);
    await this.addPod('x/a', 10, { app: 'a' }, { web: 80, other: 8080 });
    await this.addPod('x/b', 11, { app: 'b' }, { web: 81 });
    await this.addPod('y/a', 20, { app: 'a' }, { web: 8080 });
    await this.addPod('y/b', 21, { app: 'b' });
    await this.addPod('z/a', 30, { app: 'a', extra: 'yes' });
    await this.node.addBeyond('there', { 4: '10.32.0.2', 6: 'fd00:77::2' });
    await this.node.addBeyond('world', { 4: '198.51.100.9', 6: '2001:db8:f::9' });
    await this.node.addBeyond('y/r', { 4: '10.32.0.60', 6: 'fd00:77::60' });
    this.putPod('y/r', { app: 'a' }, {}, 'there', ['10.32.0.60', 'fd00:77::60']);
    await this.load();
  }

  /** Attaches a pod to this node; the API knows it, unless `labels` is null. */
  async addPod(
    key: string,
    number: number,
    labels: Record<string, string> | null,
    ports: Record<string, number> = {},
  ): Promise<void> {
    const { link, addresses } = await this.node.addPod(key, number);
    const [ns, name] = key.split('/') as [string, string];
    const uid = `uid-${ns}-${name}`;
    this.#attachments.set(link, {
      link,
      addresses: [addresses[4], addresses[6]].map((text) => parseAddress(text)!),
      pod: { namespace: ns, name, uid },
      ungoverned: false,
    });
    this.#compiler.setAttachments([...this.#attachments.values()]);
    if (labels !== null) this.putPod(key, labels, ports, 'here', []);
  }

  /** Takes a pod's link away, and its attachment; the API may still know it. */
  async detachPod(key: string): Promise<void> {
    const { link } = this.node.pods.get(key)!;
    await this.node.removePod(key);
    this.#attachments.delete(link);
    this.#compiler.setAttachments([...this.#attachments.values()]);
  }

  /** Loads rules that know nothing of a pod's link; its packets come and go as before. Answers what puts it back. */
  async withoutAttachment(key: string): Promise<() => Promise<void>> {
    const { link } = this.node.pods.get(key)!;
    const attachment = this.#attachments.get(link)!;
    const reload = async (): Promise<void> => {
      this.#compiler.setAttachments([...this.#attachments.values()]);
      await this.loadWhole();
    };
    this.#attachments.delete(link);
    await reload();
    return () => {
      this.#attachments.set(link, attachment);
      return reload();
    };
  }

  /** The API has a pod, as it is now. */
  putPod(
    key: string,
    labels: Record<string, string>,
    ports: Record<string, number> = {},
    nodeName = 'here',
    addresses: readonly string[] = [],
    phase = 'Running',
  ): void {
    const named = Object.entries(ports).map(([name, containerPort]) => ({ name, containerPort }));
    const raw = pod(key, addresses, labels, { node: nodeName, ports: named, phase });
    const before = this.#pods.get(key);
    const after = readPod(raw, this.#labels)!;
    this.#pods.set(key, after);
    this.#compiler.changePods(changesFrom(before, after));
  }

  /** The API has it no more. */
  dropPod(key: string): void {
    this.#compiler.changePods({ gone: [this.#pods.get(key)!], added: [], changed: [] });
    this.#pods.delete(key);
  }

  /** The API has another pod under this name, which has no address yet. */
  replacePod(key: string, uid: string): void {
    const before = this.#pods.get(key)!;
    const after = { ...before, uid, addresses: [] };
    this.#pods.set(key, after);
    this.#compiler.changePods({ gone: [before], added: [after], changed: [] });
  }

  labelNamespace(name: string, labels: Record<string, string>): void {
    const isKnown = this.#spaces.has(name);
    this.#spaces.set(name, labels);
    const after = readNamespace(namespace(name, labels), this.#labels)!;
    this.#compiler.changeNamespaces(changesFrom(isKnown ? after : undefined, after));
  }

  /** Out of which pods get their addresses, as weftd tells it. */
  setPodRanges(ranges: readonly string[]): void {
    this.#compiler.setPodRanges(ranges.map((cidr) => parseCidr(cidr)!));
  }

  /** These policies and no others, as a manifest has them, by a change of the loaded table. */
  async apply(...manifests: readonly object[]): Promise<void> {
    const read = manifests.length === 0 ? [] : readPolicyManifest(manifests);
    assert.ok(typeof read !== 'string', String(read));
    this.#compiler.changePolicies({ gone: this.#policies, added: read, changed: [] });
    this.#policies = read;
    await this.load();
  }

  /** Loads what changed, as the compiler has it now. */
  async load(): Promise<void> {
    const rules = this.#compiler.ruleSet();
    const batch =
      this.#loaded === undefined ? renderPolicyTable(rules) : renderPolicyChange(this.#loaded, rules);
    if (batch !== '') await this.node.load(batch);
    this.#loaded = rules;
  }

  /** Loads the whole table anew. */
  async loadWhole(): Promise<void> {
    this.#loaded = undefined;
    await this.load();
  }

  /** Takes the table away, and with it connection tracking, which nothing else uses. */
  async unload(): Promise<void> {
    await this.node.load('delete table inet weft-npc\n');
    this.#loaded = undefined;
  }

  prober(name: string): Prober {
    const place = name === 'node' ? this.node.node : (this.node.pods.get(name) ?? this.node.beyond.get(name));
    assert.ok(place !== undefined, `there is no place ${name}`);
    return place.prober;
  }

  /** An address by the name of a place, `node` and `node-internal` among them, or as it is. */
  address(name: string, family: 4 | 6): string {
    if (name === 'node-internal') return INTERNAL[family];
    const place = name === 'node' ? this.node.node : (this.node.pods.get(name) ?? this.node.beyond.get(name));
    return place?.addresses[family] ?? name;
  }

  /** Packets that the rules dropped since the table was laid. */
  async dropped(): Promise<Record<'egress' | 'ingress' | 'invalid' | 'gate', number>> {
    const text = await this.node.node.namespace.run(
      'nft',
      '-j',
      'list',
      'counters',
      'table',
      'inet',
      'weft-npc',
    );
    const { nftables } = JSON.parse(text) as { nftables: { counter?: { name: string; packets: number } }[] };
    const count = (name: string): number =>
      nftables.find((each) => each.counter?.name === name)!.counter!.packets;
    return {
      egress: count('dropEgress'),
      ingress: count('dropIngress'),
      invalid: count('dropInvalid'),
      gate: count('gateForward') + count('gateInput'),
    };
  }

  /**
   * Sends each probe, over both families unless one is said, all at once, and checks what becomes of it: by its answer, by
   * the counters of what was dropped, and that `decide` says the same. A probe: `x/a > y/b TCP 80`, `x/a > world ICMP v6`.
   */
  async check(expected: Readonly<Record<string, Fate>>): Promise<void> {
    const probes = Object.entries(expected).flatMap(([text, fate]) => {
      const families = / v[46]$/.test(text) ? [Number(text.at(-1)) as 4 | 6] : ([4, 6] as const);
      return families.map((family) => ({ text: text.replace(/ v[46]$/, ''), family, fate }));
    });
    const before = await this.dropped();
    const seen = await Promise.all(
      probes.map(async ({ text, family, fate }) => {
        const result = await this.#probe(text, family, fate === 'passes' ? LONG_MS : SHORT_MS);
        return `${text} v${family}: ${result === 'ok' ? 'passes' : result}`;
      }),
    );
    const after = await this.dropped();
    assert.deepEqual(
      seen,
      probes.map(({ text, family, fate }) => `${text} v${family}: ${fate === 'passes' ? fate : 'silent'}`),
    );
    const wanted = (fate: Fate): number => probes.filter((probe) => probe.fate === fate).length;
    assert.deepEqual(
      { egress: after.egress - before.egress, ingress: after.ingress - before.ingress },
      { egress: wanted('egress'), ingress: wanted('ingress') },
      `drops of ${JSON.stringify(expected)}`,
    );
    for (const { text, family, fate } of probes) this.#checkDecision(text, family, fate);
  }

  #probe(text: string, family: 4 | 6, patienceMs: number): Promise<string> {
    const [from, , to, protocol, port] = text.split(' ') as [string, string, string, string, string?];
    const address = this.address(to, family);
    const prober = this.prober(from);
    if (protocol === 'ICMP') return prober.ping(address, patienceMs);
    return protocol === 'TCP'
      ? prober.tcp(address, Number(port), patienceMs)
      : prober.udp(address, Number(port), patienceMs);
  }

  #checkDecision(text: string, family: 4 | 6, fate: Fate): void {
    const [from, , to, protocol, port] = text.split(' ') as [
      string,
      string,
      string,
      Flow['protocol'],
      string?,
    ];
    const end = (name: string): FlowEnd => ({ address: this.address(name, family) });
    const flow = {
      source: end(from),
      destination: end(to),
      protocol,
      ...(port ? { port: Number(port) } : {}),
    };
    const decision = decide(this.#compiler.judged, flow);
    assert.ok(typeof decision !== 'string', String(decision));
    const decided = !decision.egress.allowed ? 'egress' : !decision.ingress.allowed ? 'ingress' : 'passes';
    assert.equal(decided, fate, `decide says of ${text} v${family}: ${JSON.stringify(decision)}`);
  }

  async delete(): Promise<void> {
    await this.node.delete();
  }
}

function changesFrom<T>(before: T | undefined, after: T): Changes<T> {
  if (before === undefined) return { gone: [], added: [after], changed: [] };
  return { gone: [], added: [], changed: [{ before, after }] };
}
