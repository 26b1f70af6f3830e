import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { type Decision, decide, type Flow } from '../../../../npc/compiler/decide.ts';
import { readPolicyManifest } from '../../../../npc/model/policy-manifest.ts';
import { type ClusterObjects, clusterSnapshot } from '../../../oracle/cluster-snapshot.ts';
import { clusterPolicy, namespace, networkPolicy, node, pod } from '../objects.ts';

const HTTP = { ports: [{ name: 'http', containerPort: 8080 }] };
const DNS = { ports: [{ name: 'http', containerPort: 53, protocol: 'UDP' }] };

const CLUSTER: ClusterObjects = {
  namespaces: [namespace('x', { team: 'red' }), namespace('y', { team: 'blue' }), namespace('z')],
  nodes: [
    node('here', ['192.0.2.1', '2001:db8::1'], { zone: 'a' }),
    node('there', ['192.0.2.2'], { zone: 'b' }),
  ],
  pods: [
    pod('x/a', ['10.0.0.1', 'fd00::1'], { app: 'a' }, HTTP),
    pod('x/b', ['10.0.0.2', 'fd00::2'], { app: 'b' }, { ports: [{ name: 'http', containerPort: 80 }] }),
    pod('y/a', ['10.0.0.3', 'fd00::3'], { app: 'a' }, { node: 'there', ...DNS }),
    pod('y/ended', ['10.0.0.4'], { app: 'a' }, { phase: 'Succeeded' }),
    pod('z/host', ['192.0.2.2'], { app: 'a' }, { hostNetwork: true, node: 'there', ...HTTP }),
    pod('z/new', [], { app: 'a' }),
  ],
  networkPolicies: [],
  clusterNetworkPolicies: [],
  overlayAddresses: { here: ['10.0.9.1', 'fd00::9:1'], there: ['10.0.9.2', 'fd00::9:2'] },
};

type Answer = 'both' | 'egress' | 'ingress' | 'none';

function ask(policies: readonly object[], flow: Flow): Decision {
  const decision = decide(clusterSnapshot({ ...CLUSTER, ...byKind(policies) }), flow);
  ok(typeof decision !== 'string', String(decision));
  return decision;
}

function byKind(
  policies: readonly object[],
): Pick<ClusterObjects, 'networkPolicies' | 'clusterNetworkPolicies'> {
  const of = (kind: string): object[] => policies.filter((each) => 'kind' in each && each.kind === kind);
  return { networkPolicies: of('NetworkPolicy'), clusterNetworkPolicies: of('ClusterNetworkPolicy') };
}

/** `x/a > y/a TCP 80`, `10.0.0.1 > 192.0.2.2 ICMP`; `~` behind the protocol means through a Service. */
function flowOf(text: string): Flow {
  const [from, , to, protocol, port] = text.split(' ') as [
    string,
    string,
    string,
    string,
    string | undefined,
  ];
  const end = (name: string): Flow['source'] => (name.includes('/') ? { pod: name } : { address: name });
  return {
    source: end(from),
    destination: end(to),
    protocol: protocol.replace('~', '') as Flow['protocol'],
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(protocol.endsWith('~') ? { viaService: true } : {}),
  };
}

/** Which directions allow each flow. */
function check(policies: readonly object[], expected: Readonly<Record<string, Answer>>): void {
  const got = Object.fromEntries(
    Object.keys(expected).map((text): [string, Answer] => {
      const { egress, ingress, allowed } = ask(policies, flowOf(text));
      equal(allowed, egress.allowed && ingress.allowed);
      return [text, allowed ? 'both' : egress.allowed ? 'egress' : ingress.allowed ? 'ingress' : 'none'];
    }),
  );
  deepEqual(got, expected);
}

const np = (key: string, spec: object): object => networkPolicy(key, spec);
const cnp = (name: string, spec: object): object =>
  clusterPolicy(name, { tier: 'Admin', priority: 10, subject: { namespaces: {} }, ...spec });
