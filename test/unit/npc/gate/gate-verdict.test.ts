import { equal } from 'node:assert/strict';
import { gateVerdict } from '../../../../npc/gate/gate-verdict.ts';

describe('the gate', () => {
  const governed = { all: false, namespaces: new Set(['policed']) };
  const pods = {
    ungoverned: { pod: { namespace: 'free', name: 'p', uid: '' }, ungoverned: false },
    governed: { pod: { namespace: 'policed', name: 'p', uid: '' }, ungoverned: false },
    unknown: { pod: null, ungoverned: false },
    none: { pod: null, ungoverned: true },
  };
  const table: readonly [keyof typeof pods, boolean, 'copy' | 'no copy' | 'no policies', string][] = [
    ['ungoverned', true, 'copy', 'ask'],
    ['governed', true, 'copy', 'ask'],
    ['unknown', true, 'copy', 'ask'],
    ['none', true, 'copy', 'open'],
    ['ungoverned', false, 'copy', 'open'],
    ['governed', false, 'copy', 'close governed'],
    ['unknown', false, 'copy', 'close unknown'],
    ['none', false, 'copy', 'open'],
    ['ungoverned', false, 'no copy', 'close never-complete'],
    ['governed', false, 'no copy', 'close never-complete'],
    ['unknown', false, 'no copy', 'close never-complete'],
    ['none', false, 'no copy', 'open'],
    ['unknown', false, 'no policies', 'open'],
    ['governed', false, 'no policies', 'open'],
  ];
  for (const [pod, npcSpeaks, file, expected] of table) {
    it(`of a pod that is ${pod}, with ${file}, where weft-npc ${npcSpeaks ? 'speaks' : 'is silent'}: ${expected}`, () => {
      const known = { copy: governed, 'no policies': { all: false, namespaces: new Set<string>() } };
      const verdict = gateVerdict(pods[pod], {
        npcSpeaks,
        governed: file === 'no copy' ? undefined : known[file],
      });
      equal(verdict.act === 'close' ? `close ${verdict.reason}` : verdict.act, expected);
    });
  }
});
