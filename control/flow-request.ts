import { fail, ok, type Result } from '../base/result.ts';

/** What the `weft` command asks weftd about flows, and what it is answered. */
export type FlowRequest =
  /**
   * Rows from `cursor` on, at most `limit`. `open`: the connections that are open now, without a cursor. `follow`: what
   * comes after `cursor`; empty: from now on, which is
   * answered at once. Else answered when there is something, and within {@link FLOW_WAIT_MS}; the next
   * request takes the cursor of the answer, so a reader goes at its own pace. `last`: the last ones that were kept.
   */
  | {
      readonly op: 'flows';
      readonly want: 'open' | 'follow' | 'last';
      /** Of a cluster it holds one of each node. */
      readonly cursor: string;
      /** 1 to {@link MAX_FLOW_ROWS}. */
      readonly limit: number;
      readonly filter: FlowFilter;
      /** Of all nodes. */
      readonly cluster?: boolean;
    }
  /**
   * What pairs did in the last `seconds` (1 to {@link MAX_TOTAL_SECONDS}), the `limit` busiest of them. `wait`: where it was
   * not watched for so long, for as long as {@link TOTAL_WAIT_S}; else what is known now.
   */
  | {
      readonly op: 'flowTotals';
      readonly seconds: number;
      readonly wait: boolean;
      readonly by: FlowMeasure;
      /** 1 to {@link MAX_TOTAL_ROWS}. */
      readonly limit: number;
      /** Of all nodes. */
      readonly cluster?: boolean;
    };

/** By what pairs are sorted, the most first. */
export type FlowMeasure = 'bytes' | 'connections' | 'drops';

/** Rows that are wanted: those to which all that is given applies. Rows that tell of a gap are always wanted. */
export interface FlowFilter {
  /** A pod at either end, as `namespace/name`, or an address. */
  readonly pod?: string;
  readonly from?: string;
  readonly to?: string;
  readonly namespace?: string;
  /** `key=value` of a pod at either end. */
  readonly label?: string;
  /** Of the target, or of the Service. */
  readonly port?: number;
  readonly verdict?: FlowVerdict;
  /** The name of a node at either end. */
  readonly node?: string;
}

type FlowVerdict = 'forwarded' | 'dropped';

/** What each request is answered with. */
export interface FlowResults {
  flows: FlowsResult;
  flowTotals: FlowTotalsResult;
}

/** A node that did not tell of its flows, and why. */
export interface SilentNode {
  readonly node: string;
  readonly reason: string;
}

/** Which nodes an answer of the cluster is of. */
interface ClusterAnswer {
  /** How many told, with the one that was asked. Absent: that one alone was to. */
  readonly nodes?: number;
  readonly silent?: readonly SilentNode[];
}

export interface FlowsResult extends ClusterAnswer {
  /** The node that tells. */
  readonly node: string;
  readonly rows: readonly FlowRow[];
  readonly cursor: string;
  /** Records between the cursor of the request and the first row that the reader was too slow for. */
  readonly lost: number;
  /** Rows beyond the limit; of `follow`, the next request gives them. */
  readonly more: number;
  /** Whether the kernel counts bytes and packets (`nf_conntrack_acct`). */
  readonly counted: boolean;
  /** Whether it is recorded while nobody watches (`weftd --flows`). */
  readonly recording: boolean;
  /** What is missing, and what to do: a sentence each. */
  readonly notes: readonly string[];
}

export interface FlowTotalsResult extends ClusterAnswer {
  readonly node: string;
  /** For how long it was watched: what pairs did is of so long. */
  readonly seconds: number;
  readonly rows: readonly FlowTotalRow[];
  /** All pairs that are not among the rows, together; null where there are none. */
  readonly others: FlowAmounts | null;
  readonly counted: boolean;
  readonly notes: readonly string[];
}

/** What one pair did. */
export interface FlowTotalRow extends FlowAmounts {
  /** Null: anybody outside of the cluster. Ports of clients are not told. */
  readonly source: FlowEnd | null;
  readonly target: FlowEnd;
  /** The address to which clients sent it, where that was translated; the port is that of {@link port}. */
  readonly service: string | null;
  /** Of the Service, where there is one. */
  readonly port: number | null;
  readonly protocol: string;
}

