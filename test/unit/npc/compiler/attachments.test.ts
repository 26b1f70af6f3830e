import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { parseAddress } from '../../../../base/address.ts';
import { renderPolicyChange } from '../../../../linux/policy-change.ts';
import type { PodAttachment } from '../../../../npc/compiler/attachments.ts';
import { type Changes, PolicyCompiler } from '../../../../npc/compiler/policy-compiler.ts';
import { readClusterNetworkPolicy } from '../../../../npc/model/cluster-network-policy.ts';
import { readNamespace, readPolicyNode } from '../../../../npc/model/cluster-objects.ts';
import { LabelSets } from '../../../../npc/model/labels.ts';
import { readNetworkPolicy } from '../../../../npc/model/network-policy.ts';
import { type PolicyPod, readPod } from '../../../../npc/model/pod.ts';
import { clusterPolicy, meta, namespace, networkPolicy, node, pod } from '../objects.ts';
import { added } from '../random-world.ts';

const LINK = 'wv0000000000a';
const labels = new LabelSets();

function gone<T>(item: T): Changes<T> {
  return { gone: [item], added: [], changed: [] };
}

function read(raw: object): PolicyPod {
  return readPod(raw, labels)!;
}

function attachment(
  key: string | null,
  uid: string,
  ips: readonly string[],
  more: object = {},
): PodAttachment {
  const [ns = '', name = ''] = (key ?? '').split('/');
  return {
    link: LINK,
    addresses: ips.map((ip) => parseAddress(ip)!),
    pod: key === null ? null : { namespace: ns, name, uid },
    ungoverned: false,
    ...more,
  };
}

/** Node `here`, namespaces x and y; pods of x that are labelled `guarded` are isolated but for their own kind. */
function compiler(): PolicyCompiler {
  const made = new PolicyCompiler('here', { reject: false, log: undefined });
  made.changeNamespaces(added(['x', 'y'].map((name) => readNamespace(namespace(name), labels)!)));
  made.changeNodes(added([readPolicyNode(node('here', ['192.0.2.1']), labels)!]));
  const podSelector = { matchLabels: { guarded: 'yes' } };
  const guard = networkPolicy('x/guard', { podSelector, ingress: [{ from: [{ podSelector }] }] });
  made.changePolicies(added([readNetworkPolicy(guard)!]));
  return made;
}

const GUARDED = { guarded: 'yes' };

/** Denies all that comes in at pods of namespaces with the label team=red. */
const RED_DENIED = readClusterNetworkPolicy(
  clusterPolicy('c', {
    tier: 'Admin',
    priority: 1,
    subject: { namespaces: { matchLabels: { team: 'red' } } },
    ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }],
  }),
)!;

/** The addresses in all sets of the rules. */
function peers(made: PolicyCompiler): string[] {
  return [...made.ruleSet().sets.values()].flatMap(({ elements }) => [...elements]).sort();
}

