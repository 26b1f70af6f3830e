import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { AskOutcome } from '../model/messages.ts';
import { canBeJudged } from '../ring/council.ts';
import type { OwnLog } from '../ring/own-log.ts';
import { ORIGIN_LIMIT, type Ring } from '../ring/ring.ts';
import type { NewEntry } from '../ring/ring-log.ts';
import { type Allocator, familiesOf } from './allocator.ts';
import { donatedBlock, donationLimit } from './donated-block.ts';

/** A peer gets at most one grant in this time. */
const GRANT_INTERVAL_MS = 200;

/** What a donor knows of its node. */
interface DonorOptions {
  readonly self: PeerId;
  readonly ring: Ring;
  readonly log: OwnLog;
  readonly allocator: Allocator;
  isAlive(peer: PeerId): boolean;
  /** The ring has changed by a grant: what we own is to be computed anew. */
  onGranted(): void;
}

/**
 * Gives parts of our free space to peers that ask. A repeated question gets the answer that it got before, so that a
 * lost answer does not cost a second range.
 */
export class Donor {
  readonly #options: DonorOptions;
  readonly #answerByPeer = new Map<PeerId, { request: number; outcome: AskOutcome; at: Instant }>();

  constructor(options: DonorOptions) {
    this.#options = options;
  }

  /** Answers a question. `listening`: we may not know yet that we were removed, and give nothing. */
  answer(from: PeerId, request: number, families: number, listening: boolean, now: Instant): AskOutcome {
    const last = this.#answerByPeer.get(from);
    if (last?.request === request && last.outcome !== 'unknown' && last.outcome !== 'busy')
      return last.outcome;
    const recent = last?.outcome === 'granted' && now < after(last.at, GRANT_INTERVAL_MS);
    const outcome = recent || listening ? 'busy' : this.#grantTo(from, families);
    if (outcome !== 'busy') {
      this.#answerByPeer.delete(from);
      this.#answerByPeer.set(from, { request, outcome, at: now });
      if (this.#answerByPeer.size > ORIGIN_LIMIT)
        this.#answerByPeer.delete(this.#answerByPeer.keys().next().value!);
    }
    return outcome;
  }

  /** Gives part of our free space away. The log is staged before the answer is, and both leave after the flush. */
  #grantTo(peer: PeerId, families: number): AskOutcome {
    const { self, ring, log, allocator } = this.#options;
    if (!log.operational || peer === self) return 'no-ring';
    const { view } = ring;
    if (!view.members.has(peer) || view.forked.has(peer) || view.fenced.has(peer)) return 'unknown';
    // What a peer without judges owns could never be taken back from it: it has to name some first.
    let judges = 1;
    for (const owner of ring.ownerSet())
      if (owner !== peer && owner !== self && this.#options.isAlive(owner)) judges++;
    if (!canBeJudged(ring.council(peer)!.size, judges)) return 'unknown';
    if (!log.hasRoomForGrants) {
      log.refuseGrant();
      return 'none';
    }
    const grants: NewEntry[] = [];
    for (const family of familiesOf(view.genesis!.universes)) {
      if (!(families & (family === 4 ? 1 : 2))) continue;
      const space = allocator.space(family)!;
      const map = view.segmentsByFamily[family];
      const own = map.segments.filter(({ owner }) => owner === self);
      let theirs = 0n;
      for (const { start, end, owner } of map.segments) if (owner === peer) theirs += end - start;
      const limit = donationLimit(space.count, space.owned, theirs);
      const block = limit > 0n ? donatedBlock(space.intervals, own, limit) : undefined;
      const version = block && map.at(block.start)!.version + 1;
      if (block && version) grants.push({ kind: 'grant', range: { family, ...block }, to: peer, version });
    }
    if (grants.length === 0) return 'none';
    if (!log.append(grants)) return 'none';
    this.#options.onGranted();
    return 'granted';
  }
}
