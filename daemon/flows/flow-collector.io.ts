import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import { WeftError } from '../../base/weft-error.ts';
import type { AddressOwners } from '../../flows/address-owners.ts';
import { FloodGuard } from '../../flows/flood-guard.ts';
import type { FlowDrop, FlowEvent, FlowRecord } from '../../flows/flow.ts';
import type { FlowCounter } from '../../flows/flow-counters.ts';
import { FlowRing } from '../../flows/flow-ring.ts';
import { FlowTable } from '../../flows/flow-table.ts';
import { FlowTotals } from '../../flows/flow-totals.ts';
import type { Log } from '../../host/log.ts';
import type { ConntrackMessage } from '../../linux/conntrack.ts';
import { ConntrackWatch } from '../../linux/conntrack-watch.io.ts';

/** How long it goes on after the last question: a reader that follows asks again within seconds. */
const INTEREST_MS = 15_000;
/** Between two dumps, so that what lives long is told while it lives. */
const DUMP_EVERY_MS = 30_000;
/** Between two dumps after losses. */
const REPAIR_EVERY_MS = 2_000;
/** The first dump is waited for so long. */
const FIRST_DUMP_MS = 5_000;
/** A fresh one is waited for so long. */
const LOOK_MS = 1_000;
/** A dump is as good as a fresh one for so long. */
const FRESH_MS = 200;
/** After too many events at once nothing is read for so long. */
const FLOOD_PAUSE_MS = 1_000;
/** Readers are woken so long after something came, for a batch and not for each. */
const WAKE_MS = 40;

interface FlowCollectorOptions {
  /** Watch always, and not only while somebody asks. */
  readonly always: boolean;
  readonly owners: () => AddressOwners;
  readonly counters: Counters<FlowCounter>;
  readonly log: Log;
  readonly now: () => Instant;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  /** It begins, or ends, to watch. */
  readonly onWatching?: (isWatching: boolean) => void;
}

/**
 * Watches connections while somebody asks ({@link want}), or always: what connection tracking says goes into a table of
 * what lives, a ring of what happened, and totals of pairs. While it does not watch it holds no socket, and the kernel makes no
 * events. What is lost stands in the ring as a gap, and a dump repairs the table.
 */
export class FlowCollector {
  readonly ring = new FlowRing();
  readonly totals: FlowTotals;
  readonly #options: FlowCollectorOptions;
  readonly #wakers = new Set<() => void>();
  #watch: ConntrackWatch | undefined;
  #table: FlowTable;
  #owners: AddressOwners;
  #nowMs = 0;
  #sinceMs = 0;
  #wantedAt: Instant;
  #firstDump = Promise.withResolvers<void>();
  #looked: PromiseWithResolvers<void> | undefined;
  #isFirstDump = true;
  /** When the last dump was complete. */
  #dumpedAt: Instant | undefined;
  #lastDumpAt: Instant;
  #timer: NodeJS.Timeout | undefined;
  #wakeTimer: NodeJS.Timeout | undefined;
  #pauseTimer: NodeJS.Timeout | undefined;
  /** Of the dumps that were asked for, the one that repairs it is a later one than this. */
  #gap: { found: number; afterDump: number } | undefined;
  #dumps = 0;
  #lastEventMs = 0;
  readonly #flood = new FloodGuard();

  constructor(options: FlowCollectorOptions) {
    this.#options = options;
    this.totals = new FlowTotals(options.counters);
    this.#table = this.#newTable();
    this.#owners = options.owners();
    this.#wantedAt = options.now();
    this.#lastDumpAt = options.now();
  }

  /** Since when it watches, in milliseconds since 1970; undefined while it does not. */
  get watchingSinceMs(): number | undefined {
    return this.#timer === undefined ? undefined : this.#sinceMs;
  }