describe('an attachment', () => {
  it('waits until the API has told of its pod, then is decided with its rules', () => {
    const made = compiler();
    made.setAttachments([attachment('x/a', 'uid-x-a', ['10.0.0.1'])]);
    deepEqual([...made.ruleSet().decided], []);
    deepEqual(
      made.waiting().map(({ reason }) => reason),
      ['unknown-pod'],
    );
    made.changePods(added([read(pod('x/a', [], GUARDED))]));
    deepEqual([...made.ruleSet().decided], [LINK]);
    ok(made.ruleSet().chainsByLink.get(LINK)?.ingress);
    equal(made.waiting().length, 0);
  });

  it('makes its addresses those of its pod at once, whatever the API tells of it', () => {
    const made = compiler();
    made.changePods(added([read(pod('x/a', ['10.0.0.9'], GUARDED))]));
    made.setAttachments([attachment('x/a', 'uid-x-a', ['10.0.0.1'])]);
    deepEqual(peers(made), ['10.0.0.1']);
    made.setAttachments([]);
    deepEqual(peers(made), []);
    equal(made.ruleSet().chains.size, 0);
  });

  it('takes its address from whom the API still has it', () => {
    const made = compiler();
    made.changePods(added([read(pod('x/old', ['10.0.0.1'], GUARDED, { node: 'there' }))]));
    made.changePods(added([read(pod('x/a', ['10.0.0.2'], GUARDED))]));
    made.setAttachments([
      attachment('y/new', 'uid-y-new', ['10.0.0.1'], { link: 'wv0000000000b' }),
      attachment('x/a', 'uid-x-a', ['10.0.0.2']),
    ]);
    deepEqual(peers(made), ['10.0.0.2']);
    made.setAttachments([attachment('x/a', 'uid-x-a', ['10.0.0.2'])]);
    deepEqual(peers(made), ['10.0.0.1', '10.0.0.2']);
  });

  it('is decided at once, though its pod is not known, where no policy may select a pod', () => {
    const made = compiler();
    made.setAttachments([attachment('y/a', 'uid-y-a', ['10.0.0.1'])]);
    deepEqual([...made.ruleSet().decided], [LINK]);
    const deny = { tier: 'Admin', priority: 1, ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] };
    const subject = { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': 'y' } } };
    made.changePolicies(added([readClusterNetworkPolicy(clusterPolicy('c', { ...deny, subject }))!]));
    deepEqual([...made.ruleSet().decided], [], 'until somebody writes one');
  });

  it('keeps the rules of a pod that was deleted by force, while it is no peer any more', () => {
    const made = compiler();
    const raw = read(pod('x/a', ['10.0.0.1'], GUARDED));
    made.changePods(added([raw, read(pod('x/b', ['10.0.0.2'], GUARDED))]));
    made.setAttachments([attachment('x/a', raw.uid, ['10.0.0.1'])]);
    deepEqual(peers(made), ['10.0.0.1', '10.0.0.2']);
    made.changePods(gone(raw));
    const rules = made.ruleSet();
    deepEqual([[...rules.decided], peers(made)], [[LINK], ['10.0.0.2']]);
    ok(rules.chainsByLink.get(LINK)?.ingress);
    const stricter = networkPolicy('x/guard', { podSelector: {}, policyTypes: ['Egress'] });
    made.changePolicies(added([readNetworkPolicy(stricter)!]));
    ok(made.ruleSet().chainsByLink.get(LINK)?.egress, 'later policies hold for it as well');
  });

  it('waits for the labels of its namespace, where a policy may ask for them', () => {
    const made = compiler();
    made.changePods(added([read(pod('new/a', [], {}))]));
    made.setAttachments([attachment('new/a', 'uid-new-a', ['10.0.0.1'])]);
    deepEqual([...made.ruleSet().decided], [LINK], 'nobody asks for them');
    made.changePolicies(added([RED_DENIED]));
    deepEqual([...made.ruleSet().decided], []);
    deepEqual([...made.governed().namespaces].sort(), ['new', 'x']);
    made.changeNamespaces(added([readNamespace(namespace('new', { team: 'red' }), labels)!]));
    deepEqual([...made.ruleSet().decided], [LINK]);
    ok(made.ruleSet().chainsByLink.get(LINK)?.ingress);
  });

  it('keeps the labels of its namespace until it is gone, though both were deleted', () => {
    const made = compiler();
    made.changePolicies(added([RED_DENIED]));
    const space = readNamespace(namespace('red', { team: 'red' }), labels)!;
    const raw = read(pod('red/a', ['10.0.0.1'], {}));
    made.changeNamespaces(added([space]));
    made.changePods(added([raw]));
    made.setAttachments([attachment('red/a', raw.uid, ['10.0.0.1'])]);
    ok(made.ruleSet().chainsByLink.get(LINK)?.ingress);
    made.changePods(gone(raw));
    made.changeNamespaces(gone(space));
    ok(made.ruleSet().chainsByLink.get(LINK)?.ingress);
    deepEqual([...made.ruleSet().decided], [LINK]);
    made.setAttachments([]);
    deepEqual([...made.governed().namespaces], ['x'], 'and not a moment longer');
  });

  it('is not that of a pod of the same name with another UID', () => {
    const made = compiler();
    const old = read(pod('x/a', ['10.0.0.1'], GUARDED));
    made.changePods(added([old]));
    made.setAttachments([attachment('x/a', old.uid, ['10.0.0.1'])]);
    const next = { ...read(pod('x/a', [], {}, { node: 'here' })), uid: 'uid-next' };
    made.changePods({ gone: [old], added: [next], changed: [] });
    ok(made.ruleSet().chainsByLink.get(LINK)?.ingress, 'the old sandbox stays isolated');
    made.changePods({
      gone: [],
      added: [],
      changed: [{ before: next, after: { ...next, addresses: ['10.0.0.7'] } }],
    });
    made.setAttachments([
      attachment('x/a', old.uid, ['10.0.0.1']),
      attachment('x/a', 'uid-next', ['10.0.0.7'], { link: 'wv0000000000b' }),
    ]);
    const { decided, chainsByLink } = made.ruleSet();
    deepEqual([[...decided].sort(), [...chainsByLink.keys()]], [[LINK, 'wv0000000000b'], [LINK]]);
  });

  it('of a static pod is found by the hash of its config', () => {
    const made = compiler();
    const raw = pod('x/a', ['10.0.0.1'], GUARDED);
    const metadata = { ...meta('a', 'x', GUARDED), annotations: { 'kubernetes.io/config.hash': 'f00' } };
    made.changePods(added([read({ ...raw, metadata })]));
    made.setAttachments([attachment('x/a', 'f00', ['10.0.0.1'])]);
    deepEqual([...made.ruleSet().decided], [LINK]);
  });

  it('of which weftd knows nothing is found by its addresses', () => {
    const made = compiler();
    made.setAttachments([attachment(null, '', ['10.0.0.1'])]);
    deepEqual(
      made.waiting().map(({ reason }) => reason),
      ['nobody'],
    );
    const raw = read(pod('x/a', ['10.0.0.1'], GUARDED));
    made.changePods(added([raw]));
    ok(made.ruleSet().chainsByLink.get(LINK)?.ingress);
    made.changePods(gone(raw));
    ok(made.ruleSet().chainsByLink.get(LINK)?.ingress);
  });

  it('whose pod was found by addresses is another’s, once the API tells that he has them', () => {
    const made = compiler();
    // The API was behind: this pod had the address before.
    const earlier = read(pod('y/earlier', ['10.0.0.1']));
    made.changePods(added([earlier]));
    made.setAttachments([attachment('y/earlier', earlier.uid, ['10.0.0.1'], { byAddress: true })]);
    equal(made.podAt(LINK)?.name, 'earlier');
    equal(made.ruleSet().chainsByLink.get(LINK), undefined);
    const now = read(pod('x/now', ['10.0.0.1'], GUARDED));
    made.changePods(added([now]));
    equal(made.podAt(LINK)?.name, 'earlier', 'while the API tells both');
    made.changePods(gone(earlier));
    equal(made.podAt(LINK)?.name, 'now');
    ok(made.ruleSet().chainsByLink.get(LINK)?.ingress);
    made.changePods(gone(now));
    equal(made.podAt(LINK)?.name, 'now', 'it stays under the last rules');
  });

  it('of which the runtime named the pod is nobody else’s, whatever the API tells of its addresses', () => {
    const made = compiler();
    made.changePods(added([read(pod('y/other', ['10.0.0.1']))]));
    made.setAttachments([attachment('x/a', 'uid-x-a', ['10.0.0.1'])]);
    equal(made.podAt(LINK), undefined);
  });

  it('waits where it claims to be a pod of another node, or one with its node’s addresses', () => {
    for (const more of [{ node: 'there' }, { hostNetwork: true }]) {
      const made = compiler();
      made.changePods(added([read(pod('x/a', ['10.0.0.1'], {}, more))]));
      made.setAttachments([attachment('x/a', 'uid-x-a', ['10.0.0.1'])]);
      deepEqual([...made.ruleSet().decided], []);
    }
  });

  it('that is no pod of Kubernetes is decided, and is nobody’s peer', () => {
    const made = compiler();
    made.changePods(added([read(pod('x/a', ['10.0.0.1'], GUARDED))]));
    made.setAttachments([attachment(null, '', ['10.0.0.1'], { ungoverned: true })]);
    deepEqual([[...made.ruleSet().decided], peers(made)], [[LINK], []]);
  });

  it('of a pod that ended stays isolated, and its address is nobody’s', () => {
    const made = compiler();
    const raw = read(pod('x/a', ['10.0.0.1'], GUARDED));
    made.changePods(added([raw]));
    made.setAttachments([attachment('x/a', raw.uid, ['10.0.0.1'])]);
    made.changePods({ gone: [], added: [], changed: [{ before: raw, after: { ...raw, hasEnded: true } }] });
    ok(made.ruleSet().chainsByLink.get(LINK)?.ingress);
    deepEqual(peers(made), []);
  });
});

