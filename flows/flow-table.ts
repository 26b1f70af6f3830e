import { addressFromBytes, type Family, formatAddress } from '../base/address.ts';
import type { Counters } from '../base/counters.ts';
import type { ConntrackMessage } from '../linux/conntrack.ts';
import { type AddressOwners, toldAs } from './address-owners.ts';
import type { Flow, FlowCount, FlowEvent, FlowEventKind } from './flow.ts';
import type { FlowCounter } from './flow-counters.ts';

/** Connections that are known at once. What lives beyond is told when it begins and ends, and not between. */
const MAX_FLOWS = 32_768;

interface LiveFlow {
  readonly flow: Flow;
  isReplied: boolean;
  sent: FlowCount | undefined;
  received: FlowCount | undefined;
  /** The number of the last dump that found it, or before which it began. */
  seenIn: number;
}

const NOTHING: FlowCount = { packets: 0, bytes: 0 };

interface FlowTableOptions {
  readonly counters: Counters<FlowCounter>;
  /** Told what becomes of the connections of which this node tells. */
  readonly onEvent: (event: FlowEvent) => void;
  readonly maxFlows?: number;
}

/**
 * The connections that live, of those of which this node tells ({@link toldAs}): what connection tracking says goes in, and
 * what a user is told comes out. What events did not say a dump does: {@link beginDump}, the dump's messages among the
 * events, {@link endDump}. What the first dump finds was there before. Memory is bounded.
 */
export class FlowTable {
  readonly #options: FlowTableOptions;
  readonly #liveById = new Map<number, LiveFlow>();
  readonly #maxFlows: number;
  #dump = 0;
  #dumpsDone = 0;
  /** Since a connection had no place in the table, an end that is not known may be that of one that was told. */
  #isIncomplete = false;

  constructor(options: FlowTableOptions) {
    this.#options = options;
    this.#maxFlows = options.maxFlows ?? MAX_FLOWS;
  }

  /** Whether some that live may be missing for want of room. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  /** The connections that live, the oldest first, as a dump would tell them. */
  *live(atMs: number): IterableIterator<FlowEvent> {
    for (const live of this.#liveById.values())
      yield { kind: 'live', atMs, ...live, isNew: false, moved: undefined };
  }

  /** Takes a message. `nowMs`: since 1970. */
  take(message: ConntrackMessage, owners: AddressOwners, nowMs: number): void {
    const known = this.#liveById.get(message.id);
    if (message.kind === 'end') this.#end(message, owners, known, nowMs);
    else if (known !== undefined && message.kind === 'live') this.#update(message, known, nowMs);
    else {
      // An id may come again for another connection, where the end of the first was lost.
      if (known !== undefined) this.#gone(message.id, known, nowMs);
      this.#begin(message, owners, nowMs);
    }
  }

  /** A dump is asked for: what it does not find among those known now has gone. */
  beginDump(): void {
    this.#dump++;
  }

  /** It is complete. Returns how many had gone. */
  endDump(nowMs: number): number {
    let gone = 0;
    for (const [id, live] of this.#liveById) {
      if (live.seenIn === this.#dump) continue;
      gone++;
      this.#gone(id, live, nowMs);
    }
    this.#dumpsDone++;
    return gone;
  }

  #begin(message: ConntrackMessage, owners: AddressOwners, nowMs: number): void {
    const isStart = message.kind === 'new';
    const flow = flowOf(message, owners, isStart ? nowMs : undefined);
    if (flow === undefined) return;
    const live: LiveFlow = { flow, ...countsOf(message), isReplied: message.isReplied, seenIn: this.#dump };
    if (this.#liveById.size < this.#maxFlows) this.#liveById.set(message.id, live);
    else {
      this.#isIncomplete = true;
      // Each dump would find it anew: the first one counts it, and none tells of it.
      if (isStart || this.#dumpsDone === 0) this.#options.counters.add('flow.untracked');
      if (!isStart) return;
    }
    const isNew = isStart || this.#dumpsDone > 0;
    this.#tell(isStart ? 'start' : 'live', live, {
      atMs: nowMs,
      isNew,
      moved: isNew ? movedSince(undefined, live) : undefined,
    });
  }

  #end(message: ConntrackMessage, owners: AddressOwners, known: LiveFlow | undefined, nowMs: number): void {
    this.#liveById.delete(message.id);
    const flow = known?.flow ?? flowOf(message, owners, undefined);
    if (flow === undefined) return;
    const live: LiveFlow = { flow, ...countsOf(message), isReplied: message.isReplied, seenIn: 0 };
    const atMs = message.endedAtMs >= 0 ? message.endedAtMs : nowMs;
    const isNew = known === undefined && !this.#isIncomplete;
    this.#tell('end', live, { atMs, isNew, moved: movedSince(known, live) });
  }

  #update(message: ConntrackMessage, known: LiveFlow, nowMs: number): void {
    const now: LiveFlow = { ...known, ...countsOf(message), isReplied: message.isReplied };
    const hasMoved =
      now.isReplied !== known.isReplied ||
      now.sent?.packets !== known.sent?.packets ||
      now.received?.packets !== known.received?.packets;
    const moved = movedSince(known, now);
    known.seenIn = this.#dump;
    known.isReplied = now.isReplied;
    known.sent = now.sent;
    known.received = now.received;
    if (hasMoved) this.#tell('update', known, { atMs: nowMs, isNew: false, moved });
  }

