import type { FlowAmounts, FlowMeasure, FlowTotalRow } from '../../control/flow-request.ts';
import type { FlowEvent } from '../../flows/flow.ts';
import { emptyTotal, type FlowPair, type PairTotal, pairKey, pairOf } from '../../flows/flow-totals.ts';
import { endOf, type KnownNames, protocolName } from './flow-rows.ts';

/** A pair, and how many of its connections are open now. */
interface OpenPair {
  readonly pair: FlowPair;
  open: number;
}

/** What pairs did, with what is open now: by pair, busiest first. Pairs that have no place of their own are the `others`. */
interface RankedTotals {
  readonly rows: readonly (PairTotal & { readonly pair: FlowPair; readonly open: number })[];
  readonly others: FlowAmounts | null;
}

/** Joins `totals` with the connections that live, and sorts them; the `limit` busiest have rows of their own. */
export function rankTotals(
  totals: readonly PairTotal[],
  live: Iterable<FlowEvent>,
  { by, limit }: { readonly by: FlowMeasure; readonly limit: number },
): RankedTotals {
  const openByKey = new Map<string, OpenPair>();
  for (const { flow } of live) {
    const key = pairKey(flow);
    const known = openByKey.get(key);
    if (known === undefined) openByKey.set(key, { pair: pairOf(flow), open: 1 });
    else known.open++;
  }
  const all: (PairTotal & { pair: FlowPair; open: number })[] = [];
  const rest: (PairTotal & { open: number })[] = [];
  for (const total of totals) {
    if (total.pair === undefined) {
      rest.push({ ...total, open: 0 });
      continue;
    }
    const open = openByKey.get(total.key)?.open ?? 0;
    openByKey.delete(total.key);
    all.push({ ...total, pair: total.pair, open });
  }
  for (const [key, { pair, open }] of openByKey) all.push({ ...emptyTotal(key, pair), pair, open });
  all.sort((a, b) => weight(b, by) - weight(a, by) || b.open - a.open || b.connections - a.connections);
  rest.push(...all.slice(limit));
  return { rows: all.slice(0, limit), others: rest.length === 0 ? null : amountsOf(rest) };
}

/** A row as users read it. */
export function totalRow(total: RankedTotals['rows'][number], names: KnownNames): FlowTotalRow {
  const { pair } = total;
  return {
    source: pair.source === undefined ? null : endOf(pair.source, -1, pair.sourceOwner, names),
    target: endOf(pair.target, pair.targetPort, pair.targetOwner, names),
    service: pair.service ?? null,
    port: pair.port < 0 ? null : pair.port,
    protocol: protocolName(pair.protocol),
    ...amountsOf([total]),
  };
}

/** Addresses of the cluster's range in them. */
export function addressesOfTotals(rows: RankedTotals['rows']): Set<string> {
  const addresses = new Set<string>();
  for (const { pair } of rows) {
    if (pair.source !== undefined) addresses.add(pair.source);
    if (pair.targetOwner !== undefined) addresses.add(pair.target);
  }
  return addresses;
}

function weight(total: PairTotal & { readonly open: number }, by: FlowMeasure): number {
  if (by === 'bytes') return total.sentBytes + total.receivedBytes;
  return by === 'drops' ? total.drops : total.connections + total.open;
}

function amountsOf(totals: readonly (PairTotal & { readonly open: number })[]): FlowAmounts {
  const sum = { open: 0, began: 0, drops: 0, sentBytes: 0, receivedBytes: 0 };
  for (const { open, connections, drops, sentBytes, receivedBytes } of totals) {
    sum.open += open;
    sum.began += connections;
    sum.drops += drops;
    sum.sentBytes += sentBytes;
    sum.receivedBytes += receivedBytes;
  }
  return sum;
}
