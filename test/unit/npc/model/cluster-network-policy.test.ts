import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { formatRange } from '../../../../base/range.ts';
import { readClusterNetworkPolicy } from '../../../../npc/model/cluster-network-policy.ts';
import type { Policy } from '../../../../npc/model/policy.ts';
import { readPolicyManifest } from '../../../../npc/model/policy-manifest.ts';
import { clusterPolicy, networkPolicy } from '../objects.ts';

const PLACE = { tier: 'Admin', priority: 7, subject: { namespaces: {} } };
const ALL = [{ namespaces: {} }];

function read(spec: object): Policy {
  const policy = readClusterNetworkPolicy(clusterPolicy('p', { ...PLACE, ...spec }));
  ok(policy);
  return policy;
}

describe('a ClusterNetworkPolicy', () => {
  it('has tier, priority, rules with names and actions, and says nothing of a direction without rules', () => {
    const ingress = [
      { name: 'first', action: 'Pass', from: ALL },
      { action: 'Deny', from: ALL },
    ];
    const { tier, priority, rules, faults, namespace } = read({ tier: 'Baseline', ingress, egress: [] });
    deepEqual([tier, priority, namespace, faults, rules.egress], ['Baseline', 7, '', [], undefined]);
    deepEqual(
      rules.ingress!.map(({ name, action, ports }) => [name, action, ports]),
      [
        ['first', 'Pass', 'any'],
        ['', 'Deny', 'any'],
      ],
    );
  });

  it('means networks and nodes, in egress', () => {
    const to = [{ networks: ['10.0.0.0/8', 'fd00::/8'] }, { nodes: { matchLabels: { a: 'b' } } }];
    const { rules, faults } = read({ egress: [{ action: 'Accept', to }] });
    deepEqual(faults, []);
    const peers = rules.egress![0]!.peers;
    ok(peers !== 'any' && peers[0]?.kind === 'nodes' && peers[1]?.kind === 'blocks');
    deepEqual(peers[1].blocks.map(formatRange), ['10.0.0.0/8', 'fd00::/8']);
  });

  it('reads each form of a protocol', () => {
    const protocols = [
      { tcp: {} },
      { udp: { destinationPort: { number: 53 } } },
      { sctp: { destinationPort: { range: { start: 1, end: 9 } } } },
      { destinationNamedPort: 'http' },
    ];
    const { rules, faults } = read({ ingress: [{ action: 'Accept', from: ALL, protocols }] });
    deepEqual(faults, []);
    deepEqual(rules.ingress![0]!.ports, [
      { kind: 'range', protocol: 'TCP', first: 0, last: 65_535 },
      { kind: 'range', protocol: 'UDP', first: 53, last: 53 },
      { kind: 'range', protocol: 'SCTP', first: 1, last: 9 },
      { kind: 'named', protocol: undefined, name: 'http' },
    ]);
  });

  const unknown: readonly [string, object][] = [
    ['domainNames', { to: [{ namespaces: {} }, { domainNames: ['a.example'] }] }],
    ['a peer without any field', { to: [{}] }],
    ['a peer with a field that is not known', { to: [{ services: {} }] }],
    ['a peer with two fields', { to: [{ namespaces: {}, nodes: {} }] }],
    ['no peers', { to: [] }],
    ['absent peers', {}],
    [
      'a selector that is not understood',
      { to: [{ nodes: { matchExpressions: [{ key: 'a', operator: 'Gt' }] } }] },
    ],
    ['a network that is none', { to: [{ networks: ['10.0.0.0'] }] }],
    ['a protocol that is not known', { to: ALL, protocols: [{ quic: {} }] }],
    ['a protocol without any field', { to: ALL, protocols: [{}] }],
    ['protocols that are none', { to: ALL, protocols: [] }],
    ['a port that is none', { to: ALL, protocols: [{ tcp: { destinationPort: { number: 0 } } }] }],
    [
      'a port in a form that is not known',
      { to: ALL, protocols: [{ tcp: { destinationPort: { list: [] } } }] },
    ],
    ['a field of a protocol that is not known', { to: ALL, protocols: [{ tcp: { sourcePort: {} } }] }],
    ['a field that is not known', { to: ALL, through: ALL }],
  ];
  for (const [title, rule] of unknown) {
    it(`matches nothing by an Accept with ${title}`, () => {
      const { rules, faults } = read({ egress: [{ action: 'Accept', ...rule }] });
      deepEqual([rules.egress![0]!.peers, rules.egress![0]!.ports], [[], []]);
      match(faults.join(), /egress\[0\].*so the rule matches nothing/);
    });
    for (const action of ['Deny', 'Pass']) {
      it(`denies all by a ${action} with ${title}`, () => {
        const { rules, faults } = read({ egress: [{ action, ...rule }] });
        deepEqual(rules.egress, [{ name: '', action: 'Deny', peers: 'any', ports: 'any' }]);
        match(faults.join(), /so the rule denies all/);
      });
    }
  }

  it('denies all by an action that is not known', () => {
    deepEqual(read({ ingress: [{ action: 'Log', from: ALL }] }).rules.ingress![0]!.action, 'Deny');
  });

  it('has no networks and no nodes in ingress', () => {
    for (const from of [[{ networks: ['10.0.0.0/8'] }], [{ nodes: {} }]]) {
      deepEqual(read({ ingress: [{ action: 'Accept', from }] }).rules.ingress![0]!.peers, []);
    }
  });

  for (const place of [{ tier: 'Middle' }, { priority: 1001 }, { priority: -1 }, { priority: '1' }]) {
    it(`denies all, where it has rules, with ${JSON.stringify(place)}`, () => {
      const { tier, rules, faults } = read({ ...place, ingress: [{ action: 'Accept', from: ALL }] });
      deepEqual([tier, rules.ingress?.[0]?.action, rules.egress], ['Admin', 'Deny', undefined]);
      match(faults.join(), /denies all/);
    });
  }

  for (const subject of [
    undefined,
    {},
    { services: {} },
    { namespaces: {}, pods: {} },
    { pods: { podSelector: 1 } },
  ]) {
    it(`selects nobody by the subject ${JSON.stringify(subject)}, and says so`, () => {
      const policy = read({ subject, ingress: [{ action: 'Deny', from: ALL }] });
      equal(policy.subject, undefined);
      match(policy.faults.join(), /selects nobody/);
    });
  }
});

describe('a manifest of policies', () => {
  it('may lack what the API server adds', () => {
    const manifest = {
      kind: 'List',
      items: [
        { kind: 'NetworkPolicy', metadata: { name: 'a' }, spec: { podSelector: {} } },
        { kind: 'ClusterNetworkPolicy', metadata: { name: 'b' }, spec: PLACE },
        networkPolicy('ns/c', { podSelector: {} }),
      ],
    };
    const policies = readPolicyManifest(manifest, 'mine');
    ok(typeof policies !== 'string');
    deepEqual(
      policies.map(({ kind, namespace, name }) => [kind, namespace, name]),
      [
        ['NetworkPolicy', 'mine', 'a'],
        ['ClusterNetworkPolicy', '', 'b'],
        ['NetworkPolicy', 'ns', 'c'],
      ],
    );
  });

  it('is refused with what is wrong', () => {
    match(String(readPolicyManifest({ kind: 'Pod' })), /object 0 is neither/);
    match(String(readPolicyManifest([])), /no object/);
    match(
      String(readPolicyManifest({ kind: 'NetworkPolicy', metadata: { name: 'A_B' } })),
      /object 0 has no name/,
    );
  });
});
