import { printable } from '../base/printable.ts';
import type {
  FlowAmounts,
  FlowEnd,
  FlowMeasure,
  FlowTotalRow,
  FlowTotalsResult,
} from '../control/flow-request.ts';
import { bytesText, table, text } from './format.ts';
import { noteLines } from './note-lines.ts';

/** Texts of totals for people. Names come from whoever may make a pod or a node, and are not trusted. */

/** The busiest pairs, or pods, one a line. */
export function formatTop(
  result: FlowTotalsResult,
  { by, limit, pods }: { readonly by: FlowMeasure; readonly limit: number; readonly pods: boolean },
): string {
  const head = [`in the last ${result.seconds} s, by ${by}`, ''];
  const rows = pods ? podRows(result.rows, by).slice(0, limit) : result.rows.slice(0, limit).map(pairRow);
  const lines = rows.length === 0 ? ['nothing'] : table(pods ? POD_COLUMNS : PAIR_COLUMNS, rows);
  const { others } = result;
  const rest = others === null || pods ? [] : ['', `others  ${amountsText(others)}`];
  return text([...head, ...lines, ...rest, ...noteLines(result)]);
}

/** Each source with those that it talks to beneath it. */
export function formatMap(result: FlowTotalsResult): string {
  const { rows, others } = result;
  const linesBySource = new Map<string, string[]>();
  for (const row of rows) {
    const source = sourceText(row.source);
    const lines = linesBySource.get(source) ?? [];
    linesBySource.set(source, lines);
    lines.push(`  > ${endText(row.target)}  ${portText(row)}  ${amountsText(row)}`);
  }
  const sorted = [...linesBySource].sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = sorted.flatMap(([source, targets]) => [source, ...targets]);
  return text([
    ...(lines.length === 0 ? ['nobody talks to anybody'] : lines),
    ...(others === null ? [] : [`others  ${amountsText(others)}`]),
    ...noteLines(result),
  ]);
}

const PAIR_COLUMNS = ['FROM', 'TO', 'PORT', 'OPEN', 'BEGAN', 'DENIED', 'SENT', 'GOT'] as const;
const POD_COLUMNS = ['POD', 'OPEN', 'BEGAN', 'DENIED', 'SENT', 'GOT'] as const;

function pairRow(row: FlowTotalRow): string[] {
  return [sourceText(row.source), endText(row.target), portText(row), ...amountCells(row)];
}

/** What each pod does, as source and as target: sent is what leaves it. */
function podRows(rows: readonly FlowTotalRow[], by: FlowMeasure): string[][] {
  const amountsByPod = new Map<string, FlowAmounts>();
  const add = (name: string, more: FlowAmounts): void => {
    const sum = amountsByPod.get(name);
    amountsByPod.set(name, sum === undefined ? more : sumOf(sum, more));
  };
  for (const { source, target, open, began, drops, sentBytes, receivedBytes } of rows) {
    if (source !== null) add(endText(source), { open, began, drops, sentBytes, receivedBytes });
    if (target.node === null || target.address === source?.address) continue;
    add(endText(target), { open, began, drops, sentBytes: receivedBytes, receivedBytes: sentBytes });
  }
  return [...amountsByPod]
    .sort(([, a], [, b]) => weight(b, by) - weight(a, by))
    .map(([name, amounts]) => [name, ...amountCells(amounts)]);
}

function sumOf(a: FlowAmounts, b: FlowAmounts): FlowAmounts {
  return {
    open: a.open + b.open,
    began: a.began + b.began,
    drops: a.drops + b.drops,
    sentBytes: a.sentBytes + b.sentBytes,
    receivedBytes: a.receivedBytes + b.receivedBytes,
  };
}

function weight(amounts: FlowAmounts, by: FlowMeasure): number {
  if (by === 'bytes') return amounts.sentBytes + amounts.receivedBytes;
  return by === 'drops' ? amounts.drops : amounts.began;
}

function amountCells({ open, began, drops, sentBytes, receivedBytes }: FlowAmounts): string[] {
  return [String(open), String(began), String(drops), bytesText(sentBytes), bytesText(receivedBytes)];
}

function amountsText({ open, began, drops, sentBytes, receivedBytes }: FlowAmounts): string {
  const denied = drops > 0 ? `, ${drops} packets DENIED` : '';
  return `${open} open, ${began} began${denied}, sent ${bytesText(sentBytes)}, got ${bytesText(receivedBytes)}`;
}

function sourceText(source: FlowEnd | null): string {
  return source === null ? 'outside' : endText(source);
}

/** `ns/pod`, `node n1`, or an address with the node that has it. */
function endText({ address, pod, node, isNode }: FlowEnd): string {
  if (pod !== null) return printable(pod);
  if (node === null) return printable(address);
  return isNode ? `node ${printable(node)}` : `${printable(address)} on ${printable(node)}`;
}

/** `TCP 80 of 10.96.0.10`, `UDP 53`, `ICMP`. */
function portText({ protocol, port, service }: FlowTotalRow): string {
  const number = port === null ? '' : ` ${port}`;
  return `${printable(protocol)}${number}${service === null ? '' : ` of ${printable(service)}`}`;
}
