import { type Fate, PolicyCluster } from './policy-cluster.ts';

/** A NetworkPolicy; `spec` without podSelector selects every pod of its namespace. */
function np(key: string, spec: object): object {
  const [namespace, name] = key.split('/') as [string, string];
  return { kind: 'NetworkPolicy', metadata: { namespace, name }, spec: { podSelector: {}, ...spec } };
}

const APP_A = { matchLabels: { app: 'a' } };
const RED = { matchLabels: { team: 'red' } };
const BLUE = { matchLabels: { team: 'blue' } };
const isApp = (operator: string, key: string, values?: string[]): object => ({
  podSelector: { matchExpressions: [{ key, operator, ...(values ? { values } : {}) }] },
  namespaceSelector: {},
});

/** Ingress to the pods of x from these peers, at these ports. */
const from = (peers: readonly object[] | undefined, ports?: readonly object[]): object =>
  np('x/p', { ingress: [{ ...(peers ? { from: peers } : {}), ...(ports ? { ports } : {}) }] });
/** Egress of the pods of x to these peers, at these ports. */
const to = (peers: readonly object[] | undefined, ports?: readonly object[]): object =>
  np('x/p', {
    policyTypes: ['Egress'],
    egress: [{ ...(peers ? { to: peers } : {}), ...(ports ? { ports } : {}) }],
  });
const DENY_IN = np('x/deny-in', { policyTypes: ['Ingress'] });
const DENY_OUT = np('x/deny-out', { policyTypes: ['Egress'] });
const DENY_BOTH = np('x/deny', { policyTypes: ['Ingress', 'Egress'] });

type Case = readonly [title: string, policies: readonly object[], expected: Readonly<Record<string, Fate>>];

