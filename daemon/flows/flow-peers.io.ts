import { setTimeout as delay } from 'node:timers/promises';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { plainBytes, utf8, utf8Text } from '../../base/bytes.ts';
import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import { WeftError } from '../../base/weft-error.ts';
import { decodeFlowRequest, type FlowRequest, type SilentNode } from '../../control/flow-request.ts';
import type { FlowCounter } from '../../flows/flow-counters.ts';
import { SourceRate } from '../../host/http/source-rate.ts';
import {
  MAX_ANSWER_BYTES,
  MAX_ASKED,
  MAX_QUESTION_BYTES,
  type QuestionOutput,
} from '../../node/peer-questions.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import type { NodeLoop } from '../node-loop.io.ts';
import { MAX_TOLD_TUNNELS, type PeerAnswer, readPeerAnswer } from './peer-answer.ts';

/** A node that has not answered by then is named as silent: within 2 s of the question, with what is done after. */
const PATIENCE_MS = 1_800;
/** Whether there is room for more questions is looked at so often. */
const ROOM_LOOK_MS = 20;
/** Text of an answer, unpacked. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;
/** Answers that this node makes for each other one, and for all together: so many at once, and a second. */
const ANSWERS = { burst: 16, perSecond: 8 } as const;
const ALL_ANSWERS = { burst: 32, perSecond: 16 } as const;

/** A request as it is put to another node, which answers what it knows now. */
export type PeerFlowRequest =
  | Extract<FlowRequest, { op: 'flows' }>
  | (Extract<FlowRequest, { op: 'flowTotals' }> & { readonly wait: false })
  /** Its tunnels, the worst first, so many at most. */
  | { readonly op: 'tunnels'; readonly limit: number };

/** What came of a question to all. */
export interface PeerAnswers {
  readonly answers: readonly {
    readonly peer: PeerId;
    readonly node: string;
    readonly answer: Exclude<PeerAnswer, { readonly error: string }>;
  }[];
  readonly silent: readonly SilentNode[];
}

interface FlowPeersOptions {
  readonly node: Pick<WeftNode, 'peer' | 'gossip' | 'questions'>;
  readonly loop: Pick<NodeLoop, 'wake'>;
  readonly nodeName: (peer: PeerId) => string;
  /** Answers a question of another node. May reject with a WeftError. */
  readonly answer: (request: PeerFlowRequest) => Promise<object>;
  readonly counters: Counters<FlowCounter>;
  readonly now: () => Instant;
}

/**
 * Asks all other nodes about their flows and tunnels, and answers them, over the tunnels: any node is as good as any other, and no API
 * is needed. Who is down or does not answer in time is named.
 */
export class FlowPeers {
  readonly #options: FlowPeersOptions;
  readonly #waiting = new Map<number, (bytes: Uint8Array | undefined) => void>();
  readonly #rateOfEach = new SourceRate(ANSWERS.burst, ANSWERS.perSecond);
  readonly #rate = new TokenBucket(ALL_ANSWERS.burst, ALL_ANSWERS.perSecond);

  constructor(options: FlowPeersOptions) {
    this.#options = options;
  }

  /** A question of ours was answered, or not in time. */
  answered({ id, bytes }: Extract<QuestionOutput, { type: 'answer' }>): void {
    const take = this.#waiting.get(id);
    this.#waiting.delete(id);
    take?.(bytes);
  }

  /** Another node asks. */
  async question({ from, id, bytes }: Extract<QuestionOutput, { type: 'question' }>): Promise<void> {
    const { node, loop, now } = this.#options;
    const answer = await this.#answerOf(from, bytes);
    node.questions.answer(from, id, answer, now());
    loop.wake();
  }

  /** This node. */
  get self(): PeerId {
    return this.#options.node.peer;
  }

  /** Other nodes, also those that are down. */
  get count(): number {
    return this.#members().length;
  }

