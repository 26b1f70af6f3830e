import { parseAddress } from '../../base/address.ts';
import {
  type FlowAmounts,
  type FlowEnd,
  type FlowRow,
  type FlowTotalRow,
  MAX_FLOW_ROWS,
  MAX_TOTAL_ROWS,
} from '../../control/flow-request.ts';

/** What another node answered about its flows, as far as it is used. */
export type PeerAnswer =
  | { readonly rows: readonly FlowRow[]; readonly more: number; readonly notes: readonly string[] }
  | {
      readonly totals: readonly FlowTotalRow[];
      readonly others: FlowAmounts | null;
      readonly seconds: number;
      readonly notes: readonly string[];
    }
  /** Why it does not tell. */
  | { readonly error: string };

type Json = Readonly<Record<string, unknown>>;

const MAX_NOTES = 16;
const MAX_TEXT_LENGTH = 400;
const CONNECTION_KINDS = ['start', 'live', 'update', 'end', 'gone'];

/** Reads the text of an answer, which is not trusted: any node of the cluster may have been taken over. */
export function readPeerAnswer(text: string): PeerAnswer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  if (isText(value.error)) return { error: value.error };
  const { rows, more, notes, others, seconds } = value;
  if (!isList(notes, MAX_NOTES, isText)) return undefined;
  if (isList(rows, MAX_FLOW_ROWS, isOpenRow) && isCount(more)) return { rows, more, notes };
  const isTotals = isList(rows, MAX_TOTAL_ROWS, isTotalRow) && isCount(seconds);
  if (!isTotals || (others !== null && !isAmounts(others))) return undefined;
  return { totals: rows, others, seconds, notes };
}

/** A connection that is open: nothing else is asked of other nodes. */
function isOpenRow(value: unknown): value is FlowRow {
  if (!isRecord(value)) return false;
  const {
    kind,
    at,
    verdict,
    protocol,
    source,
    target,
    service,
    direction,
    replied,
    startedAt,
    sent,
    received,
  } = value;
  return (
    CONNECTION_KINDS.includes(kind as string) &&
    isCount(at) &&
    verdict === 'forwarded' &&
    isText(protocol) &&
    isEnd(source) &&
    isEnd(target) &&
    (service === null || (isRecord(service) && isAddress(service.address) && isPort(service.port))) &&
    ['out', 'in', 'local', 'through'].includes(direction as string) &&
    typeof replied === 'boolean' &&
    (startedAt === null || isCount(startedAt)) &&
    [sent, received].every(
      (each) => each === null || (isRecord(each) && isCount(each.packets) && isCount(each.bytes)),
    )
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
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
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