const DENY_X = np('x/deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
const everyPod = [{ namespaces: {} }];

describe('what policies decide', () => {
  it('allows everything without policies', () =>
    check([], { 'x/a > y/a TCP 80': 'both', 'x/a > 192.0.2.9 UDP 1': 'both' }));

  it('isolates a pod by direction', () => {
    check([np('x/in', { podSelector: {} })], { 'x/a > y/a TCP 80': 'both', 'y/a > x/a TCP 80': 'egress' });
    check([np('x/out', { podSelector: {}, policyTypes: ['Egress'] })], {
      'x/a > y/a TCP 80': 'ingress',
      'y/a > x/a TCP 80': 'both',
    });
    check([DENY_X], { 'x/a > x/b TCP 80': 'none', 'y/a > 10.0.0.3 TCP 1': 'both' });
  });

  it('takes an absent ingress beside an empty egress for what policyTypes says', () => {
    check([np('x/p', { podSelector: {}, policyTypes: ['Egress'], egress: [] })], {
      'x/a > y/a TCP 80': 'ingress',
      'y/a > x/a TCP 80': 'both',
    });
  });

  it('allows what any policy allows', () => {
    const allow = np('x/allow', {
      podSelector: { matchLabels: { app: 'a' } },
      ingress: [{ ports: [{ port: 80 }] }],
    });
    check([DENY_X, allow], {
      'y/a > x/a TCP 80': 'both',
      'y/a > x/a TCP 81': 'egress',
      'y/a > x/b TCP 80': 'egress',
    });
  });

  it('knows peers by pods, by namespaces and by both in one entry', () => {
    const from = (...peers: object[]): object => np('x/p', { podSelector: {}, ingress: [{ from: peers }] });
    const blue = { namespaceSelector: { matchLabels: { team: 'blue' } } };
    const isA = { podSelector: { matchLabels: { app: 'a' } } };
    check([from(isA)], {
      'x/a > x/b TCP 1': 'both',
      'y/a > x/b TCP 1': 'egress',
      'x/b > x/a TCP 1': 'egress',
    });
    check([from(blue)], { 'x/a > x/b TCP 1': 'egress', 'y/a > x/b TCP 1': 'both' });
    check([from({ ...blue, podSelector: { matchLabels: { app: 'b' } } })], { 'y/a > x/b TCP 1': 'egress' });
    check([from(blue, isA)], { 'x/a > x/b TCP 1': 'both', 'y/a > x/b TCP 1': 'both' });
  });

  it('never means pods with the address of their node by a selector, but by a block', () => {
    const any = np('x/p', { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] });
    check([any], { 'z/host > x/a TCP 1': 'egress', '192.0.2.2 > x/a TCP 1': 'egress' });
    const block = np('x/p', {
      podSelector: {},
      ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.2/32' } }] }],
    });
    check([block], {
      'z/host > x/a TCP 1': 'both',
      '10.0.9.2 > x/a TCP 1': 'both',
      'fd00::9:2 > x/a TCP 1': 'both',
    });
    check([np('z/p', { podSelector: {} })], { 'x/a > z/host TCP 1': 'both' });
  });

  it('means the addresses of a node on the overlay by a block with its own, but not those of other nodes', () => {
    const to = [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.1/32'] } }];
    check([np('x/p', { podSelector: {}, policyTypes: ['Egress'], egress: [{ to }] })], {
      'x/a > 10.0.9.2 TCP 1': 'both',
      'x/a > 10.0.9.1 TCP 1': 'ingress',
      'x/a > 10.0.9.3 TCP 1': 'ingress',
    });
  });

  it('judges what a pod sends to its own node, and not what that node sends to it', () => {
    check([DENY_X], {
      'x/a > 192.0.2.1 TCP 10250': 'ingress',
      '192.0.2.1 > x/a TCP 80': 'both',
      '10.0.9.1 > x/a TCP 80': 'both',
      '10.0.9.2 > x/a TCP 80': 'egress',
    });
    const egressless = cnp('c', { ingress: [{ action: 'Deny', from: everyPod }] });
    check([egressless], { '192.0.2.1 > x/a TCP 80': 'both' });
  });

  it('never keeps a pod from its own address, and by a Service only ClusterNetworkPolicy does', () => {
    check([DENY_X], {
      'x/a > x/a TCP 80': 'both',
      'x/a > 10.0.0.1 TCP 80': 'both',
      'x/a > x/a TCP~ 80': 'both',
    });
    const admin = cnp('c', { egress: [{ action: 'Deny', to: everyPod }] });
    check([admin], { 'x/a > x/a TCP 80': 'both', 'x/a > x/a TCP~ 80': 'ingress' });
    const baseline = cnp('c', { tier: 'Baseline', ingress: [{ action: 'Deny', from: everyPod }] });
    check([baseline], { 'x/a > x/a TCP~ 80': 'egress' });
    check([baseline, DENY_X], { 'x/a > x/a TCP~ 80': 'both' });
  });

  it('knows ports by number, range, protocol and name', () => {
    const ports = (...list: object[]): object => np('x/p', { podSelector: {}, ingress: [{ ports: list }] });
    check([ports({ port: 80, endPort: 82 })], {
      'y/a > x/a TCP 79': 'egress',
      'y/a > x/a TCP 80': 'both',
      'y/a > x/a TCP 82': 'both',
      'y/a > x/a TCP 83': 'egress',
      'y/a > x/a UDP 80': 'egress',
      'y/a > x/a ICMP': 'egress',
    });
    check([ports({ protocol: 'SCTP' })], { 'y/a > x/a SCTP 7': 'both', 'y/a > x/a TCP 7': 'egress' });
    check([ports({ port: 'http' })], {
      'y/a > x/a TCP 8080': 'both',
      'y/a > x/a TCP 80': 'egress',
      'y/a > x/b TCP 80': 'both',
      'y/a > x/b UDP 80': 'egress',
    });
    check([ports({ port: 'https' })], { 'y/a > x/a TCP 443': 'egress' });
    check([np('x/p', { podSelector: {}, ingress: [{}] })], { 'y/a > x/a ICMP': 'both' });
  });

  it('finds a named port in egress at each destination, whatever the peer is', () => {
    const to = (...peers: object[]): object =>
      np('x/p', {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [{ to: peers, ports: [{ port: 'http' }] }],
      });
    const expected = {
      'x/b > x/a TCP 8080': 'both',
      'x/b > x/a TCP 80': 'ingress',
      'x/a > x/b TCP 80': 'both',
    } as const;
    check([to({ podSelector: {} })], expected);
    check([to()], expected);
    check([to({ ipBlock: { cidr: '10.0.0.0/24' } })], { ...expected, 'x/a > 10.0.0.77 TCP 80': 'ingress' });
    check([to({ ipBlock: { cidr: '10.0.0.2/32' } })], {
      'x/b > x/a TCP 8080': 'ingress',
      'x/a > x/b TCP 80': 'both',
    });
    check([to({ namespaceSelector: {} })], {
      'x/a > y/a TCP 53': 'ingress',
      'x/a > z/host TCP 8080': 'ingress',
    });
    const any = cnp('c', {
      priority: 1,
      egress: [{ action: 'Deny', to: everyPod, protocols: [{ destinationNamedPort: 'http' }] }],
    });
    check([any], {
      'x/a > y/a UDP 53': 'ingress',
      'x/a > y/a TCP 53': 'both',
      'x/b > x/a TCP 8080': 'ingress',
    });
  });

  it('forgets a pod that has ended', () => {
    const open = np('x/p', { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] });
    check([open], { '10.0.0.4 > x/a TCP 1': 'egress', '10.0.0.3 > x/a TCP 1': 'both' });
  });

  it('takes 0.0.0.0/0 for IPv4 alone', () => {
    const open = np('x/p', { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] });
    check([open], { '10.0.0.3 > x/a TCP 1': 'both', 'fd00::3 > x/a TCP 1': 'egress' });
    const flow = { source: { pod: 'y/a' }, destination: { pod: 'x/a' }, protocol: 'TCP', port: 1 } as const;
    deepEqual(
      [4, 6].map((family) => ask([open], { ...flow, family: family as 4 | 6 }).allowed),
      [true, false],
    );
  });
});

