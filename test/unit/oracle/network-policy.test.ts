import { throws } from 'node:assert/strict';
import type { NetworkPolicySpec } from '../../oracle/api-objects.ts';
import { judge } from '../../oracle/oracle.ts';
import { expectFlows, flowOf, UPSTREAM, withPolicies } from './upstream-cluster.ts';

/** A policy of namespace x for pod a, of one direction. */
function ingress(...rules: NonNullable<NetworkPolicySpec['ingress']>): [string, NetworkPolicySpec] {
  return ['x', { podSelector: { matchLabels: { pod: 'a' } }, policyTypes: ['Ingress'], ingress: rules }];
}

function egress(...rules: NonNullable<NetworkPolicySpec['egress']>): [string, NetworkPolicySpec] {
  return ['x', { podSelector: { matchLabels: { pod: 'a' } }, policyTypes: ['Egress'], egress: rules }];
}

type Case = readonly [name: string, policies: [string, NetworkPolicySpec][], ...flows: string[]];

const CASES: readonly Case[] = [
  [
    'lets everything pass without a policy',
    [],
    '+ x/a -> y/b TCP 80',
    '+ 8.8.8.8 -> x/a UDP 53',
    '+ x/a -> y/b ICMP',
  ],
  [
    'isolates by a policy without rules',
    [['x', { podSelector: {} }]],
    '- y/a -> x/a TCP 80',
    '- x/b -> x/a TCP 80',
    '- y/a -> x/a ICMP',
    '- y/a -> x/a TCP 80 v6',
    '+ x/a -> y/a TCP 80',
    '+ y/a -> z/a TCP 80',
  ],
  [
    'takes a spec that is not there for an empty selector',
    [['x', {}]],
    '- y/a -> x/c TCP 80',
    '+ x/c -> y/a TCP 80',
  ],
  [
    'isolates egress where a type says so',
    [['x', { podSelector: null, policyTypes: ['Egress'] }]],
    '- x/a -> y/a TCP 80',
    '- x/a -> 8.8.8.8 UDP 53',
    '+ y/a -> x/a TCP 80',
  ],
  [
    'is about egress without a type where it has rules of egress',
    [['x', { egress: [{ ports: [{ port: 80 }] }] }]],
    '+ x/a -> y/a TCP 80',
    '- x/a -> y/a TCP 81',
    '- y/a -> x/a TCP 80',
  ],
  [
    'is about ingress alone with an empty list of egress',
    [['x', { egress: [], policyTypes: [] }]],
    '+ x/a -> y/a TCP 80',
    '- y/a -> x/a TCP 80',
  ],
  [
    'does not read rules of a direction it is not about',
    [['x', { policyTypes: ['Egress'], ingress: [], egress: [{}] }]],
    '+ y/a -> x/a TCP 80',
    '+ x/a -> y/a TCP 80',
  ],
  ['lets everything pass by an empty rule', [ingress({})], '+ y/a -> x/a TCP 80', '+ 8.8.8.8 -> x/a ICMP'],
  [
    'takes empty and absent lists of a rule for all',
    [ingress({ from: [], ports: null })],
    '+ y/a -> x/a SCTP 7',
  ],
  ['lets nothing pass by an empty list of rules', [ingress()], '- y/a -> x/a TCP 80'],
  [
    'adds what several policies allow',
    [ingress({ ports: [{ port: 80 }] }), ingress({ ports: [{ port: 81 }] })],
    '+ y/a -> x/a TCP 80',
    '+ y/a -> x/a TCP 81',
    '- y/a -> x/a TCP 82',
  ],
  [
    'asks both sides',
    [ingress({}), ['y', { policyTypes: ['Egress'] }]],
    '- y/a -> x/a TCP 80',
    '+ z/a -> x/a TCP 80',
  ],
  [
    'selects pods of its own namespace',
    [['y', { podSelector: { matchLabels: { pod: 'a' } } }]],
    '+ z/a -> x/a TCP 80',
    '- z/a -> y/a TCP 80',
  ],

  // Peers
  [
    'means pods of its own namespace by a podSelector',
    [ingress({ from: [{ podSelector: { matchLabels: { pod: 'b' } } }] })],
    '+ x/b -> x/a TCP 80',
    '- y/b -> x/a TCP 80',
    '- x/c -> x/a TCP 80',
  ],
  [
    'means all pods of its own namespace by an empty podSelector',
    [ingress({ from: [{ podSelector: {} }] })],
    '+ x/b -> x/a TCP 80',
    '- y/b -> x/a TCP 80',
    '- 8.8.8.8 -> x/a TCP 80',
  ],
  [
    'means all pods of namespaces by a namespaceSelector',
    [ingress({ from: [{ namespaceSelector: { matchLabels: { ns: 'y' } } }] })],
    '+ y/b -> x/a TCP 80',
    '- x/b -> x/a TCP 80',
    '- z/b -> x/a TCP 80',
  ],
  [
    'means all pods by an empty namespaceSelector',
    [ingress({ from: [{ namespaceSelector: {} }] })],
    '+ y/b -> x/a TCP 80',
    '- 8.8.8.8 -> x/a TCP 80',
    '- 192.168.0.3 -> x/a TCP 80',
  ],
  [
    'means both by both in one entry',
    [
      ingress({
        from: [
          { namespaceSelector: { matchLabels: { ns: 'y' } }, podSelector: { matchLabels: { pod: 'b' } } },
        ],
      }),
    ],
    '+ y/b -> x/a TCP 80',
    '- y/c -> x/a TCP 80',
    '- z/b -> x/a TCP 80',
  ],
  [
    'means either by two entries',
    [
      ingress({
        from: [
          { namespaceSelector: { matchLabels: { ns: 'y' } } },
          { podSelector: { matchLabels: { pod: 'b' } } },
        ],
      }),
    ],
    '+ y/c -> x/a TCP 80',
    '+ x/b -> x/a TCP 80',
    '- z/b -> x/a TCP 80',
    '- x/c -> x/a TCP 80',
  ],
  [
    'means nobody by a peer without a known field',
    [ingress({ from: [{}, { podSelector: null }, { future: {} } as object] })],
    '- x/b -> x/a TCP 80',
    '- 8.8.8.8 -> x/a TCP 80',
  ],
  [
    'knows In',
    [
      ingress({
        from: [{ podSelector: { matchExpressions: [{ key: 'pod', operator: 'In', values: ['b', 'c'] }] } }],
      }),
    ],
    '+ x/b -> x/a TCP 80',
    '+ x/c -> x/a TCP 80',
  ],
  [
    'knows NotIn, which takes what has no such label',
    [
      ingress({
        from: [
          {
            namespaceSelector: {
              matchExpressions: [
                { key: 'none', operator: 'NotIn', values: ['a'] },
                { key: 'ns', operator: 'NotIn', values: ['x'] },
              ],
            },
          },
        ],
      }),
    ],
    '+ y/b -> x/a TCP 80',
    '- x/b -> x/a TCP 80',
  ],
  [
    'knows Exists',
    [ingress({ from: [{ podSelector: { matchExpressions: [{ key: 'none', operator: 'Exists' }] } }] })],
    '- x/b -> x/a TCP 80',
  ],
  [
    'knows DoesNotExist',
    [
      ingress({
        from: [
          { podSelector: { matchExpressions: [{ key: 'none', operator: 'DoesNotExist', values: null }] } },
        ],
      }),
    ],
    '+ x/b -> x/a TCP 80',
    '- y/b -> x/a TCP 80',
  ],
  [
    'asks for all of a selector',
    [
      ingress({
        from: [
          {
            podSelector: {
              matchLabels: { pod: 'b' },
              matchExpressions: [{ key: 'pod', operator: 'NotIn', values: ['b'] }],
            },
          },
        ],
      }),
    ],
    '- x/b -> x/a TCP 80',
  ],

  // Ranges of addresses
  [
    'matches addresses of pods by an ipBlock',
    [ingress({ from: [{ ipBlock: { cidr: '10.32.1.0/24' } }] })],
    '+ y/b -> x/a TCP 80',
    '- z/b -> x/a TCP 80',
    '- y/b -> x/a TCP 80 v6',
  ],
  [
    'narrows one entry by except',
    [ingress({ from: [{ ipBlock: { cidr: '10.32.0.0/16', except: ['10.32.1.0/24'] } }] })],
    '- y/b -> x/a TCP 80',
    '+ z/b -> x/a TCP 80',
  ],
  [
    'narrows no other entry by except',
    [
      ingress({
        from: [
          { ipBlock: { cidr: '10.32.0.0/16', except: ['10.32.1.0/24'] } },
          { ipBlock: { cidr: '10.32.1.2/32' } },
        ],
      }),
    ],
    '+ y/b -> x/a TCP 80',
    '- y/c -> x/a TCP 80',
  ],
  [
    'takes 0.0.0.0/0 for IPv4 and ::/0 for IPv6',
    [
      ingress({ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }),
      egress({ to: [{ ipBlock: { cidr: '::/0' } }] }),
    ],
    '+ y/b -> x/a TCP 80',
    '- y/b -> x/a TCP 80 v6',
    '- x/a -> y/b TCP 80',
    '+ x/a -> y/b TCP 80 v6',
  ],
  [
    'masks a CIDR',
    [ingress({ from: [{ ipBlock: { cidr: '10.32.1.7/30' } }, { ipBlock: { cidr: 'FD77::1:3/126' } }] })],
    '- y/b -> x/a TCP 80',
    '+ 10.32.1.5 -> x/a TCP 80',
    '+ y/b -> x/a TCP 80 v6',
    '- z/b -> x/a TCP 80 v6',
  ],
  [
    'means by the InternalIP of a node its overlay addresses',
    [ingress({ from: [{ ipBlock: { cidr: '192.168.0.2/32' } }] })],
    '+ 10.32.9.2 -> x/a TCP 80',
    '+ fd77::9:2 -> x/a TCP 80',
    '+ 192.168.0.2 -> x/a TCP 80',
    '+ y/host -> x/a TCP 80',
    '- 10.32.9.3 -> x/a TCP 80',
  ],
  [
    'means by the InternalIP of a node its overlay addresses in egress',
    [egress({ to: [{ ipBlock: { cidr: '192.168.0.0/24', except: ['192.168.0.3/32'] } }] })],
    '+ x/a -> 10.32.9.2 TCP 80',
    '- x/a -> 10.32.9.3 TCP 80',
  ],
  [
    'means by the ExternalIP of a node nothing more',
    [ingress({ from: [{ ipBlock: { cidr: '203.0.113.0/24' } }] })],
    '- 10.32.9.2 -> x/a TCP 80',
    '+ 203.0.113.2 -> x/a TCP 80',
  ],

  // Ports
  [
    'takes a port without a protocol for TCP',
    [ingress({ ports: [{ port: 80 }] })],
    '+ y/a -> x/a TCP 80',
    '- y/a -> x/a UDP 80',
  ],
  [
    'takes a protocol without a port for all of its ports',
    [ingress({ ports: [{ protocol: 'UDP' }] })],
    '+ y/a -> x/a UDP 9',
    '- y/a -> x/a TCP 80',
    '- y/a -> x/a ICMP',
  ],
  [
    'takes an empty port for all of TCP',
    [ingress({ ports: [{}] })],
    '+ y/a -> x/a TCP 9',
    '- y/a -> x/a UDP 80',
  ],
  [
    'takes endPort for the last of a range',
    [
      ingress({
        ports: [
          { port: 80, endPort: 82 },
          { port: 90, endPort: 90 },
        ],
      }),
    ],
    '- y/a -> x/a TCP 79',
    '+ y/a -> x/a TCP 80',
    '+ y/a -> x/a TCP 82',
    '- y/a -> x/a TCP 83',
    '+ y/a -> x/a TCP 90',
    '- y/a -> x/a TCP 91',
  ],
  [
    'isolates by a rule of SCTP',
    [ingress({ ports: [{ protocol: 'SCTP', port: 80 }] })],
    '+ y/a -> x/a SCTP 80',
    '- y/a -> x/a TCP 80',
  ],
  [
    'never matches ICMP by a rule with ports',
    [ingress({ ports: [{ protocol: 'TCP' }, { protocol: 'UDP' }, { protocol: 'SCTP' }] })],
    '- y/a -> x/a ICMP',
  ],
  [
    'finds a named port in the destination',
    [
      ingress({ ports: [{ port: 'serve-80' }] }),
      egress({ ports: [{ protocol: 'UDP', port: 'serve-80-udp' }] }),
    ],
    '+ y/a -> x/a TCP 80',
    '- y/a -> x/a TCP 81',
    '- y/a -> x/a UDP 80',
    '+ x/a -> y/a UDP 80',
    '- x/a -> y/a TCP 80',
    '- x/a -> 8.8.8.8 UDP 80',
  ],
  [
    'matches nothing by a named port of another protocol, or of none',
    [ingress({ ports: [{ protocol: 'UDP', port: 'serve-80' }, { port: 'none' }] })],
    '- y/a -> x/a TCP 80',
    '- y/a -> x/a UDP 80',
  ],
  [
    'finds no named port in a pod of the host',
    [egress({ ports: [{ port: 'serve-80' }] })],
    '- x/a -> y/host TCP 80',
  ],
  [
    'asks for port and peer at once',
    [ingress({ from: [{ podSelector: {} }], ports: [{ port: 80 }] }, { ports: [{ port: 81 }] })],
    '+ x/b -> x/a TCP 80',
    '- y/b -> x/a TCP 80',
    '+ y/b -> x/a TCP 81',
  ],

  // What is always so
  [
    'lets a node reach its pods',
    [ingress()],
    '+ 192.168.0.1 -> x/a TCP 80',
    '+ 10.32.9.1 -> x/a TCP 80',
    '+ fd77::9:1 -> x/a TCP 80',
    '- 192.168.0.2 -> x/a TCP 80',
    '- 10.32.9.2 -> x/a TCP 80',
    '- y/host -> x/a TCP 80',
  ],
  [
    'judges a pod that reaches its own node',
    [egress()],
    '- x/a -> 192.168.0.1 TCP 80',
    '- x/a -> 10.32.9.1 TCP 80',
  ],
  [
    'lets a pod reach itself',
    [ingress(), egress()],
    '+ x/a -> x/a TCP 80',
    '+ x/a -> x/a TCP 80 service',
    '+ x/a -> 10.32.0.1 TCP 80',
  ],
  [
    'neither selects nor means a pod of the host',
    [['y', {}], ingress({ from: [{ namespaceSelector: {} }] })],
    '+ z/a -> y/host TCP 80',
    '- y/host -> x/a TCP 80',
  ],
  [
    'means nobody by the address of an ended pod',
    [ingress({ from: [{ namespaceSelector: {} }] }), ['y', {}]],
    '- 10.32.1.9 -> x/a TCP 80',
    '+ x/b -> 10.32.1.9 TCP 80',
  ],
  [
    'still means and selects a pod that terminates',
    [ingress({ from: [{ namespaceSelector: {} }] }), ['y', {}]],
    '+ y/ending -> x/a TCP 80',
    '- x/b -> y/ending TCP 80',
  ],
  [
    'takes an address for the pod that has it',
    [ingress({ from: [{ podSelector: {} }] })],
    '+ 10.32.0.2 -> 10.32.0.1 TCP 80',
    '- 10.32.1.2 -> 10.32.0.1 TCP 80',
  ],
];

describe('the oracle of NetworkPolicy', () => {
  for (const [name, policies, ...flows] of CASES)
    it(name, () => expectFlows(withPolicies(...policies), ...flows));

  it('knows no flow of a pod that has no address', () => {
    throws(() => judge(UPSTREAM, flowOf('y/ended -> x/a TCP 80')), /y\/ended has no IPv4 address/);
    throws(() => judge(UPSTREAM, flowOf('y/none -> x/a TCP 80')), /y\/none has no IPv4 address/);
  });
});
