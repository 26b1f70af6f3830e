import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { formatRange } from '../../../../base/range.ts';
import { readNetworkPolicy } from '../../../../npc/model/network-policy.ts';
import type { Policy, PolicyRule } from '../../../../npc/model/policy.ts';
import { networkPolicy } from '../objects.ts';

function read(spec: object): Policy {
  const policy = readNetworkPolicy(networkPolicy('ns/p', spec));
  ok(policy);
  return policy;
}

/** The only rule of one direction, of a policy that is wholly understood. */
function onlyRule(spec: object): PolicyRule {
  const { rules, faults } = read({ podSelector: {}, policyTypes: ['Ingress', 'Egress'], ...spec });
  deepEqual(faults, []);
  const all = [...rules.ingress!, ...rules.egress!];
  equal(all.length, 1);
  return all[0]!;
}

describe('a NetworkPolicy', () => {
  const types: readonly [string, object, readonly [boolean, boolean]][] = [
    ['is about ingress where it says nothing', {}, [true, false]],
    ['is about both where it has egress rules', { egress: [{}] }, [true, true]],
    ['is about ingress where its egress rules are none', { egress: [] }, [true, false]],
    ['is about what policyTypes says', { policyTypes: ['Egress'], ingress: [{}] }, [false, true]],
    ['is about both', { policyTypes: ['Egress', 'Ingress'] }, [true, true]],
    ['takes no types for absent ones', { policyTypes: [], egress: [{}] }, [true, true]],
    ['isolates both with a type that is not known', { policyTypes: ['Ingress', 'Sideways'] }, [true, true]],
    ['isolates both with types that are no list', { policyTypes: 'Ingress' }, [true, true]],
  ];
  for (const [title, spec, expected] of types) {
    it(title, () => {
      const { rules } = read({ podSelector: {}, ...spec });
      deepEqual([rules.ingress !== undefined, rules.egress !== undefined], expected);
    });
  }

  const isolating: readonly [string, object][] = [
    ['absent rules', {}],
    ['no rules', { ingress: [] }],
    ['null for rules', { ingress: null }],
    ['rules that are no list', { ingress: {} }],
  ];
  for (const [title, spec] of isolating) {
    it(`allows nothing with ${title}`, () => deepEqual(read({ podSelector: {}, ...spec }).rules.ingress, []));
  }

  for (const rule of [{}, { from: [] }, { from: null, ports: null }, { from: [], ports: [] }]) {
    it(`allows all with the rule ${JSON.stringify(rule)}`, () => {
      const { peers, ports } = onlyRule({ ingress: [rule] });
      deepEqual([peers, ports], ['any', 'any']);
    });
  }

  it('means pods of its own namespace by a podSelector alone', () => {
    const { peers } = onlyRule({ ingress: [{ from: [{ podSelector: { matchLabels: { a: 'b' } } }] }] });
    equal(peers !== 'any' && peers[0]?.kind === 'pods' && peers[0].pods.namespace, 'ns');
  });

  it('means pods of all namespaces by an empty namespaceSelector', () => {
    const { peers } = onlyRule({ egress: [{ to: [{ namespaceSelector: {} }] }] });
    ok(peers !== 'any' && peers[0]?.kind === 'pods');
    deepEqual([peers[0].pods.namespace, peers[0].pods.namespaces, peers[0].pods.pods], [undefined, [], []]);
  });

  it('joins the blocks of a rule, each without its own exceptions', () => {
    const to = [
      { ipBlock: { cidr: '10.0.0.0/24', except: ['10.0.0.0/25'] } },
      { ipBlock: { cidr: '10.0.0.64/26' } },
      { ipBlock: { cidr: 'fd00::1/64' } },
    ];
    const { peers } = onlyRule({ egress: [{ to }] });
    ok(peers !== 'any' && peers.length === 1 && peers[0]?.kind === 'blocks');
    deepEqual(peers[0].blocks.map(formatRange), ['10.0.0.64-10.0.0.255', 'fd00::/64']);
  });

  const ports: readonly [object, object][] = [
    [{}, { kind: 'range', protocol: 'TCP', first: 0, last: 65_535 }],
    [{ protocol: 'UDP' }, { kind: 'range', protocol: 'UDP', first: 0, last: 65_535 }],
    [{ port: 80 }, { kind: 'range', protocol: 'TCP', first: 80, last: 80 }],
    [
      { protocol: 'SCTP', port: 80, endPort: 82 },
      { kind: 'range', protocol: 'SCTP', first: 80, last: 82 },
    ],
    [
      { port: 80, endPort: 80 },
      { kind: 'range', protocol: 'TCP', first: 80, last: 80 },
    ],
    [{ port: 'http' }, { kind: 'named', protocol: 'TCP', name: 'http' }],
    [
      { protocol: 'UDP', port: '53' },
      { kind: 'named', protocol: 'UDP', name: '53' },
    ],
  ];
  for (const [port, expected] of ports) {
    it(`reads the port ${JSON.stringify(port)}`, () => {
      deepEqual(onlyRule({ ingress: [{ ports: [port] }] }).ports, [expected]);
    });
  }

  const broken: readonly [string, object, RegExp][] = [
    ['a protocol that is not known', { ports: [{ protocol: 'ICMP' }] }, /protocol is not known/],
    ['a port beyond all ports', { ports: [{ port: 70_000 }] }, /number is none/],
    ['port 0', { ports: [{ port: 0 }] }, /number is none/],
    ['an endPort below its port', { ports: [{ port: 80, endPort: 79 }] }, /below/],
    ['an endPort with a name', { ports: [{ port: 'http', endPort: 81 }] }, /endPort and a name/],
    ['an endPort alone', { ports: [{ endPort: 81 }] }, /endPort and no port/],
    ['a port that is no object', { ports: [80] }, /no object/],
    ['ports that are no list', { ports: { port: 80 } }, /no list/],
    ['a port with a field that is not known', { ports: [{ port: 80, method: 'GET' }] }, /not known/],
    ['a peer that says nothing', { from: [{}] }, /says nothing/],
    [
      'a peer with a field that is not known',
      { from: [{ podSelector: {}, serviceSelector: {} }] },
      /not known/,
    ],
    [
      'an ipBlock beside a selector',
      { from: [{ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }] },
      /ipBlock and/,
    ],
    ['an ipBlock without cidr', { from: [{ ipBlock: {} }] }, /no cidr/],
    ['a cidr that is none', { from: [{ ipBlock: { cidr: '10.0.0.0' } }] }, /cidr is none/],
    ['an exception that is none', { from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['x'] } }] }, /except/],
    ['peers that are no list', { from: {} }, /no list/],
    ['a selector that is not understood', { from: [{ podSelector: { matchLabels: 1 } }] }, /matchLabels/],
    ['a field that is not known', { from: [], peers: [] }, /not understood/],
  ];
  for (const [title, rule, expected] of broken) {
    it(`allows nothing by a rule with ${title}, and says so`, () => {
      const { rules, faults } = read({ podSelector: {}, ingress: [rule] });
      const { peers, ports } = rules.ingress![0]!;
      ok(peers.length === 0 || ports.length === 0, 'it matches nothing');
      match(faults.join(), expected);
    });
  }

  it('keeps the other peers and ports of a rule', () => {
    const rule = { from: [{}, { podSelector: {} }], ports: [{ port: 0 }, { port: 80 }] };
    const { rules, faults } = read({ podSelector: {}, ingress: [rule] });
    deepEqual([rules.ingress![0]!.peers.length, rules.ingress![0]!.ports.length, faults.length], [1, 1, 2]);
  });

  for (const podSelector of [{ matchExpressions: [{ key: 'a', operator: 'Near' }] }, 'all']) {
    it(`isolates its namespace where its podSelector is ${JSON.stringify(podSelector)}`, () => {
      const { subject, rules, faults } = read({ podSelector, ingress: [{}] });
      deepEqual([subject?.namespace, subject?.pods, rules.ingress], ['ns', [], []]);
      match(faults.join(), /isolated/);
    });
  }

  it('isolates its namespace where it has no spec', () => {
    const policy = readNetworkPolicy({ ...networkPolicy('ns/p', {}), spec: 'none' });
    deepEqual([policy?.subject?.pods, policy?.rules.ingress], [[], []]);
  });

  it('is none without names', () => {
    for (const value of [null, [], {}, { metadata: {} }, { metadata: { name: 'A B' } }]) {
      equal(readNetworkPolicy(value), undefined);
    }
  });

  it('tells a bounded number of faults', () => {
    const ingress = Array.from({ length: 100 }, () => ({ from: [{}] }));
    equal(read({ podSelector: {}, ingress }).faults.length, 16);
  });
});
