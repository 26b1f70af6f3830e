import { type Fate, PolicyCluster } from './policy-cluster.ts';

const EVERY = [{ namespaces: {} }];
const BLUE = [{ namespaces: { matchLabels: { team: 'blue' } } }];
const DENY_X = {
  kind: 'NetworkPolicy',
  metadata: { namespace: 'x', name: 'deny' },
  spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
};
const ALLOW_X = {
  kind: 'NetworkPolicy',
  metadata: { namespace: 'x', name: 'allow' },
  spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [{}] },
};

/** About all pods of x, unless `spec` says otherwise. */
function cnp(name: string, spec: object): object {
  const subject = { namespaces: { matchLabels: { team: 'red' } } };
  return {
    kind: 'ClusterNetworkPolicy',
    metadata: { name },
    spec: { tier: 'Admin', priority: 10, subject, ...spec },
  };
}

const rule = (action: string, peers: object, more: object = {}): object => ({ action, from: peers, ...more });
const out = (action: string, peers: object, more: object = {}): object => ({ action, to: peers, ...more });
const tcp = (number: number): object => ({ protocols: [{ tcp: { destinationPort: { number } } }] });

type Case = readonly [title: string, policies: readonly object[], expected: Readonly<Record<string, Fate>>];

const CASES: readonly Case[] = [
  [
    'Admin denies, and is not about other subjects',
    [cnp('a', { ingress: [rule('Deny', BLUE)] })],
    {
      'y/a > x/a TCP 80': 'ingress',
      'y/a > x/a ICMP': 'ingress',
      'z/a > x/a TCP 80': 'passes',
      'world > x/a TCP 80': 'passes',
      'y/a > z/a TCP 80': 'passes',
    },
  ],
  [
    'Admin accepts what a NetworkPolicy denies',
    [cnp('a', { ingress: [rule('Accept', BLUE, tcp(80))] }), DENY_X],
    { 'y/a > x/a TCP 80': 'passes', 'y/a > x/a TCP 81': 'ingress', 'z/a > x/a TCP 80': 'ingress' },
  ],
  [
    'Admin denies what a NetworkPolicy accepts',
    [cnp('a', { egress: [out('Deny', BLUE)] }), ALLOW_X],
    { 'x/a > y/a TCP 80': 'egress', 'x/a > y/r UDP 80': 'egress', 'x/a > z/a TCP 80': 'passes' },
  ],
  [
    'Pass goes to the NetworkPolicy, over all that is left of Admin',
    [
      cnp('a', { priority: 1, ingress: [rule('Pass', BLUE, tcp(80)), rule('Deny', BLUE)] }),
      cnp('b', { priority: 2, ingress: [rule('Deny', EVERY)] }),
      ALLOW_X,
    ],
    { 'y/a > x/a TCP 80': 'passes', 'y/a > x/a TCP 81': 'ingress', 'z/a > x/a TCP 80': 'ingress' },
  ],
  [
    'Pass goes to Baseline where no NetworkPolicy selects',
    [
      cnp('a', { ingress: [rule('Pass', BLUE, tcp(80))] }),
      cnp('b', { priority: 20, ingress: [rule('Deny', BLUE)] }),
      cnp('c', { tier: 'Baseline', ingress: [rule('Deny', BLUE, tcp(80))] }),
    ],
    { 'y/a > x/a TCP 80': 'ingress', 'y/a > x/a TCP 81': 'ingress', 'z/a > x/a TCP 80': 'passes' },
  ],
  [
    'Baseline decides where no NetworkPolicy selects',
    [cnp('c', { tier: 'Baseline', ingress: [rule('Pass', BLUE, tcp(81)), rule('Deny', EVERY)] })],
    { 'y/a > x/a TCP 80': 'ingress', 'y/a > x/a TCP 81': 'passes', 'world > x/a TCP 80': 'passes' },
  ],
  [
    'Baseline is not asked where a NetworkPolicy selects',
    [cnp('c', { tier: 'Baseline', ingress: [rule('Deny', EVERY)], egress: [out('Deny', EVERY)] }), ALLOW_X],
    { 'y/a > x/a TCP 80': 'passes', 'x/a > y/a TCP 80': 'passes' },
  ],
  [
    'the lowest priority is asked first',
    [
      cnp('a', { priority: 20, ingress: [rule('Deny', BLUE)] }),
      cnp('b', { priority: 5, ingress: [rule('Accept', BLUE, tcp(80))] }),
    ],
    { 'y/a > x/a TCP 80': 'passes', 'y/a > x/a TCP 81': 'ingress' },
  ],
  [
    'rules are asked in their order',
    [cnp('a', { egress: [out('Accept', BLUE, tcp(80)), out('Deny', EVERY)] })],
    { 'x/a > y/a TCP 80': 'passes', 'x/a > y/a TCP 81': 'egress', 'x/a > world TCP 81': 'passes' },
  ],
  [
    'networks',
    [
      cnp('a', {
        egress: [
          out('Accept', [{ networks: ['198.51.100.9/32'] }]),
          out('Deny', [{ networks: ['0.0.0.0/0', '::/0'] }]),
        ],
      }),
    ],
    { 'x/a > world TCP 80 v4': 'passes', 'x/a > world TCP 80 v6': 'egress', 'x/a > y/a TCP 80': 'egress' },
  ],
  [
    'nodes, by all addresses',
    [cnp('a', { egress: [out('Deny', [{ nodes: { matchLabels: { zone: 'b' } } }])] })],
    { 'x/a > there TCP 80': 'egress', 'x/a > node TCP 80': 'passes' },
  ],
  [
    'the own node',
    [cnp('a', { egress: [out('Deny', [{ nodes: { matchLabels: { zone: 'a' } } }])] })],
    {
      'x/a > node TCP 80': 'egress',
      'x/a > node-internal TCP 80': 'egress',
      'x/a > there TCP 80': 'passes',
      'node > x/a TCP 80': 'passes',
    },
  ],
  [
    'a named port of the destination',
    [
      cnp('a', {
        ingress: [rule('Deny', EVERY, { protocols: [{ destinationNamedPort: 'web' }] })],
        egress: [out('Deny', BLUE, { protocols: [{ destinationNamedPort: 'web' }] })],
      }),
    ],
    {
      'y/a > x/a TCP 80': 'ingress',
      'y/a > x/a TCP 81': 'passes',
      'y/a > x/b TCP 81': 'ingress',
      'x/a > y/a TCP 8080': 'egress',
      'x/a > y/a TCP 80': 'passes',
    },
  ],
  [
    'a range of ports, and UDP',
    [
      cnp('a', {
        ingress: [
          rule('Deny', EVERY, {
            protocols: [{ udp: { destinationPort: { range: { start: 80, end: 81 } } } }],
          }),
        ],
      }),
    ],
    {
      'y/a > x/a UDP 80': 'ingress',
      'y/a > x/a UDP 81': 'ingress',
      'y/a > x/a UDP 8080': 'passes',
      'y/a > x/a TCP 80': 'passes',
    },
  ],
  [
    'subjects by pods',
    [
      cnp('a', {
        subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'a' } } } },
        ingress: [rule('Deny', EVERY)],
      }),
    ],
    {
      'y/b > x/a TCP 80': 'ingress',
      'x/a > y/a TCP 80': 'ingress',
      'x/a > y/b TCP 80': 'passes',
      'x/a > world TCP 80': 'passes',
    },
  ],
  [
    'what is not known matches nothing by Accept',
    [cnp('a', { egress: [out('Accept', [{ domainNames: ['a.example'] }]), out('Accept', [{}])] }), DENY_X],
    { 'x/a > world TCP 80': 'egress' },
  ],
  [
    'what is not known denies all by Deny and by Pass',
    [
      cnp('a', { egress: [out('Pass', [{ domainNames: ['a.example'] }])], ingress: [rule('Deny', [{}])] }),
      ALLOW_X,
    ],
    { 'x/a > world TCP 80': 'egress', 'x/a > world ICMP': 'egress', 'y/a > x/a TCP 80': 'ingress' },
  ],
  [
    'an own address is never judged',
    [cnp('a', { egress: [out('Deny', EVERY)], ingress: [rule('Deny', EVERY)] })],
    { 'x/a > x/a TCP 80': 'passes', 'x/a > x/b TCP 80': 'egress' },
  ],
];

describe('a ClusterNetworkPolicy, with real packets:', () => {
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
});
