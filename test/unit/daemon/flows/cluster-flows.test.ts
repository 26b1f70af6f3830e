import { deepEqual, equal, ok } from 'node:assert/strict';
import type { PeerId } from '../../../../base/peer-id.ts';
import {
  decodeFlowRequest,
  type FlowRequest,
  type FlowRow,
  type FlowsResult,
  MAX_CURSOR_LENGTH,
  MAX_FLOW_ROWS,
} from '../../../../control/flow-request.ts';
import { ClusterCursor } from '../../../../daemon/flows/cluster-cursor.ts';
import { ClusterFlows } from '../../../../daemon/flows/cluster-flows.io.ts';
import type { FlowAnswers } from '../../../../daemon/flows/flow-answers.io.ts';
import type { FlowPeers, PeerFlowRequest } from '../../../../daemon/flows/flow-peers.io.ts';

type FlowQuestion = Extract<FlowRequest, { op: 'flows' }>;

const [SELF, OTHER, SLOW] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [PeerId, PeerId, PeerId];
const NEVER = new Promise<void>(() => {});
const FOLLOW: FlowQuestion = {
  op: 'flows',
  want: 'follow',
  cursor: '',
  limit: 10,
  filter: {},
  cluster: true,
};

function gap(at: number): FlowRow {
  return { kind: 'gap', at, from: at, reason: 'overrun', count: null };
}

/** Asks so many nodes, of which none has news, and whose answers take `answerMs`. Says what it did. */
async function followed(
  count: number,
  answerMs = 0,
): Promise<{ pauses: number[]; ms: number; limit: number }> {
  let ms = 0;
  let limit = 0;
  const pauses: number[] = [];
  const head = { node: 'n1', rows: [], lost: 0, more: 0, counted: true, recording: false, notes: [] };
  const answers = { flows: async (): Promise<FlowsResult> => ({ ...head, cursor: 'n1-1' }) };
  const peers = {
    self: SELF,
    count,
    askAll: async (requestTo: (peer: PeerId) => PeerFlowRequest) => {
      limit = requestTo(OTHER).limit;
      ms += answerMs;
      return { answers: [], silent: [] };
    },
  };
  const time = {
    now: () => ms,
    pause: async (forMs: number) => {
      pauses.push(forMs);
      ms += forMs;
    },
  };
  const flows = new ClusterFlows(answers as unknown as FlowAnswers, peers as unknown as FlowPeers, time);
  await flows.flows({ ...FOLLOW, cursor: `${SELF.slice(0, 16)}:n1-1`, limit: MAX_FLOW_ROWS }, NEVER);
  return { pauses, ms, limit };
}

/** Two nodes that answer, the third does not; each hands out cursors `NAME-1`, `NAME-2` … */
class Nodes {
  readonly asked: string[] = [];
  rows: Record<string, FlowRow[]> = {};
  #answers = 0;

