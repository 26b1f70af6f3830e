import { assert } from '../../base/assert.ts';
import { REPLAY_WINDOW_SIZE } from '../../crypto/replay-window.ts';

/** How far a session was used, so that another datapath can go on with its keys where this one ends. */
export interface SessionProgress {
  /** Counters taken to seal with: one above the highest. */
  readonly sent: number;
  readonly failedOpens: number;
  /** Whether a packet of the peer has opened. */
  readonly confirmed: boolean;
  /** `ReplayWindow.save` of crypto. */
  readonly replayWindow: Uint8Array;
}

/**
 * Counters that whoever goes on with a session leaves out. Those before are the predecessor's, of which nothing moves any
 * more when it tells how far it came; what it might have in work would not be more than a batch of its lanes holds.
 */
export const HANDOVER_SKIP = 4096;

assert(
  2 * HANDOVER_SKIP <= REPLAY_WINDOW_SIZE + 64,
  'what is under way when a session goes on is no replay to the peer',
);

/** `progress` with the counters left out that are its predecessor's. */
export function skippedAhead(progress: SessionProgress): SessionProgress {
  return { ...progress, sent: progress.sent + HANDOVER_SKIP };
}
