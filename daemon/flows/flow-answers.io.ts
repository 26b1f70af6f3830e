import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { hex } from '../../base/bytes.ts';
import type { Counters } from '../../base/counters.ts';
import type { RandomSource } from '../../base/random.ts';
import {
  FLOW_WAIT_MS,
  type FlowFilter,
  type FlowRequest,
  type FlowRow,
  type FlowsResult,
  type FlowTotalsResult,
  TOTAL_WAIT_S,
} from '../../control/flow-request.ts';
import type { FlowRecord } from '../../flows/flow.ts';
import type { FlowCounter } from '../../flows/flow-counters.ts';
import type { FlowCollector } from './flow-collector.io.ts';
import { mayPassFlowFilter, passesFlowFilter } from './flow-filter.ts';
import type { FlowNames } from './flow-names.io.ts';
import { addressesIn, type KnownNames, rowOf } from './flow-rows.ts';
import { addressesOfTotals, rankTotals, totalRow } from './total-rows.ts';

/** Records that are looked at in one turn of the event loop, through which the packets of pods go, too. */
const RECORDS_A_TURN = 1_000;

type FlowQuestion = FlowRequest & { readonly op: 'flows' };

interface FlowAnswersOptions {
  readonly collector: FlowCollector;
  readonly names: FlowNames;
  /** Names of nodes and of their addresses, as they are now. */
  readonly nodes: () => Omit<KnownNames, 'podName'>;
  readonly nodeName: string;
  readonly isCounted: () => boolean;
  readonly isRecording: boolean;
  /** What is missing of what could be told. */
  readonly notes: () => readonly string[];
  readonly random: RandomSource;
  readonly wallMs: () => number;
  readonly counters: Counters<FlowCounter>;
}

/** Answers those who watch flows. Holds nothing of a reader but the request that waits. */
export class FlowAnswers {
  readonly #options: FlowAnswersOptions;
  readonly #nonce: string;

  constructor(options: FlowAnswersOptions) {
    this.#options = options;
    this.#nonce = hex(options.random.bytes(6));
  }

  /**
   * `gone` resolves when the reader has gone. Who follows and does not wait is told what there is. Rejects with E_FLOWS where
   * the kernel tells nothing.
   */
  async flows(request: FlowQuestion, gone: Promise<void>, { waits = true } = {}): Promise<FlowsResult> {
    const { collector } = this.#options;
    await collector.want();
    switch (request.want) {
      case 'follow':
        return this.#follow(request, gone, waits ? FLOW_WAIT_MS : 0);
      case 'last':
        return this.#last(request);
      case 'open':
        await collector.look();
        return this.#open(request);
    }
  }

  /** Rejects with E_FLOWS where the kernel tells nothing. */
  async totals({
    seconds,
    wait,
    by,
    limit,
  }: FlowRequest & { readonly op: 'flowTotals' }): Promise<FlowTotalsResult> {
    const { collector, names, nodes, wallMs } = this.#options;
    await collector.want();
    const watchedMs = wallMs() - (collector.watchingSinceMs ?? wallMs());
    const leftMs = Math.min(seconds, TOTAL_WAIT_S) * 1000 - watchedMs;
    if (wait && leftMs > 0) await delay(leftMs);
    await collector.look();
    const fromMs = Math.max(
      collector.totals.startOf(wallMs() - seconds * 1000),
      collector.watchingSinceMs ?? wallMs(),
    );
    const { flows } = collector.live();
    const { rows, others } = rankTotals(collector.totals.since(fromMs), flows, { by, limit });
    await names.learn(addressesOfTotals(rows));
    const known: KnownNames = { ...nodes(), podName: (address) => names.podName(address) };
    const { nodeName: node, isCounted, notes } = this.#options;
    return {
      node,
      seconds: Math.max(0, Math.round((wallMs() - fromMs) / 1000)),
      rows: rows.map((row) => totalRow(row, known)),
      others,
      counted: isCounted(),
      notes: notes(),
    };
  }