const CASES: readonly Case[] = [
  [
    'no policy',
    [],
    { 'x/a > y/a TCP 80': 'passes', 'y/r > x/a UDP 80': 'passes', 'x/a > world ICMP': 'passes' },
  ],
  [
    'deny ingress',
    [DENY_IN],
    {
      'y/a > x/a TCP 80': 'ingress',
      'y/r > x/a UDP 80': 'ingress',
      'y/a > x/a ICMP': 'ingress',
      'x/a > y/a TCP 80': 'passes',
      'x/a > x/b TCP 80': 'ingress',
    },
  ],
  [
    'deny egress',
    [DENY_OUT],
    {
      'x/a > y/a TCP 80': 'egress',
      'x/a > world UDP 80': 'egress',
      'x/a > y/a ICMP': 'egress',
      'y/a > x/a TCP 80': 'passes',
    },
  ],
  [
    'deny both',
    [DENY_BOTH],
    { 'x/a > y/a TCP 80': 'egress', 'y/a > x/a TCP 80': 'ingress', 'y/a > y/b TCP 80': 'passes' },
  ],
  [
    'policyTypes omitted, without egress rules',
    [np('x/p', { ingress: [] })],
    { 'x/a > y/a TCP 80': 'passes', 'y/a > x/a TCP 80': 'ingress' },
  ],
  [
    'policyTypes omitted, with egress rules',
    [np('x/p', { egress: [{ to: [{ namespaceSelector: BLUE }] }] })],
    { 'x/a > y/a TCP 80': 'passes', 'x/a > z/a TCP 80': 'egress', 'y/a > x/a TCP 80': 'ingress' },
  ],
  [
    'ingress: [{}]',
    [np('x/p', { ingress: [{}] })],
    { 'y/a > x/a TCP 80': 'passes', 'world > x/a UDP 81': 'passes', 'y/a > x/a ICMP': 'passes' },
  ],
  ['ingress: []', [np('x/p', { ingress: [] })], { 'y/a > x/a TCP 80': 'ingress' }],
  ['ingress absent', [np('x/p', {})], { 'y/a > x/a TCP 80': 'ingress' }],
  [
    'absent ingress beside egress: []',
    [np('x/p', { policyTypes: ['Egress'], egress: [] })],
    { 'y/a > x/a TCP 80': 'passes', 'x/a > y/a TCP 80': 'egress' },
  ],
  [
    'from absent with ports',
    [from(undefined, [{ port: 80 }])],
    { 'y/a > x/a TCP 80': 'passes', 'world > x/a TCP 80': 'passes', 'y/a > x/a TCP 81': 'ingress' },
  ],
  ['from: []', [from([])], { 'y/a > x/a TCP 80': 'passes', 'world > x/a TCP 81': 'passes' }],
  [
    'ports absent',
    [from([{ namespaceSelector: BLUE }])],
    { 'y/a > x/a TCP 8080': 'passes', 'y/a > x/a UDP 81': 'passes', 'z/a > x/a TCP 80': 'ingress' },
  ],
  [
    'a podSelector means the own namespace only',
    [from([{ podSelector: APP_A }])],
    { 'x/a > x/b TCP 80': 'passes', 'y/a > x/b TCP 80': 'ingress', 'z/a > x/b TCP 80': 'ingress' },
  ],
  [
    'an empty podSelector means all pods of the namespace',
    [from([{ podSelector: {} }])],
    { 'x/a > x/b TCP 80': 'passes', 'x/b > x/a TCP 80': 'passes', 'y/a > x/b TCP 80': 'ingress' },
  ],
  [
    'a namespaceSelector only',
    [from([{ namespaceSelector: BLUE }])],
    { 'y/b > x/a TCP 80': 'passes', 'y/r > x/a TCP 80': 'passes', 'x/b > x/a TCP 80': 'ingress' },
  ],
  [
    'an empty namespaceSelector means every pod, and nobody else',
    [from([{ namespaceSelector: {} }])],
    {
      'y/a > x/a TCP 80': 'passes',
      'z/a > x/a TCP 80': 'passes',
      'x/b > x/a TCP 80': 'passes',
      'world > x/a TCP 80': 'ingress',
      'there > x/a TCP 80': 'ingress',
    },
  ],
  [
    'both selectors in one entry mean both',
    [from([{ namespaceSelector: BLUE, podSelector: APP_A }])],
    { 'y/a > x/a TCP 80': 'passes', 'y/b > x/a TCP 80': 'ingress', 'z/a > x/b TCP 80': 'ingress' },
  ],
  [
    'two entries mean either',
    [from([{ namespaceSelector: BLUE }, { podSelector: APP_A }])],
    { 'y/b > x/b TCP 80': 'passes', 'x/a > x/b TCP 80': 'passes', 'z/a > x/b TCP 80': 'ingress' },
  ],
  [
    'In',
    [from([isApp('In', 'app', ['a', 'c'])])],
    { 'y/a > x/a TCP 80': 'passes', 'y/b > x/a TCP 80': 'ingress' },
  ],
  [
    'NotIn, which an absent key meets',
    [from([isApp('NotIn', 'extra', ['yes'])])],
    { 'y/a > x/a TCP 80': 'passes', 'z/a > x/a TCP 80': 'ingress' },
  ],
  [
    'Exists',
    [from([isApp('Exists', 'extra')])],
    { 'z/a > x/a TCP 80': 'passes', 'y/a > x/a TCP 80': 'ingress' },
  ],
  [
    'DoesNotExist',
    [from([isApp('DoesNotExist', 'extra')])],
    { 'y/a > x/a TCP 80': 'passes', 'z/a > x/a TCP 80': 'ingress' },
  ],
  [
    'the label metadata.name',
    [from([{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'z' } } }])],
    { 'z/a > x/a TCP 80': 'passes', 'y/a > x/a TCP 80': 'ingress' },
  ],
  [
    'the union of two',
    [
      from([{ namespaceSelector: BLUE }], [{ port: 80 }]),
      np('x/q', { ingress: [{ ports: [{ port: 81 }] }] }),
    ],
    {
      'y/a > x/a TCP 80': 'passes',
      'z/a > x/a TCP 81': 'passes',
      'z/a > x/a TCP 80': 'ingress',
      'y/a > x/a TCP 8080': 'ingress',
    },
  ],
  [
    'deny and allow all',
    [DENY_BOTH, np('x/q', { policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [{}] })],
    { 'y/a > x/a TCP 80': 'passes', 'x/a > world ICMP': 'passes' },
  ],
  [
    'egress allowed, ingress denied',
    [to([{ namespaceSelector: {} }]), np('y/deny', {})],
    { 'x/a > y/a TCP 80': 'ingress', 'x/a > z/a TCP 80': 'passes' },
  ],
  [
    'ingress allowed, egress denied',
    [np('y/p', { ingress: [{ from: [{ namespaceSelector: RED }] }] }), DENY_OUT],
    { 'x/a > y/a TCP 80': 'egress' },
  ],
  [
    'port 80 and not 81',
    [from(undefined, [{ protocol: 'TCP', port: 80 }])],
    { 'y/a > x/a TCP 80': 'passes', 'y/a > x/a TCP 81': 'ingress', 'y/a > x/a UDP 80': 'ingress' },
  ],
  [
    'a port without protocol is one of TCP',
    [from(undefined, [{ port: 81 }])],
    { 'y/a > x/a TCP 81': 'passes', 'y/a > x/a UDP 81': 'ingress' },
  ],
  [
    'a protocol alone',
    [from(undefined, [{ protocol: 'UDP' }])],
    { 'y/a > x/a UDP 80': 'passes', 'y/a > x/a UDP 8080': 'passes', 'y/a > x/a TCP 80': 'ingress' },
  ],
  [
    'a rule of UDP blocks TCP',
    [from(undefined, [{ protocol: 'UDP', port: 80 }])],
    { 'y/a > x/a UDP 80': 'passes', 'y/a > x/a TCP 80': 'ingress' },
  ],
  [
    'a rule of SCTP isolates, and blocks TCP and UDP',
    [from(undefined, [{ protocol: 'SCTP', port: 80 }])],
    { 'y/a > x/a TCP 80': 'ingress', 'y/a > x/a UDP 80': 'ingress', 'y/a > x/a ICMP': 'ingress' },
  ],
  [
    'a rule of SCTP beside one of TCP',
    [from(undefined, [{ protocol: 'SCTP' }, { port: 80 }])],
    { 'y/a > x/a TCP 80': 'passes', 'y/a > x/a TCP 81': 'ingress' },
  ],
  [
    'endPort',
    [from(undefined, [{ port: 80, endPort: 82 }])],
    { 'y/a > x/a TCP 80': 'passes', 'y/a > x/a TCP 81': 'passes', 'y/a > x/a TCP 8080': 'ingress' },
  ],
  [
    'endPort equal to port',
    [from(undefined, [{ port: 80, endPort: 80 }])],
    { 'y/a > x/a TCP 80': 'passes', 'y/a > x/a TCP 81': 'ingress' },
  ],
  [
    'more spans of ports than rules',
    [
      from(
        undefined,
        [1, 3, 80, 90, 8080].map((port) => ({ port })),
      ),
    ],
    { 'y/a > x/a TCP 80': 'passes', 'y/a > x/a TCP 8080': 'passes', 'y/a > x/a TCP 81': 'ingress' },
  ],
  [
    'a named port in ingress is that of each pod',
    [from(undefined, [{ port: 'web' }])],
    {
      'y/a > x/a TCP 80': 'passes',
      'y/a > x/a TCP 81': 'ingress',
      'y/a > x/b TCP 81': 'passes',
      'y/a > x/b TCP 80': 'ingress',
    },
  ],
  [
    'a named port in egress is that of the peer',
    [to([{ podSelector: {} }], [{ port: 'web' }])],
    {
      'x/b > x/a TCP 80': 'passes',
      'x/b > x/a TCP 81': 'egress',
      'x/a > x/b TCP 81': 'passes',
      'x/a > x/b TCP 80': 'egress',
    },
  ],
  [
    'one port name with two numbers in one egress rule, without peers',
    [to(undefined, [{ port: 'web' }])],
    {
      'x/b > x/a TCP 80': 'passes',
      'x/b > y/a TCP 8080': 'passes',
      'x/b > y/a TCP 80': 'egress',
      'x/b > y/b TCP 80': 'egress',
      'x/b > world TCP 80': 'egress',
    },
  ],
  [
    'a named port in egress, of pods within a block',
    [to([{ ipBlock: { cidr: '10.32.0.0/28' } }, { ipBlock: { cidr: 'fd00:77::/124' } }], [{ port: 'web' }])],
    { 'x/b > x/a TCP 80': 'passes', 'x/b > y/a TCP 8080': 'egress' },
  ],
  [
    'a named port of the wrong protocol',
    [from(undefined, [{ protocol: 'UDP', port: 'web' }])],
    { 'y/a > x/a TCP 80': 'ingress', 'y/a > x/a UDP 80': 'ingress' },
  ],
  [
    'a named port that nobody serves',
    [from(undefined, [{ port: 'none' }]), to(undefined, [{ port: 'none' }])],
    { 'y/a > x/a TCP 80': 'passes', 'x/a > y/a TCP 80': 'egress' },
  ],
  [
    'an ipBlock that contains a pod',
    [from([{ ipBlock: { cidr: '10.32.0.20/32' } }, { ipBlock: { cidr: 'fd00:77::14/128' } }])],
    { 'y/a > x/a TCP 80': 'passes', 'y/b > x/a TCP 80': 'ingress' },
  ],
  [
    'except',
    [from([{ ipBlock: { cidr: '10.32.0.0/24', except: ['10.32.0.20/32'] } }])],
    { 'y/b > x/a TCP 80 v4': 'passes', 'y/a > x/a TCP 80 v4': 'ingress', 'y/b > x/a TCP 80 v6': 'ingress' },
  ],
  [
    'except, and a second rule for what it leaves out',
    [
      np('x/p', {
        ingress: [
          { from: [{ ipBlock: { cidr: '10.32.0.0/24', except: ['10.32.0.16/28'] } }] },
          { from: [{ ipBlock: { cidr: '10.32.0.21/32' } }] },
        ],
      }),
    ],
    { 'x/b > x/a TCP 80 v4': 'passes', 'y/a > x/a TCP 80 v4': 'ingress', 'y/b > x/a TCP 80 v4': 'passes' },
  ],
  [
    '0.0.0.0/0 is IPv4 only',
    [from([{ ipBlock: { cidr: '0.0.0.0/0' } }])],
    { 'y/a > x/a TCP 80 v4': 'passes', 'world > x/a TCP 80 v4': 'passes', 'y/a > x/a TCP 80 v6': 'ingress' },
  ],
  [
    '::/0 is IPv6 only',
    [to([{ ipBlock: { cidr: '::/0' } }])],
    { 'x/a > world TCP 80 v6': 'passes', 'x/a > world TCP 80 v4': 'egress' },
  ],
  [
    'an IPv6 block that is not canonical',
    [from([{ ipBlock: { cidr: 'fd00:0077::14/124' } }])],
    {
      'y/a > x/a TCP 80 v6': 'passes',
      'y/b > x/a TCP 80 v6': 'passes',
      'z/a > x/a TCP 80 v6': 'passes',
      'x/b > x/a TCP 80 v6': 'ingress',
    },
  ],
  [
    'blocks that overlap and come twice',
    [
      from(
        ['10.32.0.0/27', '10.32.0.20/32', '10.32.0.16/28', '10.32.0.0/27'].map((cidr) => ({
          ipBlock: { cidr },
        })),
      ),
    ],
    { 'y/a > x/a TCP 80 v4': 'passes', 'x/b > x/a TCP 80 v4': 'passes', 'y/r > x/a TCP 80 v4': 'ingress' },
  ],
  [
    'a selector means both families',
    [from([{ namespaceSelector: BLUE }])],
    {
      'y/a > x/a TCP 80 v4': 'passes',
      'y/a > x/a TCP 80 v6': 'passes',
      'z/a > x/a TCP 80 v4': 'ingress',
      'z/a > x/a TCP 80 v6': 'ingress',
    },
  ],
  [
    'replies pass, whichever side is isolated',
    [DENY_IN, np('y/deny-out', { policyTypes: ['Egress'] })],
    {
      'x/a > y/a TCP 80': 'passes',
      'x/a > y/a UDP 80': 'passes',
      'x/a > y/a ICMP': 'passes',
      'x/a > y/r TCP 80': 'passes',
    },
  ],
  ['the own address', [DENY_BOTH], { 'x/a > x/a TCP 80': 'passes', 'x/a > x/a ICMP': 'passes' }],
  [
    'a probe of the kubelet under deny-all',
    [DENY_BOTH],
    { 'node > x/a TCP 80': 'passes', 'node > x/a UDP 80': 'passes', 'node > x/a ICMP': 'passes' },
  ],
  [
    'a host of another node is matched by no selector',
    [from([{ namespaceSelector: {} }, { podSelector: {} }])],
    { 'there > x/a TCP 80': 'ingress' },
  ],
  [
    'a host of another node is matched by a block with its InternalIP, over the overlay',
    [from([{ ipBlock: { cidr: '192.0.2.2/32' } }])],
    { 'there > x/a TCP 80': 'passes', 'world > x/a TCP 80': 'ingress' },
  ],
  [
    'a host of another node is an egress peer by such a block',
    [to([{ ipBlock: { cidr: '192.0.2.2/32' } }])],
    { 'x/a > there TCP 80': 'passes', 'x/a > world TCP 80': 'egress' },
  ],
  [
    'a pod to its own node is judged',
    [DENY_OUT],
    {
      'x/a > node TCP 80': 'egress',
      'x/a > node-internal UDP 80': 'egress',
      'x/a > node ICMP': 'egress',
      'y/a > node TCP 80': 'passes',
    },
  ],
  [
    'a pod to its own node by a block with its InternalIP',
    [to([{ ipBlock: { cidr: '192.0.2.1/32' } }], [{ port: 80 }])],
    {
      'x/a > node TCP 80': 'passes',
      'x/a > node-internal TCP 80 v4': 'passes',
      'x/a > node-internal TCP 80 v6': 'egress',
      'x/a > node TCP 81': 'egress',
    },
  ],
  [
    'ICMP under rules without ports',
    [from([{ namespaceSelector: BLUE }])],
    { 'y/a > x/a ICMP': 'passes', 'z/a > x/a ICMP': 'ingress' },
  ],
  [
    'ICMP under rules with ports',
    [from([{ namespaceSelector: BLUE }], [{ port: 80 }, { protocol: 'UDP' }])],
    { 'y/a > x/a TCP 80': 'passes', 'y/a > x/a ICMP': 'ingress' },
  ],
  [
    'what cannot be understood opens nothing',
    [
      np('x/p', {
        ingress: [
          { from: [{}] },
          { from: [{ serviceSelector: {} }] },
          { ports: [{ port: 0 }] },
          { from: [{ ipBlock: { cidr: 'all' } }] },
          { to: [] },
        ],
      }),
    ],
    { 'y/a > x/a TCP 80': 'ingress' },
  ],
];

