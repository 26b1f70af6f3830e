import type { Counters } from '../base/counters.ts';
import type { Histograms } from '../base/histograms.ts';
import type { Instant } from '../base/instant.ts';
import { type Warning, warningOf, warningOfError } from '../base/warning.ts';
import { WeftError } from '../base/weft-error.ts';
import { DelayWindow } from '../host/delay-window.ts';
import type { Log } from '../host/log.ts';
import type { PolicyRuleSet } from '../linux/policy-table.ts';
import { AttachmentFollower, hasGate, type NodeAttachments } from './attachment-follower.io.ts';
import type { PolicyCompiler } from './compiler/policy-compiler.ts';
import type { GateAttachment } from './gate/attachment-file.ts';
import { GovernedStore } from './governed-store.io.ts';
import type { NpcCounter } from './metrics/npc-counters.ts';
import type { NpcHistogram } from './metrics/npc-histograms.ts';
import { NPC_WARNINGS } from './npc-warnings.ts';
import { TableWriter } from './table-writer.io.ts';
import { ToldDecisions } from './told-decisions.io.ts';

/** After a failed load the next one waits so long, and longer each time. */
const RETRY = { firstMs: 250, mostMs: 10_000 } as const;
/** Where somebody else changes the table again and again, it is put right this often. */
const REPAIR_GAP_MS = 300;
/** Repairs within this time are told as a contest, from the third on. */
const CONTEST_MS = 60_000;
const CONTEST_REPAIRS = 3;
/** Chains and sets to which nothing leads any more go when nothing changed for so long, or after so long at the latest. */
const SWEEP = { restMs: 1_000, mostMs: 10_000 } as const;
/** What is due, and could not be done, is tried again after this. */
const LEAST_WAKE_MS = 100;
/** So many applies are looked at for how long they take. */
const RECENT_APPLIES = 200;

interface EnforcerOptions {
  readonly runDir: string;
  readonly stateDir: string;
  readonly version: string;
  readonly compiler: PolicyCompiler;
  /** The copy of the API was complete once. */
  readonly isComplete: () => boolean;
  /** The copy of the API is kept up to date. */
  readonly isCurrent: () => boolean;
  readonly now: () => Instant;
  readonly log: Log;
  readonly counters: Counters<NpcCounter>;
  readonly histograms: Histograms<NpcHistogram>;
  /** Nothing works any more. */
  readonly onFault: (error: unknown) => void;
}

/** What an {@link Enforcer} has loaded. */
interface LoadedState {
  readonly lastApplyMs: number;
  /** Of the last {@link RECENT_APPLIES}. */
  readonly applyP99Ms: number;
}

/**
 * Keeps the kernel as the policies want it: one loop that takes all that changed meanwhile, has it compiled, writes the
 * file of governed namespaces, loads the rules in one transaction, and tells weftd for whom it has spoken. Only one
 * process on a node may have one: the holder of the lock.
 *
 * Nothing is loaded before the copy of the API is complete and it is known who hangs on this node.
 */
export class Enforcer {
  readonly #options: EnforcerOptions;
  readonly #writer: TableWriter;
  readonly #follower: AttachmentFollower;
  readonly #governed: GovernedStore;
  /** By link; another map with each change. */
  #attachments: ReadonlyMap<string, GateAttachment> | undefined;
  /** weftd keeps no gate, so there must be no table. */
  #mustClear = false;
  #loaded: LoadedState | undefined;
  /** When the oldest change came that is not loaded yet. */
  #dirtySince: Instant | undefined;
  /** Nothing changed, but it is time to look. */
  #isWoken = false;
  #isRunning = false;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #fault: WeftError | undefined;
  #weftdFault: WeftError | undefined;
  readonly #told: ToldDecisions;
  readonly #applies = new DelayWindow(RECENT_APPLIES);
  /** When something was loaded last, and since when there are leftovers of earlier loads. */
  #changedAt: Instant | undefined;
  #leftSince: Instant | undefined;
  readonly #repairs: Instant[] = [];
  #repairedBy: string | undefined;