describe('what the compiler tells', () => {
  it('is the same rules where nothing changed', () => {
    const made = compiler();
    made.changePods(added([read(pod('x/a', ['10.0.0.1'], GUARDED))]));
    const rules = made.ruleSet();
    equal(made.ruleSet(), rules);
    const again = read(pod('x/a', ['10.0.0.1'], GUARDED));
    made.changePods({ gone: [], added: [], changed: [{ before: again, after: again }] });
    equal(made.ruleSet(), rules);
  });

  it('is which namespaces policies govern', () => {
    const made = compiler();
    deepEqual([made.governed().all, [...made.governed().namespaces]], [false, ['x']]);
    const policy = (subject: object): object =>
      clusterPolicy('c', {
        tier: 'Admin',
        priority: 1,
        subject,
        egress: [{ action: 'Deny', to: [{ nodes: {} }] }],
      });
    const where = { matchLabels: { 'kubernetes.io/metadata.name': 'later' } };
    made.changePolicies(added([readClusterNetworkPolicy(policy({ namespaces: where }))!]));
    deepEqual([made.governed().all, [...made.governed().namespaces]], [false, ['x', 'later']]);
    equal(made.governed().known, undefined);
    const labelled = compiler();
    labelled.changePolicies(
      added([readClusterNetworkPolicy(policy({ namespaces: { matchLabels: { env: 'prod' } } }))!]),
    );
    equal(labelled.governed().all, false);
    deepEqual([...labelled.governed().known!].sort(), ['x', 'y']);
    for (const [operator, all] of [['Exists', true] as const, ['DoesNotExist', false] as const]) {
      const other = compiler();
      const matchExpressions = [{ key: 'kubernetes.io/metadata.name', operator }];
      other.changePolicies(added([readClusterNetworkPolicy(policy({ namespaces: { matchExpressions } }))!]));
      equal(other.governed().all, all, operator);
    }
    made.changePolicies(added([readClusterNetworkPolicy(policy({ namespaces: {} }))!]));
    deepEqual([made.governed().all, [...made.governed().namespaces].sort()], [true, ['x', 'y']]);
  });

  it('is what could not be honoured, ports that nobody has among it', () => {
    const made = compiler();
    made.changePods(added([read(pod('x/a', ['10.0.0.1'], GUARDED))]));
    made.setAttachments([attachment('x/a', 'uid-x-a', ['10.0.0.1'])]);
    const spec = {
      podSelector: {},
      ingress: [{ ports: [{ port: 'web' }] }, { from: [{}] }],
      egress: [{ ports: [{ port: 'db' }] }],
    };
    made.changePolicies(added([readNetworkPolicy(networkPolicy('x/p', spec))!]));
    made.ruleSet();
    const told = made.unhonoured().get('NetworkPolicy x/p')!.join('\n');
    match(told, /ingress: port "web" matches nothing: no container/);
    match(told, /egress: port "db" matches nothing: no pod/);
    match(told, /a peer matches nothing: it says nothing/);
  });

  it('is what a tag of the log stands for', () => {
    const made = new PolicyCompiler('here', { reject: false, log: { group: 1, packetsPerSecond: 1 } });
    made.changePolicies(added([readNetworkPolicy(networkPolicy('x/p', { podSelector: {} }))!]));
    made.changePods(added([read(pod('x/a', ['10.0.0.1']))]));
    made.setAttachments([attachment('x/a', 'uid-x-a', ['10.0.0.1'])]);
    const rules = [...made.ruleSet().chains.values()].flat();
    const [, tag] = /prefix "weft:i:([0-9a-f]+) "/.exec(rules.find((rule) => rule.includes('log'))!)!;
    deepEqual(made.dropTag(tag!), {
      direction: 'ingress',
      tier: 'NetworkPolicy',
      policies: ['NetworkPolicy x/p'],
    });
  });
});

