import { deepEqual, equal } from 'node:assert/strict';
import { after, instant } from '../../../../base/instant.ts';
import { POLICY_GAP_MS } from '../../../../control/policy-request.ts';
import { NpcPresence } from '../../../../daemon/policy/npc-presence.ts';

const NOW = instant(5000);

describe('weft-npc', () => {
  let presence: NpcPresence;
  beforeEach(() => {
    presence = new NpcPresence(NOW);
  });

  it('is away until it asks', () => {
    deepEqual(
      [presence.isConnected(NOW), presence.speaks(NOW), presence.absentSince(NOW)],
      [false, false, NOW],
    );
  });

  it('speaks while it asks, and for a moment after each answer', () => {
    const poll = presence.begin(true, NOW);
    const late = after(NOW, 60_000);
    equal(presence.speaks(late), true);
    presence.answered(poll, late);
    equal(presence.speaks(after(late, POLICY_GAP_MS - 1)), true);
    const gone = after(late, POLICY_GAP_MS);
    deepEqual([presence.speaks(gone), presence.absentSince(gone)], [false, late]);
  });

  it('is connected and does not speak without a complete copy', () => {
    const poll = presence.begin(false, NOW);
    deepEqual([presence.isConnected(NOW), presence.speaks(NOW)], [true, false]);
    presence.answered(poll, NOW);
    deepEqual([presence.isConnected(NOW), presence.speaks(NOW)], [true, false]);
  });

  it('has gone at once where its connection broke, also if it was answered before', () => {
    const first = presence.begin(true, NOW);
    presence.answered(first, NOW);
    const second = presence.begin(true, NOW);
    presence.hungUp(second, NOW);
    equal(presence.isConnected(NOW), false);
    presence.answered(second, NOW);
    equal(presence.isConnected(NOW), false, 'the answer reached nobody');
  });

  it('goes on where one of two ends', () => {
    const [first] = [presence.begin(true, NOW), presence.begin(true, NOW)];
    presence.hungUp(first, NOW);
    deepEqual([presence.speaks(NOW), presence.waiting], [true, 1]);
  });

  it('was last heard when it came, was answered, said something or broke off', () => {
    const later = after(NOW, 700);
    const poll = presence.begin(true, NOW);
    equal(presence.silentForMs(later), 0);
    presence.answered(poll, later);
    equal(presence.silentForMs(after(later, 5)), 5);
    presence.heard(after(later, 50));
    equal(presence.silentForMs(after(later, 60)), 10);
  });
});