  async #follow(
    { cursor, limit, filter }: FlowQuestion,
    gone: Promise<void>,
    waitMs: number,
  ): Promise<FlowsResult> {
    const { collector, counters } = this.#options;
    // A reader that begins is answered at once, so that it knows that from now on it misses nothing.
    if (cursor === '')
      return this.#result({ rows: [], next: collector.ring.next, lost: 0, more: 0, notes: [] });
    const { number, isForeign } = this.#numberOf(cursor);
    let isGone = false;
    void gone.then(() => {
      isGone = true;
    });
    const rows: FlowRow[] = [];
    let from = number;
    let lost = 0;
    for (const until = performance.now() + waitMs; ; ) {
      const slice = collector.ring.read(from, RECORDS_A_TURN);
      lost += slice.lost;
      const found = await this.#rows(slice.records, filter);
      const room = limit - rows.length;
      // Where not all fit, the reader goes on with the record after the last row that it got.
      from = found.length > room ? slice.next - slice.records.length + found[room]!.index : slice.next;
      rows.push(...found.slice(0, room).map(({ row }) => row));
      if (rows.length >= limit || isGone) break;
      if (collector.ring.next > from) {
        await nextTurn();
        continue;
      }
      const leftMs = until - performance.now();
      if (rows.length > 0 || lost > 0 || isForeign || leftMs <= 0) break;
      await collector.change(from, leftMs, gone);
      if (collector.watchingSinceMs === undefined) break;
    }
    if (lost > 0) counters.add('flow.recordsLost', lost);
    const notes = isForeign ? ['what came meanwhile is not known: weftd began anew, or nobody watched'] : [];
    return this.#result({ rows, next: from, lost, more: 0, notes });
  }

  async #last({ limit, filter }: FlowQuestion): Promise<FlowsResult> {
    const { collector, isRecording } = this.#options;
    const rows: FlowRow[] = [];
    let next = 0;
    for (let more = true; more; ) {
      const slice = collector.ring.read(next, RECORDS_A_TURN);
      rows.push(...(await this.#rows(slice.records, filter)).map(({ row }) => row));
      next = slice.next;
      more = next < collector.ring.next && slice.records.length > 0;
      await nextTurn();
    }
    const notes = isRecording
      ? []
      : ['only what came since somebody watched is known: weftd does not record (--flows)'];
    const kept = rows.slice(-limit);
    return this.#result({ rows: kept, next, lost: 0, more: rows.length - kept.length, notes });
  }

  async #open({ limit, filter }: FlowQuestion): Promise<FlowsResult> {
    const { collector } = this.#options;
    const { flows, isIncomplete } = collector.live();
    const rows: FlowRow[] = [];
    let more = 0;
    const records = [...flows];
    const isUnfiltered = Object.keys(filter).length === 0;
    if (isUnfiltered) more = records.splice(limit).length;
    for (let first = 0; first < records.length; first += RECORDS_A_TURN) {
      const found = await this.#rows(records.slice(first, first + RECORDS_A_TURN), filter);
      for (const { row } of found) {
        if (rows.length < limit) rows.push(row);
        else more++;
      }
      await nextTurn();
    }
    const notes = isIncomplete ? ['more connections are open than weftd keeps'] : [];
    return this.#result({ rows, next: collector.ring.next, lost: 0, more, notes });
  }

  /** Those of `records` that are wanted, as rows with their place in it. */
  async #rows(
    records: readonly FlowRecord[],
    filter: FlowFilter,
  ): Promise<{ readonly index: number; readonly row: FlowRow }[]> {
    const candidates = [...records.entries()].filter(([, record]) => mayPassFlowFilter(record, filter));
    if (candidates.length === 0) return [];
    const { names, nodes } = this.#options;
    await names.learn(addressesIn(candidates.map(([, record]) => record)));
    const known: KnownNames = { ...nodes(), podName: (address) => names.podName(address) };
    return candidates
      .map(([index, record]) => ({ index, row: rowOf(record, known) }))
      .filter(({ row }) => passesFlowFilter(row, filter, (address) => names.labelsOf(address)));
  }

  #result(found: {
    readonly rows: readonly FlowRow[];
    readonly next: number;
    readonly lost: number;
    readonly more: number;
    readonly notes: readonly string[];
  }): FlowsResult {
    const { rows, next, lost, more, notes } = found;
    const { nodeName: node, isCounted, isRecording, notes: missing } = this.#options;
    return {
      node,
      rows,
      cursor: `${this.#watching}-${next}`,
      lost,
      more,
      counted: isCounted(),
      recording: isRecording,
      notes: [...notes, ...missing()],
    };
  }

  /** Another one in each weftd, and each time that it begins to watch: a cursor of before means nothing then. */
  get #watching(): string {
    return `${this.#nonce}.${this.#options.collector.watchingSinceMs ?? 0}`;
  }

  /** The number of the record with which a reader goes on; that of the next one, where its cursor is none of ours. */
  #numberOf(cursor: string): { readonly number: number; readonly isForeign: boolean } {
    const { next } = this.#options.collector.ring;
    const [nonce, text = ''] = cursor.split('-');
    if (nonce !== this.#watching || !/^\d{1,15}$/.test(text)) return { number: next, isForeign: true };
    return { number: Number(text), isForeign: false };
  }
}