describe('a large cluster', () => {
  it('costs a few lines a change, and none where no policy sees it', () => {
    const made = compiler();
    const pods = Array.from({ length: 3000 }, (_, i) =>
      read(
        pod(`${i % 2 ? 'x' : 'y'}/p${i}`, [`10.1.${i >> 8}.${i & 255}`], i % 4 === 1 ? GUARDED : {}, {
          node: i < 40 ? 'here' : 'there',
        }),
      ),
    );
    made.changePods(added(pods));
    made.setAttachments(
      pods
        .slice(0, 40)
        .map(({ namespace: ns, name, uid, addresses }, i) =>
          attachment(`${ns}/${name}`, uid, addresses, { link: `wv${String(i).padStart(11, '0')}` }),
        ),
    );
    const before = made.ruleSet();
    equal([...before.sets.values()][0]!.elements.size, 750);
    made.changePods(added([read(pod('y/new', ['10.2.0.1'], GUARDED, { node: 'there' }))]));
    equal(renderPolicyChange(before, made.ruleSet()), '');
    made.changePods(added([read(pod('x/new', ['10.2.0.2'], GUARDED, { node: 'there' }))]));
    match(renderPolicyChange(before, made.ruleSet()), /^add element inet weft-npc a4-\w+ { 10\.2\.0\.2 }\n$/);
  });

  it('isolates a pod by 1,000 policies with names of full length', () => {
    const made = compiler();
    const name = (i: number): string => `p${String(i).padStart(4, '0')}`.padEnd(253, 'n');
    const ns = 'y'.padEnd(63, 'y');
    const key = 'l'.repeat(63);
    const policies = Array.from(
      { length: 1000 },
      (_, i) =>
        readNetworkPolicy(
          networkPolicy(`${ns}/${name(i)}`, {
            podSelector: { matchLabels: { [`example.org/${key}`]: key } },
            ingress: [{ ports: [{ port: i + 1 }] }],
          }),
        )!,
    );
    made.changePolicies(added(policies));
    made.changePods(added([read(pod(`${ns}/${name(1)}`, ['10.0.0.1'], { [`example.org/${key}`]: key }))]));
    const [own] = made.judged.cluster.podsIn(ns);
    made.setAttachments([attachment(`${ns}/${name(1)}`, own!.uid, ['10.0.0.1'])]);
    const { chains, chainsByLink } = made.ruleSet();
    equal(chains.get(chainsByLink.get(LINK)!.ingress!.straight)!.length, 1002);
    ok([...chains.keys()].every((each) => each.length < 32));
  });
});
