import type { Counters } from '../base/counters.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { Flow, FlowDrop, FlowEvent } from './flow.ts';
import type { FlowCounter } from './flow-counters.ts';

/** Length and number of the buckets that are kept: ten minutes in all. */
const BUCKET_MS = 10_000;
const MAX_BUCKETS = 60;
/** Pairs in one bucket; the others count together. */
const MAX_PAIRS = 1024;

/** Who talks to whom: the ports of clients do not matter, and all that is outside is one source. */
export interface FlowPair {
  /** An address; undefined: anybody outside of the cluster. */
  readonly source: string | undefined;
  readonly sourceOwner: PeerId | undefined;
  readonly target: string;
  readonly targetPort: number;
  readonly targetOwner: PeerId | undefined;
  /** Where clients sent it, where that was translated: a Service. */
  readonly service: string | undefined;
  /** Of the service where there is one, else of the target; −1: none. */
  readonly port: number;
  /** 6, 17 … or what a drop calls it. */
  readonly protocol: number | string;
}

/** How much one pair did. */
export interface PairTotal {
  /** As {@link pairKey} names it; empty where there is no pair. */
  readonly key: string;
  /** Undefined: all pairs that had no place of their own. */
  readonly pair: FlowPair | undefined;
  /** Connections that began. */
  connections: number;
  /** Packets that were denied, of those that were told. */
  drops: number;
  sentBytes: number;
  receivedBytes: number;
  sentPackets: number;
  receivedPackets: number;
}

interface Bucket {
  readonly startMs: number;
  readonly totalByKey: Map<string, PairTotal>;
}

/** The key of those that have no place: no pair has it. */
const OTHER = '';

/** What pairs did in the last minutes, in buckets of ten seconds. Memory is bounded by the number of pairs in each. */
export class FlowTotals {
  readonly #counters: Counters<FlowCounter>;
  readonly #maxPairs: number;
  #buckets: Bucket[] = [];

  constructor(counters: Counters<FlowCounter>, maxPairs = MAX_PAIRS) {
    this.#counters = counters;
    this.#maxPairs = maxPairs;
  }

  /** Adds what a connection did, at the time at which it was heard: when it ended may be long ago. */
  addEvent({ flow, isNew, moved }: FlowEvent, nowMs: number): void {
    if (!isNew && moved === undefined) return;
    const total = this.#totalOf(pairKey(flow), () => pairOf(flow), nowMs);
    if (isNew) total.connections++;
    if (moved === undefined) return;
    total.sentBytes += moved.sent.bytes;
    total.sentPackets += moved.sent.packets;
    total.receivedBytes += moved.received.bytes;
    total.receivedPackets += moved.received.packets;
  }

  addDrop(drop: FlowDrop, nowMs: number): void {
    const { sourceOwner, target, targetOwner, targetPort, protocol } = drop;
    const source = sourceOwner === undefined ? undefined : drop.source;
    const number = PROTOCOL_BY_NAME[protocol] ?? protocol;
    const pair = { source, sourceOwner, target, targetPort, targetOwner, port: targetPort, protocol: number };
    const key = keyOf(source, target, '', targetPort, number);
    this.#totalOf(key, () => ({ ...pair, service: undefined }), nowMs).drops++;
  }

  /** What pairs did since `sinceMs`, rounded down to a bucket. */
  since(sinceMs: number): PairTotal[] {
    const sumByKey = new Map<string, PairTotal>();
    for (const { startMs, totalByKey } of this.#buckets) {
      if (startMs + BUCKET_MS <= sinceMs) continue;
      for (const [key, total] of totalByKey) {
        const sum = sumByKey.get(key);
        if (sum === undefined) sumByKey.set(key, { ...total });
        else addTotal(sum, total);
      }
    }
    return [...sumByKey.values()];
  }

  /** From when on {@link since} tells, where it is asked for `sinceMs`. */
  startOf(sinceMs: number): number {
    return sinceMs - (sinceMs % BUCKET_MS);
  }

  clear(): void {
    this.#buckets = [];
  }

  #totalOf(key: string, pair: () => FlowPair, nowMs: number): PairTotal {
    const { totalByKey } = this.#bucket(nowMs);
    const known = totalByKey.get(key);
    if (known !== undefined) return known;
    const hasRoom = totalByKey.size < this.#maxPairs;
    if (!hasRoom) this.#counters.add('flow.otherPairs');
    const other = hasRoom ? undefined : totalByKey.get(OTHER);
    if (other !== undefined) return other;
    const total = hasRoom ? emptyTotal(key, pair()) : emptyTotal(OTHER, undefined);
    totalByKey.set(total.key, total);
    return total;
  }

  #bucket(nowMs: number): Bucket {
    const last = this.#buckets.at(-1);
    // A clock that was set back goes on with the last bucket.
    if (last !== undefined && nowMs < last.startMs + BUCKET_MS) return last;
    const bucket = { startMs: nowMs - (nowMs % BUCKET_MS), totalByKey: new Map<string, PairTotal>() };
    this.#buckets.push(bucket);
    if (this.#buckets.length > MAX_BUCKETS) this.#buckets.shift();
    return bucket;
  }
}

/** Adds `more` to `sum`. */
function addTotal(sum: PairTotal, more: PairTotal): void {
  sum.connections += more.connections;
  sum.drops += more.drops;
  sum.sentBytes += more.sentBytes;
  sum.receivedBytes += more.receivedBytes;
  sum.sentPackets += more.sentPackets;
  sum.receivedPackets += more.receivedPackets;
}

/** A total of nothing. */
export function emptyTotal(key: string, pair: FlowPair | undefined): PairTotal {
  return {
    key,
    pair,
    connections: 0,
    drops: 0,
    sentBytes: 0,
    receivedBytes: 0,
    sentPackets: 0,
    receivedPackets: 0,
  };
}

/** The pair of a connection, and its name among pairs. */
export function pairOf(flow: Flow): FlowPair {
  const { sourceOwner, target, targetPort, targetOwner, protocol } = flow;
  return {
    source: sourceOwner === undefined ? undefined : flow.source,
    sourceOwner,
    target,
    targetPort,
    targetOwner,
    service: isTranslated(flow) ? flow.destination : undefined,
    port: isTranslated(flow) ? flow.destinationPort : flow.targetPort,
    protocol,
  };
}

/** Two connections of the same pair have the same key. */
export function pairKey(flow: Flow): string {
  const source = flow.sourceOwner === undefined ? undefined : flow.source;
  const service = isTranslated(flow) ? flow.destination : '';
  return keyOf(source, flow.target, service, flow.destinationPort, flow.protocol);
}

function keyOf(
  source: string | undefined,
  target: string,
  service: string,
  port: number,
  protocol: number | string,
): string {
  return `${source ?? ''} ${target} ${service} ${port} ${protocol}`;
}

const PROTOCOL_BY_NAME: Readonly<Record<string, number>> = { ICMP: 1, TCP: 6, UDP: 17, SCTP: 132 };

function isTranslated(flow: Flow): boolean {
  return flow.destination !== flow.target || flow.destinationPort !== flow.targetPort;
}
