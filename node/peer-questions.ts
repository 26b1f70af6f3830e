import { assert } from '../base/assert.ts';
import { concat, readU16LE, readU32LE, writeU16LE, writeU32LE } from '../base/bytes.ts';
import type { Counters } from '../base/counters.ts';
import { after, earliest, type Instant } from '../base/instant.ts';
import { OutputQueue } from '../base/output-queue.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { RandomSource } from '../base/random.ts';
import type { QuestionCounter } from './question-counters.ts';

/** Bytes of a question, and of an answer. */
export const MAX_QUESTION_BYTES = 1_000;
export const MAX_ANSWER_BYTES = 64_000;
/** Bytes of an answer in one datagram. */
const PAGE_BYTES = 1_000;
const MAX_PAGES = MAX_ANSWER_BYTES / PAGE_BYTES;
/** Pages that are on their way at once. */
const WINDOW = 16;
/** Without news for so long what is missing is asked for again. */
const RETRY_MS = 200;
/** How long an answer is held for pages that get lost. */
const HOLD_MS = 5_000;
/** Answers that are held at once: for one peer, and for all. */
const MAX_HELD_OF_ONE = 64;
const MAX_HELD = 128;
/** Questions of ours that wait at once. */
export const MAX_ASKED = 2_048;

const KIND_ASK = 1;
const KIND_PAGE = 2;
const HEADER_LENGTH = 9;

/** What comes of questions. */
export type QuestionOutput =
  /** A peer asks: {@link PeerQuestions.answer} is to be called, at any time. */
  | { readonly type: 'question'; readonly from: PeerId; readonly id: number; readonly bytes: Uint8Array }
  /** A question of ours was answered, or not in time: then without bytes. */
  | {
      readonly type: 'answer';
      readonly from: PeerId;
      readonly id: number;
      readonly bytes: Uint8Array | undefined;
    };

interface PeerQuestionsOptions {
  readonly random: RandomSource;
  readonly counters: Counters<QuestionCounter>;
  /** Sends a datagram, at most 1100 bytes, which may be lost. */
  readonly send: (to: PeerId, bytes: Uint8Array, now: Instant) => void;
}

interface Asked {
  readonly peer: PeerId;
  readonly question: Uint8Array;
  readonly until: Instant;
  pages: (Uint8Array | undefined)[] | undefined;
  missing: number;
  /** The window that was asked for: from this page on, and up to that one. */
  from: number;
  to: number;
  retryAt: Instant;
}

interface Held {
  readonly peer: PeerId;
  /** Undefined while it is being made. */
  answer: Uint8Array | undefined;
  until: Instant;
  /** The pages that were asked for last. */
  from: number;
  count: number;
}

/**
 * Questions that nodes ask each other over their tunnels, and answers of more than one datagram. The one who asks drives
 * it: it asks for a window of pages at a time, and again for those that got lost. Pure. All is bounded; whoever answers
 * holds an answer for some seconds. Bytes are in docs/wire.md.
 */
export class PeerQuestions {
  readonly #options: PeerQuestionsOptions;
  readonly #outputs = new OutputQueue<QuestionOutput>();
  readonly #askedById = new Map<number, Asked>();
  readonly #heldByKey = new Map<string, Held>();

  constructor(options: PeerQuestionsOptions) {
    this.#options = options;
  }

