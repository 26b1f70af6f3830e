import { deepEqual, equal, ok } from 'node:assert/strict';
import { ElementSet } from '../../../linux/element-set.ts';
import { elementSteps, renderPolicyChange, withLeftovers } from '../../../linux/policy-change.ts';
import {
  dropPrefix,
  dropRules,
  parseDropPrefix,
  peerIn,
  portConditions,
} from '../../../linux/policy-rules.ts';
import { type PolicyRuleSet, renderPolicyTable } from '../../../linux/policy-table.ts';

const A = 'wv0000000000a';
const B = 'wv0000000000b';

function ruleSet(changes: Partial<PolicyRuleSet> = {}): PolicyRuleSet {
  const both = { straight: 'p-1', turned: 'p-2' };
  return {
    decided: new Set([A]),
    chainsByLink: new Map([[A, { egress: undefined, ingress: both }]]),
    addressesByLink: new Map([[A, ['10.32.0.10', 'fd00:77::a']]]),
    chains: new Map([
      ['p-1', ['ct original ip saddr @a4-1 accept', 'drop']],
      ['p-2', ['drop']],
    ]),
    sets: new Map([['a4-1', { type: 'ipv4_addr', interval: false, elements: ElementSet.of(['10.0.0.1']) }]]),
    drops: { reject: false, log: undefined },
    ...changes,
  };
}

describe('the batch of the whole table of policies', () => {
  const text = renderPolicyTable(ruleSet());

  it('replaces the table in one step, the gate with it', () => {
    ok(text.startsWith('table inet weft-npc\ndelete table inet weft-npc\ntable inet weft-npc {\n'));
    ok(text.includes(`set decided { type ifname; elements = { "${A}" } }`));
    ok(text.includes('chain gateForward {'));
  });

  it('leads the packets of a link to its chains, by each direction and view', () => {
    ok(text.includes(`map ingress { type ifname : verdict; elements = { "${A}" : goto p-1 }; }`));
    ok(text.includes(`map ingressTurned { type ifname : verdict; elements = { "${A}" : goto p-2 }; }`));
    ok(text.includes('map egress { type ifname : verdict; }'));
    ok(text.includes(`set judged { type ifname; elements = { "${A}" }; }`));
    ok(text.includes('set judgedEgress { type ifname; }'));
  });

  it('says which addresses the pods of links have', () => {
    ok(text.includes(`set attached { type ifname; elements = { "${A}" }; }`));
    ok(text.includes(`set own4 { type ifname . ipv4_addr; elements = { "${A}" . 10.32.0.10 }; }`));
    ok(text.includes(`set own6 { type ifname . ipv6_addr; elements = { "${A}" . fd00:77::a }; }`));
  });

  it('lets each packet be judged: there is no shortcut for what is established', () => {
    ok(!/established/.test(text));
  });
});

