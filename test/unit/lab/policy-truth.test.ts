import { deepEqual, equal } from 'node:assert/strict';
import { type ClusterPolicy, type ClusterRule, type Policy, permits } from '../../lab/chaos/policy-shapes.ts';
import { deadlineOf, History, type Pod, PolicyTruth } from '../../lab/chaos/policy-truth.ts';

const GRACE_MS = 1_000;
const a = { namespace: 'x', role: 'a', team: 'red' };
const b = { namespace: 'x', role: 'b', team: 'red' };
const c = { namespace: 'y', role: 'a', team: 'blue' };

function pod(name: string, node = 'n1'): Pod {
  const [namespace = '', role = ''] = name.split('/');
  const history = new History(role);
  return { uid: name, namespace, name, node, role: history, deletedAt: Number.POSITIVE_INFINITY };
}

/** A truth with two namespaces, and a way to set a policy at a time, which the API takes at once. */
function truth() {
  const known = new PolicyTruth(GRACE_MS);
  known.teamByNamespace.set('x', new History('red'));
  known.teamByNamespace.set('y', new History('blue'));
  const set = (key: string, policy: Policy | undefined, at: number): void => {
    const history = known.policyByKey.get(key) ?? new History<Policy | undefined>(undefined);
    known.policyByKey.set(key, history);
    history.change(policy, at)(at);
  };
  const [from, to] = [pod('x/a'), pod('x/b', 'n2')];
  const forbids = (at: number, more: object = {}): boolean =>
    known.forbids({ at, kind: 'sent', from, to, port: 7000, ...more });
  return { known, set, from, to, forbids };
}
const rule =
  (action: ClusterRule['action']) =>
  (more: Partial<ClusterRule> = {}): ClusterRule => ({ action, peers: [{}], ports: [], ...more });
const [accept, deny, pass] = [rule('Accept'), rule('Deny'), rule('Pass')];
/** About what comes to pods with the role b. */
function admin(ingress: readonly ClusterRule[], name = 'admin-first'): ClusterPolicy {
  return { name, subject: { role: 'b' }, ingress };
}
const denyAll: Policy = { namespace: 'x', name: 'deny', ingress: [] };

