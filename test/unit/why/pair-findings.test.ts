import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { parseAddress } from '../../../base/address.ts';
import { fault, fine } from '../../../doctor/finding.ts';
import type { PairEnd, PairFacts } from '../../../why/pair-facts.ts';
import { pairFindings } from '../../../why/pair-findings.ts';
import { verdictOfFindings } from '../../../why/verdict.ts';

type Pod = Extract<PairEnd['place'], { is: 'pod' }>['local'];

function pod(text: string, link: string, over: Partial<Pod> = {}): PairEnd {
  const local = {
    link,
    containerId: 'c',
    state: { index: 1, up: true, mtu: 1364 },
    routedTo: link,
    ...over,
  };
  return { text, pod: null, address: parseAddress(text)!, node: 'n1', place: { is: 'pod', local } };
}

const PEER: Extract<PairEnd['place'], { is: 'peer' }>['peer'] = {
  name: 'n2',
  peerId: 'b'.repeat(64),
  state: 'connected',
  ...{ endpoint: '192.0.2.2:6783', via: null },
  ...{ datapath: 'sleeve', suite: 'aes-256-gcm', rttMs: 1, sentBytes: 0, receivedBytes: 0, version: '1' },
  ...{ endpoints: [], addresses: ['10.40.0.1'], mtu: 1364, mtuConfirmed: true, link: null },
};

function onPeer(
  text: string,
  over: Partial<Extract<PairEnd['place'], { is: 'peer' }>['peer']> = {},
): PairEnd {
  const place = { is: 'peer', peer: { ...PEER, ...over } } as const;
  return { text, pod: null, address: parseAddress(text)!, node: 'n2', place };
}

const PASSES = { passes: true, because: 'no policy selects the pod', rule: null, selecting: [] };
const EXPLAINED = {
  source: { text: 'ns/a', pod: 'ns/a', node: 'n1', addresses: ['10.32.0.2'] },
  destination: { text: 'ns/b', pod: 'ns/b', node: 'n2', addresses: ['10.40.0.2'] },
  ...{ protocol: 'TCP', port: 80, passes: true, egress: PASSES, ingress: PASSES, unhonoured: [] },
};
const DENIES = {
  passes: false,
  because: 'policies isolate the pod for ingress, and none of their rules allows it',
  rule: null,
  selecting: [{ policy: 'NetworkPolicy ns/shut', tier: 'NetworkPolicy' }],
};

const SOUND: PairFacts = {
  asked: { protocol: 'TCP', port: 80 },
  nodeName: 'n1',
  source: pod('10.32.0.2', 'wv00000000001'),
  target: onPeer('10.40.0.2'),
  policy: { is: 'judged', explained: EXPLAINED },
  decided: new Set(['wv00000000001']),
  forwarding: '1',
  route: { is: 'route', link: 'weft0', gateway: undefined },
  ...{ masks: [], drops: [], unread: [], tun: 'weft0' },
};
const WARNING = {
  code: 'E_X',
  severity: 'error',
  message: 'the thing takes packets',
  remedy: 'remove it',
} as const;

describe('what the facts about a pair mean', () => {
  it('is that they can talk where all of them are sound', () => {
    const findings = pairFindings(SOUND, fine('peer n2', 'direct'));
    deepEqual(
      findings.filter(({ verdict }) => verdict !== 'ok'),
      [],
    );
    equal(verdictOfFindings(findings).talk, true);
  });

  const FAULTS: readonly (readonly [what: string, over: Partial<PairFacts>, expected: RegExp])[] = [
    [
      'a source that is no pod',
      { source: { ...SOUND.source, place: { is: 'nobody' } } },
      /^source: 10\.32\.0\.2 is of no pod of n1/,
    ],
    [
      'a source without its interface',
      { source: pod('10.32.0.2', 'wv1', { state: undefined }) },
      /^source: the interface wv1 .* is gone/,
    ],
    [
      'a source whose interface is down',
      { source: pod('10.32.0.2', 'wv1', { state: { index: 1, up: false, mtu: 1364 } }) },
      /^source: .* is down/,
    ],
    [
      'a source without a route',
      { source: pod('10.32.0.2', 'wv1', { routedTo: undefined }) },
      /^source: no route of this node/,
    ],
    ['a pod at the gate', { decided: new Set() }, /^gate of the source: closed for wv/],
    [
      'a policy that denies what leaves',
      { policy: { is: 'judged', explained: { ...EXPLAINED, egress: DENIES } } },
      /^egress policy: denied at ns\/a: policies isolate/,
    ],
    [
      'a policy that denies what comes',
      { policy: { is: 'judged', explained: { ...EXPLAINED, ingress: DENIES } } },
      /^ingress policy: denied at ns\/b/,
    ],
    ['forwarding that is off', { forwarding: '0' }, /^forwarding: IPv4 forwarding is off/],
    [
      'no route',
      { route: { is: 'refused', code: 'ENETUNREACH' } },
      /^route: .* \(ENETUNREACH\): no route leads/,
    ],
    [
      'a rule that masks the route',
      { route: { is: 'refused', code: 'EINVAL' }, masks: [WARNING] },
      /^route: the thing takes packets/,
    ],
    [
      'a route past the tunnel',
      { route: { is: 'route', link: 'eth0', gateway: undefined } },
      /^route: packets to 10\.40\.0\.2 leave n1 by eth0 instead of weft0/,
    ],
    ['a packet filter', { drops: [WARNING] }, /^packet filters: the thing takes/],
    [
      'an address of this node that no pod has',
      { target: { ...SOUND.target, place: { is: 'nobody' } } },
      /^target: .* no pod has it/,
    ],
    [
      'an address of the range that nobody owns',
      { target: { ...SOUND.target, place: { is: 'outside', inRange: true } } },
      /^target: .* no node owns it/,
    ],
  ];
  for (const [what, over, expected] of FAULTS) {
    it(`names ${what}, and what to do`, () => {
      const verdict = verdictOfFindings(pairFindings({ ...SOUND, ...over }, fine('peer n2', 'direct')));
      ok(!verdict.talk);
      match(`${verdict.station}: ${verdict.because}`, expected);
      ok(verdict.remedy !== '');
    });
  }

  it('takes a peer that nobody hears for the end of the way, and a relay for none', () => {
    const target = onPeer('10.40.0.2', { state: 'dead' });
    const warned = {
      ...fault('peer n2', 'does not answer anybody', 'start it'),
      verdict: 'warning',
    } as const;
    const dead = verdictOfFindings(pairFindings({ ...SOUND, target }, warned));
    ok(!dead.talk);
    equal(dead.station, 'tunnel');
    equal(verdictOfFindings(pairFindings(SOUND, { ...warned, seen: 'relayed by n3' })).talk, true);
  });

  it('says that nothing is enforced where nothing is', () => {
    const findings = pairFindings({ ...SOUND, policy: { is: 'not-enforced' } }, undefined);
    deepEqual(
      findings.filter(({ verdict }) => verdict === 'skipped').map(({ check }) => check),
      ['policies'],
    );
  });

  it('warns of an address of a peer that weft-npc knows no pod with', () => {
    const explained = { ...EXPLAINED, destination: { ...EXPLAINED.destination, pod: null } };
    const findings = pairFindings({ ...SOUND, policy: { is: 'judged', explained } }, undefined);
    equal(findings.find(({ check }) => check === 'target')?.verdict, 'warning');
  });
});