describe('what tiers decide', () => {
  const accept = { action: 'Accept', from: everyPod };
  const deny = { action: 'Deny', from: everyPod };
  const pass = { action: 'Pass', from: everyPod };

  it('asks Admin before NetworkPolicy before Baseline', () => {
    check([cnp('c', { ingress: [accept] }), DENY_X], { 'y/a > x/a TCP 1': 'both' });
    check([cnp('c', { tier: 'Baseline', ingress: [accept] }), DENY_X], { 'y/a > x/a TCP 1': 'egress' });
    check([cnp('c', { tier: 'Baseline', ingress: [deny] })], {
      'y/a > x/a TCP 1': 'egress',
      '192.0.2.9 > x/a TCP 1': 'both',
    });
    check([cnp('c', { tier: 'Baseline', ingress: [deny] }), np('x/p', { podSelector: {}, ingress: [{}] })], {
      'y/a > x/a TCP 1': 'both',
    });
  });

  it('goes by priority, then by the order of rules, then by name', () => {
    check([cnp('a', { priority: 2, ingress: [deny] }), cnp('b', { priority: 1, ingress: [accept] })], {
      'y/a > x/a TCP 1': 'both',
    });
    check([cnp('a', { ingress: [accept, deny] })], { 'y/a > x/a TCP 1': 'both' });
    check([cnp('a', { ingress: [deny] }), cnp('b', { ingress: [accept] })], { 'y/a > x/a TCP 1': 'egress' });
  });

  it('passes to the next tier, over all that is left of its own', () => {
    const passing = [cnp('a', { priority: 1, ingress: [pass] }), cnp('b', { priority: 2, ingress: [deny] })];
    check(passing, { 'y/a > x/a TCP 1': 'both' });
    check([...passing, DENY_X], { 'y/a > x/a TCP 1': 'egress' });
    check([...passing, cnp('c', { tier: 'Baseline', ingress: [deny] })], { 'y/a > x/a TCP 1': 'egress' });
    check([cnp('c', { tier: 'Baseline', ingress: [pass, deny] })], { 'y/a > x/a TCP 1': 'both' });
  });

  it('fails closed by what is not known', () => {
    const unknown = (action: string): object =>
      cnp('a', { egress: [{ action, to: [{ domainNames: ['a.b'] }] }] });
    check([unknown('Accept'), DENY_X], { 'x/a > y/a TCP 1': 'ingress' });
    check([unknown('Deny')], { 'x/a > 192.0.2.9 TCP 1': 'ingress' });
    check([unknown('Pass')], { 'x/a > 192.0.2.9 TCP 1': 'ingress' });
  });

  it('knows nodes and networks', () => {
    const to = [{ nodes: { matchLabels: { zone: 'b' } } }];
    check([cnp('a', { egress: [{ action: 'Deny', to }] })], {
      'x/a > 192.0.2.2 TCP 1': 'ingress',
      'x/a > 10.0.9.2 TCP 1': 'ingress',
      'x/a > z/host TCP 1': 'ingress',
      'x/a > 192.0.2.1 TCP 1': 'both',
      'x/a > y/a TCP 1': 'both',
    });
    check([cnp('a', { egress: [{ action: 'Deny', to: [{ networks: ['10.0.0.0/24'] }] }] })], {
      'x/a > y/a TCP 1': 'ingress',
      'x/a > 10.0.9.2 TCP 1': 'both',
    });
  });

  it('selects subjects by namespaces and by pods', () => {
    const pods = {
      namespaceSelector: { matchLabels: { team: 'red' } },
      podSelector: { matchLabels: { app: 'a' } },
    };
    check([cnp('a', { subject: { pods }, ingress: [deny] })], {
      'y/a > x/a TCP 1': 'egress',
      'y/a > x/b TCP 1': 'both',
      'x/a > y/a TCP 1': 'both',
      'x/a > z/host TCP 1': 'both',
    });
  });
});

