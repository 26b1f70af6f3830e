import type { Cluster, ClusterNetworkPolicy, ClusterNetworkPolicyPeer } from '../../oracle/api-objects.ts';
import { expectFlows, UPSTREAM, withClusterPolicies, withPolicies } from './upstream-cluster.ts';

type Spec = ClusterNetworkPolicy['spec'];

const X = { namespaces: { matchLabels: { ns: 'x' } } };
const Y = { namespaces: { matchLabels: { ns: 'y' } } };
const ALL = { namespaces: {} };
const TCP_80 = [{ tcp: { destinationPort: { number: 80 } } }];

/** A policy with one rule of ingress for namespace x. */
function from(peer: ClusterNetworkPolicyPeer, action: string, more: Partial<Spec> = {}): Spec {
  return { tier: 'Admin', priority: 10, subject: X, ingress: [{ action, from: [peer] }], ...more };
}

/** A policy with one rule of egress for namespace x. */
function to(peer: ClusterNetworkPolicyPeer, action: string, more: Partial<Spec> = {}): Spec {
  return { tier: 'Admin', priority: 10, subject: X, egress: [{ action, to: [peer] }], ...more };
}

const BASELINE = { tier: 'Baseline' };
const DENY_ALL = withPolicies(['x', { policyTypes: ['Ingress', 'Egress'] }]);
const ALLOW_Y = withPolicies([
  'x',
  { ingress: [{ from: [{ namespaceSelector: { matchLabels: { ns: 'y' } } }] }] },
]);

type Case = readonly [name: string, cluster: Cluster, policies: Spec[], ...flows: string[]];

