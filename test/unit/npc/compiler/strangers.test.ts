import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { parseCidr } from '../../../../base/range.ts';
import { ClusterIndex } from '../../../../npc/compiler/cluster-index.ts';
import { type DirectionDecision, decide } from '../../../../npc/compiler/decide.ts';
import { readNamespace } from '../../../../npc/model/cluster-objects.ts';
import { LabelSets } from '../../../../npc/model/labels.ts';
import { readPod } from '../../../../npc/model/pod.ts';
import { type ClusterObjects, clusterSnapshot } from '../../../oracle/cluster-snapshot.ts';
import { clusterPolicy, namespace, networkPolicy, node, pod } from '../objects.ts';

const CLUSTER: ClusterObjects = {
  namespaces: [namespace('x'), namespace('y', { team: 'blue' })],
  nodes: [node('here', ['192.0.2.1'])],
  pods: [
    pod('x/a', ['10.0.0.1']),
    pod('y/a', ['10.0.0.2']),
    pod('y/ended', ['10.0.0.3'], {}, { phase: 'Succeeded' }),
    pod('x/new', []),
  ],
  networkPolicies: [],
  clusterNetworkPolicies: [],
  overlayAddresses: { here: ['10.0.9.1'], elsewhere: ['10.0.9.2'] },
  podRanges: ['10.0.0.0/16'],
};
const BLUE = [{ namespaces: { matchLabels: { team: 'blue' } } }];
const EVERYWHERE = [{ networks: ['0.0.0.0/0'] }];

const cnp = (name: string, spec: object): object =>
  clusterPolicy(name, { tier: 'Admin', priority: 10, subject: { namespaces: {} }, ...spec });

/** What x/a may send to `address`, by TCP to port 80 where no other is said. */
function egress(policies: readonly object[], address: string, port = 80): DirectionDecision {
  const decision = decide(
    clusterSnapshot({
      ...CLUSTER,
      networkPolicies: policies.filter((each) => 'kind' in each && each.kind === 'NetworkPolicy'),
      clusterNetworkPolicies: policies.filter((each) => 'kind' in each && each.kind !== 'NetworkPolicy'),
    }),
    { source: { pod: 'x/a' }, destination: { address }, protocol: 'TCP', port },
  );
  ok(typeof decision !== 'string', String(decision));
  return decision.egress;
}

describe('an address of pods that nobody is known to have', () => {
  const deny = cnp('a', { egress: [{ action: 'Deny', to: BLUE }] });

  it('is denied by a Deny that selects pods, and it is told why', () => {
    const decision = egress([deny], '10.0.0.77');
    equal(decision.allowed, false);
    deepEqual(decision.rule, { policy: 'ClusterNetworkPolicy a', index: 0, name: '' });
    match(decision.reason, /denies it; nobody is known to have 10\.0\.0\.77, so it may be that of any pod$/);
    equal(egress([deny], '10.0.0.3').allowed, false, 'one that a pod had which ended');
  });

  it('is none of a pod that is known, of a node, or of the world', () => {
    for (const address of ['10.0.0.1', '10.0.9.1', '10.0.9.2', '192.0.2.1', '8.8.8.8']) {
      const { allowed, reason } = egress([deny], address);
      deepEqual([allowed, /nobody is known/.test(reason)], [true, false], address);
    }
  });

  it('is none of a pod that is asked for by its name', () => {
    const decision = decide(clusterSnapshot({ ...CLUSTER, clusterNetworkPolicies: [deny] }), {
      source: { pod: 'x/a' },
      destination: { pod: 'x/new' },
      protocol: 'TCP',
      port: 80,
    });
    ok(typeof decision !== 'string');
    equal(decision.egress.allowed, true);
  });

  it('is let through by an Accept of addresses, unless a Pass before it may leave it less', () => {
    const accept = cnp('b', { priority: 20, egress: [{ action: 'Accept', to: EVERYWHERE }] });
    const isolate = networkPolicy('x/np', { podSelector: {}, policyTypes: ['Egress'] });
    const protocols = [{ tcp: { destinationPort: { range: { start: 80, end: 90 } } } }];
    const pass = cnp('a', { egress: [{ action: 'Pass', to: BLUE, protocols }] });
    equal(egress([accept, isolate], '10.0.0.77').allowed, true);
    const passed = egress([pass, accept, isolate], '10.0.0.77');
    deepEqual([passed.allowed, passed.tier], [false, 'NetworkPolicy']);
    match(passed.reason, /may be that of any pod$/);
    equal(egress([pass, accept, isolate], '10.0.0.77', 91).allowed, true);
    equal(egress([pass, accept, isolate], '10.0.0.1').allowed, true);
  });

  it('is nobody special where the ranges of pods are not known', () => {
    const judged = clusterSnapshot({ ...CLUSTER, podRanges: [], clusterNetworkPolicies: [deny] });
    const decision = decide(judged, {
      source: { pod: 'x/a' },
      destination: { address: '10.0.0.77' },
      protocol: 'TCP',
      port: 80,
    });
    ok(typeof decision !== 'string');
    equal(decision.allowed, true);
  });
});

describe('whose an address is', () => {
  const labels = new LabelSets();
  const cluster = new ClusterIndex();
  cluster.setPodRanges([parseCidr('10.0.0.0/16')!]);

  it('is not known while the labels of the namespace are not', () => {
    cluster.putPod(readPod(pod('x/a', ['10.0.0.1']), labels)!);
    equal(cluster.isStranger('10.0.0.1'), true);
    cluster.putNamespace(readNamespace(namespace('x'), labels)!);
    equal(cluster.isStranger('10.0.0.1'), false);
  });

  it('is known of what is no pod, and not of a pod here of which the API tells nothing', () => {
    cluster.attach(['10.0.0.8'], 'no-pod');
    cluster.attach(['10.0.0.9'], 'unknown');
    deepEqual([cluster.isStranger('10.0.0.8'), cluster.isStranger('10.0.0.9')], [false, true]);
    cluster.detach(['10.0.0.8'], 'no-pod');
    equal(cluster.isStranger('10.0.0.8'), true);
  });
});
