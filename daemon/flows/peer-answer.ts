import { parseAddress } from '../../base/address.ts';
import type { FlowAmounts, FlowEnd, FlowRow, FlowTotalRow } from '../../control/flow-request.ts';
import type { ToldTunnel } from '../../control/tunnels-request.ts';
import { isCursor } from './cluster-cursor.ts';

/** What another node answered about its flows, as far as it is used. */
export type PeerAnswer =
  | {
      readonly rows: readonly FlowRow[];
      /** Where a reader that follows goes on. */
      readonly cursor: string;
      readonly lost: number;
      readonly more: number;
      readonly notes: readonly string[];
    }
  | {
      readonly totals: readonly FlowTotalRow[];
      readonly others: FlowAmounts | null;
      readonly seconds: number;
      readonly notes: readonly string[];
    }
  | { readonly tunnels: readonly ToldTunnel[]; readonly more: number }
  /** Why it does not tell. */
  | { readonly error: string };

type Json = Readonly<Record<string, unknown>>;

/** Tunnels that one node is asked for. */
export const MAX_TOLD_TUNNELS = 1_000;
const MAX_NOTES = 16;
const MAX_POLICIES = 100;
const MAX_TEXT_LENGTH = 400;
/** Milliseconds since 1970 that a `Date` can hold (ECMA-262, "Time Values and Time Range"). */
const MAX_TIME_MS = 8.64e15;
const CONNECTION_KINDS: readonly unknown[] = ['start', 'live', 'update', 'end', 'gone'];
const DIRECTIONS: readonly unknown[] = ['out', 'in', 'local', 'through'];
const GAP_REASONS: readonly unknown[] = ['overrun', 'flood', 'drops'];
const TUNNEL_STATES: readonly unknown[] = [
  ...['connected', 'connecting', 'idle', 'unreachable', 'suspect', 'dead', 'left'],
];

/**
 * Reads the text of an answer to a question for `limit` rows or tunnels, which is not trusted: any node of the cluster may
 * have been taken over. Undefined also where there are more than that.
 */
export function readPeerAnswer(text: string, limit: number): PeerAnswer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  if (isText(value.error)) return { error: value.error };
  const { rows, cursor, lost, more, notes, others, seconds, tunnels } = value;
  if (isList(tunnels, limit, isTunnel)) return isCount(more) ? { tunnels, more } : undefined;
  if (!isList(notes, MAX_NOTES, isText)) return undefined;
  if (isList(rows, limit, isFlowRow) && isCount(more) && isCount(lost) && isCursor(cursor))
    return { rows, cursor, lost, more, notes };
  const isTotals = isList(rows, limit, isTotalRow) && isCount(seconds);
  if (!isTotals || (others !== null && !isAmounts(others))) return undefined;
  return { totals: rows, others, seconds, notes };
}

function isFlowRow(value: unknown): value is FlowRow {
  if (!isRecord(value) || !isTime(value.at)) return false;
  const { kind, from, reason, count, found, gone } = value;
  if (kind === 'gap')
    return isTime(from) && GAP_REASONS.includes(reason) && (count === null || isCount(count));
  if (kind === 'repaired') return isCount(found) && isCount(gone);
  if (!isText(value.protocol) || !isEnd(value.source) || !isEnd(value.target)) return false;
  return kind === 'drop' ? isDrop(value) : isConnection(value);
}

function isDrop({ verdict, way, policies }: Json): boolean {
  const isWay = way === 'ingress' || way === 'egress';
  return verdict === 'dropped' && isWay && isList(policies, MAX_POLICIES, isText);
}

function isConnection({
  kind,
  verdict,
  service,
  direction,
  replied,
  startedAt,
  sent,
  received,
}: Json): boolean {
  return (
    CONNECTION_KINDS.includes(kind) &&
    verdict === 'forwarded' &&
    (service === null || (isRecord(service) && isAddress(service.address) && isPort(service.port))) &&
    DIRECTIONS.includes(direction) &&
    typeof replied === 'boolean' &&
    (startedAt === null || isTime(startedAt)) &&
    [sent, received].every(
      (each) => each === null || (isRecord(each) && isCount(each.packets) && isCount(each.bytes)),
    )
  );
}

function isTunnel(value: unknown): value is ToldTunnel {
  if (!isRecord(value)) return false;
  const { peerId, state, endpoint, via, datapath, suite, rttMs, mtu, mtuConfirmed, loss, link } = value;
  return (
    isText(peerId) &&
    TUNNEL_STATES.includes(state) &&
    [endpoint, via, datapath, suite].every((each) => each === null || isText(each)) &&
    (rttMs === null || isCount(rttMs)) &&
    isCount(mtu) &&
    typeof mtuConfirmed === 'boolean' &&
    (loss === null || isCount(loss)) &&
    isCount(value.sentBytes) &&
    isCount(value.receivedBytes) &&
    (link === null || link === 'ours' || link === 'theirs')
  );
}

function isTotalRow(value: unknown): value is FlowTotalRow {
  if (!isRecord(value) || !isAmounts(value)) return false;
  const { source, target, service, port, protocol } = value as Json;
  return (
    (source === null || isEnd(source)) &&
    isEnd(target) &&
    (service === null || isAddress(service)) &&
    isPort(port) &&
    isText(protocol)
  );
}

function isEnd(value: unknown): value is FlowEnd {
  if (!isRecord(value)) return false;
  const { address, port, pod, node, isNode } = value;
  return (
    isAddress(address) &&
    isPort(port) &&
    (pod === null || isText(pod)) &&
    (node === null || isText(node)) &&
    typeof isNode === 'boolean'
  );
}

function isAmounts(value: unknown): value is FlowAmounts {
  return (
    isRecord(value) &&
    [value.open, value.began, value.drops, value.sentBytes, value.receivedBytes].every(isCount)
  );
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 45 && parseAddress(value) !== undefined;
}

function isPort(value: unknown): boolean {
  return value === null || (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isTime(value: unknown): value is number {
  return isCount(value) && value <= MAX_TIME_MS;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT_LENGTH;
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList<T>(value: unknown, most: number, isOne: (each: unknown) => each is T): value is T[] {
  return Array.isArray(value) && value.length <= most && value.every(isOne);
}
