import { deepEqual } from 'node:assert/strict';
import { packetsDropped } from '../../../../daemon/probe/packets-dropped.ts';

describe('the packets that were dropped meanwhile', () => {
  it('are those of counters of dropped packets that rose', () => {
    const before = {
      'rules.dropSpoofed': 3,
      'policy.dropIngress': 5,
      'cni.added': 1,
      'policy.dropEgress': null,
    };
    const after = {
      'rules.dropSpoofed': 4,
      'policy.dropIngress': 5,
      'cni.added': 9,
      'gate.dropInput': 2,
      'policy.dropEgress': 7,
    };
    deepEqual(packetsDropped(before, after), { 'rules.dropSpoofed': 1, 'gate.dropInput': 2 });
  });
});
