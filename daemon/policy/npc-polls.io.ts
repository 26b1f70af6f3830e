import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import { WeftError } from '../../base/weft-error.ts';
import { POLICY_WAIT_MS, type PolicyRequest, type PolicyWaitResult } from '../../control/policy-request.ts';
import { attachmentJson, type GateAttachment } from '../../npc/gate/attachment-file.ts';
import type { AdmissionCounter } from './admission-counters.ts';
import type { GateDelta } from './gate-book.ts';
import type { NpcPresence } from './npc-presence.ts';

/** Requests that wait at once: one of each weft-npc, of which a rollout has two, and some that died unnoticed. */
const MAX_WAITERS = 16;

type Peers = NonNullable<PolicyWaitResult['peers']>;

/** Whose requests these are about. */
interface Attached {
  /** Resolves once it is known who hangs here. */
  readonly known: Promise<void>;
  readonly revision: string;
  attachments(): readonly GateAttachment[];
  /** What changed since that revision; undefined where that is not known. */
  changedSince(revision: string): GateDelta | undefined;
}

interface NpcPollsOptions {
  readonly presence: NpcPresence;
  readonly attached: Attached;
  readonly peers: () => Peers;
  /** Of this weftd, as CIDRs; one with others is another weftd, and gives other revisions. */
  readonly podRanges: readonly string[];
  /** weft-npc has come or gone. */
  readonly onPresence: () => void;
  readonly counters: Counters<AdmissionCounter>;
  readonly now: () => Instant;
}

/** Answers the requests in which weft-npc asks who hangs on this node, and waits for changes. */
export class NpcPolls {
  readonly #options: NpcPollsOptions;
  readonly #wakers = new Set<() => void>();
  #peers: Peers = [];
  #peersText = '';
  #peerChanges = 0;
  #isClosed = false;

  constructor(options: NpcPollsOptions) {
    this.#options = options;
  }

  /** Resolves with the answer; `whenGone` is called at once. */
  async wait(
    { revision, complete, differences = false }: Extract<PolicyRequest, { op: 'policyWait' }>,
    whenGone: (act: () => void) => void,
  ): Promise<PolicyWaitResult> {
    const { presence, attached, onPresence, counters, now } = this.#options;
    if (this.#isClosed || presence.waiting >= MAX_WAITERS) {
      counters.add('admission.tooManyWaiters');
      throw new WeftError('E_BUSY', 'too many ask who hangs on this node', 'stop all weft-npc but one');
    }
    const didSpeak = presence.speaks(now());
    const poll = presence.begin(complete, now());
    const gone = Promise.withResolvers<void>();
    whenGone(() => {
      presence.hungUp(poll, now());
      gone.resolve();
      onPresence();
    });
    if (presence.speaks(now()) !== didSpeak) onPresence();
    await Promise.race([attached.known, gone.promise]);
    this.peersStirred();
    if (revision === this.#revision) await this.#change(gone.promise);
    presence.answered(poll, now());
    return (differences ? this.#difference(revision) : undefined) ?? this.#whole;
  }

  get #whole(): PolicyWaitResult {
    return {
      revision: this.#revision,
      attachments: this.#options.attached.attachments().map(attachmentJson),
      ...this.#network,
    };
  }

  get #network(): Pick<PolicyWaitResult, 'peers' | 'podRanges'> {
    return { peers: this.#peers, podRanges: this.#options.podRanges };
  }

  /** What differs from `revision`; undefined where that is not known. */
  #difference(revision: string): PolicyWaitResult | undefined {
    const at = revision.lastIndexOf('-');
    const delta = this.#options.attached.changedSince(revision.slice(0, at));
    if (delta === undefined) return undefined;
    return {
      revision: this.#revision,
      since: revision,
      gone: delta.gone,
      attachments: delta.put.map(attachmentJson),
      ...(revision.slice(at + 1) === String(this.#peerChanges) ? {} : this.#network),
    };
  }

  /** Something is another than it was. */
  changed(): void {
    for (const wake of this.#wakers) wake();
  }

  /** Other nodes, or their addresses, may be others. */
  peersStirred(): void {
    const peers = this.#options.peers();
    const text = JSON.stringify(peers);
    if (text === this.#peersText) return;
    this.#peers = peers;
    this.#peersText = text;
    this.#peerChanges++;
    this.changed();
  }

  /** Whoever waits is answered, and none after. */
  close(): void {
    this.#isClosed = true;
    this.changed();
  }

  get #revision(): string {
    return `${this.#options.attached.revision}-${this.#peerChanges}`;
  }

  async #change(gone: Promise<void>): Promise<void> {
    const change = Promise.withResolvers<void>();
    this.#wakers.add(change.resolve);
    const timer = setTimeout(change.resolve, POLICY_WAIT_MS);
    await Promise.race([change.promise, gone]);
    clearTimeout(timer);
    this.#wakers.delete(change.resolve);
  }
}
