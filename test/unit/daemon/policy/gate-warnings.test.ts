import { deepEqual, match } from 'node:assert/strict';
import { gateWarnings } from '../../../../daemon/policy/gate-warnings.ts';

describe('the warnings of the gate', () => {
  const fine = {
    neverComplete: false,
    npcAbsentMs: undefined,
    waiting: [],
    fault: undefined,
    repairs: { count: 0, program: undefined },
    unreadable: [],
  };
  const codes = (over: Partial<Parameters<typeof gateWarnings>[0]>): string[] =>
    gateWarnings({ ...fine, ...over }).map(({ code }) => code);

  it('are none where all is well, or has only just begun', () => {
    deepEqual(codes({}), []);
    const waiting = [{ name: 'a/b', reason: 'asked', sinceMs: 4_999 } as const];
    deepEqual(codes({ npcAbsentMs: 4_999, waiting, repairs: { count: 4, program: 'nft' } }), []);
  });

  it('name pods that wait, and why, and no more than a few', () => {
    const waiting = ['a', 'b', 'c', 'd', 'e', 'f'].map(
      (name) => ({ name: `ns/${name}`, reason: 'governed', sinceMs: 5_000 }) as const,
    );
    const [only] = gateWarnings({ ...fine, waiting });
    match(only!.message, /6: ns\/a \(a policy may select it\), .*ns\/e \(a policy may select it\), …\)$/);
  });

  it('begin with the worst', () => {
    deepEqual(
      codes({
        neverComplete: true,
        npcAbsentMs: 60_000,
        fault: 'nft is missing',
        repairs: { count: 5, program: 'firewalld' },
        unreadable: ['x'],
        waiting: [{ name: 'a/b', reason: 'never-complete', sinceMs: 9_000 }],
      }),
      [
        'E_POLICY_NEVER_COMPLETE',
        'E_GATE',
        'E_PODS_AT_GATE',
        'W_NPC_ABSENT',
        'W_GATE_CONTESTED',
        'W_POD_FILES',
      ],
    );
  });
});
