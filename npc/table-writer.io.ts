import { ElementWriter } from '../linux/elements/element-writer.io.ts';
import type { ElementStep } from '../linux/elements/nftables-batch.ts';
import { nft, unlessMissing } from '../linux/nft.io.ts';
import { NFNLGRP_NFTABLES, type RulesetChange, RulesetChanges } from '../linux/nftables-event.ts';
import { elementSteps, renderPolicyChange, withLeftovers } from '../linux/policy-change.ts';
import { DECIDED_SET, decidedIn, POLICY_TABLE, renderPolicyRemoval } from '../linux/policy-gate.ts';
import { type PolicyRuleSet, renderPolicyTable } from '../linux/policy-table.ts';
import { NETLINK_NETFILTER, NetlinkEvents } from '../native/netlink-events.ts';
import { MARKER, TableChanges } from './table-changes.ts';

/**
 * Events that may wait. The kernel tells of each element of a set, some 120 bytes with its accounting, and of all that a
 * transaction changes at once; were they lost, all would be loaded anew, and they would be lost again.
 */
const EVENT_BUFFER_BYTES = 64 * 1024 * 1024;

interface TableWriterOptions {
  readonly version: string;
  /** Somebody else changed the table, or may have: {@link TableWriter.load} is to be called. */
  readonly onStirred: (by: string | undefined) => void;
  /** Events of the kernel come no more. */
  readonly onError: (error: unknown) => void;
}

/**
 * Keeps the table `inet weft-npc` in the kernel as it is told. Each load is one transaction: the difference to what was
 * loaded last, or all of it, at the start, after a fault and where somebody else changed the table. So there is no moment
 * in which less is denied than before or after. Where no more than elements of sets differ, as with most pods and labels,
 * the kernel is told directly; else nft is run.
 */
export class TableWriter {
  readonly #options: TableWriterOptions;
  readonly #changes = new RulesetChanges([MARKER, DECIDED_SET]);
  readonly #events: NetlinkEvents;
  readonly #elements: ElementWriter;
  readonly #own: TableChanges;
  #loaded: PolicyRuleSet | undefined;
  /** The same, and chains and sets to which nothing leads any more. */
  #held: PolicyRuleSet | undefined;
  #serial = 0;
  /** How often somebody else changed the table. */
  #stirs = 0;
  /** Somebody else changed the set of those decided, and nothing else. */
  #decidedStirred = false;

  /** Listens to the kernel from now on. Throws as {@link NetlinkEvents.open} does. */
  constructor(options: TableWriterOptions) {
    this.#options = options;
    this.#elements = ElementWriter.open(POLICY_TABLE.split(' ')[1]!);
    this.#own = new TableChanges(this.#elements.port);
    this.#events = NetlinkEvents.open(
      NETLINK_NETFILTER,
      [NFNLGRP_NFTABLES],
      {
        onDatagrams: (datagrams) => {
          for (const datagram of datagrams) this.#changed(this.#changes.receive(datagram));
        },
        onLost: () => {
          this.#changes.lost();
          this.#own.lost();
          this.#stirred(undefined);
        },
        onError: (error) => options.onError(error),
      },
      { receiveBufferBytes: EVENT_BUFFER_BYTES },
    );
  }

  /** What was loaded last; undefined where that is not, or no longer, known. */
  get loaded(): PolicyRuleSet | undefined {
    return this.#loaded;
  }

  close(): void {
    this.#events.close();
    this.#elements.close();
  }

  /** Chains or sets are left to which nothing leads any more. */
  get hasLeftovers(): boolean {
    return this.#loaded !== undefined && this.#held !== this.#loaded;
  }

  /**
   * Brings the kernel to `rules`. Where nft need not be run for it, chains and sets are left to which nothing leads any more,
   * unless `sweep` says that they are to go now. Rejects as {@link nft} does; the kernel is as it was then, and the next load a
   * whole one.
   */
  async load(rules: PolicyRuleSet, { sweep = false }: { readonly sweep?: boolean } = {}): Promise<void> {
    const stirs = this.#stirs;
    let before = this.#loaded === undefined ? undefined : this.#held;
    const mustLook = this.#decidedStirred;
    // Before the look: what changes during it is looked at by the next load.
    this.#decidedStirred = false;
    if (before !== undefined && mustLook) before = { ...before, decided: await this.#present() };
    const held = await this.#write(before, rules, sweep);
    // What somebody changed meanwhile is put right by the next load, which was asked for.
    if (stirs !== this.#stirs) return;
    this.#loaded = rules;
    this.#held = held;
  }

  async #present(): Promise<ReadonlySet<string>> {
    try {
      return await readPresent();
    } catch (error) {
      this.#decidedStirred = true;
      throw error;
    }
  }

  /** Answers what the kernel holds then. */
  async #write(
    before: PolicyRuleSet | undefined,
    rules: PolicyRuleSet,
    sweep: boolean,
  ): Promise<PolicyRuleSet> {
    if (before === undefined) {
      await this.#transact(renderPolicyTable(rules));
      return rules;
    }
    const steps = sweep ? undefined : elementSteps(before, rules);
    if (steps !== undefined && (await this.#change(steps))) return withLeftovers(before, rules);
    const batch = renderPolicyChange(before, rules);
    if (batch !== '') await this.#transact(batch);
    return rules;
  }

  async #change(steps: readonly ElementStep[]): Promise<boolean> {
    try {
      return await this.#elements.carryOut(steps);
    } catch (error) {
      this.#loaded = undefined;
      throw error;
    }
  }

  /** Removes the table, where there is one. Rejects as {@link nft} does. */
  async clear(): Promise<void> {
    this.#loaded = undefined;
    await nft(['--file', '-'], renderPolicyRemoval());
  }

  /** One transaction, which {@link MARKER} makes known as ours. */
  async #transact(batch: string): Promise<void> {
    const { version } = this.#options;
    const marker = `add chain ${POLICY_TABLE} ${MARKER}
flush chain ${POLICY_TABLE} ${MARKER}
add rule ${POLICY_TABLE} ${MARKER} counter comment "weft-npc ${version}, change ${++this.#serial}"
`;
    this.#own.begun();
    try {
      await nft(['--file', '-'], batch + marker);
    } catch (error) {
      this.#own.failed();
      this.#loaded = undefined;
      throw error;
    }
  }

  #changed(changes: readonly RulesetChange[]): void {
    for (const change of changes) {
      const author = this.#own.authorOf(change);
      if (author === 'another') this.#stirred(change.program);
      else if (author === 'decided') {
        this.#decidedStirred = true;
        this.#options.onStirred(change.program);
      }
    }
  }

  #stirred(by: string | undefined): void {
    this.#stirs++;
    this.#loaded = undefined;
    this.#options.onStirred(by);
  }
}

/** The links in the set of those decided; none where there is no such set. */
async function readPresent(): Promise<ReadonlySet<string>> {
  const listing = await unlessMissing(nft(['list', 'set', ...POLICY_TABLE.split(' '), DECIDED_SET], ''));
  return decidedIn(listing ?? '');
}