  /** Asks `peer`; an `answer` of this id follows within `timeoutMs`. Undefined where too many questions wait. */
  ask(peer: PeerId, question: Uint8Array, timeoutMs: number, now: Instant): number | undefined {
    assert(question.length <= MAX_QUESTION_BYTES, 'a question is short');
    if (this.#askedById.size >= MAX_ASKED) return undefined;
    const id = readU32LE(this.#options.random.bytes(4), 0);
    if (this.#askedById.has(id)) return undefined;
    const asked: Asked = {
      peer,
      question,
      until: after(now, timeoutMs),
      pages: undefined,
      missing: 0,
      from: 0,
      to: 4,
      retryAt: now,
    };
    this.#askedById.set(id, asked);
    this.#sendAsk(id, asked, now);
    return id;
  }

  /** Answers a question. What is longer than {@link MAX_ANSWER_BYTES} is a bug of the caller. */
  answer(to: PeerId, id: number, answer: Uint8Array, now: Instant): void {
    assert(answer.length <= MAX_ANSWER_BYTES, 'an answer has a bound');
    const held = this.#heldByKey.get(keyOf(to, id));
    // It took so long that whoever asked has given up.
    if (held === undefined) return;
    held.answer = answer;
    held.until = after(now, HOLD_MS);
    this.#sendPages(to, id, held, now);
  }

  /** A datagram of a peer. Not trusted in its form. */
  handle(from: PeerId, bytes: Uint8Array, now: Instant): void {
    const { counters } = this.#options;
    const kind = bytes[0];
    if (bytes.length < HEADER_LENGTH || (kind !== KIND_ASK && kind !== KIND_PAGE)) {
      counters.add('question.malformed');
      return;
    }
    const [id, first, second] = [readU32LE(bytes, 1), readU16LE(bytes, 5), readU16LE(bytes, 7)];
    const body = bytes.slice(HEADER_LENGTH);
    if (kind === KIND_ASK) this.#asked(from, id, { from: first, count: second }, body, now);
    else this.#page(from, id, { page: first, pages: second }, body, now);
  }

  tick(now: Instant): void {
    for (const [key, { until }] of this.#heldByKey) if (until <= now) this.#heldByKey.delete(key);
    for (const [id, asked] of this.#askedById) {
      if (asked.until <= now) this.#end(id, asked, undefined);
      else if (asked.retryAt <= now) this.#sendAsk(id, asked, now);
    }
  }

  nextTimeout(): Instant | undefined {
    let next: Instant | undefined;
    for (const { until } of this.#heldByKey.values()) next = earliest(next, until);
    for (const { until, retryAt } of this.#askedById.values()) next = earliest(next, until, retryAt);
    return next;
  }

  poll(): QuestionOutput | undefined {
    return this.#outputs.poll();
  }

  // -- of those who ask us --------------------------------------------------------------------------------------

  #asked(
    from: PeerId,
    id: number,
    window: { readonly from: number; readonly count: number },
    question: Uint8Array,
    now: Instant,
  ): void {
    const key = keyOf(from, id);
    const held = this.#heldByKey.get(key);
    if (held !== undefined) {
      held.from = window.from;
      held.count = window.count;
      if (held.answer !== undefined) this.#sendPages(from, id, held, now);
      return;
    }
    if (question.length > MAX_QUESTION_BYTES || !this.#hasRoom(from)) {
      this.#options.counters.add('question.refused');
      return;
    }
    this.#heldByKey.set(key, { peer: from, answer: undefined, until: after(now, HOLD_MS), ...window });
    this.#outputs.push({ type: 'question', from, id, bytes: question });
  }

  #hasRoom(peer: PeerId): boolean {
    if (this.#heldByKey.size >= MAX_HELD) return false;
    let count = 0;
    for (const held of this.#heldByKey.values()) if (held.peer === peer) count++;
    return count < MAX_HELD_OF_ONE;
  }

  #sendPages(to: PeerId, id: number, { answer, from, count }: Held, now: Instant): void {
    const pages = Math.max(1, Math.ceil(answer!.length / PAGE_BYTES));
    const end = Math.min(pages, from + Math.min(count, WINDOW));
    for (let page = from; page < end; page++) {
      const body = answer!.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      this.#options.send(to, encode(KIND_PAGE, id, [page, pages], body), now);
    }
  }

  // -- of what we ask -------------------------------------------------------------------------------------------

  #sendAsk(id: number, asked: Asked, now: Instant): void {
    asked.retryAt = after(now, RETRY_MS);
    // From the first page of the window that is missing.
    while (asked.from < asked.to - 1 && asked.pages?.[asked.from] !== undefined) asked.from++;
    const window = [asked.from, asked.to - asked.from] as const;
    this.#options.send(asked.peer, encode(KIND_ASK, id, window, asked.question), now);
  }

  #page(
    from: PeerId,
    id: number,
    { page, pages }: { readonly page: number; readonly pages: number },
    body: Uint8Array,
    now: Instant,
  ): void {
    const { counters } = this.#options;
    const asked = this.#askedById.get(id);
    if (asked === undefined || asked.peer !== from) {
      counters.add('question.stray');
      return;
    }
    const count = asked.pages?.length ?? pages;
    const isLast = page === count - 1;
    const fits = body.length <= PAGE_BYTES && (isLast || body.length === PAGE_BYTES);
    if (pages === 0 || pages > MAX_PAGES || count !== pages || page >= count || !fits) {
      counters.add('question.malformed');
      return;
    }
    if (asked.pages === undefined) {
      asked.pages = new Array<Uint8Array | undefined>(pages).fill(undefined);
      asked.missing = pages;
    }
    if (asked.pages[page] !== undefined) return;
    asked.pages[page] = body;
    asked.missing--;
    asked.retryAt = after(now, RETRY_MS);
    if (asked.missing === 0) {
      this.#end(id, asked, concat(...(asked.pages as Uint8Array[])));
      return;
    }
    const end = Math.min(asked.to, pages);
    for (let each = asked.from; each < end; each++) if (asked.pages[each] === undefined) return;
    asked.from = end;
    asked.to = Math.min(pages, end + WINDOW);
    this.#sendAsk(id, asked, now);
  }

  #end(id: number, { peer }: Asked, bytes: Uint8Array | undefined): void {
    this.#askedById.delete(id);
    if (bytes === undefined) this.#options.counters.add('question.unanswered');
    this.#outputs.push({ type: 'answer', from: peer, id, bytes });
  }
}

function keyOf(peer: PeerId, id: number): string {
  return `${peer} ${id}`;
}

function encode(
  kind: number,
  id: number,
  [first, second]: readonly [number, number],
  body: Uint8Array,
): Uint8Array {
  const header = new Uint8Array(HEADER_LENGTH);
  header[0] = kind;
  writeU32LE(header, 1, id);
  writeU16LE(header, 5, first);
  writeU16LE(header, 7, second);
  return concat(header, body);
}
