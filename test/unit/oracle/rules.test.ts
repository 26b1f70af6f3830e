import { deepEqual, equal, throws } from 'node:assert/strict';
import type { Pod } from '../../oracle/api-objects.ts';
import { generateCluster } from '../../oracle/cluster-generator.ts';
import { Dice } from '../../oracle/dice.ts';
import { generateFlows } from '../../oracle/flow-generator.ts';
import { isSelected } from '../../oracle/oracle.ts';
import { CompiledNode } from '../../oracle/rules/compiled-node.ts';
import { type NftTable, readNftTable } from '../../oracle/rules/nft-text.ts';
import type { RuledNode } from '../../oracle/rules/node-walk.ts';
import {
  compareChangingRules,
  compareFlow,
  compareRules,
  compileAll,
} from '../../oracle/rules/rule-comparison.ts';
import { type Packet, passes } from '../../oracle/rules/rule-walk.ts';
import { POD_LABELS } from '../../oracle/vocabulary.ts';

const SEED = 12;

describe('the rules of weft-npc and the oracle', () => {
  it('say the same of random clusters, of every packet of a flow, at every node', () => {
    for (let index = 0; index < 150; index++)
      deepEqual(compareRules({ seed: SEED, index, flows: 30 }), undefined, `cluster ${index}`);
  });

  it('say the same after a cluster has changed again and again', () => {
    for (let index = 0; index < 30; index++)
      deepEqual(compareChangingRules({ seed: SEED, index, flows: 20 }, 5), undefined, `cluster ${index}`);
  });

  it('never take a namespace for one without policies where one may select a pod, nor one that came since', () => {
    const labels = POD_LABELS.app.flatMap((app) => [
      {},
      { app },
      ...POD_LABELS.tier.map((tier) => ({ app, tier })),
    ]);
    let free = 0;
    for (let index = 0; index < 300; index++) {
      const dice = new Dice(SEED, index);
      const cluster = generateCluster(dice);
      const node = new CompiledNode('n1');
      node.become(cluster, dice);
      const fresh = { metadata: { name: 'fresh', labels: { 'kubernetes.io/metadata.name': 'fresh' } } };
      const namespaces = [...cluster.namespaces, fresh];
      for (const { metadata } of namespaces) {
        const pods = labels.map(
          (own, i): Pod => ({
            metadata: { name: `new${i}`, namespace: metadata.name, uid: `new${i}`, labels: own },
            spec: { nodeName: 'n1', containers: [] },
          }),
        );
        const isGoverned = pods.some((pod) => isSelected({ ...cluster, namespaces }, pod));
        if (!node.governs(metadata.name)) free++;
        equal(isGoverned && !node.governs(metadata.name), false, `${metadata.name} of cluster ${index}`);
      }
    }
    equal(free > 30, true, `${free} namespaces are free`);
  });

  const FAULTS: Readonly<Record<string, (table: NftTable) => NftTable>> = {
    'requests are not judged': (table) =>
      withoutRules(table, /^ct direction original .*vmap @(egress|ingress)$/),
    'answers are not judged': (table) => withoutRules(table, /^ct direction reply .*vmap @(egress|ingress)$/),
    'what began without SYN is judged once': (table) => withoutRules(table, /Turned$/),
    'ICMP errors are not told by their flow': (table) => withoutRules(table, /^meta l4proto (icmp|icmpv6) /),
    'a set of pods is empty': (table) => withoutElements(table, /^a[46]-/),
    'a set of nodes is empty': (table) => withoutElements(table, /^n[46]-/),
    'a set of blocks is empty': (table) => withoutElements(table, /^c[46]-/),
    'a pod does not reach itself by a Service': (table) => withoutRules(table, /\bfib /),
    'a pod may take its node for itself': (table) =>
      withRules(table, (rule) => [rule.replace(/^oifname "wv\*" fib /, 'fib ')]),
    'the gate is closed': (table) => withoutElements(table, /^decided$/),
  };
  for (const [fault, spoil] of Object.entries(FAULTS)) {
    it(`do not where ${fault}`, () => {
      for (let index = 0; index < 300; index++) {
        const dice = new Dice(SEED, index);
        const cluster = generateCluster(dice);
        const nodes = compileAll(cluster, dice).map(
          (node): RuledNode => ({ ...node, table: spoil(node.table) }),
        );
        if (generateFlows(dice, cluster, 60).some((flow) => compareFlow(cluster, nodes, flow) !== undefined))
          return;
      }
      throw new Error('300 clusters did not find it');
    });
  }
});

