import type { Address } from '../../base/address.ts';
import { hex } from '../../base/bytes.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { Range } from '../../base/range.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { type AuthorityView, NO_AUTHORITY } from '../model/authority.ts';
import { encodeGenesis } from '../model/genesis.ts';
import {
  councilOf,
  decodeRingLog,
  type JoinChange,
  joinLogs,
  type LogFault,
  type RingLog,
} from './ring-log.ts';
import {
  evaluateRing,
  type GenesisBelief,
  type Logs,
  ownerAt,
  ownersOf,
  type Removal,
  type RingView,
} from './ring-view.ts';

/** Origins whose logs are kept. */
export const ORIGIN_LIMIT = 2048;
/** Bytes of all logs together. Parsed they take some ten times as much memory. */
const TOTAL_LOG_LIMIT = 16 * 1024 * 1024;

/** Why a log of another peer is not taken; `too-many`: the limits above. */
export type MergeFault = LogFault | 'too-many';

/**
 * The logs of all peers, and the view of them, evaluated when it is asked for. The limits are for those of others: our
 * own log is bounded by itself, and may not be silenced by what others fill the room with.
 */
export class Ring {
  readonly #self: PeerId | undefined;
  readonly #authority: AuthorityView;
  readonly #onEvaluated: () => void;
  readonly #logByOrigin = new Map<PeerId, RingLog>();
  /** Parsed once: a decree never changes. */
  readonly #decreedLogBySubject = new Map<PeerId, RingLog>();
  #totalBytes = 0;
  #view: RingView | undefined;
  #owners: { readonly range: Range; readonly owner: PeerId }[] = [];
  #removals = 0;
  #revision = 0;

  /** `onEvaluated` is told each time that the view was worked out. */
  constructor(self?: PeerId, authority: AuthorityView = NO_AUTHORITY, onEvaluated: () => void = () => {}) {
    this.#self = self;
    this.#authority = authority;
    this.#onEvaluated = onEvaluated;
  }

  /** The authority has said something new. */
  authorityChanged(): void {
    this.#view = undefined;
  }

  /**
   * Joins a payload of `origin` into what is known. Where it fails, or changed nothing, the view is as before.
   * The payload's bytes are kept: the caller must not change them.
   */
  merge(origin: PeerId, payload: Uint8Array): Result<JoinChange, MergeFault> {
    const known = this.#logByOrigin.get(origin);
    const decoded = decodeRingLog(payload);
    if (!decoded.ok) return decoded;
    const { log, change } = joinLogs(known, decoded.value);
    if (log === known) return ok(change);
    const total = this.#totalBytes - (known?.bytes.length ?? 0) + log.bytes.length;
    if (origin !== this.#self) {
      if (known === undefined && this.#logByOrigin.size >= ORIGIN_LIMIT) return fail('too-many');
      if (total > TOTAL_LOG_LIMIT) return fail('too-many');
    }
    this.#totalBytes = total;
    this.#logByOrigin.set(origin, log);
    this.#view = undefined;
    return ok(change);
  }

  log(origin: PeerId): RingLog | undefined {
    return this.#logByOrigin.get(origin);
  }

  /** How many identities have a log here, those that were removed included: they count for ever. */
  get origins(): number {
    return this.#logByOrigin.size;
  }

  get view(): RingView {
    if (this.#view === undefined) {
      this.#view = evaluateRing(this.#countedLogs(), this.#authority, this.#belief());
      this.#onEvaluated();
      const owners = ownersOf(this.#view);
      // A removal stays for ever, so that their number tells whether there is a new one.
      const { size: removals } = this.#view.removals;
      if (!sameOwners(owners, this.#owners) || removals !== this.#removals) {
        this.#owners = owners;
        this.#removals = removals;
        this.#revision++;
      }
    }
    return this.#view;
  }

  /** Grows with every change of {@link owners}, and with each removal, also of a peer that owned nothing. */
  get revision(): number {
    void this.view;
    return this.#revision;
  }

  owners(): readonly { readonly range: Range; readonly owner: PeerId }[] {
    void this.view;
    return this.#owners;
  }

  /** All that own anything. */
  ownerSet(): Set<PeerId> {
    return new Set(this.owners().map(({ owner }) => owner));
  }

  ownerOf(address: Address): PeerId | undefined {
    return ownerAt(this.view, address);
  }

  rangesOf(peer: PeerId): Range[] {
    return this.owners()
      .filter(({ owner }) => owner === peer)
      .map(({ range }) => range);
  }

  /** Nobody else has anything to give. */
  ownsAll(peer: PeerId): boolean {
    return this.owners().every(({ owner }) => owner === peer);
  }

  removal(peer: PeerId): Removal | undefined {
    return this.view.removals.get(peer);
  }

  /** The genesis that the authority tells, else the one that our own log states. */
  #belief(): GenesisBelief | undefined {
    const { genesis: told } = this.#authority;
    if (told !== undefined) return { genesis: told, genesisKey: hex(encodeGenesis(told)) };
    const { genesis, genesisKey } = (this.#self && this.#logByOrigin.get(this.#self)) || {};
    return genesis && genesisKey !== undefined ? { genesis, genesisKey } : undefined;
  }

  /** All logs; in place of those of removed peers what the decrees say of them, where these hold it. */
  #countedLogs(): Logs {
    const decreed = [...this.#authority.decreeBySubject].filter(([, { log }]) => log !== undefined);
    if (decreed.length === 0) return this.#logByOrigin;
    const logs = new Map(this.#logByOrigin);
    for (const [subject, { log, cut }] of decreed) {
      let parsed = this.#decreedLogBySubject.get(subject);
      if (parsed === undefined) {
        const decoded = decodeRingLog(log!);
        if (!decoded.ok || decoded.value.bytes.length !== cut) continue;
        parsed = decoded.value;
        this.#decreedLogBySubject.set(subject, parsed);
      }
      logs.set(subject, parsed);
    }
    return logs;
  }

  /** The peers whose majority may remove `peer`, as far as its log is known; undefined where it has none. */
  council(peer: PeerId): Set<PeerId> | undefined {
    const log = this.#logByOrigin.get(peer);
    return log && councilOf(peer, log);
  }
}

function sameOwners(
  a: readonly { readonly range: Range; readonly owner: PeerId }[],
  b: readonly { readonly range: Range; readonly owner: PeerId }[],
): boolean {
  if (a.length !== b.length) return false;
  return a.every(({ range, owner }, i) => {
    const other = b[i]!;
    return (
      owner === other.owner &&
      range.start === other.range.start &&
      range.end === other.range.end &&
      range.family === other.range.family
    );
  });
}
