import { printable } from '../base/printable.ts';
import type { FlowEnd, FlowRow } from '../control/flow-request.ts';
import { bytesText } from './format.ts';

/** Texts of flows for people. Names come from whoever may make a pod or a node, and are not trusted. */

const KIND_TEXT: Readonly<Record<string, string>> = {
  start: 'start',
  live: 'open',
  update: 'moved',
  end: 'end',
  gone: 'gone',
  drop: 'DROPPED',
};

const GAP_TEXT: Readonly<Record<string, string>> = {
  overrun: 'the kernel had more events than were read',
  flood: 'more connections began than are read',
  drops: 'more packets were denied than are kept',
};

/** One line, without its end: time, what happened, protocol, both ends, the Service, and how much it moved. */
export function formatFlowRow(row: FlowRow): string {
  const time = new Date(row.at).toISOString().slice(11, 23);
  if (row.kind === 'gap') {
    const since = new Date(row.from).toISOString().slice(11, 23);
    const count = row.count === null ? 'events' : `${row.count} events`;
    return `${time}  --- ${ofNode(row.node)}${count} missing since ${since}: ${GAP_TEXT[row.reason] ?? printable(row.reason)} ---`;
  }
  if (row.kind === 'repaired')
    return `${time}  --- ${ofNode(row.node)}all that is open is known again: ${row.found} had begun unseen, ${row.gone} had ended ---`;
  const head = [
    time,
    (KIND_TEXT[row.kind] ?? printable(row.kind)).padEnd(7),
    printable(row.protocol).padEnd(4),
  ];
  const line = `${head.join('  ')}  ${endText(row.source)} > ${endText(row.target)}`;
  if (row.kind === 'drop')
    return `${line}  ${printable(row.way)}, by ${row.policies.map((policy) => printable(policy)).join(', ') || 'no policy that is known'}`;
  const service =
    row.service === null ? '' : `  via ${withPort(printable(row.service.address), row.service.port)}`;
  return `${line}${service}${movedText(row)}`;
}

function ofNode(node: string | undefined): string {
  return node === undefined ? '' : `${printable(node)}: `;
}

function movedText(row: Extract<FlowRow, { direction: string }>): string {
  const isOver = row.kind !== 'start';
  const silent = isOver && !row.replied ? '  no answer' : '';
  if (row.sent === null || row.received === null || !isOver) return silent;
  return `  sent ${bytesText(row.sent.bytes)}, got ${bytesText(row.received.bytes)}${silent}`;
}

/** `ns/pod 10.32.0.5:80`, `node n1 10.32.0.1`, `192.0.2.7:443`. */
function endText({ address, port, pod, node, isNode }: FlowEnd): string {
  const at = withPort(printable(address), port);
  if (pod !== null) return `${printable(pod)} ${at}`;
  return isNode && node !== null ? `node ${printable(node)} ${at}` : at;
}

function withPort(address: string, port: number | null): string {
  if (port === null) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
