import { equal, match, ok } from 'node:assert/strict';
import { parseAddress } from '../../../base/address.ts';
import type {
  FarSightings,
  ProbeAnswer,
  ProbeDrop,
  ProbeResult,
  Sighting,
} from '../../../control/probe-request.ts';
import { type Finding, fault } from '../../../doctor/finding.ts';
import type { PairEnd, PairFacts } from '../../../why/pair-facts.ts';
import { stationsText, translationOf, verdictOfProbe } from '../../../why/probe-verdict.ts';

const TARGET = '10.40.0.9';
const PEER: Extract<PairEnd['place'], { is: 'peer' }>['peer'] = {
  name: 'n2',
  peerId: 'b'.repeat(64),
  state: 'connected',
  ...{ endpoint: null, via: null, datapath: null, suite: null, rttMs: null, sentBytes: 0, receivedBytes: 0 },
  ...{ version: '', endpoints: [], addresses: [], mtu: 1364, mtuConfirmed: true, link: null },
};
const FACTS: PairFacts = {
  asked: { protocol: 'TCP', port: 80 },
  nodeName: 'n1',
  source: {
    ...{ text: 'a', pod: null, address: parseAddress('10.32.0.2')!, node: 'n1' },
    place: { is: 'nobody' },
  },
  target: {
    ...{ text: 'b', pod: null, address: parseAddress(TARGET)!, node: 'n2' },
    place: { is: 'peer', peer: PEER },
  },
  policy: { is: 'not-enforced' },
  ...{ decided: undefined, forwarding: '1', route: { is: 'unknown' } },
  ...{ masks: [], drops: [], unread: [], tun: 'weft0' },
};

/** `there in wv1`, `back in weft0 accepted`. */
function seen(...texts: readonly string[]): Sighting[] {
  return texts.map((text) => {
    const [way, at, link, says] = text.split(' ') as [Sighting['way'], Sighting['at'], string, ProbeAnswer?];
    return { way, at, link, other: TARGET, ...(says === undefined ? {} : { says }) };
  });
}

const LEFT = seen('there in wv1', 'there forward weft0', 'there out weft0');
const ARRIVED = seen('there in weft0', 'there forward wv2', 'there out wv2');
const far = (over: Partial<FarSightings>): FarSightings => ({
  ...{ target: 'pod', gate: null, forwards: true, seen: [], drops: [], ...over },
});
const drop = (over: Partial<ProbeDrop>): ProbeDrop => ({
  ...{ way: 'there', family: 'inet', table: 'other', chain: 'f', rule: 4, ...over },
});

interface Case {
  readonly near?: readonly Sighting[];
  readonly nearDrops?: readonly ProbeDrop[];
  readonly far?: FarSightings | null;
  readonly facts?: Partial<PairFacts>;
  readonly findings?: readonly Finding[];
}

function judge(given: Case): string {
  const { near = LEFT, nearDrops = [], facts = {}, findings = [] } = given;
  const result: ProbeResult = {
    sent: 1,
    near: { seen: near, drops: nearDrops },
    ...('far' in given ? { far: given.far! } : {}),
    answeredMs: null,
    dropped: {},
  };
  const verdict = verdictOfProbe(result, { facts: { ...FACTS, ...facts }, findings });
  if (verdict.talk) return `talk: ${verdict.because}`;
  ok(verdict.remedy !== '');
  return `${verdict.station}: ${verdict.because}`;
}