describe('the batch of a change', () => {
  it('is empty where nothing changes', () => {
    const rules = ruleSet();
    equal(renderPolicyChange(rules, rules), '');
    equal(renderPolicyChange(rules, ruleSet()), '');
  });

  it('changes the elements of a set alone', () => {
    const before = ruleSet();
    const set = before.sets.get('a4-1')!;
    const elements = set.elements.with(['10.0.0.2'], ['10.0.0.1']);
    equal(
      renderPolicyChange(before, { ...before, sets: new Map([['a4-1', { ...set, elements }]]) }),
      'delete element inet weft-npc a4-1 { 10.0.0.1 }\nadd element inet weft-npc a4-1 { 10.0.0.2 }\n',
    );
  });

  it('opens the gate for a link in the batch that brings its rules, and closes it in the one that takes them', () => {
    const before = ruleSet();
    const chains = { egress: undefined, ingress: { straight: 'p-1', turned: 'p-2' } };
    const after = {
      ...before,
      decided: new Set([A, B]),
      chainsByLink: new Map([...before.chainsByLink, [B, chains]]),
    };
    equal(
      renderPolicyChange(before, after),
      `add element inet weft-npc ingress { "${B}" : goto p-1 }
add element inet weft-npc ingressTurned { "${B}" : goto p-2 }
add element inet weft-npc judged { "${B}" }
add element inet weft-npc judgedIngress { "${B}" }
add element inet weft-npc decided { "${B}" }
`,
    );
    equal(
      renderPolicyChange(after, before),
      `delete element inet weft-npc ingress { "${B}" }
delete element inet weft-npc ingressTurned { "${B}" }
delete element inet weft-npc judged { "${B}" }
delete element inet weft-npc judgedIngress { "${B}" }
add element inet weft-npc decided { "${B}" }
delete element inet weft-npc decided { "${B}" }
`,
    );
  });

  it('takes away and brings the addresses of links that come, go or have others', () => {
    const before = ruleSet();
    const after = ruleSet({
      addressesByLink: new Map([
        [A, ['10.32.0.10', 'fd00:77::b']],
        [B, ['10.32.0.11']],
      ]),
    });
    equal(
      renderPolicyChange(before, after),
      `add element inet weft-npc attached { "${B}" }
add element inet weft-npc own4 { "${B}" . 10.32.0.11 }
delete element inet weft-npc own6 { "${A}" . fd00:77::a }
add element inet weft-npc own6 { "${A}" . fd00:77::b }
`,
    );
    equal(
      renderPolicyChange(after, ruleSet({ addressesByLink: new Map() })),
      `delete element inet weft-npc attached { "${A}", "${B}" }
delete element inet weft-npc own4 { "${A}" . 10.32.0.10, "${B}" . 10.32.0.11 }
delete element inet weft-npc own6 { "${A}" . fd00:77::b }
`,
    );
  });

  it('brings what is new before it points to it, and takes away what is old when nothing does', () => {
    const before = ruleSet();
    const after = ruleSet({
      chainsByLink: new Map([[A, { egress: undefined, ingress: { straight: 'p-3', turned: 'p-2' } }]]),
      chains: new Map([
        ['p-3', ['accept']],
        ['p-2', ['drop']],
      ]),
      sets: new Map(),
    });
    equal(
      renderPolicyChange(before, after),
      `table inet weft-npc {
  chain p-3 {
    accept
  }
}
delete element inet weft-npc ingress { "${A}" }
add element inet weft-npc ingress { "${A}" : goto p-3 }
flush chain inet weft-npc p-1
delete chain inet weft-npc p-1
delete set inet weft-npc a4-1
`,
    );
  });

  it('is the whole table where packets are dropped in another way', () => {
    const after = ruleSet({ drops: { reject: true, log: undefined } });
    equal(renderPolicyChange(ruleSet(), after), renderPolicyTable(after));
  });
});

