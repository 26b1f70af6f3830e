/**
 * How soon the flows of a cluster of 100 nodes are answered, all 100 of them in this one process: their answers are made, packed,
 * paged and read as by weftd; only the tunnels are pretended, with a round trip of 2 ms and one datagram of a hundred lost. Prints
 * one JSON line: milliseconds of a question for what pairs did where each node knows 1,000, and how long it takes to name one
 * that is silent.
 *
 * `bin/weft-node bench/flows/cluster.ts [questions, default 15 [nodes, default 100]]`
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Counters } from '../../base/counters.ts';
import { type Instant, instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { FlowRequest, FlowTotalRow, FlowTotalsResult } from '../../control/flow-request.ts';
import { ClusterFlows } from '../../daemon/flows/cluster-flows.io.ts';
import type { FlowAnswers } from '../../daemon/flows/flow-answers.io.ts';
import { FlowPeers } from '../../daemon/flows/flow-peers.io.ts';
import { FLOW_COUNTERS } from '../../flows/flow-counters.ts';
import { PeerQuestions } from '../../node/peer-questions.ts';
import { QUESTION_COUNTERS } from '../../node/question-counters.ts';
import { seededRandom } from '../../test/seeded-random.ts';
import { report, rounded, spread } from '../report.ts';

const ONE_WAY_MS = 1;
const LOST_OF_256 = 3;
const PAIRS = 1_000;
const TICK_MS = 20;
const TARGETS = { answerMs: 1_000, silentMs: 2_000 } as const;

const questions = Number(process.argv[2] ?? 15);
const count = Number(process.argv[3] ?? 100);
const random = seededRandom(7);
const now = (): Instant => instant(performance.now());

interface SimulatedNode {
  readonly questions: PeerQuestions;
  readonly peers: FlowPeers;
  readonly answers: FlowAnswers;
}

const ids = Array.from({ length: count }, (_, i) => i.toString(16).padStart(64, '0') as PeerId);
const nodeById = new Map<PeerId, SimulatedNode>();
/** Who answers nobody. */
let silent: PeerId | undefined;
for (const [i, id] of ids.entries()) nodeById.set(id, simulated(id, i));
const ticking = setInterval(() => {
  for (const node of nodeById.values()) {
    node.questions.tick(now());
    drain(node);
  }
}, TICK_MS);

const asker = nodeById.get(ids[0]!)!;
const flows = new ClusterFlows(asker.answers, asker.peers);
const question = { op: 'flowTotals', seconds: 10, wait: false, by: 'bytes', limit: 1_000 } as const;
const answerMs: number[] = [];
const silentMs: number[] = [];
let answered = 0;
for (let i = 0; i < questions; i++) {
  const at = performance.now();
  const { nodes } = await flows.totals(question);
  answerMs.push(performance.now() - at);
  answered += nodes ?? 0;
  // No node is asked too often.
  await pause(500);
}
silent = ids[1];
for (let i = 0; i < 5; i++) {
  const at = performance.now();
  const result = await flows.totals(question);
  if (result.silent?.length !== 1) throw new Error(JSON.stringify(result.silent));
  silentMs.push(performance.now() - at);
  await pause(500);
}
clearInterval(ticking);
report('flows/cluster', {
  nodes: count,
  pairsOfEach: PAIRS,
  answeredOfAll: rounded(answered / (questions * count)),
  answerMs: spread(answerMs),
  silentNamedMs: spread(silentMs),
  targets: TARGETS,
  ratioToTarget: rounded(spread(answerMs).median / TARGETS.answerMs),
});

function simulated(id: PeerId, index: number): SimulatedNode {
  const node: SimulatedNode = {
    questions: new PeerQuestions({
      random,
      counters: new Counters(QUESTION_COUNTERS),
      send: (to, bytes) => carry(id, to, bytes),
    }),
    answers: {
      totals: async ({ limit }: { limit: number }) => totalsOf(index, limit),
    } as unknown as FlowAnswers,
    get peers() {
      return peers;
    },
  };
  const peers = new FlowPeers({
    node: {
      peer: id,
      gossip: { members: () => ids.map((peer) => ({ peer, state: 'alive' })) } as never,
      questions: node.questions,
    },
    loop: { wake: () => drain(node) },
    nodeName: (peer) => `node-${ids.indexOf(peer)}`,
    answer: (request) =>
      node.answers.totals(request as Extract<FlowRequest, { op: 'flowTotals' }>) as Promise<object>,
    counters: new Counters(FLOW_COUNTERS),
    now,
  });
  return node;
}

function carry(from: PeerId, to: PeerId, bytes: Uint8Array): void {
  if (to === silent || random.bytes(1)[0]! < LOST_OF_256) return;
  const copy = bytes.slice();
  setTimeout(() => {
    const node = nodeById.get(to)!;
    node.questions.handle(from, copy, now());
    drain(node);
  }, ONE_WAY_MS);
}

function drain({ questions: asked, peers }: SimulatedNode): void {
  for (let output = asked.poll(); output !== undefined; output = asked.poll()) {
    if (output.type === 'question') void peers.question(output);
    else peers.answered(output);
  }
}

/** Pairs of a node's own pods with pods of others. */
function totalsOf(node: number, limit: number): FlowTotalsResult {
  const end = (of: number, pod: number) => ({
    ...{ address: `10.${32 + (of >> 8)}.${of & 255}.${2 + (pod % 250)}`, port: 8080 },
    ...{ pod: `team-${pod % 20}/service-${pod}-5d9c7b8f6d-${of}${pod}`, node: `node-${of}`, isNode: false },
  });
  const rows = Array.from(
    { length: Math.min(limit, PAIRS) },
    (_, i): FlowTotalRow => ({
      ...{ source: end(node, i % 50), target: end((node + i) % count, i % 47), service: null, port: 8080 },
      ...{ protocol: 'TCP', open: i % 7, began: i, drops: 0, sentBytes: i * 1_013, receivedBytes: i * 7_919 },
    }),
  );
  return { node: `node-${node}`, seconds: 10, rows, others: null, counted: true, notes: [] };
}