  /** Connections that live, and whether there may be more. */
  live(): { readonly flows: Iterable<FlowEvent>; readonly isIncomplete: boolean } {
    return { flows: this.#table.live(this.#options.wallMs()), isIncomplete: this.#table.isIncomplete };
  }

  /**
   * Somebody asks: it watches for some time from now on. Resolves once all that lives is known. Rejects with E_FLOWS where
   * the kernel does not tell.
   */
  async want(): Promise<void> {
    this.#wantedAt = this.#options.now();
    if (this.#timer === undefined) this.#begin();
    const patience = setTimeout(() => this.#firstDump.resolve(), FIRST_DUMP_MS);
    await this.#firstDump.promise;
    clearTimeout(patience);
  }

  /** A fresh look at what lives, for what long connections have moved. Resolves when it is there, or after a second. */
  async look(): Promise<void> {
    const ageMs = this.#options.now() - (this.#dumpedAt ?? -Infinity);
    if (this.#looked === undefined && (ageMs < FRESH_MS || !this.#dump())) return;
    this.#looked ??= Promise.withResolvers();
    const { promise, resolve } = this.#looked;
    const timer = setTimeout(resolve, LOOK_MS);
    await promise;
    clearTimeout(timer);
  }

  /** Resolves when the ring has more than `number` records, when `gone` does, or after `ms`. */
  async change(number: number, ms: number, gone: Promise<void>): Promise<void> {
    if (this.ring.next > number) return;
    const change = Promise.withResolvers<void>();
    this.#wakers.add(change.resolve);
    const timer = setTimeout(change.resolve, ms);
    await Promise.race([change.promise, gone]);
    clearTimeout(timer);
    this.#wakers.delete(change.resolve);
  }

  /** Denied packets, told by weft-npc; `lost`: those that it did not keep. */
  dropped(drops: readonly FlowDrop[], lost: number): void {
    if (this.#timer === undefined) return;
    const nowMs = this.#options.wallMs();
    if (lost > 0) this.#record({ kind: 'gap', atMs: nowMs, fromMs: nowMs, reason: 'drops', count: lost });
    for (const drop of drops) {
      this.#record(drop);
      this.totals.addDrop(drop, nowMs);
    }
  }

  /** Nobody is answered any more; those who wait are at once. */
  close(): void {
    this.#end();
    for (const wake of this.#wakers) wake();
  }

  // -- the socket -----------------------------------------------------------------------------------------------

  #begin(): void {
    this.#table = this.#newTable();
    this.ring.clear();
    this.totals.clear();
    this.#isFirstDump = true;
    this.#dumpedAt = undefined;
    this.#gap = undefined;
    this.#firstDump = Promise.withResolvers();
    this.#sinceMs = this.#options.wallMs();
    this.#open();
    this.#timer = setInterval(() => this.#tick(), 1_000).unref();
    this.#options.onWatching?.(true);
  }

  #end(): void {
    const wasWatching = this.#timer !== undefined;
    for (const timer of [this.#timer, this.#pauseTimer, this.#wakeTimer]) clearTimeout(timer);
    this.#timer = this.#pauseTimer = this.#wakeTimer = undefined;
    this.#watch?.close();
    this.#watch = undefined;
    this.#firstDump.resolve();
    this.#looked?.resolve();
    this.#looked = undefined;
    // What was kept is given back: for whoever asks later it is too old.
    this.#table = this.#newTable();
    this.ring.clear();
    this.totals.clear();
    if (wasWatching) this.#options.onWatching?.(false);
  }

  /** Opens the socket and asks for a dump. Throws E_FLOWS. */
  #open(): void {
    const { log } = this.#options;
    try {
      this.#owners = this.#options.owners();
      this.#nowMs = this.#options.wallMs();
      this.#watch = new ConntrackWatch({
        onConnection: (message) => this.#take(message),
        onBatch: () => this.#batchOver(),
        onDumped: (isComplete) => this.#dumped(isComplete),
        onLost: () => this.#lost('overrun'),
        onError: (error) => {
          log.warn('connections are not told any more', { fault: error.message });
          this.#end();
        },
      });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const remedy = 'load the module nf_conntrack_netlink, and give weftd CAP_NET_ADMIN';
      throw new WeftError('E_FLOWS', `the kernel does not tell of connections: ${why}`, remedy, { cause });
    }
    this.#dump();
  }

  #dump(): boolean {
    if (this.#watch?.dump() !== true) return false;
    this.#lastDumpAt = this.#options.now();
    this.#dumps++;
    this.#table.beginDump();
    return true;
  }

  #tick(): void {
    const { always, now } = this.#options;
    if (!always && now() - this.#wantedAt > INTEREST_MS) {
      this.#end();
      return;
    }
    this.#owners = this.#options.owners();
    const dueMs = this.#gap === undefined ? DUMP_EVERY_MS : REPAIR_EVERY_MS;
    if (now() - this.#lastDumpAt >= dueMs) this.#dump();
  }

  // -- what it says ---------------------------------------------------------------------------------------------

  #take(message: ConntrackMessage): void {
    if (message.kind !== 'live') this.#flood.count();
    this.#table.take(message, this.#owners, this.#nowMs);
  }

  #batchOver(): void {
    this.#nowMs = this.#lastEventMs = this.#options.wallMs();
    this.#owners = this.#options.owners();
    if (this.#flood.isFlooded(this.#options.now())) this.#pause();
  }

  #newTable(): FlowTable {
    const { counters } = this.#options;
    return new FlowTable({ counters, onEvent: (event) => this.#event(event) });
  }

  #event(event: FlowEvent): void {
    this.#options.counters.add('flow.events');
    this.totals.addEvent(event, this.#nowMs);
    // What was there before is told to those who ask for it.
    if (this.#isFirstDump && event.kind === 'live') return;
    if (this.#gap !== undefined && event.kind === 'live') this.#gap.found++;
    this.#record(event);
  }

  #dumped(isComplete: boolean): void {
    const gone = isComplete ? this.#table.endDump(this.#options.wallMs()) : 0;
    const gap = this.#gap;
    if (gap !== undefined && isComplete && this.#dumps > gap.afterDump) {
      this.#gap = undefined;
      this.#record({ kind: 'repaired', atMs: this.#options.wallMs(), found: gap.found, gone });
    }
    if (!isComplete) this.#options.log.warn('the kernel did not tell which connections there are');
    this.#isFirstDump = false;
    this.#dumpedAt = this.#options.now();
    this.#firstDump.resolve();
    this.#looked?.resolve();
    this.#looked = undefined;
  }

  /** Events are missing: one gap until a dump has repaired it. */
  #lost(reason: 'overrun' | 'flood'): void {
    this.#options.counters.add(reason === 'overrun' ? 'flow.overruns' : 'flow.floods');
    const atMs = this.#options.wallMs();
    if (this.#gap === undefined)
      this.#record({ kind: 'gap', atMs, fromMs: this.#lastEventMs || atMs, reason, count: undefined });
    this.#gap = { found: this.#gap?.found ?? 0, afterDump: this.#dumps };
  }

  #pause(): void {
    this.#lost('flood');
    this.#watch?.close();
    this.#watch = undefined;
    this.#pauseTimer = setTimeout(() => {
      try {
        this.#open();
      } catch (error) {
        this.#options.log.warn('connections are not told any more', { fault: String(error) });
        this.#end();
      }
    }, FLOOD_PAUSE_MS).unref();
  }

  #record(record: FlowRecord): void {
    this.ring.push(record);
    if (this.#wakers.size === 0) return;
    this.#wakeTimer ??= setTimeout(() => {
      this.#wakeTimer = undefined;
      for (const wake of this.#wakers) wake();
    }, WAKE_MS);
  }
}
