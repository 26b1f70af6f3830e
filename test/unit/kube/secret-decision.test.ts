import { deepEqual, equal, ok } from 'node:assert/strict';
import { decideSecret, PUT_BACK_MS, type SecretEvidence } from '../../../kube/secret-decision.ts';

const OURS = { text: 'ours', clusterId: 'aa'.repeat(16) };
const OTHER = { text: 'other', clusterId: 'bb'.repeat(16) };
const NOTHING: SecretEvidence = {
  secret: undefined,
  genesis: undefined,
  kept: undefined,
  mayOthersHold: false,
  waitedMs: 0,
};
const ringOf = ({ clusterId }: { readonly clusterId: string }): SecretEvidence['genesis'] => ({ clusterId });
const UNTOLD: SecretEvidence['genesis'] = { clusterId: undefined };

describe('decideSecret', () => {
  for (const [why, evidence, step] of [
    ['nothing is there, and no node may hold a secret', {}, 'make'],
    ['another node may hold one', { mayOthersHold: true, waitedMs: PUT_BACK_MS - 1 }, 'wait'],
    ['no other node put one back in time', { mayOthersHold: true, waitedMs: PUT_BACK_MS }, 'make'],
    ['there is a Secret', { secret: OURS }, 'use'],
    ['there is a Secret, and its ring', { secret: OURS, genesis: ringOf(OURS), kept: OURS }, 'use'],
    ['an earlier version began the ring', { secret: OURS, genesis: UNTOLD }, 'use'],
    ['the Secret was deleted, and this node kept it', { kept: OURS }, 'put-back'],
    ['the same beside its ring', { kept: OURS, genesis: ringOf(OURS) }, 'put-back'],
    ['the same beside a ring of an earlier version', { kept: OURS, genesis: UNTOLD }, 'put-back'],
    ['the Secret was deleted beside a ring', { genesis: ringOf(OURS), waitedMs: 1e9 }, 'wait'],
    ['the same beside a ring of an earlier version', { genesis: UNTOLD, waitedMs: 1e9 }, 'wait'],
    ['the Secret is another than the kept one', { secret: OTHER, kept: OURS }, 'refuse'],
    ['the Secret is another than the one of the ring', { secret: OTHER, genesis: ringOf(OURS) }, 'refuse'],
    ['what was kept is of another ring', { kept: OTHER, genesis: ringOf(OURS) }, 'refuse'],
  ] as readonly [string, Partial<SecretEvidence>, string][]) {
    it(`says '${step}' where ${why}`, () => equal(decideSecret({ ...NOTHING, ...evidence }).step, step));
  }

  it('says what to do where it refuses, and nothing of the secret', () => {
    const decision = decideSecret({ ...NOTHING, secret: OTHER, kept: OURS });
    ok(decision.step === 'refuse');
    equal(decision.fault.code, 'E_SECRET_OTHER');
    ok(/delete the Secret, and this node puts the right one back/.test(decision.fault.line));
    ok(!decision.fault.line.includes(OTHER.text) && !decision.fault.line.includes(OURS.text));
  });

  it('hands on the text of the Secret', () => {
    deepEqual(decideSecret({ ...NOTHING, secret: OURS }), { step: 'use', text: OURS.text });
  });
});
