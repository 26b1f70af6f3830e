import { setTimeout as delay } from 'node:timers/promises';
import {
  FLOW_WAIT_MS,
  type FlowAmounts,
  type FlowMeasure,
  type FlowRequest,
  type FlowRow,
  type FlowsResult,
  type FlowTotalRow,
  type FlowTotalsResult,
  TOTAL_WAIT_S,
} from '../../control/flow-request.ts';
import { ClusterCursor } from './cluster-cursor.ts';
import type { FlowAnswers } from './flow-answers.io.ts';
import type { FlowPeers, PeerAnswers, PeerFlowRequest } from './flow-peers.io.ts';

/** Rows of all other nodes together, about; each is asked for its share, and for so many at least where the rest is cut. */
const PEER_ROWS = 4_000;
const LEAST_ROWS = 50;
/**
 * Who follows asks all nodes so often; of more nodes more rarely. Pause and answers together end well before a reader gives
 * weftd up, and before a node that is not asked ceases to watch.
 */
const FOLLOW_PAUSE_MS = 1_000;
const FOLLOW_NODE_MS = 10;
const MAX_FOLLOW_PAUSE_MS = FLOW_WAIT_MS;
/** So much ahead the clock of a node may be; what it tells of a later time is told as of now. */
const AHEAD_MS = 60_000;

type FlowQuestion = Extract<FlowRequest, { op: 'flows' }>;

/** How the time goes, in milliseconds. */
interface Time {
  /** From some beginning. */
  now(): number;
  pause(ms: number): Promise<void>;
}

const REAL_TIME: Time = { now: () => performance.now(), pause: (ms) => delay(ms) };

/** Flows of the whole cluster: this node's, and what the others answer. */
export class ClusterFlows {
  readonly #answers: FlowAnswers;
  readonly #peers: FlowPeers;
  readonly #time: Time;

  constructor(answers: FlowAnswers, peers: FlowPeers, time = REAL_TIME) {
    this.#answers = answers;
    this.#peers = peers;
    this.#time = time;
  }

  /** Rows of all nodes, in the order of their times. Rejects as {@link FlowAnswers.flows} does. */
  async flows({ cluster: _, ...request }: FlowQuestion, gone: Promise<void>): Promise<FlowsResult> {
    if (request.want === 'follow') return this.#follow(request, gone);
    const limit = this.#shareOf(request.limit, LEAST_ROWS);
    const [here, there] = await Promise.all([
      this.#answers.flows(request, gone),
      this.#peers.askAll(() => ({ ...request, limit })),
    ]);
    return joined(here, there, request);
  }

  /** What came after the cursor, once something did, or after some seconds. */
  async #follow(request: FlowQuestion, gone: Promise<void>): Promise<FlowsResult> {
    const isFirst = request.cursor === '';
    const cursor = ClusterCursor.read(request.cursor);
    const { self } = this.#peers;
    const time = this.#time;
    // All that comes is given out, so no node may say more than its share.
    const limit = this.#shareOf(request.limit, 1);
    let isGone = false;
    void gone.then(() => {
      isGone = true;
    });
    for (const until = time.now() + FLOW_WAIT_MS; ; ) {
      // A reader that asks at once again asks no node more often for it.
      if (!isFirst) await Promise.race([time.pause(this.#pauseMs), gone]);
      const members = [self];
      const [here, there] = await Promise.all([
        this.#answers.flows({ ...request, cursor: cursor.of(self) }, gone, { waits: false }),
        this.#peers.askAll((peer) => {
          members.push(peer);
          return { ...request, cursor: cursor.of(peer), limit };
        }),
      ]);
      cursor.keep(members);
      cursor.set(self, here.cursor);
      for (const { peer, answer } of there.answers) if ('cursor' in answer) cursor.set(peer, answer.cursor);
      const result = { ...joined(here, there, { ...request, limit: Infinity }), cursor: cursor.text() };
      // Who is silent is told at once: whether the reader knows it already is not held here.
      const hasNews = result.rows.length > 0 || result.lost > 0 || there.silent.length > 0;
      const isOver = time.now() + this.#pauseMs > until;
      if (isFirst || hasNews || isGone || isOver) return result;
    }
  }