function withoutRules(table: NftTable, form: RegExp): NftTable {
  return withRules(table, (rule) => (form.test(rule) ? [] : [rule]));
}

function withRules(table: NftTable, change: (rule: string) => string[]): NftTable {
  const chains = [...table.chains].map(([name, { base, rules }]) => {
    return [name, { base, rules: rules.flatMap(change) }] as const;
  });
  return { ...table, chains: new Map(chains) };
}

function withoutElements(table: NftTable, form: RegExp): NftTable {
  return {
    ...table,
    sets: new Map([...table.sets].map(([name, all]) => [name, form.test(name) ? [] : all])),
  };
}

describe('a walk through rules', () => {
  /** A packet from a pod at forward, through a base chain with these rules. */
  function walk(rules: readonly string[], more = '', packet: Partial<Packet> = {}): boolean {
    const table = readNftTable(`table inet t {
  set ports { type inet_service; flags interval; elements = { 80, 90-95 }; }
  set blocks { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 11.0.0.1-11.0.0.9 }; }
  map links { type ifname : verdict; elements = { "wv0" : goto dropping }; }
  chain dropping {
    drop
  }
${more}
  chain first {
    type filter hook forward priority filter - 1; policy accept;
    accept
  }
  chain second {
    type filter hook forward priority filter; policy accept;
${rules.map((rule) => `    ${rule}`).join('\n')}
  }
}`);
    return passes(table, {
      hook: 'forward',
      iif: 'wv0',
      oif: 'un0',
      l4proto: 'tcp',
      direction: 'original',
      state: 'new',
      isSyn: true,
      entry: {
        protocol: 'tcp',
        original: { source: '10.0.0.1', port: 1000 },
        reply: { source: '11.0.0.9', port: 93 },
        labels: new Set(),
      },
      ...packet,
    });
  }

  it('goes on to the next base chain after an accept, and passes at the end', () => {
    equal(walk([]), true);
    equal(walk(['drop']), false);
  });

  it('comes back from a chain it jumped to, and not from one it went to', () => {
    const chain = '  chain other {\n    return\n    drop\n  }';
    equal(walk(['jump other', 'drop'], chain), false);
    equal(walk(['goto other', 'drop'], chain), true);
  });

  it('finds a verdict by the name of a link', () => {
    equal(walk(['iifname vmap @links']), false);
    equal(walk(['oifname vmap @links']), true);
    equal(walk(['iifname "wv*" drop']), false);
    equal(walk(['iifname != "wv*" drop']), true);
  });

  it('finds addresses and ports in blocks and ranges, each of its own tuple', () => {
    equal(walk(['ct original ip saddr @blocks ct reply ip saddr @blocks drop']), false);
    equal(walk(['ct original ip6 saddr @blocks drop']), true);
    equal(walk(['meta l4proto tcp ct reply proto-src @ports drop']), false);
    equal(walk(['ct original proto-src @ports drop']), true);
    equal(walk(['ct reply proto-src 90-92 drop']), true);
  });

  it('takes no statement for another one', () => {
    throws(() => walk(['ip saddr 10.0.0.1 drop']), /no statement that is known/);
    throws(() => readNftTable('table inet t {\n  flowtable f {'), /no line of a table that is known/);
  });
});
