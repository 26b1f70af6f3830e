import { assert } from '../../base/assert.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { Range } from '../../base/range.ts';
import { WeftError } from '../../base/weft-error.ts';
import { encodeGenesis, sameUniverses } from '../model/genesis.ts';
import type { IpamStore } from '../model/store.ts';
import type { Ring } from './ring.ts';
import {
  appendToLog,
  decodeRingLog,
  emptyLog,
  type JoinChange,
  type NewEntry,
  RING_LOG_GRANT_LIMIT,
  type RingLog,
} from './ring-log.ts';

/** Why our own log can no longer be trusted. Codes of faults. */
type Rollback = 'E_RING_ROLLBACK' | 'E_RING_FORK';

/**
 * This node's own log: the only one that it writes. Every entry is staged in the store and in the ring before
 * {@link append} returns.
 *
 * ```
 * store: log      → the log, as published
 *        rollback → 1: E_RING_ROLLBACK, 2: E_RING_FORK; once there, it stays
 * ```
 */
export class OwnLog {
  readonly #self: PeerId;
  readonly #ring: Ring;
  readonly #store: IpamStore;
  readonly #ranges: readonly Range[];
  #log: RingLog;
  #rollback: Rollback | undefined;
  #full = false;
  #unpublished = false;

  /** `ranges`: the settings'. Throws a WeftError (E_STORE_CORRUPT) where the stored log cannot be read. */
  constructor(options: {
    readonly self: PeerId;
    readonly ring: Ring;
    readonly store: IpamStore;
    readonly ranges: readonly Range[];
  }) {
    this.#self = options.self;
    this.#ring = options.ring;
    this.#store = options.store;
    this.#ranges = options.ranges;
    this.#log = restoreLog(options.store.get('log'));
    if (this.#log.bytes.length > 1) this.#ring.merge(this.#self, this.#log.bytes);
    const rollback = options.store.get('rollback');
    if (rollback) this.#rollback = rollback[0] === 1 ? 'E_RING_ROLLBACK' : 'E_RING_FORK';
  }

  get log(): RingLog {
    return this.#log;
  }

  get rollback(): Rollback | undefined {
    return this.#rollback;
  }

  /** There is room for grants: the rest is kept for votes and council changes. */
  get hasRoomForGrants(): boolean {
    return this.fill <= 1;
  }

  /** Part of the room for grants that is used, 0 to 1 and a little more. */
  get fill(): number {
    return this.#log.bytes.length / RING_LOG_GRANT_LIMIT;
  }

  /** Something was not written because there is no room for it. */
  get full(): boolean {
    return this.#full;
  }

  /** This node may allocate, grant and vote. */
  get operational(): boolean {
    const { view } = this.#ring;
    return (
      this.#rollback === undefined &&
      view.genesis !== undefined &&
      this.#log.genesis !== undefined &&
      view.members.has(this.#self) &&
      !view.forked.has(this.#self) &&
      !view.fenced.has(this.#self) &&
      sameUniverses(view.genesis.universes, this.#ranges)
    );
  }

  /** The encoded genesis of the ring in which this node is {@link operational}. */
  get genesis(): Uint8Array | undefined {
    const { genesis } = this.#log;
    return genesis !== undefined && this.operational ? encodeGenesis(genesis) : undefined;
  }

  /** False where it does not fit, and then nothing has changed. */
  append(entries: readonly NewEntry[]): boolean {
    const log = appendToLog(this.#log, entries);
    if (log === undefined) {
      this.#full = true;
      return false;
    }
    const merged = this.#ring.merge(this.#self, log.bytes);
    assert(merged.ok && merged.value === 'extended', 'our own log only grows');
    this.#log = log;
    this.#store.put('log', log.bytes);
    this.#unpublished = true;
    return true;
  }

  /** A grant was refused to keep the rest of the log for votes. */
  refuseGrant(): void {
    this.#full = true;
  }

  /**
   * A peer showed our own log, and the ring says what that changed: as long as ours or shorter, unless our state
   * folder went back in time.
   */
  shown(change: JoinChange): void {
    if (change !== 'extended' && change !== 'forked') return;
    // Before anything of ours was published there is nothing to go back from, yet an older self has spoken: its
    // grants are binding, its allocations are lost. Never guess which addresses are in use.
    this.#rollback = change === 'extended' ? 'E_RING_ROLLBACK' : 'E_RING_FORK';
    this.#store.put('rollback', Uint8Array.of(change === 'extended' ? 1 : 2));
    if (change === 'forked') return;
    this.#log = this.#ring.log(this.#self)!;
    this.#store.put('log', this.#log.bytes);
    this.#unpublished = true;
  }

  /** To be published again, though it has not grown: a restart. */
  republish(): void {
    this.#unpublished = this.#log.bytes.length > 1;
  }

  /** What is to be published, once after each change. */
  takePayload(): Uint8Array | undefined {
    if (!this.#unpublished) return undefined;
    this.#unpublished = false;
    return this.#log.bytes;
  }
}

/** The ranges of the ring to which the node belongs whose store this is; undefined where it belongs to none yet. */
export function rangesInStore(store: IpamStore): readonly Range[] | undefined {
  return restoreLog(store.get('log')).genesis?.universes;
}

function restoreLog(bytes: Uint8Array | undefined): RingLog {
  if (bytes === undefined) return emptyLog();
  const decoded = decodeRingLog(bytes);
  if (decoded.ok) return decoded.value;
  throw new WeftError(
    'E_STORE_CORRUPT',
    `the stored ring log cannot be read (${decoded.reason})`,
    'remove the state folder and `weft rmpeer` this node from another',
  );
}
