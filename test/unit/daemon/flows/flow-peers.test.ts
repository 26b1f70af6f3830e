import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { deflateRawSync } from 'node:zlib';
import { hex, utf8 } from '../../../../base/bytes.ts';
import { Counters } from '../../../../base/counters.ts';
import { type Instant, instant } from '../../../../base/instant.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { WeftError } from '../../../../base/weft-error.ts';
import type { FlowTotalRow } from '../../../../control/flow-request.ts';
import { FlowPeers, type PeerFlowRequest } from '../../../../daemon/flows/flow-peers.io.ts';
import { FLOW_COUNTERS } from '../../../../flows/flow-counters.ts';
import { MAX_ANSWER_BYTES, MAX_ASKED } from '../../../../node/peer-questions.ts';
import { seededRandom } from '../../../seeded-random.ts';

const TOTALS: PeerFlowRequest = { op: 'flowTotals', seconds: 60, wait: false, by: 'bytes', limit: 1_000 };

/** A row that is unlike all others, so that it does not pack well. */
function row(i: number): FlowTotalRow {
  const address = `10.${i % 200}.${(i * 7) % 256}.${(i * 13) % 256}`;
  const random = seededRandom(i);
  const pod = `ns/${hex(random.bytes(100))}`;
  const end = { address, port: 80, pod, node: 'n', isNode: false };
  const amounts = { open: i, began: i * 31, drops: 0, sentBytes: i * 1_013, receivedBytes: i * 7_919 };
  return { source: end, target: end, service: null, port: 80, protocol: 'TCP', ...amounts };
}

/** Nodes by name; each answers with what it was given. */
class Cluster {
  readonly counters = new Counters(FLOW_COUNTERS);
  readonly peers = new Map<string, FlowPeers>();
  readonly states = new Map<string, string>();
  /** Bytes that a node answers instead. Undefined: it is silent. */
  readonly forged = new Map<string, Uint8Array | undefined>();
  readonly asked: PeerFlowRequest[] = [];
  now: Instant = instant(0);
  largest = 0;
  #ids = 0;

  add(name: string, answer: (request: PeerFlowRequest) => Promise<object>): FlowPeers {
    this.states.set(name, 'alive');
    const peers: FlowPeers = new FlowPeers({
      node: {
        peer: name as PeerId,
        gossip: {
          members: () => [...this.states].map(([peer, state]) => ({ peer, state })),
        } as never,
        questions: {
          ask: (to: string, question: Uint8Array) => {
            const id = ++this.#ids;
            setImmediate(() => this.#carry(name, to, id, question));
            return id;
          },
          answer: (to: string, id: number, bytes: Uint8Array) => {
            this.largest = Math.max(this.largest, bytes.length);
            this.peers.get(to)!.answered({ type: 'answer', from: name as PeerId, id, bytes });
          },
        } as never,
      },
      loop: { wake: () => undefined },
      nodeName: (peer) => `node ${peer}`,
      answer: (request) => {
        this.asked.push(request);
        return answer(request);
      },
      counters: this.counters,
      now: () => this.now,
    });
    this.peers.set(name, peers);
    return peers;
  }

  #carry(from: string, to: string, id: number, question: Uint8Array): void {
    if (this.forged.has(to)) {
      const bytes = this.forged.get(to);
      this.peers.get(from)!.answered({ type: 'answer', from: to as PeerId, id, bytes });
    } else void this.peers.get(to)!.question({ type: 'question', from: from as PeerId, id, bytes: question });
  }
}

const answering =
  (count: number) =>
  async ({ limit }: PeerFlowRequest): Promise<object> => ({
    rows: Array.from({ length: Math.min(limit, count) }, (_, i) => row(i)),
    others: null,
    seconds: 60,
    notes: [],
  });