  #gone(id: number, live: LiveFlow, nowMs: number): void {
    this.#liveById.delete(id);
    this.#tell('gone', live, { atMs: nowMs, isNew: false, moved: undefined });
  }

  #tell(
    kind: FlowEventKind,
    { flow, isReplied, sent, received }: LiveFlow,
    rest: Pick<FlowEvent, 'atMs' | 'isNew' | 'moved'>,
  ): void {
    this.#options.onEvent({ kind, flow, isReplied, sent, received, ...rest });
  }
}

/** What has been counted between two looks at a connection. */
function movedSince(before: LiveFlow | undefined, now: LiveFlow): FlowEvent['moved'] {
  if (now.sent === undefined || now.received === undefined) return undefined;
  return { sent: less(now.sent, before?.sent), received: less(now.received, before?.received) };
}

function less(now: FlowCount, before: FlowCount | undefined = NOTHING): FlowCount {
  return {
    packets: Math.max(0, now.packets - before.packets),
    bytes: Math.max(0, now.bytes - before.bytes),
  };
}

/** The flow that `message` is about; undefined where this node does not tell of it. */
function flowOf(
  message: ConntrackMessage,
  owners: AddressOwners,
  seenBeginMs: number | undefined,
): Flow | undefined {
  const { family, bytes, original, reply } = message;
  const owner = (at: number): AddressOwners['self'] | undefined =>
    owners.owners[owners.ownerIndex(family, bytes, at)];
  const ends = {
    source: owner(original.source),
    target: owner(reply.source),
    seenSource: owner(reply.destination),
  };
  const direction = toldAs(ends, owners.self);
  if (direction === undefined) return undefined;
  const destination = textOf(family, bytes, original.destination);
  const target = textOf(family, bytes, reply.source);
  return {
    source: textOf(family, bytes, original.source),
    sourcePort: original.sourcePort,
    destination,
    destinationPort: original.destinationPort,
    target,
    targetPort: reply.sourcePort,
    protocol: message.protocol,
    sourceOwner: ends.source,
    targetOwner: ends.target,
    direction,
    startedAtMs: message.startedAtMs >= 0 ? message.startedAtMs : seenBeginMs,
  };
}

function countsOf({ sent, received }: ConntrackMessage): Pick<LiveFlow, 'sent' | 'received'> {
  return {
    sent: sent.packets < 0 ? undefined : { packets: sent.packets, bytes: sent.bytes },
    received: received.packets < 0 ? undefined : { packets: received.packets, bytes: received.bytes },
  };
}

function textOf(family: Family, bytes: Uint8Array, at: number): string {
  if (family === 4) return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
  return formatAddress(addressFromBytes(bytes.subarray(at, at + 16))!);
}