  constructor(options: EnforcerOptions) {
    this.#options = options;
    const { runDir, stateDir, version, log, onFault, isCurrent } = options;
    this.#governed = new GovernedStore(stateDir);
    this.#told = new ToldDecisions(options);
    this.#writer = new TableWriter({
      version,
      onStirred: (by) => this.#tableStirred(by),
      onError: onFault,
    });
    this.#follower = new AttachmentFollower({
      runDir,
      isCurrent,
      onAttachments: (now) => this.#attached(now),
      onNoGate: () => this.#ungated(),
      onFault: (fault) => {
        if (fault !== undefined && this.#weftdFault === undefined)
          log.warn('weftd cannot be asked; who hangs here is read from its files', { fault: fault.line });
        this.#weftdFault = fault;
      },
    });
  }

  start(): void {
    this.#follower.start();
  }

  /** What is in the kernel stays there. Resolves when no transaction of ours is under way any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#follower.close();
    await this.#running;
    await this.#told.close();
    this.#writer.close();
  }

  /** Undefined until the first rules are loaded. */
  get loaded(): LoadedState | undefined {
    return this.#loaded;
  }

  /** What is in the kernel; undefined while that is not known. */
  get rules(): PolicyRuleSet | undefined {
    return this.#writer.loaded;
  }

  get attachments(): readonly GateAttachment[] {
    return [...(this.#attachments?.values() ?? [])];
  }

  /** The copy of the API is complete, or up to date again, or not any more. */
  copyChanged(): void {
    this.#follower.start();
    this.stir();
  }

  /** Something may be different: everything is compared and loaded soon. */
  stir(): void {
    this.#dirtySince ??= this.#options.now();
    this.#schedule(0);
  }

  warnings(): Warning[] {
    const warnings: Warning[] = [];
    if (this.#fault !== undefined) warnings.push(warningOfError(this.#fault));
    const { runDir } = this.#options;
    if (this.#attachments === undefined)
      warnings.push(
        warningOf(NPC_WARNINGS, 'E_NPC_NO_GATE', {
          fault: this.#weftdFault?.message ?? `there is no gate in ${runDir}`,
        }),
      );
    else if (this.#weftdFault !== undefined)
      warnings.push(warningOf(NPC_WARNINGS, 'W_NPC_NO_WEFTD', { fault: this.#weftdFault.message }));
    if (this.#follower.unreadable > 0)
      warnings.push(warningOf(NPC_WARNINGS, 'W_NPC_UNREADABLE', { count: this.#follower.unreadable }));
    const contested = this.#recentRepairs();
    if (contested >= CONTEST_REPAIRS) {
      const by = this.#repairedBy === undefined ? 'another program' : `the program ${this.#repairedBy}`;
      warnings.push(warningOf(NPC_WARNINGS, 'E_NPC_TABLE_CONTESTED', { by, count: contested }));
    }
    return warnings;
  }

  // -- what comes in --------------------------------------------------------------------------------------------

  #attached({ attachments, network }: NodeAttachments): void {
    const { compiler } = this.#options;
    this.#mustClear = false;
    if (isWhole(attachments)) {
      this.#attachments = new Map(attachments.map((each) => [each.link, each]));
      // weftd may be another one that was told nothing.
      this.#told.forgetAll();
      compiler.setAttachments(attachments);
    } else if (this.#attachments !== undefined) {
      const { put, gone } = attachments;
      const now = new Map(this.#attachments);
      for (const link of [...gone, ...put.map((each) => each.link)]) {
        const known = now.get(link);
        if (known !== undefined) this.#told.forget(known);
        now.delete(link);
      }
      for (const each of put) now.set(each.link, each);
      this.#attachments = now;
      compiler.changeAttachments(attachments);
    }
    if (network !== undefined) {
      compiler.setOverlay(network.overlayByNode);
      compiler.setPodRanges(network.podRanges);
    }
    this.stir();
  }

  /** Nothing may be loaded here: pods that weftd attaches now would stay closed. */
  #ungated(): void {
    this.#attachments = undefined;
    this.#loaded = undefined;
    this.#leftSince = undefined;
    this.#told.forgetAll();
    this.#mustClear = true;
    this.stir();
  }

  #tableStirred(by: string | undefined): void {
    const { log, now, counters } = this.#options;
    if (this.#loaded === undefined) return;
    if (this.#writer.loaded === undefined) {
      log.warn('the packet rules were changed by another program; loading them again', { by });
      counters.add('npc.tableRepaired');
      this.#repairs.push(now());
      this.#repairedBy = by;
    }
    this.#dirtySince ??= now();
    const recent = this.#repairs.at(-2);
    this.#schedule(recent !== undefined && now() - recent < REPAIR_GAP_MS ? REPAIR_GAP_MS : 0);
  }

  #recentRepairs(): number {
    const { now } = this.#options;
    while (this.#repairs.length > 0 && now() - this.#repairs[0]! > CONTEST_MS) this.#repairs.shift();
    return this.#repairs.length;
  }

  // -- the loop -------------------------------------------------------------------------------------------------

  #schedule(ms: number): void {
    if (this.#isClosed || this.#isRunning) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#running = this.#run();
    }, ms);
  }

  async #run(): Promise<void> {
    const { log, counters, onFault, now } = this.#options;
    this.#isRunning = true;
    let waitMs = 0;
    try {
      while ((this.#dirtySince !== undefined || this.#isWoken) && waitMs === 0 && !this.#isClosed) {
        const since = this.#dirtySince ?? now();
        this.#dirtySince = undefined;
        this.#isWoken = false;
        try {
          await this.#apply(since);
          this.#failures = 0;
          this.#fault = undefined;
        } catch (error) {
          if (!(error instanceof WeftError)) throw error;
          counters.add('npc.loadFailed');
          log.error('what policies ask for cannot be done, or not all of it', { fault: error.line });
          this.#fault = error;
          this.#dirtySince ??= since;
          waitMs = Math.min(RETRY.firstMs * 2 ** this.#failures++, RETRY.mostMs);
          this.#told.tellUnknown(this.#attachments ?? new Map());
        }
      }
    } catch (error) {
      onFault(error);
    }
    this.#isRunning = false;
    if (this.#dirtySince !== undefined) this.#schedule(waitMs);
    else this.#wake(now());
  }

  async #apply(since: Instant): Promise<void> {
    const { compiler, isComplete, now, counters, histograms } = this.#options;
    if (this.#mustClear && this.#attachments === undefined) {
      await this.#writer.clear();
      this.#mustClear = false;
    }
    const attachments = this.#attachments;
    if (attachments === undefined) return;
    if (!isComplete()) {
      // Nobody is kept waiting for what may take long.
      this.#told.tellUnknown(attachments);
      return;
    }
    if (this.#writer.loaded === undefined && !hasGate(this.#options.runDir)) return;
    const rules = compiler.ruleSet();
    const governed = compiler.governed();
    // A disk that takes nothing keeps nothing from being denied; it is told, and tried again.
    let unkept = failure(() => this.#governed.widen(governed));
    const isNew = this.#writer.loaded !== rules;
    await this.#writer.load(rules, { sweep: this.#isSweepDue(isNew, now()) });
    if (this.#writer.loaded === undefined) {
      // Somebody changed the table meanwhile: it is not what was loaded, so nothing is said of it.
      this.#dirtySince ??= since;
      return;
    }
    this.#leftSince = this.#writer.hasLeftovers ? (this.#leftSince ?? now()) : undefined;
    unkept ??= failure(() => this.#governed.settle(governed));
    if (isNew) {
      this.#changedAt = now();
      const lastApplyMs = now() - since;
      this.#applies.add(lastApplyMs);
      histograms.observe('npc.applyTime', lastApplyMs / 1000);
      this.#loaded = { lastApplyMs, applyP99Ms: this.#applies.quantileMs(0.99) };
      counters.add('npc.loaded');
    }
    this.#told.tell(attachments, rules.decided);
    if (unkept !== undefined) throw unkept;
  }

  /** No pod waits until leftovers are gone, so they are taken away once nothing has changed for a while, or after a longer time. */
  #isSweepDue(isNew: boolean, now: Instant): boolean {
    if (!this.#writer.hasLeftovers) return false;
    return (!isNew && now >= this.#restAt) || now - (this.#leftSince ?? now) >= SWEEP.mostMs;
  }

  get #restAt(): number {
    return (this.#changedAt ?? 0) + SWEEP.restMs;
  }

  /** Pods that the API may still show are told as unknown later, and leftovers of earlier loads go when nothing changes. */
  #wake(now: Instant): void {
    const times = [this.#told.nextLateAt, this.#writer.hasLeftovers ? this.#restAt : undefined];
    const due = times.filter((at) => at !== undefined);
    if (due.length === 0) return;
    this.#isWoken = true;
    this.#schedule(Math.max(LEAST_WAKE_MS, Math.min(...due) - now));
  }
}

/** The WeftError that `act` throws. */
function failure(act: () => void): WeftError | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof WeftError) return error;
    throw error;
  }
  return undefined;
}

function isWhole(attachments: NodeAttachments['attachments']): attachments is readonly GateAttachment[] {
  return Array.isArray(attachments);
}
