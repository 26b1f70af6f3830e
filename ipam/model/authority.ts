import type { PeerId } from '../../base/peer-id.ts';
import { ByteReader, ByteWriter } from './codec.ts';
import type { Genesis } from './genesis.ts';
import type { IpamStore } from './store.ts';

/** Who gets a removed peer's ranges, and how many bytes of its log count. */
interface Decree {
  readonly heir: PeerId;
  readonly cut: number;
  /** These bytes themselves. A node that never got the log from its author reads here what counts. */
  readonly log?: Uint8Array;
}

/**
 * A removal as the authority outside shows it. For each subject there is one such object, and the authority lets only
 * one of those who change it at once succeed (in Kubernetes: create-once, then update by resource version).
 *
 *   fenced   `heir` is about to take over: the subject deals out nothing, nobody gives it anything; `log` is the longest
 *            log of the subject that anybody has shown, and whoever knows a longer one puts it there
 *   lifted   the subject was seen alive after all
 *   removed  decided, for good; `cut` counts from here on
 */
export interface RemovalState extends Decree {
  readonly subject: PeerId;
  readonly phase: 'fenced' | 'lifted' | 'removed';
}

/** The word of the authority that a ring is evaluated with, beside the logs of its peers. */
export interface AuthorityView {
  readonly decreeBySubject: ReadonlyMap<PeerId, Decree>;
  readonly fenced: ReadonlySet<PeerId>;
  /** The genesis that the authority has shown; undefined until it shows one. */
  readonly genesis: Genesis | undefined;
}

/** No authority, or one that has said nothing. */
export const NO_AUTHORITY: AuthorityView = {
  decreeBySubject: new Map(),
  fenced: new Set(),
  genesis: undefined,
};

const PREFIX = 'decree/';
/** Bytes of heir and cut. */
const DECREE_LENGTH = 36;

/**
 * What this node knows of the authority's word. Decrees are on disk and never forgotten, also where the object that
 * told them is gone; fences are as the authority shows them now.
 *
 * ```
 * store: decree/<peer id> → heir 32 | cut u32 | log, cut bytes or none
 * ```
 */
export class Authority implements AuthorityView {
  readonly #store: IpamStore;
  readonly #decreeBySubject = new Map<PeerId, Decree>();
  #stateBySubject = new Map<PeerId, RemovalState>();
  #fenced = new Set<PeerId>();
  #shown = false;
  #genesis: Genesis | undefined;

  constructor(store: IpamStore) {
    this.#store = store;
    for (const [key, value] of store.entries(PREFIX)) {
      const reader = new ByteReader(value);
      const decree = { heir: reader.peer(), cut: reader.u32() };
      if (!reader.ok) continue;
      const log = value.subarray(DECREE_LENGTH);
      const subject = key.slice(PREFIX.length) as PeerId;
      this.#decreeBySubject.set(subject, log.length > 0 ? { ...decree, log } : decree);
    }
  }

  get decreeBySubject(): ReadonlyMap<PeerId, Decree> {
    return this.#decreeBySubject;
  }

  get fenced(): ReadonlySet<PeerId> {
    return this.#fenced;
  }

  get genesis(): Genesis | undefined {
    return this.#genesis;
  }

  /** The authority shows the genesis. The first that it shows counts until this process ends. */
  tell(genesis: Genesis): void {
    this.#genesis ??= genesis;
  }

  /** Whether the authority has been read since this process began, even if it holds nothing. */
  get shown(): boolean {
    return this.#shown;
  }

  state(subject: PeerId): RemovalState | undefined {
    return this.#stateBySubject.get(subject);
  }

  /** All removals that the authority shows now. The first decree about a subject counts; a later one can only be tampering. */
  show(states: readonly RemovalState[]): void {
    this.#shown = true;
    this.#stateBySubject = new Map(states.map((state) => [state.subject, state]));
    for (const { subject, phase, heir, cut, log } of states) {
      if (phase !== 'removed' || heir === subject || this.#decreeBySubject.has(subject)) continue;
      this.#decreeBySubject.set(subject, log === undefined ? { heir, cut } : { heir, cut, log });
      const stored = new ByteWriter().peer(heir).u32(cut);
      this.#store.put(PREFIX + subject, stored.bytes(log ?? new Uint8Array(0)).finish());
    }
    const fenced = states.filter(
      ({ phase, subject }) => phase === 'fenced' && !this.#decreeBySubject.has(subject),
    );
    this.#fenced = new Set(fenced.map(({ subject }) => subject));
  }
}
