import { formatAddress } from '../../base/address.ts';
import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import type { WeftError } from '../../base/weft-error.ts';
import type { RulesetWatcher } from '../../ground/ground-keeper.io.ts';
import type { Log } from '../../host/log.ts';
import type { AdmissionCounter } from './admission-counters.ts';
import type { GateBook, GateSituation } from './gate-book.ts';
import { GateLooks, type Stirred } from './gate-looks.io.ts';
import { GateTable } from './gate-table.io.ts';

/** weft-npc takes out of the set whose pods are gone; after this weftd does. While it is away, much earlier. */
const STRAY_MS = 10_000;
const STRAY_WITHOUT_NPC_MS = 500;
/** Repairs within this are told together. */
const CONTEST_WINDOW_MS = 300_000;

interface GateKeeperOptions {
  readonly book: GateBook;
  readonly situation: () => GateSituation;
  readonly listener: {
    /** Links were found in the set, where weft-npc has put them. */
    decided(links: readonly string[]): void;
    /** Elements of these have vanished from the set: whoever put them there is to do so again. */
    lost(links: readonly string[]): void;
    /** A look has ended. */
    looked(): void;
  };
  readonly log: Log;
  readonly counters: Counters<AdmissionCounter>;
  readonly now: () => Instant;
}

/** Keeps the gate in the kernel as the {@link GateBook} has it, and the book as the kernel has it. */
export class GateKeeper {
  readonly #options: GateKeeperOptions;
  readonly #table: GateTable;
  readonly #looks: GateLooks;
  #repairs: { readonly at: Instant; readonly program: string | undefined }[] = [];
  #isClosed = false;

  constructor(options: GateKeeperOptions) {
    const { book, situation, now } = options;
    this.#options = options;
    this.#table = new GateTable({
      changed: ({ add, remove }) => this.#changed(add, remove),
      barred: (links) => this.#barred(links),
      failed: (fault) => this.#failed(fault),
    });
    this.#looks = new GateLooks({
      look: (stirred, by) => this.#look(stirred, by),
      isWorthwhile: () =>
        book.isUnsettled || book.goneFor(0, now()).length > 0 || this.#table.fault !== undefined,
      isSetTold: () => situation().npcSpeaks,
      now,
    });
  }

  /** What it is to be told of changes of nftables. */
  get watcher(): RulesetWatcher {
    return this.#looks.watcher;
  }

  /** Why the last run of nft failed; undefined where it did not. */
  get fault(): WeftError | undefined {
    return this.#table.fault;
  }

  /** How often the gate was put right within the last minutes, and who made the last time needed. */
  get repairs(): { readonly count: number; readonly program: string | undefined } {
    const now = this.#options.now();
    this.#repairs = this.#repairs.filter(({ at }) => now - at < CONTEST_WINDOW_MS);
    return { count: this.#repairs.length, program: this.#repairs.at(-1)?.program };
  }

  /**
   * Lays the gate for `links`, which the book has, or takes over that which is there, and notes who is in its set.
   * `isFirst`: no gate was laid before, so all are let through where there is none. Rejects as nft does.
   */
  async lay(links: readonly string[], isFirst: boolean): Promise<void> {
    await this.#table.inTurn(async () => {
      const found = await this.#table.read();
      if (found === undefined) {
        const open = isFirst ? links : this.#lose();
        await this.#table.lay({ add: open }, () => open);
        return this.#decide(open);
      }
      const remove = [...found].filter((link) => !links.includes(link));
      let open: readonly string[] = links.filter((link) => found.has(link));
      await this.#table.lay({ remove }, () => {
        open = this.#lose();
        return open;
      });
      return this.#decide(open);
    });
  }

  /** Looks from now on: the book is complete. */
  start(): void {
    this.#looks.start();
  }

  /**
   * Puts `link` into the set, and notes it, unless rules take its address for another pod's. Resolves when that was tried;
   * what failed is tried again at the next look.
   */
  async open(link: string): Promise<void> {
    const attachment = this.#options.book.get(link)?.attachment;
    if (attachment === undefined) return;
    const addresses = attachment.addresses.map(formatAddress);
    await this.#table.open(link, { addresses, isPod: !attachment.ungoverned }).catch(() => undefined);
  }

  /** Takes `link` out of the set. Rejects as nft does. */
  async takeBack(link: string): Promise<void> {
    await this.#table.remove([link]);
  }

  /** Something is to be looked at again before long; `gone`: an element may be left over. */
  recheck(what: 'waits' | 'gone'): void {
    const isQuick = what === 'gone' && !this.#options.situation().npcSpeaks;
    this.#looks.recheck(isQuick ? STRAY_WITHOUT_NPC_MS : undefined);
  }

  /** The gate stays as it is. */
  close(): void {
    this.#isClosed = true;
    this.#looks.close();
  }

  #changed(add: readonly string[], remove: readonly string[]): void {
    const { book, counters, now } = this.#options;
    book.cleared(remove);
    for (const link of add) if (book.decide(link, now())) counters.add('admission.opened');
  }

  #barred(links: readonly string[]): void {
    const { book, counters, now } = this.#options;
    for (const link of links) if (book.bar(link, now())) counters.add('admission.addressHeld');
  }

  #failed(fault: WeftError): void {
    const { counters, log } = this.#options;
    counters.add('admission.nftFailed');
    log.warn('the gate for policies cannot be changed', { fault: fault.line });
    // Perhaps there is none any more.
    this.#looks.distrust();
  }

  async #look(stirred: Stirred, by: string | undefined): Promise<void> {
    // What fails is noted, and tried again.
    await this.#table.inTurn(() => this.#repair(stirred, by)).catch(() => undefined);
    if (!this.#isClosed) this.#options.listener.looked();
  }

  /** Compares the gate with what it should be, and puts right what differs. */
  async #repair(stirred: Stirred, by: string | undefined): Promise<void> {
    if (this.#isClosed) return;
    const { book, situation, now, counters, listener } = this.#options;
    const readAt = now();
    const found = await this.#table.read();
    if (found === undefined) {
      const open = this.#lose();
      await this.#table.lay({ add: open }, () => open);
      this.#decide(open);
      return this.#repaired('is gone and was laid again', by);
    }
    if (stirred === 'table' || (stirred === 'chains' && !(await this.#table.isIntact()))) {
      let left: readonly string[] | undefined;
      await this.#table.lay({}, () => {
        left = this.#lose();
        return left;
      });
      this.#repaired('was changed and was laid again', by);
      if (left !== undefined) return this.#decide(left);
    }
    const { remove, decided, open, lost } = book.compare(found, { ...situation(), readAt }, now());
    listener.decided(decided);
    listener.lost(lost);
    const stray = [
      ...remove,
      ...book.goneFor(situation().npcSpeaks ? STRAY_MS : STRAY_WITHOUT_NPC_MS, now()),
    ];
    await this.#table.change({ add: open, remove: stray });
    this.#decide(open);
    book.cleared(stray);
    counters.add('admission.strayRemoved', stray.length);
  }

  /** All elements are lost. Answers whom weftd opens by itself. */
  #lose(): readonly string[] {
    const { book, situation, now } = this.#options;
    return book.loseAll(situation(), now());
  }

  #decide(links: readonly string[]): void {
    for (const link of links) this.#options.book.decide(link, this.#options.now());
  }

  #repaired(what: string, program: string | undefined): void {
    const { counters, log, now } = this.#options;
    this.#repairs.push({ at: now(), program });
    counters.add('admission.gateRepaired');
    log.warn(`the gate for policies ${what}`, { by: program });
  }
}