  /** What pairs did on all nodes. Rejects as {@link FlowAnswers.totals} does. */
  async totals(request: Extract<FlowRequest, { op: 'flowTotals' }>): Promise<FlowTotalsResult> {
    const { cluster: _, ...own } = request;
    const question = { ...own, wait: false } as const;
    if (request.wait) await this.#watchAll(question);
    const limit = this.#shareOf(request.limit, LEAST_ROWS);
    const [here, there] = await Promise.all([
      this.#answers.totals(question),
      this.#peers.askAll(() => ({ ...question, limit })),
    ]);
    const sumByKey = new Map<string, FlowTotalRow>();
    const notes = new Set(here.notes);
    let others = here.others;
    for (const row of here.rows) addRow(sumByKey, row);
    for (const { node, answer } of there.answers) {
      if (!('totals' in answer)) continue;
      for (const row of answer.totals) addRow(sumByKey, row);
      others = sumOf(others, answer.others);
      addNotes(notes, node, answer.notes);
    }
    const rows = [...sumByKey.values()].sort((a, b) => weight(b, request.by) - weight(a, request.by));
    for (const row of rows.splice(request.limit)) others = sumOf(others, amountsOf(row));
    return {
      ...here,
      rows,
      others,
      notes: [...notes],
      nodes: 1 + there.answers.length,
      silent: there.silent,
    };
  }

  /** All begin to watch, and it is waited for the one that began last. */
  async #watchAll(question: Extract<PeerFlowRequest, { op: 'flowTotals' }>): Promise<void> {
    const [here, there] = await Promise.all([
      this.#answers.totals(question),
      this.#peers.askAll(() => ({ ...question, limit: 1 })),
    ]);
    const watched = there.answers.map(({ answer }) => ('seconds' in answer ? answer.seconds : 0));
    const leftS = Math.min(question.seconds, TOTAL_WAIT_S) - Math.min(here.seconds, ...watched);
    if (leftS > 0) await this.#time.pause(leftS * 1000);
  }

  get #pauseMs(): number {
    const pauseMs = Math.max(FOLLOW_PAUSE_MS, this.#peers.count * FOLLOW_NODE_MS);
    return Math.min(pauseMs, MAX_FOLLOW_PAUSE_MS);
  }

  #shareOf(limit: number, least: number): number {
    const share = Math.floor(PEER_ROWS / Math.max(1, this.#peers.count));
    return Math.min(limit, Math.max(least, share));
  }
}

/** One answer of this node's and the others'; the first of them, of `last` the last. */
function joined(here: FlowsResult, there: PeerAnswers, { want, limit }: FlowQuestion): FlowsResult {
  const rows: FlowRow[] = here.rows.map((row) => toldBy(here.node, row));
  const notes = new Set(here.notes);
  let { more, lost } = here;
  const now = Date.now();
  for (const { node, answer } of there.answers) {
    if (!('rows' in answer)) continue;
    rows.push(...answer.rows.map((row) => toldBy(node, notAhead(row, now))));
    more += answer.more;
    lost += answer.lost;
    addNotes(notes, node, answer.notes);
  }
  rows.sort((a, b) => a.at - b.at);
  const kept = want === 'last' ? rows.slice(-limit) : rows.slice(0, limit);
  return {
    ...here,
    rows: kept,
    more: more + rows.length - kept.length,
    lost,
    notes: [...notes],
    nodes: 1 + there.answers.length,
    silent: there.silent,
  };
}

/** What is missing is missing of one node. */
function toldBy(node: string, row: FlowRow): FlowRow {
  return row.kind === 'gap' || row.kind === 'repaired' ? { ...row, node } : row;
}

/** A clock that is wrong, or a node that lies, puts nothing at the end of all for ever. */
function notAhead(row: FlowRow, now: number): FlowRow {
  const at = row.at <= now + AHEAD_MS ? row.at : now;
  return row.kind === 'gap' ? { ...row, at, from: Math.min(row.from, at) } : { ...row, at };
}

/** What this node says of itself as well is said once. */
function addNotes(notes: Set<string>, node: string, more: readonly string[]): void {
  for (const note of more) if (!notes.has(note)) notes.add(`${node}: ${note}`);
}

/** A pair may be told by two nodes: its connections by one, what the other denied of them by that one. */
function addRow(sumByKey: Map<string, FlowTotalRow>, row: FlowTotalRow): void {
  const { source, target, service, port, protocol } = row;
  const key = JSON.stringify([source?.address, target.address, target.port, service, port, protocol]);
  const known = sumByKey.get(key);
  sumByKey.set(key, known === undefined ? row : { ...known, ...sumOf(amountsOf(known), amountsOf(row)) });
}

function amountsOf({ open, began, drops, sentBytes, receivedBytes }: FlowAmounts): FlowAmounts {
  return { open, began, drops, sentBytes, receivedBytes };
}

function sumOf<Sum extends FlowAmounts | null>(a: Sum, b: Sum): Sum {
  if (a === null) return b;
  if (b === null) return a;
  return {
    open: a.open + b.open,
    began: a.began + b.began,
    drops: a.drops + b.drops,
    sentBytes: a.sentBytes + b.sentBytes,
    receivedBytes: a.receivedBytes + b.receivedBytes,
  } as Sum;
}

function weight(row: FlowAmounts, by: FlowMeasure): number {
  if (by === 'bytes') return row.sentBytes + row.receivedBytes;
  return by === 'drops' ? row.drops : row.began + row.open;
}