const CASES: readonly Case[] = [
  // network-policy-api's user stories and its suite
  [
    'denies at the level of the cluster (story 1)',
    UPSTREAM,
    [from(ALL, 'Deny')],
    '- y/a -> x/a TCP 80',
    '- x/b -> x/a ICMP',
    '+ 8.8.8.8 -> x/a TCP 80',
    '+ x/a -> y/a TCP 80',
    '+ y/host -> x/c UDP 1',
  ],
  [
    'allows at the level of the cluster, over a NetworkPolicy (story 2)',
    DENY_ALL,
    [
      from(Y, 'Accept', {
        egress: [
          {
            action: 'Accept',
            to: [
              {
                pods: {
                  namespaceSelector: { matchLabels: { ns: 'z' } },
                  podSelector: { matchLabels: { pod: 'b' } },
                },
              },
            ],
          },
        ],
      }),
    ],
    '+ y/a -> x/a TCP 80',
    '- z/a -> x/a TCP 80',
    '+ x/a -> z/b UDP 53',
    '- x/a -> z/c UDP 53',
  ],
  [
    'hands ports on to NetworkPolicy by Pass (story 3)',
    DENY_ALL,
    [
      to(Y, 'Pass', {
        egress: [
          {
            action: 'Pass',
            to: [Y],
            protocols: [
              ...TCP_80,
              { destinationNamedPort: 'serve-81' },
              { udp: { destinationPort: { range: { start: 53, end: 60 } } } },
            ],
          },
          { action: 'Accept', to: [Y] },
        ],
      }),
    ],
    '- x/a -> y/a TCP 80',
    '- x/a -> y/a TCP 81',
    '- x/a -> y/a UDP 53',
    '- x/a -> y/a UDP 60',
    '+ x/a -> y/a UDP 61',
    '+ x/a -> y/a UDP 81',
    '+ x/a -> y/a TCP 82',
    '+ x/a -> y/a ICMP',
  ],
  [
    'denies by Baseline where no NetworkPolicy isolates (story 5)',
    UPSTREAM,
    [from(ALL, 'Deny', BASELINE)],
    '- y/a -> x/a TCP 80',
  ],
  [
    'leaves Baseline out where a NetworkPolicy isolates',
    ALLOW_Y,
    [from(ALL, 'Deny', BASELINE), from(ALL, 'Accept', BASELINE)],
    '+ y/a -> x/a TCP 80',
    '- z/a -> x/a TCP 80',
  ],
  ['asks Admin before NetworkPolicy', ALLOW_Y, [from(Y, 'Deny')], '- y/a -> x/a TCP 80'],
  [
    'goes from a Pass to NetworkPolicy',
    ALLOW_Y,
    [from(Y, 'Pass'), from(Y, 'Deny', { priority: 11 })],
    '+ y/a -> x/a TCP 80',
  ],
  [
    'goes from a Pass to Baseline where no NetworkPolicy isolates',
    UPSTREAM,
    [from(Y, 'Pass'), from(Y, 'Deny', BASELINE)],
    '- y/a -> x/a TCP 80',
  ],
  [
    'ends Baseline by a Pass',
    UPSTREAM,
    [from(Y, 'Pass', BASELINE), from(Y, 'Deny', { ...BASELINE, priority: 20 })],
    '+ y/a -> x/a TCP 80',
  ],
  [
    'goes by priority',
    UPSTREAM,
    [from(Y, 'Deny', { priority: 50 }), from(Y, 'Pass', { priority: 40 })],
    '+ y/a -> x/a TCP 80',
  ],
  [
    'goes by the name where the priority is the same',
    UPSTREAM,
    [from(Y, 'Deny'), from(Y, 'Accept')],
    '- y/a -> x/a TCP 80',
  ],
  [
    'takes 0 for the first priority',
    UPSTREAM,
    [from(Y, 'Deny', { priority: 1000 }), from(Y, 'Accept', { priority: 0 })],
    '+ y/a -> x/a TCP 80',
  ],
  [
    'goes by the order of rules',
    UPSTREAM,
    [
      from(Y, '', {
        ingress: [
          { action: 'Accept', from: [Y], protocols: TCP_80 },
          { action: 'Deny', from: [Y] },
          { action: 'Accept', from: [Y] },
        ],
      }),
    ],
    '+ y/a -> x/a TCP 80',
    '- y/a -> x/a TCP 81',
    '- y/a -> x/a UDP 80',
    '- y/a -> x/a ICMP',
  ],
  [
    'isolates nobody by being there',
    UPSTREAM,
    [from(Y, 'Accept')],
    '+ z/a -> x/a TCP 80',
    '+ x/a -> y/a TCP 80',
  ],
  [
    'asks both sides',
    UPSTREAM,
    [to(Y, 'Accept'), { ...from(ALL, 'Deny'), subject: Y }],
    '- x/a -> y/a TCP 80',
  ],
  [
    'selects pods by both selectors',
    UPSTREAM,
    [
      {
        ...from(Y, 'Deny'),
        subject: {
          pods: {
            namespaceSelector: { matchLabels: { ns: 'x' } },
            podSelector: { matchExpressions: [{ key: 'pod', operator: 'In', values: ['b'] }] },
          },
        },
      },
    ],
    '- y/a -> x/b TCP 80',
    '+ y/a -> x/a TCP 80',
  ],
  [
    'means all namespaces by an absent namespaceSelector',
    UPSTREAM,
    [from({ pods: { podSelector: { matchLabels: { pod: 'b' } } } }, 'Deny')],
    '- z/b -> x/a TCP 80',
    '- x/b -> x/a TCP 80',
    '+ z/c -> x/a TCP 80',
  ],

  // Peers
  [
    'matches nodes by any of their addresses',
    UPSTREAM,
    [to({ nodes: { matchLabels: { number: '2' } } }, 'Deny')],
    '- x/a -> 192.168.0.2 TCP 80',
    '- x/a -> 203.0.113.2 TCP 80',
    '- x/a -> 10.32.9.2 TCP 80',
    '- x/a -> fd77::9:2 TCP 80',
    '- x/a -> y/host ICMP',
    '+ x/a -> 192.168.0.3 TCP 80',
    '+ x/a -> y/b TCP 80',
  ],
  [
    'matches its own node',
    UPSTREAM,
    [to({ nodes: {} }, 'Deny')],
    '- x/a -> 192.168.0.1 TCP 80',
    '+ 192.168.0.1 -> x/a TCP 80',
  ],
  [
    'matches networks, pods and ICMP among them',
    UPSTREAM,
    [to({ networks: ['10.32.1.0/24', 'fd77::1:0/112'] }, 'Deny')],
    '- x/a -> y/b TCP 80',
    '- x/a -> y/b ICMP v6',
    '+ x/a -> z/b TCP 80',
    '+ x/a -> z/b TCP 80 v6',
  ],
  [
    'matches the overlay address of a node in networks',
    UPSTREAM,
    [to({ networks: ['192.168.0.2/32'] }, 'Deny')],
    '- x/a -> 10.32.9.2 TCP 80',
    '+ x/a -> 10.32.9.3 TCP 80',
  ],
  [
    'neither selects nor means pods of the host',
    UPSTREAM,
    [from(ALL, 'Deny'), { ...from(ALL, 'Deny'), subject: ALL }],
    '+ y/host -> x/a TCP 80',
    '+ x/a -> y/host TCP 80',
  ],
  [
    'never denies what the own node sends',
    UPSTREAM,
    [from({ future: {} } as object, 'Deny')],
    '+ 192.168.0.1 -> x/a TCP 80',
    '- 192.168.0.2 -> x/a TCP 80',
  ],

  // Protocols
  [
    'takes a protocol without a port for all of its ports',
    UPSTREAM,
    [
      from(ALL, 'Deny', {
        ingress: [
          { action: 'Deny', from: [ALL], protocols: [{ sctp: {} }, { udp: { destinationPort: null } }] },
        ],
      }),
    ],
    '- y/a -> x/a SCTP 7',
    '- y/a -> x/a UDP 7',
    '+ y/a -> x/a TCP 7',
    '+ y/a -> x/a ICMP',
  ],
  [
    'finds a named port in the destination, of any protocol',
    UPSTREAM,
    [
      from(ALL, 'Deny', {
        ingress: [
          {
            action: 'Deny',
            from: [ALL],
            protocols: [{ destinationNamedPort: 'serve-80-udp' }, { destinationNamedPort: 'none' }],
          },
        ],
      }),
    ],
    '- y/a -> x/a UDP 80',
    '+ y/a -> x/a TCP 80',
    '+ y/a -> x/a UDP 81',
  ],

  // What is not known
  [
    'matches nothing by an Accept of a peer that is not known, whatever other peers it has',
    DENY_ALL,
    [
      to(Y, '', {
        egress: [
          { action: 'Accept', to: [Y, {}] },
          { action: 'Accept', to: [{ domainNames: ['example.com'] }, Y] },
        ],
      }),
    ],
    '- x/a -> y/a TCP 80',
  ],
  [
    'denies all by a Deny of a peer that is not known',
    UPSTREAM,
    [to({ domainNames: ['example.com'] }, 'Deny')],
    '- x/a -> y/a TCP 80',
    '- x/a -> 8.8.8.8 ICMP',
    '+ y/a -> x/a TCP 80',
  ],
  [
    'denies all by a Pass of a peer that is not known',
    ALLOW_Y,
    [from({}, 'Pass')],
    '- y/a -> x/a TCP 80',
    '- 8.8.8.8 -> x/a TCP 80',
  ],
  [
    'knows nodes and networks in egress alone',
    UPSTREAM,
    [from({ networks: ['1.0.0.0/8'] }, 'Deny')],
    '- y/a -> x/a TCP 80',
  ],
  [
    'fails closed for a protocol that is not known',
    UPSTREAM,
    [
      from(ALL, '', {
        ingress: [
          { action: 'Accept', from: [ALL], protocols: [{ gre: {} } as object] },
          { action: 'Accept', from: [Y], protocols: TCP_80 },
          {
            action: 'Deny',
            from: [{ namespaces: { matchLabels: { ns: 'none' } } }],
            protocols: [{ tcp: { flags: ['syn'] } } as object],
          },
        ],
      }),
    ],
    '+ y/a -> x/a TCP 80',
    '- y/a -> x/a UDP 80',
    '- z/a -> x/a TCP 80',
  ],
  [
    'fails closed for a port that is neither number nor range',
    DENY_ALL,
    [
      from(ALL, '', {
        ingress: [{ action: 'Accept', from: [ALL], protocols: [{ tcp: { destinationPort: {} } }] }],
      }),
    ],
    '- y/a -> x/a TCP 80',
  ],

  // A pod to itself
  [
    'lets a pod reach its own address',
    UPSTREAM,
    [from(ALL, 'Deny'), to(ALL, 'Deny')],
    '+ x/a -> x/a TCP 80',
    '+ x/a -> 10.32.0.1 TCP 80',
  ],
  [
    'judges a pod that reaches itself by a Service',
    UPSTREAM,
    [from(ALL, 'Deny')],
    '- x/a -> x/a TCP 80 service',
  ],
  [
    'judges a pod that reaches itself by a Service in Baseline',
    UPSTREAM,
    [to(ALL, 'Deny', BASELINE)],
    '- x/a -> x/a TCP 80 service',
  ],
  [
    'lets NetworkPolicy accept for good what a pod sends itself by a Service',
    DENY_ALL,
    [to(ALL, 'Deny', BASELINE), from(ALL, 'Deny', BASELINE)],
    '+ x/a -> x/a TCP 80 service',
  ],
];

describe('the oracle of ClusterNetworkPolicy', () => {
  for (const [name, cluster, policies, ...flows] of CASES)
    it(name, () => expectFlows(withClusterPolicies(cluster, ...policies), ...flows));
});
