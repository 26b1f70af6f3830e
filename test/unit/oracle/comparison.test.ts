import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict';
import type {
  Cluster,
  ClusterNetworkPolicy,
  Flow,
  NetworkPolicy,
  NetworkPolicyPort,
} from '../../oracle/api-objects.ts';
import { generateCluster } from '../../oracle/cluster-generator.ts';
import { compareCluster, type Evaluator, minimiseMismatch } from '../../oracle/comparison.ts';
import { Dice } from '../../oracle/dice.ts';
import { generateFlows } from '../../oracle/flow-generator.ts';
import { minimise } from '../../oracle/minimise.ts';
import { judge } from '../../oracle/oracle.ts';

/** The oracle itself, but of a cluster that somebody changed, or of a changed flow. */
function misreading(
  misread: (cluster: Cluster) => Cluster,
  misreadFlow: (flow: Flow) => Flow = (flow) => flow,
): Evaluator {
  return (cluster) => (flow) => judge(misread(cluster), misreadFlow(flow)).allowed;
}

/** Reads each object in the JSON of the policies in another way. */
function rewriting(rewrite: (object: Record<string, unknown>) => object): Evaluator {
  const reviver = (_: string, value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? rewrite(value as Record<string, unknown>)
      : value;
  return misreading((cluster) => ({
    ...cluster,
    networkPolicies: JSON.parse(JSON.stringify(cluster.networkPolicies), reviver) as NetworkPolicy[],
    clusterNetworkPolicies: JSON.parse(
      JSON.stringify(cluster.clusterNetworkPolicies),
      reviver,
    ) as ClusterNetworkPolicy[],
  }));
}

/** Faults that somebody who writes such an evaluator may well make. */
const FAULTS: Readonly<Record<string, Evaluator>> = {
  'reads no NetworkPolicy': misreading((cluster) => ({ ...cluster, networkPolicies: [] })),
  'reads no ClusterNetworkPolicy': misreading((cluster) => ({ ...cluster, clusterNetworkPolicies: [] })),
  'takes null and empty policyTypes for none': rewriting((object) =>
    'policyTypes' in object && !(object.policyTypes as [] | null)?.length
      ? { ...object, policyTypes: ['neither'] }
      : object,
  ),
  'takes an empty list of egress for rules': rewriting((object) =>
    Array.isArray(object.egress) && object.egress.length === 0 && !(object.policyTypes as [] | null)?.length
      ? { ...object, policyTypes: ['Ingress', 'Egress'] }
      : object,
  ),
  'takes null rules for an empty rule': rewriting((object) =>
    object.ingress === null ? { ...object, ingress: [{}] } : object,
  ),
  'takes an empty list of peers for nobody': rewriting((object) =>
    Array.isArray(object.from) && object.from.length === 0 ? { ...object, from: [{}] } : object,
  ),
  'does not know except': rewriting(({ except: _, ...object }) => object),
  'does not know endPort': rewriting(({ endPort: _, ...object }) => object),
  'does not mask': rewriting((object) =>
    typeof object.cidr === 'string' && !/[.:]0?\/|\/(32|128)$/.test(object.cidr)
      ? { ...object, cidr: '255.255.255.255/32' }
      : object,
  ),
  'lets NotIn ask for the label': rewriting((object) =>
    Array.isArray(object.matchExpressions)
      ? {
          ...object,
          matchExpressions: (object.matchExpressions as { key: string; operator: string }[]).flatMap((one) =>
            one.operator === 'NotIn' ? [one, { key: one.key, operator: 'Exists' }] : [one],
          ),
        }
      : object,
  ),
  'takes both selectors of a peer for either': rewriting((object) =>
    Array.isArray(object.from)
      ? {
          ...object,
          from: object.from.flatMap((one) =>
            one.podSelector && one.namespaceSelector
              ? [{ podSelector: one.podSelector }, { namespaceSelector: one.namespaceSelector }]
              : [one],
          ),
        }
      : object,
  ),
  'takes a port without a protocol for all protocols': rewriting((object) =>
    Array.isArray(object.ports)
      ? {
          ...object,
          ports: (object.ports as NetworkPolicyPort[]).flatMap((one) =>
            one.protocol ? [one] : ['TCP', 'UDP', 'SCTP'].map((protocol) => ({ ...one, protocol })),
          ),
        }
      : object,
  ),
  'does not look for named ports': rewriting((object) =>
    typeof object.port === 'string' || typeof object.destinationNamedPort === 'string' ? {} : object,
  ),
  'takes Pass for Accept': rewriting((object) =>
    object.action === 'Pass' ? { ...object, action: 'Accept' } : object,
  ),
  'does not go by priority': rewriting((object) =>
    'priority' in object ? { ...object, priority: 7 } : object,
  ),
  'does not know Baseline': rewriting((object) =>
    object.tier === 'Baseline' ? { ...object, ingress: [], egress: [] } : object,
  ),
  'drops a peer that it does not know': rewriting((object) =>
    'action' in object && Array.isArray(object.to)
      ? {
          ...object,
          to: object.to.filter((one) => ['namespaces', 'pods', 'nodes', 'networks'].some((key) => one[key])),
        }
      : object,
  ),
  'does not know the overlay addresses of nodes': misreading((cluster) => ({
    ...cluster,
    overlayAddressesByNode: {},
  })),
  'takes pods of the host for pods': misreading((cluster) => ({
    ...cluster,
    pods: cluster.pods.map((pod) => ({ ...pod, spec: { ...pod.spec, hostNetwork: false } })),
  })),
  'leaves ended pods their addresses': misreading((cluster) => ({
    ...cluster,
    pods: cluster.pods.map((pod) => ({ ...pod, status: { ...pod.status, phase: 'Running' } })).toReversed(),
  })),
  'takes terminating pods for gone': misreading((cluster) => ({
    ...cluster,
    pods: cluster.pods.map((pod) =>
      pod.metadata.deletionTimestamp
        ? { ...pod, metadata: { ...pod.metadata, labels: { app: 'gone' } } }
        : pod,
    ),
  })),
  'matches ICMP by ports': misreading(
    (cluster) => cluster,
    (flow) => (flow.protocol === 'ICMP' ? { ...flow, protocol: 'TCP', port: 80 } : flow),
  ),
  'never judges a pod that reaches itself': misreading(
    (cluster) => cluster,
    ({ viaService: _, ...flow }) => flow,
  ),
};

describe('random clusters', () => {
  it('are the same for the same seed and index, and others for others', () => {
    const make = (seed: number, index: number): unknown => {
      const dice = new Dice(seed, index);
      const cluster = generateCluster(dice);
      return { cluster, flows: generateFlows(dice, cluster, 10) };
    };
    deepEqual(make(7, 3), make(7, 3));
    notDeepEqual(make(7, 3), make(7, 4));
    notDeepEqual(make(7, 3), make(8, 3));
  });

  it('have no mismatch between the oracle and itself', () => {
    for (let index = 0; index < 50; index++)
      equal(
        compareCluster(
          misreading((cluster) => cluster),
          { seed: 1, index, flows: 20 },
        ),
        undefined,
      );
  });

  for (const [fault, evaluator] of Object.entries(FAULTS)) {
    it(`find an evaluator that ${fault}`, () => {
      for (let index = 0; index < 1000; index++)
        if (compareCluster(evaluator, { seed: 1, index, flows: 20 }) !== undefined) return;
      throw new Error('1,000 clusters did not find it');
    });
  }
});

describe('a mismatch', () => {
  it('is made as small as it can be and stay one', () => {
    const evaluator = FAULTS['does not know except']!;
    for (let index = 0; ; index++) {
      const mismatch = compareCluster(evaluator, { seed: 1, index, flows: 20 });
      if (mismatch === undefined) continue;
      const { cluster, flow, allowed } = minimiseMismatch(evaluator, mismatch);
      equal(allowed, false);
      equal(evaluator(cluster)(flow), true);
      equal(cluster.networkPolicies.length, 1);
      equal(cluster.clusterNetworkPolicies.length, 0);
      ok(cluster.pods.length <= 2);
      return;
    }
  });

  it('is not made smaller by what the evaluators cannot read', () => {
    const smallest = minimise(
      { list: [1, 2, 3], name: 'a' },
      ({ list, name }) => list.includes(2) && name.length > 0,
    );
    deepEqual(smallest, { list: [2], name: 'a' });
  });
});