describe('the truth of the chaos test of policies', () => {
  it('knows the shapes of policies that the test makes', () => {
    const cases: [
      policies: (Policy | ClusterPolicy)[],
      passes: boolean,
      from?: typeof a,
      to?: typeof a,
      port?: number,
    ][] = [
      [[], true],
      [[denyAll], false],
      [[denyAll], true, b, c],
      [[{ namespace: 'x', name: 'p', egress: [] }], false],
      [[{ namespace: 'x', name: 'p', egress: [] }], true, c, a],
      [[{ namespace: 'x', name: 'p', role: 'a', ingress: [] }], true],
      [[{ namespace: 'x', name: 'p', role: 'b', ingress: [] }], false],
      [[denyAll, { namespace: 'x', name: 'p', ingress: [{ peers: [], ports: [] }] }], true],
      [[{ namespace: 'x', name: 'p', ingress: [{ peers: [], ports: [7001] }] }], false],
      [[{ namespace: 'x', name: 'p', ingress: [{ peers: [], ports: [7000] }] }], true],
      [[{ namespace: 'x', name: 'p', ingress: [{ peers: [{ role: 'a' }], ports: [] }] }], true],
      [[{ namespace: 'x', name: 'p', ingress: [{ peers: [{ role: 'a' }], ports: [] }] }], false, c, b],
      [[{ namespace: 'x', name: 'p', ingress: [{ peers: [{ team: 'blue' }], ports: [] }] }], true, c, b],
      [
        [{ namespace: 'x', name: 'p', ingress: [{ peers: [{ role: 'b', team: 'blue' }], ports: [] }] }],
        false,
        c,
        b,
      ],
      [[admin([deny()])], false],
      [[admin([deny({ ports: [7001] })])], true],
      [[admin([deny()])], true, c, a],
      [[admin([accept(), deny()]), denyAll], true],
      [[admin([accept({ ports: [7001] }), deny()]), denyAll], false],
      [[admin([deny({ peers: [{ team: 'blue' }] })])], true],
      [[admin([deny({ peers: [{ team: 'blue' }] })])], false, c, b],
      [[admin([pass()]), admin([deny()], 'admin-second')], true],
      [[admin([pass()]), admin([deny()], 'admin-second'), denyAll], false],
      [[admin([deny()], 'admin-second'), admin([accept()])], true],
      [[admin([pass()]), admin([deny()], 'baseline-first')], false],
      [[admin([deny()], 'baseline-first')], false],
      [[admin([pass(), deny()], 'baseline-first'), admin([deny()], 'baseline-second')], true],
      [
        [
          admin([deny()], 'baseline-first'),
          { namespace: 'x', name: 'p', ingress: [{ peers: [], ports: [] }] },
        ],
        true,
      ],
      [[{ name: 'admin-first', subject: { role: 'a' }, egress: [deny()] }], false],
      [[{ name: 'admin-first', subject: { role: 'a' }, ingress: [deny()] }], true],
    ];
    for (const [policies, passes, from = a, to = b, port = 7000] of cases) {
      equal(permits(policies, from, to, port), passes, JSON.stringify({ policies, from, to }));
    }
  });

  it('forbids what a policy forbade before, and from the grace after it on', () => {
    const { known, set, from, to, forbids } = truth();
    set('x/deny', denyAll, 5_000);
    deepEqual(
      [4_000, 5_500, 5_999, 6_001].map((at) => forbids(at)),
      [false, false, false, true],
    );
    const late = { at: 7_500, kind: 'sent', from, to, port: 7000 } as const;
    deepEqual([known.graceNeeded(late, [2_000, 3_000]), known.graceNeeded(late, [2_000])], [3_000, Infinity]);
    set('x/deny', undefined, 9_000);
    deepEqual(
      [8_999, 9_000].map((at) => forbids(at)),
      [true, false],
    );
  });

  it('expects nothing from a node on which nobody enforces, until the grace after that', () => {
    const { known, set, forbids } = truth();
    const up = known.down('n2', 4_000);
    set('x/deny', denyAll, 5_000);
    equal(forbids(20_000), false);
    up(21_000);
    deepEqual(
      [21_500, 22_500].map((at) => forbids(at)),
      [false, true],
    );
    equal(deadlineOf([{ from: 1, to: 2 }], 10)(5), 15);
    equal(deadlineOf([{ from: 7, to: 20 }, { from: 25 }], 10)(5), Number.POSITIVE_INFINITY);
  });

  it('goes on to expect what was in force before its node went down', () => {
    const { known, set, forbids } = truth();
    set('x/deny', denyAll, 1_000);
    known.down('n2', 4_000);
    equal(forbids(9_000), true);
  });

  it('expects nothing of a node whose rules were taken away', () => {
    const { known, set, forbids } = truth();
    set('x/deny', denyAll, 0);
    known.open('n1', 4_000)(5_000);
    deepEqual(
      [3_999, 4_500, 5_001].map((at) => forbids(at)),
      [true, false, true],
    );
  });

  it('judges a pod by the labels that it may have had', () => {
    const { set, to, forbids } = truth();
    set('x/deny', { ...denyAll, role: 'b' }, 0);
    equal(forbids(5_000), true);
    to.role.change('c', 6_000)(6_100);
    deepEqual(
      [5_999, 6_050, 9_000].map((at) => forbids(at)),
      [true, false, false],
    );
    to.role.change('b', 10_000)(10_100);
    deepEqual(
      [10_500, 11_200].map((at) => forbids(at)),
      [false, true],
    );
  });

  it('takes an address for that of the pod that had it before, for the grace after its end', () => {
    const { known, set, from, forbids } = truth();
    set('x/only', { namespace: 'x', name: 'only', ingress: [{ peers: [{ role: 'z' }], ports: [] }] }, 0);
    const former = pod('x/z');
    known.owns(former, '10.0.0.1', 1_000);
    known.owns(from, '10.0.0.1', 5_000);
    equal(forbids(5_000), false);
    known.gone(former, 5_500);
    deepEqual(
      [6_400, 6_600].map((at) => forbids(at)),
      [false, true],
    );
  });

  it('lets answers pass where the flow may, or a flow of their own', () => {
    const { set, from, to, forbids } = truth();
    const answer = { kind: 'returned', from: to, to: from };
    equal(forbids(500, answer), false);
    set('x/deny', denyAll, 1_000);
    equal(forbids(5_000, answer), true, 'neither way may be begun');
    set(
      'x/only-b',
      { namespace: 'x', name: 'only-b', role: 'a', ingress: [{ peers: [], ports: [] }] },
      6_000,
    );
    equal(forbids(8_000, answer), false, 'b may send to a');
    equal(forbids(8_000, { ...answer, port: 7100 }), true, 'TCP does not begin with an answer');
  });

  it('expects of a pod that is deleted no more than what was known then', () => {
    const { set, to, forbids } = truth();
    to.deletedAt = 1_000;
    set('x/deny', denyAll, 2_000);
    equal(forbids(9_000), false);
  });

  it('forbids by a tier above or below only what each of its possible values forbids', () => {
    const { known, set, forbids } = truth();
    const place = (name: string, policy: ClusterPolicy | undefined, at: number): void => {
      const history =
        known.clusterPolicyByName.get(name) ?? new History<ClusterPolicy | undefined>(undefined);
      known.clusterPolicyByName.set(name, history);
      history.change(policy, at)(at);
    };
    place('baseline-first', admin([deny()], 'baseline-first'), 1_000);
    deepEqual(
      [1_500, 2_500].map((at) => forbids(at)),
      [false, true],
    );
    // While it may select the pod, the tier below is not asked.
    set('x/allow', { namespace: 'x', name: 'allow', ingress: [{ peers: [], ports: [] }] }, 3_000);
    equal(forbids(3_500), false);
    place('admin-first', admin([deny()]), 5_000);
    deepEqual(
      [5_500, 6_500].map((at) => forbids(at)),
      [false, true],
    );
    place('admin-first', admin([pass()]), 7_000);
    equal(forbids(7_500), false, 'either value');
    place('admin-first', undefined, 9_000);
    set('x/allow', undefined, 9_000);
    deepEqual(
      [9_500, 10_500].map((at) => forbids(at)),
      [false, true],
    );
  });
});
