import { deepEqual } from 'node:assert/strict';
import { PortComplaints } from '../../../npc/port-complaints.ts';
import { type ClusterObjects, clusterSnapshot } from '../../oracle/cluster-snapshot.ts';
import { clusterPolicy, namespace, networkPolicy, pod } from './objects.ts';

const web = { ports: [{ name: 'web', containerPort: 80 }] };
const CLUSTER: ClusterObjects = {
  namespaces: [namespace('x'), namespace('y', { team: 'blue' })],
  nodes: [],
  pods: [
    pod('x/a', ['10.0.0.1'], { app: 'a' }, { node: 'elsewhere', ...web }),
    pod('x/b', ['10.0.0.2'], { app: 'b' }),
    pod('y/a', ['10.0.0.3'], { app: 'a' }, { ports: [{ name: 'dns', containerPort: 53, protocol: 'UDP' }] }),
    pod('y/ended', ['10.0.0.4'], { app: 'a' }, { phase: 'Failed', ...web }),
  ],
  networkPolicies: [],
  clusterNetworkPolicies: [],
  overlayAddresses: {},
};

/** A NetworkPolicy of x that lets in at a port of that name. */
const letIn = (app: string, port: string): object =>
  networkPolicy('x/p', { podSelector: { matchLabels: { app } }, ingress: [{ ports: [{ port }] }] });

function judged(...policies: readonly object[]): ReturnType<typeof clusterSnapshot> {
  const of = (kind: string): object[] => policies.filter((each) => 'kind' in each && each.kind === kind);
  return clusterSnapshot({
    ...CLUSTER,
    networkPolicies: of('NetworkPolicy'),
    clusterNetworkPolicies: of('ClusterNetworkPolicy'),
  });
}

/** What is told of a policy at the second look. */
function told(policy: object): readonly string[] {
  const complaints = new PortComplaints();
  const cluster = judged(policy);
  deepEqual(complaints.look(cluster), [], 'pods may be about to come');
  return complaints.look(cluster).flatMap(({ faults }) => faults);
}

describe('ports that policies name', () => {
  it('are told where no pod that the policy selects has them, on any node', () => {
    deepEqual(told(letIn('b', 'web')), ['ingress: port "web" is none of any pod that is meant']);
    deepEqual(told(letIn('a', 'web')), []);
    deepEqual(told(letIn('none', 'web')), [], 'there are no such pods');
  });

  it('are those of the peers in egress, of their protocol', () => {
    const blue = { namespaceSelector: { matchLabels: { team: 'blue' } } };
    const out = (protocol: string): object =>
      networkPolicy('x/p', { podSelector: {}, egress: [{ to: [blue], ports: [{ port: 'dns', protocol }] }] });
    deepEqual(told(out('UDP')), []);
    deepEqual(told(out('TCP')), ['egress: port "dns" is none of any pod that is meant']);
  });

  it('are of any protocol in a ClusterNetworkPolicy', () => {
    const to = (destinationNamedPort: string): object =>
      clusterPolicy('c', {
        tier: 'Admin',
        priority: 1,
        subject: { namespaces: {} },
        egress: [{ action: 'Deny', to: [{ namespaces: {} }], protocols: [{ destinationNamedPort }] }],
      });
    deepEqual([told(to('dns')), told(to('web'))], [[], []]);
    deepEqual(told(to('other')), ['egress: port "other" is none of any pod that is meant']);
  });

  it('are not told of another version before it is looked at twice', () => {
    const complaints = new PortComplaints();
    complaints.look(judged(letIn('b', 'web')));
    deepEqual(complaints.look(judged(letIn('b', 'web'))), []);
  });
});