  /** Never rejects but with E_USAGE, for a filter that is too long. */
  async askAll(requestTo: (peer: PeerId) => PeerFlowRequest): Promise<PeerAnswers> {
    const { nodeName } = this.#options;
    const answers: PeerAnswers['answers'][number][] = [];
    const silent: SilentNode[] = [];
    // Where two questions to all are more than may wait, the second begins after the first, but not much later.
    for (let leftMs = PATIENCE_MS; leftMs > 0 && this.#isFull; leftMs -= ROOM_LOOK_MS)
      await delay(ROOM_LOOK_MS);
    const asking = this.#members().map(async ({ peer, state }) => {
      const node = nodeName(peer);
      const request = requestTo(peer);
      const question = questionOf(request);
      const answer =
        state === 'dead' ? { error: 'it is down' } : await this.#ask(peer, question, request.limit);
      if ('error' in answer) silent.push({ node, reason: answer.error });
      else answers.push({ peer, node, answer });
    });
    await Promise.all(asking);
    silent.sort((a, b) => (a.node < b.node ? -1 : 1));
    return { answers, silent };
  }

  /** Whether questions to all others are more than may wait, beside those that do. */
  get #isFull(): boolean {
    return this.#waiting.size > 0 && this.#waiting.size + this.count > MAX_ASKED;
  }

  #members(): readonly { readonly peer: PeerId; readonly state: string }[] {
    const { node } = this.#options;
    return node.gossip.members().filter(({ peer, state }) => peer !== node.peer && state !== 'left');
  }

  async #ask(peer: PeerId, question: Uint8Array, limit: number): Promise<PeerAnswer> {
    const { node, loop, counters, now } = this.#options;
    const id = node.questions.ask(peer, question, PATIENCE_MS, now());
    loop.wake();
    if (id === undefined) return { error: 'too much is asked at once' };
    const bytes = await new Promise<Uint8Array | undefined>((resolve) => this.#waiting.set(id, resolve));
    if (bytes === undefined) return { error: 'it did not answer within 2 s' };
    const text = unpack(bytes);
    const answer = text === undefined ? undefined : readPeerAnswer(text, limit);
    if (answer === undefined) counters.add('flow.badAnswers');
    return answer ?? { error: 'its answer cannot be read' };
  }

  async #answerOf(from: PeerId, bytes: Uint8Array): Promise<Uint8Array> {
    const { answer, now } = this.#options;
    const request = readRequest(bytes);
    if (request === undefined) return pack({ error: 'it does not understand the question' })!;
    // Who asks too often uses up nothing of what others may ask.
    if (!this.#rateOfEach.allow(from, now()) || !this.#rate.take(now()))
      return pack({ error: 'it is asked too often' })!;
    try {
      // Fewer rows, until they fit.
      for (let limit = request.limit; ; limit = Math.floor(limit / 2)) {
        const packed = pack(await answer({ ...request, limit }));
        if (packed !== undefined) return packed;
      }
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      return pack({ error: error.message.slice(0, 300) })!;
    }
  }
}

/** Throws E_USAGE where it does not fit. */
function questionOf(request: PeerFlowRequest): Uint8Array {
  const question = utf8(JSON.stringify(request));
  if (question.length <= MAX_QUESTION_BYTES) return question;
  throw new WeftError('E_USAGE', 'the filter is too long to be put to other nodes', 'leave some of it out');
}

function readRequest(bytes: Uint8Array): PeerFlowRequest | undefined {
  try {
    const value: unknown = JSON.parse(utf8Text(bytes) ?? '');
    if (typeof value !== 'object' || value === null) return undefined;
    const { op, limit } = value as Readonly<Record<string, unknown>>;
    if (op === 'tunnels') return isTunnelLimit(limit) ? { op, limit } : undefined;
    const request = decodeFlowRequest(value as Record<string, unknown>);
    if (request?.ok !== true || request.value.cluster) return undefined;
    const isOfNow = request.value.op === 'flows' || !request.value.wait;
    return isOfNow ? (request.value as PeerFlowRequest) : undefined;
  } catch {
    return undefined;
  }
}

function isTunnelLimit(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_TOLD_TUNNELS;
}

/** Undefined where it is too long. */
function pack(answer: object): Uint8Array | undefined {
  const packed = plainBytes(deflateRawSync(utf8(JSON.stringify(answer))));
  return packed.length <= MAX_ANSWER_BYTES ? packed : undefined;
}

function unpack(bytes: Uint8Array): string | undefined {
  try {
    return utf8Text(plainBytes(inflateRawSync(bytes, { maxOutputLength: MAX_TEXT_BYTES })));
  } catch {
    return undefined;
  }
}
