import { after, type Instant, instant } from '../../base/instant.ts';
import type { RulesetWatcher } from '../../ground/ground-keeper.io.ts';
import type { RulesetChange } from '../../linux/nftables-event.ts';
import { DECIDED_SET, GATE_CHAINS, POLICY_TABLE } from '../../linux/policy-gate.ts';

/** Changes of the gate come in bursts, and a look costs a run of nft. */
const BURST_MS = 20;
const LEAST_PAUSE_MS = 250;
/** The set is changed by weftd itself with each pod that it opens, and a look would hold up the next of them. */
const SET_BURST_MS = 500;
/** Between two looks where a pod waits, or something failed. */
const RECHECK_MS = 3_000;

/** What may have been touched since the last look, beside the set. */
export type Stirred = 'set' | 'chains' | 'table';

interface GateLooksOptions {
  /** Looks, and puts right what differs; `by` is the program that made the last change. Never rejects. */
  readonly look: (stirred: Stirred, by: string | undefined) => Promise<void>;
  /** A look is worth its cost though nothing told of a change. */
  readonly isWorthwhile: () => boolean;
  /** What changes in the set is told otherwise. */
  readonly isSetTold: () => boolean;
  readonly now: () => Instant;
}

/** When to look at the gate: soon after events of nftables, and now and then while a pod waits or something failed. */
export class GateLooks {
  readonly #options: GateLooksOptions;
  #stirred: Stirred = 'set';
  #by: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueAt: Instant | undefined;
  #recheckTimer: NodeJS.Timeout | undefined;
  #lastAt: Instant | undefined;
  #isStarted = false;
  #isClosed = false;

  constructor(options: GateLooksOptions) {
    this.#options = options;
  }

  /** What it is to be told of changes of nftables. */
  get watcher(): RulesetWatcher {
    return {
      names: [...GATE_CHAINS, DECIDED_SET],
      changed: (changes) => {
        for (const change of changes) this.#changed(change);
      },
      lost: () => this.stir('chains', undefined),
    };
  }

  /** Looks from now on. */
  start(): void {
    this.#isStarted = true;
    this.#soon(BURST_MS);
  }

  /** A look is due, at what is named and at the set. */
  stir(what: Stirred, by: string | undefined): void {
    this.#by = by;
    this.#touch(what);
    this.#soon(what === 'set' ? SET_BURST_MS : BURST_MS);
  }

  /** Something failed: a look comes after a while, and takes nothing for granted. */
  distrust(): void {
    this.#touch('chains');
    this.recheck();
  }

  /** A look comes within `ms`, if it is worthwhile then. */
  recheck(ms = RECHECK_MS): void {
    if (this.#isClosed || this.#recheckTimer !== undefined) return;
    this.#recheckTimer = setTimeout(() => {
      this.#recheckTimer = undefined;
      if (this.#options.isWorthwhile()) this.#soon(0);
    }, ms);
    this.#recheckTimer.unref();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#recheckTimer);
  }

  #changed({ whole, tables, program }: RulesetChange): void {
    const ours = tables.find(({ family, name }) => `${family} ${name}` === POLICY_TABLE);
    const isGates = ours?.deleted || GATE_CHAINS.some((name) => ours?.names.has(name));
    // A table that was set and not made may sleep from now on, of which nothing that is listed tells. Where the gate was
    // laid with it, it does not.
    const isMade = ours?.deleted || GATE_CHAINS.every((name) => ours?.names.has(name));
    if (ours?.set && !isMade) this.stir('table', program);
    else if (isGates || !whole) this.stir('chains', program);
    else if (ours?.names.has(DECIDED_SET) && !this.#options.isSetTold()) this.stir('set', program);
  }

  #touch(what: Stirred): void {
    if (what === 'table' || this.#stirred === 'set') this.#stirred = what;
  }

  #soon(ms: number): void {
    if (!this.#isStarted || this.#isClosed) return;
    const now = this.#options.now();
    const rested = this.#lastAt === undefined ? now : after(this.#lastAt, LEAST_PAUSE_MS);
    const dueAt = instant(Math.max(after(now, ms), rested));
    if (this.#dueAt !== undefined && this.#dueAt <= dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => void this.#look(), dueAt - now);
  }

  async #look(): Promise<void> {
    this.#dueAt = undefined;
    const [stirred, by] = [this.#stirred, this.#by];
    this.#stirred = 'set';
    this.#by = undefined;
    await this.#options.look(stirred, by);
    this.#lastAt = this.#options.now();
    if (this.#options.isWorthwhile()) this.recheck();
  }
}