/** How much it is. */
export interface FlowAmounts {
  /** Connections that are open now, and those that began meanwhile. */
  readonly open: number;
  readonly began: number;
  /** Denied packets, of those that are told. */
  readonly drops: number;
  /** From the source to the target, and back. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** One end of a flow. */
export interface FlowEnd {
  readonly address: string;
  readonly port: number | null;
  /** `namespace/name`, where that is known. */
  readonly pod: string | null;
  /** The node that owns the address; null: outside of the cluster's range. */
  readonly node: string | null;
  /** The address is the node's own, and no pod's. */
  readonly isNode: boolean;
}

interface FlowCounts {
  readonly packets: number;
  readonly bytes: number;
}

/** Times are milliseconds since 1970. */
export type FlowRow =
  | {
      /** live: it was there before it was watched. gone: its end was not seen. */
      readonly kind: 'start' | 'live' | 'update' | 'end' | 'gone';
      readonly at: number;
      readonly verdict: 'forwarded';
      /** `TCP` … or `protocol 47`. */
      readonly protocol: string;
      readonly source: FlowEnd;
      /** Where it really went. */
      readonly target: FlowEnd;
      /** Where the client sent it, where that was translated. */
      readonly service: { readonly address: string; readonly port: number | null } | null;
      readonly direction: 'out' | 'in' | 'local' | 'through';
      readonly replied: boolean;
      readonly startedAt: number | null;
      /** Since it began. */
      readonly sent: FlowCounts | null;
      readonly received: FlowCounts | null;
    }
  | {
      readonly kind: 'drop';
      readonly at: number;
      readonly verdict: 'dropped';
      readonly protocol: string;
      readonly source: FlowEnd;
      readonly target: FlowEnd;
      readonly way: 'ingress' | 'egress';
      readonly policies: readonly string[];
    }
  | {
      readonly kind: 'gap';
      readonly at: number;
      readonly from: number;
      readonly reason: 'overrun' | 'flood' | 'drops';
      /** How many events are missing; null: nobody counted. */
      readonly count: number | null;
      /** The node of which they are missing, in an answer of the cluster. */
      readonly node?: string;
    }
  | {
      readonly kind: 'repaired';
      readonly at: number;
      readonly found: number;
      readonly gone: number;
      readonly node?: string;
    };

/** The longest that `follow` is left without an answer. */
export const FLOW_WAIT_MS = 5_000;
export const MAX_FLOW_ROWS = 2_000;
export const MAX_TOTAL_SECONDS = 600;
export const MAX_TOTAL_ROWS = 1_000;
/** The longest that `flowTotals` watches before it answers, seconds. */
export const TOTAL_WAIT_S = 10;
/** Of one node: what weftd makes has some 40 characters. */
export const MAX_CURSOR_LENGTH = 48;
/** Of the nodes of a cluster: 3,000 of them, and more. */
const MAX_CLUSTER_CURSOR_LENGTH = 200_000;
/** A pod as namespace/name, and a label as key=value, are no longer. */
const MAX_TEXT_LENGTH = 400;
const TEXT_FILTERS = ['pod', 'from', 'to', 'namespace', 'label', 'node'] as const;
const FILTERS: readonly string[] = [...TEXT_FILTERS, 'port', 'verdict'];

/** Reads a request, which is not trusted; undefined where it is another one. */
export function decodeFlowRequest(
  request: Readonly<Record<string, unknown>>,
): Result<FlowRequest, 'request-bad-flows'> | undefined {
  const { op, want, cursor, limit, filter, cluster } = request;
  if (op === 'flowTotals') return decodeTotals(request);
  if (op !== 'flows') return undefined;
  if (!isSwitch(cluster)) return fail('request-bad-flows');
  const isWanted = want === 'open' || want === 'follow' || want === 'last';
  if (
    !isWanted ||
    !isText(cursor, cluster ? MAX_CLUSTER_CURSOR_LENGTH : MAX_CURSOR_LENGTH) ||
    !isInteger(limit, 1, MAX_FLOW_ROWS) ||
    !isFilter(filter)
  )
    return fail('request-bad-flows');
  return ok({ op, want, cursor, limit, filter, ...(cluster ? { cluster } : {}) });
}

function decodeTotals({
  seconds,
  wait,
  by,
  limit,
  cluster,
}: Readonly<Record<string, unknown>>): Result<FlowRequest, 'request-bad-flows'> {
  const isMeasure = by === 'bytes' || by === 'connections' || by === 'drops';
  const fits = isInteger(seconds, 1, MAX_TOTAL_SECONDS) && isInteger(limit, 1, MAX_TOTAL_ROWS);
  if (!isMeasure || !fits || typeof wait !== 'boolean' || !isSwitch(cluster))
    return fail('request-bad-flows');
  return ok({ op: 'flowTotals', seconds, wait, by, limit, ...(cluster ? { cluster } : {}) });
}

function isFilter(value: unknown): value is FlowFilter {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const filter = value as Readonly<Record<string, unknown>>;
  return (
    Object.keys(filter).every((key) => FILTERS.includes(key)) &&
    TEXT_FILTERS.every((key) => filter[key] === undefined || isText(filter[key], MAX_TEXT_LENGTH)) &&
    (filter.port === undefined || isInteger(filter.port, 0, 65_535)) &&
    (filter.verdict === undefined || filter.verdict === 'forwarded' || filter.verdict === 'dropped')
  );
}

function isSwitch(value: unknown): value is boolean | undefined {
  return value === undefined || typeof value === 'boolean';
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length <= maxLength;
}

function isInteger(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}