describe('a change of elements alone', () => {
  it('is told as steps, in which what may be gone is put there before it is taken out', () => {
    const before = ruleSet();
    const chains = { egress: undefined, ingress: { straight: 'p-1', turned: 'p-2' } };
    const set = before.sets.get('a4-1')!;
    const after = {
      ...before,
      decided: new Set([B]),
      chainsByLink: new Map([...before.chainsByLink, [B, chains]]),
      sets: new Map([['a4-1', { ...set, elements: set.elements.with(['10.0.0.2'], []) }]]),
    };
    deepEqual(elementSteps(before, after), [
      { verb: 'add', set: 'a4-1', elements: [{ address: '10.0.0.2' }] },
      { verb: 'add', set: 'ingress', elements: [{ link: B, goto: 'p-1' }] },
      { verb: 'add', set: 'ingressTurned', elements: [{ link: B, goto: 'p-2' }] },
      { verb: 'add', set: 'judged', elements: [{ link: B }] },
      { verb: 'add', set: 'judgedIngress', elements: [{ link: B }] },
      { verb: 'add', set: 'decided', elements: [{ link: A }] },
      { verb: 'delete', set: 'decided', elements: [{ link: A }] },
      { verb: 'add', set: 'decided', elements: [{ link: B }] },
    ]);
    deepEqual(elementSteps(before, ruleSet()), []);
  });

  it('leaves what nothing leads to, which a batch takes away later, or a change needs again', () => {
    const before = ruleSet();
    const after = ruleSet({ chainsByLink: new Map(), chains: new Map([['p-2', ['drop']]]), sets: new Map() });
    equal(
      elementSteps(before, after)?.some(({ verb }) => verb === 'add'),
      false,
    );
    const held = withLeftovers(before, after);
    equal(held.sets.get('a4-1'), before.sets.get('a4-1'));
    equal(
      renderPolicyChange(held, after),
      'flush chain inet weft-npc p-1\ndelete chain inet weft-npc p-1\ndelete set inet weft-npc a4-1\n',
    );
    deepEqual(
      elementSteps(held, before)?.map(({ verb, set }) => `${verb} ${set}`),
      ['add ingress', 'add ingressTurned', 'add judged', 'add judgedIngress'],
    );
    equal(withLeftovers(after, before), before);
  });

  it('is none where chains, sets or ranges are new, or packets are dropped in another way', () => {
    const before = ruleSet();
    const set = before.sets.get('a4-1')!;
    const ranges = { ...set, interval: true };
    const of = (one: typeof set) => ruleSet({ sets: new Map([['a4-1', one]]) });
    const elements = set.elements.with(['10.0.0.0/30'], []);
    equal(elementSteps(of(ranges), of({ ...ranges, elements })), undefined);
    equal(elementSteps(before, of(ranges)), undefined);
    equal(elementSteps(before, ruleSet({ sets: new Map([...before.sets, ['a4-2', set]]) })), undefined);
    equal(elementSteps(before, ruleSet({ chains: new Map([...before.chains, ['p-3', []]]) })), undefined);
    equal(elementSteps(before, ruleSet({ drops: { reject: true, log: undefined } })), undefined);
  });
});

describe('the rules of policies', () => {
  it('look at the original side for ingress and at the answering side for egress, turned the other way', () => {
    equal(peerIn('ingress', 'straight', 4, 's'), 'ct original ip saddr @s');
    equal(peerIn('egress', 'straight', 6, 's'), 'ct reply ip6 saddr @s');
    equal(peerIn('ingress', 'turned', 4, 's'), 'ct reply ip saddr @s');
    equal(peerIn('egress', 'turned', 4, 's'), 'ct original ip saddr @s');
  });

  it('tell the ICMP errors of a flow, and what is behind an authentication header, by the port of the flow', () => {
    deepEqual(portConditions('straight', 'tcp', '80').slice(2), [
      'meta l4proto icmpv6 ct protocol tcp ct reply proto-src 80',
      'meta l4proto 51 ct protocol tcp ct reply proto-src 80',
    ]);
    equal(portConditions('turned', 'udp', '80-90')[0], 'meta l4proto udp ct original proto-src 80-90');
    equal(portConditions('straight', 'sctp', undefined).join(), 'ct protocol sctp');
  });

  it('log with a prefix that can be read back, and is short enough for the kernel', () => {
    const tag = '0123456789abcdef-12';
    equal(JSON.stringify(parseDropPrefix(dropPrefix('egress', tag))), JSON.stringify({ way: 'egress', tag }));
    ok(dropPrefix('ingress', tag).length < 64);
    for (const other of ['weft:x:1 ', 'weft:i: ', 'weft:i:A', '']) equal(parseDropPrefix(other), undefined);
  });

  it('answer only what a pod of this node begins', () => {
    const rules = dropRules('egress', 'out', { reject: true, log: undefined });
    equal(
      rules
        .filter((rule) => rule.includes('reject'))
        .every((rule) => rule.startsWith('iifname "wv*" ct direction original ')),
      true,
    );
    equal(rules.at(-1), 'drop');
  });
});