describe('a decision', () => {
  it('names the rule that decides and every policy that selects either side', () => {
    const admin = cnp('a', { priority: 1, ingress: [{ name: 'stop', action: 'Deny', from: everyPod }] });
    const { egress, ingress } = ask([admin, DENY_X], flowOf('y/a > x/a TCP 80'));
    deepEqual(ingress, {
      allowed: false,
      reason: 'rule 0 of ClusterNetworkPolicy a denies it',
      tier: 'Admin',
      rule: { policy: 'ClusterNetworkPolicy a', index: 0, name: 'stop' },
      selecting: [
        { policy: 'ClusterNetworkPolicy a', tier: 'Admin' },
        { policy: 'NetworkPolicy x/deny', tier: 'NetworkPolicy' },
      ],
    });
    deepEqual(egress, { allowed: true, reason: 'no policy selects the pod', selecting: [] });
  });

  it('says that policies isolate a pod and none allows it', () => {
    match(ask([DENY_X], flowOf('y/a > x/a TCP 80')).ingress.reason, /isolate the pod for ingress/);
  });

  it('can be had with policies that are not applied yet', () => {
    const judged = clusterSnapshot(CLUSTER);
    const more = readPolicyManifest(
      { kind: 'NetworkPolicy', metadata: { name: 'p' }, spec: { podSelector: {} } },
      'x',
    );
    ok(typeof more !== 'string');
    const flow = flowOf('y/a > x/a TCP 80');
    const before = decide(judged, flow);
    const after = decide({ ...judged, policies: judged.policies.with(more) }, flow);
    ok(typeof before !== 'string' && typeof after !== 'string');
    deepEqual([before.allowed, after.allowed], [true, false]);
  });

  it('answers for a pod that has no address yet, by its labels', () => {
    const allow = np('x/p', { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] });
    check([allow], { 'z/new > x/a TCP 1': 'both' });
    check([np('z/p', { podSelector: {} })], { 'x/a > z/new TCP 1': 'egress' });
  });

  it('is none where the question has a fault', () => {
    const judged = clusterSnapshot(CLUSTER);
    match(String(decide(judged, flowOf('x/gone > x/a TCP 1'))), /no pod x\/gone/);
    match(String(decide(judged, flowOf('10.0.0 > x/a TCP 1'))), /no address/);
    match(String(decide(judged, flowOf('fd00::1 > 10.0.0.2 TCP 1'))), /one family/);
  });
});