describe('questions to all nodes about flows', () => {
  it('bring what each answers, and name who is down, silent, refuses or talks nonsense', async () => {
    const cluster = new Cluster();
    const a = cluster.add('a', answering(1));
    cluster.add('b', answering(2));
    cluster.add('down', answering(1));
    cluster.add('gone', answering(1));
    cluster.states.set('down', 'dead').set('gone', 'left');
    cluster.add('silent', answering(1));
    cluster.forged.set('silent', undefined);
    cluster.add('refuses', async () => {
      throw new WeftError('E_FLOWS', 'the kernel does not tell', 'load it');
    });
    for (const [name, bytes] of Object.entries({
      noise: new Uint8Array([1, 2, 3]),
      wrong: deflateRawSync(utf8('{"rows":[7],"more":0,"notes":[]}')),
      bomb: deflateRawSync(new Uint8Array(64 * 1024 * 1024)),
    })) {
      cluster.add(name, answering(1));
      cluster.forged.set(name, new Uint8Array(bytes));
    }
    const { answers, silent } = await a.askAll(() => TOTALS);
    deepEqual(
      answers.map(({ node, answer }) => [node, 'totals' in answer && answer.totals.length]),
      [['node b', 2]],
    );
    deepEqual(
      silent.map(({ node, reason }) => `${node}: ${reason}`),
      [
        'node bomb: its answer cannot be read',
        'node down: it is down',
        'node noise: its answer cannot be read',
        'node refuses: the kernel does not tell',
        'node silent: it did not answer within 2 s',
        'node wrong: its answer cannot be read',
      ],
    );
    equal(cluster.counters.get('flow.badAnswers'), 3);
  });

  it('bring no more than was asked for', async () => {
    const cluster = new Cluster();
    const a = cluster.add('a', answering(0));
    cluster.add('b', () => answering(3)(TOTALS));
    equal((await a.askAll(() => ({ ...TOTALS, limit: 3 }))).answers.length, 1);
    deepEqual(await a.askAll(() => ({ ...TOTALS, limit: 2 })), {
      answers: [],
      silent: [{ node: 'node b', reason: 'its answer cannot be read' }],
    });
    equal(cluster.counters.get('flow.badAnswers'), 1);
  });

  it('begin after those before, where all together are more than may wait', async () => {
    const waiting: number[] = [];
    let most = 0;
    let ids = 0;
    const asker: FlowPeers = new FlowPeers({
      node: {
        peer: 'a' as PeerId,
        gossip: {
          members: () => Array.from({ length: 1_100 }, (_, i) => ({ peer: `n${i}`, state: 'alive' })),
        } as never,
        questions: {
          ask: () => {
            if (waiting.length >= MAX_ASKED) return undefined;
            most = Math.max(most, waiting.push(++ids));
            setImmediate(() =>
              asker.answered({ type: 'answer', from: 'b' as PeerId, id: waiting.shift()!, bytes }),
            );
            return ids;
          },
        } as never,
      },
      loop: { wake: () => undefined },
      nodeName: (peer) => peer,
      answer: async () => ({}),
      counters: new Counters(FLOW_COUNTERS),
      now: () => instant(0),
    });
    const bytes = new Uint8Array(deflateRawSync(utf8('{"tunnels":[],"more":0}')));
    const rounds = [1, 2, 3].map(() => asker.askAll(() => ({ op: 'tunnels', limit: 2 })));
    for (const { answers, silent } of await Promise.all(rounds))
      deepEqual([answers.length, silent], [1_100, []]);
    equal(most, 1_100);
  });

  it('are answered with as many rows as fit', async () => {
    const cluster = new Cluster();
    const a = cluster.add('a', answering(0));
    cluster.add('b', answering(1_000));
    const { answers } = await a.askAll(() => TOTALS);
    const [{ answer }] = answers as [(typeof answers)[0]];
    ok('totals' in answer && answer.totals.length > 100 && answer.totals.length < 1_000);
    ok(cluster.largest <= MAX_ANSWER_BYTES);
  });

  it('bring what happened, and where a reader goes on, and of tunnels the worst', async () => {
    const end = (address: string) => ({ address, port: 80, pod: 'ns/p', node: 'n', isNode: false });
    const drop = {
      ...{ kind: 'drop', at: 5, verdict: 'dropped', protocol: 'TCP', way: 'ingress', policies: ['P ns/p'] },
      ...{ source: end('10.0.0.1'), target: end('fd00::1') },
    };
    const rows = [
      drop,
      { kind: 'gap', at: 6, from: 5, reason: 'flood', count: null },
      { kind: 'repaired', at: 7, found: 1, gone: 2 },
    ];
    const tunnel = {
      ...{ peerId: 'c', state: 'connected', endpoint: '192.0.2.1:6783', via: null, datapath: 'fast' },
      ...{ suite: 'AES-256-GCM', rttMs: 0.3, mtu: 1420, mtuConfirmed: true, loss: null, link: null },
      ...{ sentBytes: 1, receivedBytes: 2 },
    };
    const cluster = new Cluster();
    const a = cluster.add('a', answering(0));
    let flows: object = { rows, cursor: 'x.1-7', lost: 2, more: 0, notes: [] };
    let tunnels: object = { tunnels: [tunnel], more: 4 };
    cluster.add('b', async ({ op }) => (op === 'tunnels' ? tunnels : flows));
    const follow = { op: 'flows', want: 'follow', cursor: 'x.1-2', limit: 9, filter: {} } as const;
    const answersTo = async (request: PeerFlowRequest) => (await a.askAll(() => request)).answers;
    deepEqual((await answersTo(follow))[0]?.answer, flows);
    deepEqual((await answersTo({ op: 'tunnels', limit: 5 }))[0]?.answer, tunnels);
    deepEqual(cluster.asked, [follow, { op: 'tunnels', limit: 5 }]);

    for (const wrong of [{ way: 'out' }, { policies: [7] }, { source: null }, { kind: 'odd' }, { at: 'x' }]) {
      flows = { rows: [{ ...drop, ...wrong }], cursor: 'x', lost: 0, more: 0, notes: [] };
      deepEqual(await answersTo(follow), [], JSON.stringify(wrong));
    }
    flows = { rows, cursor: 'a,b:c', lost: 0, more: 0, notes: [] };
    deepEqual(await answersTo(follow), []);
    for (const wrong of [{ state: 'odd' }, { rttMs: 'x' }, { endpoint: 7 }, { link: 'x' }]) {
      tunnels = { tunnels: [{ ...tunnel, ...wrong }], more: 0 };
      deepEqual(await answersTo({ op: 'tunnels', limit: 5 }), [], JSON.stringify(wrong));
    }
  });

  it('are answered so often and no more', async () => {
    const cluster = new Cluster();
    const a = cluster.add('a', answering(0));
    cluster.add('b', answering(1));
    const outcomes = [];
    for (let i = 0; i < 20; i++) outcomes.push((await a.askAll(() => TOTALS)).silent.length);
    equal(outcomes.filter((silent) => silent === 0).length, 16);
    cluster.now = instant(1_000);
    equal((await a.askAll(() => TOTALS)).silent.length, 0);
  });

  it('are answered also where another node asks too often', async () => {
    const cluster = new Cluster();
    const [a, , c, d, e] = ['a', 'b', 'c', 'd', 'e'].map((name) => cluster.add(name, answering(1)));
    const answersOfB = async (asker: FlowPeers, times: number): Promise<number> => {
      let answers = 0;
      for (let i = 0; i < times; i++)
        answers += (await asker.askAll(() => TOTALS)).answers.filter(({ peer }) => peer === 'b').length;
      return answers;
    };
    equal(await answersOfB(a!, 100), 16);
    equal(await answersOfB(c!, 10), 10);
    // All together have a bound as well.
    deepEqual([await answersOfB(d!, 10), await answersOfB(e!, 10)], [6, 0]);
    cluster.now = instant(1_000);
    equal(await answersOfB(e!, 10), 10);
  });

  it('may ask for nothing but what is known now', async () => {
    const cluster = new Cluster();
    const a = cluster.add('a', answering(0));
    cluster.add('b', answering(1));
    for (const request of [
      { ...TOTALS, wait: true },
      { ...TOTALS, cluster: true },
      { op: 'flows', want: 'follow', cursor: '', limit: 1, filter: {}, cluster: true },
      { op: 'tunnels', limit: 0 },
      { op: 'status' },
    ]) {
      const { silent } = await a.askAll(() => request as unknown as PeerFlowRequest);
      deepEqual(silent, [{ node: 'node b', reason: 'it does not understand the question' }]);
    }
    deepEqual(cluster.asked, []);
  });

  it('are refused where they are too long', async () => {
    const cluster = new Cluster();
    const a = cluster.add('a', answering(0));
    cluster.add('b', answering(0));
    const filter = { pod: 'x'.repeat(400), from: 'x'.repeat(400), to: 'x'.repeat(400) };
    await rejects(
      a.askAll(() => ({ op: 'flows', want: 'open', cursor: '', limit: 1, filter })),
      { code: 'E_USAGE' },
    );
  });
});