const CASES: readonly (readonly [what: string, given: Case, expected: RegExp])[] = [
  [
    'that they can talk where the answer reaches the source',
    { near: [...LEFT, ...seen('back in weft0 accepted', 'back out wv1 accepted')] },
    /^talk: the target accepts/,
  ],
  [
    'that an answer gets lost on the last step',
    { near: [...LEFT, ...seen('back in weft0 accepted')] },
    /^way back: the answer came back to n1/,
  ],
  [
    'who drops an answer on its last step',
    { near: [...LEFT, ...seen('back in weft0 accepted')], nearDrops: [drop({ way: 'back' })] },
    /^packet filters: the rule with handle 4 of the chain f .* drops the answer on n1/,
  ],
  ['that a port is closed', { near: [...LEFT, ...seen('back in weft0 refused')] }, /^target: .* \(RST\)$/],
  [
    'that a filter answers',
    { near: [...LEFT, ...seen('error in weft0 prohibited')] },
    /^target: 10\.40\.0\.9 answers that it is prohibited/,
  ],
  ['that nothing came in', { near: [] }, /^source: nothing of the probe/],
  ['that nothing is forwarded', { near: seen('there in wv1') }, /^route: the kernel of n1 does not forward/],
  [
    'why nothing is forwarded, where the facts know',
    { near: seen('there in wv1'), findings: [fault('forwarding', 'it is off', 'switch it on')] },
    /^forwarding: it is off/,
  ],
  [
    'that a filter that is not of nftables drops',
    { near: seen('there in wv1', 'there forward weft0') },
    /^packet filters: n1 forwards it and it does not leave/,
  ],
  [
    'that a policy denies',
    { nearDrops: [drop({ table: 'weft-npc', chain: 'e1' })] },
    /^policies: .* on n1 deny/,
  ],
  [
    'which policy denies, where the facts know',
    {
      nearDrops: [drop({ table: 'weft-npc', chain: 'e1' })],
      findings: [fault('egress policy', 'denied at ns/a', 'allow it')],
    },
    /^egress policy: denied at ns\/a/,
  ],
  [
    'that the gate drops',
    { far: far({ seen: ARRIVED.slice(0, 2), drops: [drop({ table: 'weft-npc', chain: 'gateForward' })] }) },
    /^gate of the target: the gate on n2 is closed/,
  ],
  [
    'that the packet rules drop',
    { nearDrops: [drop({ table: 'weft', chain: 'fromPod' })] },
    /^packet rules: .* on n1 drop it \(chain fromPod\)/,
  ],
  [
    'that a Service has no endpoint',
    { nearDrops: [drop({ table: 'kube-proxy', chain: 'reject-chain' })] },
    /^service: kube-proxy on n1 rejects/,
  ],
  [
    'that it left by the wrong interface',
    { near: seen('there in wv1', 'there forward eth0', 'there out eth0') },
    /^route: .* eth0 instead of weft0/,
  ],
  ['that the peer does not say', { far: null }, /^tunnel: .* n2 does not say/],
  ['that it got lost in the tunnel', { far: far({}) }, /^tunnel: .* did not come out on n2/],
  [
    'that no pod there has the address',
    { far: far({ target: 'nobody', seen: ARRIVED.slice(0, 1) }) },
    /^target: no pod of n2 has/,
  ],
  [
    'that forwarding is off there',
    { far: far({ forwards: false, seen: ARRIVED.slice(0, 1) }) },
    /^forwarding: forwarding is off on n2/,
  ],
  [
    'that it got lost there',
    { far: far({ seen: ARRIVED.slice(0, 1) }) },
    /^target node: .* was lost before the pod/,
  ],
  ['that the target is silent', { far: far({ seen: ARRIVED }) }, /^target: the packet reaches wv2 of n2/],
  [
    'that a datagram arrived',
    { far: far({ seen: ARRIVED }), facts: { asked: { protocol: 'UDP', port: 53 } } },
    /^talk: the datagram reaches wv2 of n2/,
  ],
  [
    'that the answer is not forwarded there',
    { far: far({ seen: [...ARRIVED, ...seen('back in wv2 accepted')] }) },
    /^way back: n2 does not forward the answer/,
  ],
  [
    'that the answer got lost in the tunnel',
    { far: far({ seen: [...ARRIVED, ...seen('back in wv2 accepted', 'back out weft0 accepted')] }) },
    /^way back: the answer left n2 by weft0/,
  ],
  [
    'that a host beyond the cluster is silent',
    {
      near: seen('there in wv1', 'there forward eth0', 'there out eth0'),
      facts: { target: { ...FACTS.target, node: null, place: { is: 'outside', inRange: false } } },
    },
    /^outside: it leaves n1 by eth0/,
  ],
];

describe('what a probe shows', () => {
  for (const [what, given, expected] of CASES) it(`is ${what}`, () => match(judge(given), expected));

  it('is told station by station', () => {
    const near = { seen: [...LEFT, ...seen('back in weft0 accepted', 'back out wv1 accepted')], drops: [] };
    const result = { sent: 1, near, far: far({ seen: ARRIVED }), answeredMs: 1, dropped: {} };
    equal(stationsText(result, FACTS), 'there by n1: wv1 → weft0, n2: weft0 → wv2; back by n1: weft0 → wv1');
  });

  it('is the endpoint that a Service became', () => {
    const near = (other: string) => ({ seen: [{ ...LEFT[1]!, other, port: 8080 }], drops: [] });
    const of = (other: string) =>
      translationOf({ sent: 1, near: near(other), answeredMs: null, dropped: {} }, FACTS);
    equal(of(TARGET), undefined);
    equal(JSON.stringify(of('10.40.0.3')), '{"address":"10.40.0.3","port":8080}');
  });
});