describe('a NetworkPolicy, with real packets:', () => {
  let cluster: PolicyCluster;

  before(async () => {
    cluster = await PolicyCluster.create();
  });

  after(() => cluster?.delete());

  for (const [title, policies, expected] of CASES) {
    it(title, async () => {
      await cluster.apply(...policies);
      await cluster.check(expected);
    });
  }

  it('reopens when it is deleted', async () => {
    await cluster.apply(DENY_BOTH);
    await cluster.check({ 'y/a > x/a TCP 80': 'ingress' });
    await cluster.apply();
    await cluster.check({ 'y/a > x/a TCP 80': 'passes', 'x/a > y/a UDP 80': 'passes' });
  });

  it('follows the labels of a pod', async () => {
    await cluster.apply(from([{ namespaceSelector: {}, podSelector: { matchLabels: { admitted: 'yes' } } }]));
    await cluster.check({ 'y/r > x/a TCP 80': 'ingress', 'y/a > x/a TCP 80': 'ingress' });
    cluster.putPod('y/r', { app: 'a', admitted: 'yes' }, {}, 'there', ['10.32.0.60', 'fd00:77::60']);
    cluster.putPod('y/a', { app: 'a', admitted: 'yes' }, { web: 8080 });
    await cluster.load();
    await cluster.check({ 'y/r > x/a TCP 80': 'passes', 'y/a > x/a TCP 80': 'passes' });
    cluster.putPod('y/r', { app: 'a' }, {}, 'there', ['10.32.0.60', 'fd00:77::60']);
    cluster.putPod('y/a', { app: 'a' }, { web: 8080 });
    await cluster.load();
    await cluster.check({ 'y/r > x/a TCP 80': 'ingress', 'y/a > x/a TCP 80': 'ingress' });
  });

  it('isolates a pod when a label makes it one of its own', async () => {
    await cluster.apply(np('y/p', { podSelector: { matchLabels: { guarded: 'yes' } } }));
    await cluster.check({ 'x/a > y/b TCP 80': 'passes' });
    cluster.putPod('y/b', { app: 'b', guarded: 'yes' });
    await cluster.load();
    await cluster.check({ 'x/a > y/b TCP 80': 'ingress' });
    cluster.putPod('y/b', { app: 'b' });
    await cluster.load();
    await cluster.check({ 'x/a > y/b TCP 80': 'passes' });
  });

  it('follows the labels of a namespace', async () => {
    await cluster.apply(from([{ namespaceSelector: BLUE }]));
    await cluster.check({ 'y/a > x/a TCP 80': 'passes' });
    cluster.labelNamespace('y', {});
    await cluster.load();
    await cluster.check({ 'y/a > x/a TCP 80': 'ingress', 'y/r > x/a TCP 80': 'ingress' });
    cluster.labelNamespace('y', { team: 'blue' });
    await cluster.load();
    await cluster.check({ 'y/a > x/a TCP 80': 'passes', 'y/r > x/a TCP 80': 'passes' });
  });
});
