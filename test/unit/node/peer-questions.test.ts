import { deepEqual, equal, ok } from 'node:assert/strict';
import { utf8 } from '../../../base/bytes.ts';
import { Counters } from '../../../base/counters.ts';
import { after, type Instant, instant } from '../../../base/instant.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import { randomUnit } from '../../../base/random.ts';
import { MAX_ANSWER_BYTES, PeerQuestions } from '../../../node/peer-questions.ts';
import { QUESTION_COUNTERS } from '../../../node/question-counters.ts';
import { seededRandom } from '../../seeded-random.ts';

const [A, B] = ['a', 'b'] as [PeerId, PeerId];

/** Nodes that ask each other over a network that delays by 20 ms and loses a share of what is sent. */
class Pair {
  now: Instant = instant(0);
  readonly counters = new Counters(QUESTION_COUNTERS);
  readonly nodes: Readonly<Record<string, PeerQuestions>>;
  readonly sent: Uint8Array[] = [];
  readonly answers: (Uint8Array | undefined)[] = [];
  answer: ((question: Uint8Array) => Uint8Array | undefined) | undefined;
  readonly #underway: { at: Instant; from: PeerId; to: PeerId; bytes: Uint8Array }[] = [];

  constructor(loss: number, seed = 1, names: readonly PeerId[] = [A, B]) {
    const random = seededRandom(seed);
    const node = (self: PeerId): PeerQuestions =>
      new PeerQuestions({
        random: seededRandom(self === A ? 7 : 8),
        counters: this.counters,
        send: (to, bytes, now) => {
          this.sent.push(bytes);
          if (randomUnit(random) >= loss) this.#underway.push({ at: after(now, 20), from: self, to, bytes });
        },
      });
    this.nodes = Object.fromEntries(names.map((name) => [name, node(name)]));
  }

  run(ms: number): void {
    for (const end = after(this.now, ms); this.now < end; this.now = after(this.now, 5)) {
      for (const each of this.#underway.splice(0)) {
        if (each.at > this.now) this.#underway.push(each);
        else this.nodes[each.to]!.handle(each.from, each.bytes, this.now);
      }
      for (const [self, questions] of Object.entries(this.nodes)) {
        questions.tick(this.now);
        for (let out = questions.poll(); out !== undefined; out = questions.poll()) {
          if (out.type === 'answer') this.answers.push(out.bytes);
          else {
            const answer = this.answer?.(out.bytes);
            if (answer !== undefined) questions.answer(out.from, out.id, answer, this.now);
          }
        }
        ok(questions.nextTimeout() === undefined || self !== '');
      }
    }
  }
}

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31) & 0xff);
}

describe('questions between nodes', () => {
  for (const length of [0, 1, 1_000, 1_001, 4_000, 20_001, MAX_ANSWER_BYTES]) {
    it(`are answered by ${length} bytes`, () => {
      const pair = new Pair(0);
      pair.answer = () => bytesOf(length);
      pair.nodes[A]!.ask(B, utf8('what?'), 2_000, pair.now);
      pair.run(1_000);
      deepEqual(pair.answers, [bytesOf(length)]);
      ok(pair.sent.every(({ length: size }) => size <= 1_100));
    });
  }

  it('reach a hundred nodes, each with 20 KB to say, within a second of the network', () => {
    const others = Array.from({ length: 100 }, (_, i) => `n${i}` as PeerId);
    const network = new Pair(0.01, 1, [A, ...others]);
    network.answer = () => bytesOf(20_000);
    for (const other of others) network.nodes[A]!.ask(other, utf8('what?'), 2_000, network.now);
    network.run(1_000);
    equal(network.answers.filter((answer) => answer?.length === 20_000).length, 100);
  });

  it('come through a network that loses a third of all', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const pair = new Pair(0.33, seed);
      pair.answer = () => bytesOf(30_000);
      pair.nodes[A]!.ask(B, utf8('what?'), 30_000, pair.now);
      pair.run(30_000);
      deepEqual(pair.answers, [bytesOf(30_000)], `seed ${seed}`);
    }
  });

  it('are given up in time where nobody answers', () => {
    const pair = new Pair(0);
    pair.nodes[A]!.ask(B, utf8('what?'), 2_000, pair.now);
    pair.run(1_990);
    deepEqual(pair.answers, []);
    pair.run(20);
    deepEqual(pair.answers, [undefined]);
    equal(pair.counters.get('question.unanswered'), 1);
    equal(pair.nodes[A]!.nextTimeout(), undefined);
  });

  it('are heard once, however often they are asked', () => {
    const pair = new Pair(0);
    let heard = 0;
    pair.answer = () => {
      heard++;
      return undefined;
    };
    pair.nodes[A]!.ask(B, utf8('what?'), 2_000, pair.now);
    pair.run(2_100);
    equal(heard, 1);
  });

  it('hold no more than their bounds', () => {
    const pair = new Pair(0);
    let heard = 0;
    pair.answer = () => {
      heard++;
      return undefined;
    };
    for (let i = 0; i < 200; i++) pair.nodes[A]!.ask(B, utf8('what?'), 2_000, pair.now);
    pair.run(100);
    equal(heard, 64);
    // One that asks too much leaves room for others.
    const ask = (from: number, id: number) =>
      pair.nodes[B]!.handle(`n${from}` as PeerId, new Uint8Array([1, id, 0, 0, 0, 0, 0, 4, 0]), pair.now);
    for (let from = 0; from < 3; from++) for (let id = 0; id < 30; id++) ask(from, id);
    pair.run(10);
    equal(heard, 128);
    ok(pair.counters.get('question.refused') > 0);
  });

  it('take no page of a peer that was not asked, and nothing that is malformed', () => {
    const pair = new Pair(0);
    const asker = pair.nodes[A]!;
    const id = asker.ask(B, utf8('what?'), 2_000, pair.now)!;
    const page = (...bytes: number[]) => new Uint8Array([2, id, id >>> 8, id >>> 16, id >>> 24, ...bytes]);
    asker.handle('c' as PeerId, page(0, 0, 1, 0, 9), pair.now);
    equal(pair.counters.get('question.stray'), 1);
    for (const bad of [
      new Uint8Array(),
      new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0, 0]),
      page(0, 0, 0, 0),
      page(0, 0, 65, 0),
      page(1, 0, 1, 0),
      page(0, 0, 2, 0, 1),
    ])
      asker.handle(B, bad, pair.now);
    equal(pair.counters.get('question.malformed'), 6);
    equal(asker.poll(), undefined);
  });
});