  readonly flows = new ClusterFlows(
    {
      flows: async ({ cursor, limit }: FlowQuestion) => this.#answer('n1', cursor, limit),
    } as unknown as FlowAnswers,
    {
      self: SELF,
      count: 2,
      askAll: async (requestTo: (peer: PeerId) => PeerFlowRequest) => {
        requestTo(SLOW);
        const { cursor, limit } = requestTo(OTHER) as FlowQuestion;
        return {
          answers: [{ peer: OTHER, node: 'n2', answer: this.#answer('n2', cursor, limit) }],
          silent: [{ node: 'n3', reason: 'it is down' }],
        };
      },
    } as unknown as FlowPeers,
  );

  #answer(node: string, cursor: string, limit: number): FlowsResult {
    this.asked.push(`${node} ${cursor} ${limit}`);
    const rows = this.rows[node] ?? [];
    this.rows[node] = [];
    const notes = ['bytes are not counted', ...(node === 'n2' ? ['names are missing'] : [])];
    const head = { node, lost: node === 'n2' ? 3 : 0, more: 0, counted: true, recording: false, notes };
    return { ...head, rows, cursor: `${node}-${++this.#answers}` };
  }
}

describe('flows of a whole cluster', () => {
  it('are followed on each node from where its last answer ended', async () => {
    const nodes = new Nodes();
    const first = await nodes.flows.flows(FOLLOW, NEVER);
    nodes.rows = { n1: [gap(7)], n2: [gap(5)] };
    const second = await nodes.flows.flows({ ...FOLLOW, cursor: first.cursor }, NEVER);
    deepEqual(nodes.asked, ['n1  10', 'n2  10', 'n1 n1-1 10', 'n2 n2-2 10']);
    deepEqual(second.rows, [
      { ...gap(5), node: 'n2' },
      { ...gap(7), node: 'n1' },
    ]);
    deepEqual(
      [second.nodes, second.silent, second.lost, second.notes],
      [2, [{ node: 'n3', reason: 'it is down' }], 3, ['bytes are not counted', 'n2: names are missing']],
    );
    const cursor = ClusterCursor.read(second.cursor);
    deepEqual([cursor.of(SELF), cursor.of(OTHER), cursor.of(SLOW)], ['n1-3', 'n2-4', '']);
  });

  it('are asked of many nodes more rarely, and a reader has its answer in time', async () => {
    deepEqual((await followed(10)).pauses, [1_000, 1_000, 1_000, 1_000, 1_000]);
    deepEqual((await followed(250)).pauses, [2_500, 2_500]);
    deepEqual((await followed(3_000)).pauses, [5_000]);
    for (const count of [1, 150, 250, 310, 499, 1_000, 3_000]) {
      const { ms } = await followed(count, 1_800);
      ok(ms < 7_000, `${count} nodes: ${ms} ms`);
    }
  });

  it('are of many nodes few rows of each', async () => {
    const limits = await Promise.all(
      [1, 80, 1_000, 4_001].map(async (count) => (await followed(count)).limit),
    );
    deepEqual(limits, [2_000, 50, 4, 1]);
  });

  it('have a cursor that holds the nodes that are there, and that 3,000 of them have room in', () => {
    const peerOf = (i: number): PeerId => i.toString(16).padStart(16, '0').padEnd(64, 'f') as PeerId;
    const members = Array.from({ length: 3_000 }, (_, i) => peerOf(i));
    const cursor = ClusterCursor.read('');
    for (let i = 0; i < 5_000; i++) cursor.set(peerOf(i), 'x'.repeat(MAX_CURSOR_LENGTH));
    cursor.keep(members);
    const kept = ClusterCursor.read(cursor.text());
    deepEqual([kept.of(peerOf(2_999)).length, kept.of(peerOf(3_000))], [MAX_CURSOR_LENGTH, '']);
    equal(decodeFlowRequest({ ...FOLLOW, cursor: cursor.text() })?.ok, true);
  });

  it('forget where they were on a node that is gone', async () => {
    const nodes = new Nodes();
    const { cursor } = await nodes.flows.flows({ ...FOLLOW, cursor: `${'d'.repeat(16)}:n4-1` }, NEVER);
    equal(ClusterCursor.read(cursor).of('d'.repeat(64) as PeerId), '');
  });

  it('are the last of all nodes, in the order of their times', async () => {
    const nodes = new Nodes();
    nodes.rows = { n1: [gap(1), gap(4)], n2: [gap(2), gap(3)] };
    const { rows, more } = await nodes.flows.flows({ ...FOLLOW, want: 'last', limit: 3 }, NEVER);
    deepEqual(
      rows.map(({ at }) => at),
      [2, 3, 4],
    );
    equal(more, 1);
  });

  it('have the time of now where a node tells of a later one', async () => {
    const nodes = new Nodes();
    const early = Date.now();
    nodes.rows = {
      n1: [gap(1)],
      n2: [gap(8.64e15), { ...gap(2), from: 8.64e15 } as FlowRow, gap(early + 30_000)],
    };
    const { rows } = await nodes.flows.flows({ ...FOLLOW, want: 'open' }, NEVER);
    const late = Date.now();
    deepEqual(
      rows
        .map((row) => [row.at, row.kind === 'gap' && row.from])
        .map((times) => times.map((at) => (Number(at) >= early && Number(at) <= late ? 'now' : at))),
      [
        [1, 1],
        [2, 2],
        ['now', 'now'],
        [early + 30_000, early + 30_000],
      ],
    );
  });

  it('begin anew where the cursor is none', async () => {
    for (const text of ['', 'x', ':', 'aaaaaaaaaaaaaaaa:a b', `${'a'.repeat(16)}:${'1'.repeat(49)}`])
      equal(ClusterCursor.read(text).of(SELF), '', text);
  });
});
