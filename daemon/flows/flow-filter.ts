import type { FlowEnd, FlowFilter, FlowRow } from '../../control/flow-request.ts';
import type { FlowRecord } from '../../flows/flow.ts';

/** Labels of the pod that has an address, where they are known. */
type LabelsOf = (address: string) => Readonly<Record<string, string>> | undefined;

/**
 * Whether a record may be wanted, as far as that can be seen without any names: finding those out, and making a row, costs
 * more than all that was done to the record before.
 */
export function mayPassFlowFilter(record: FlowRecord, filter: FlowFilter): boolean {
  if (record.kind === 'gap' || record.kind === 'repaired') return true;
  const { port, verdict, pod, from, to, namespace, label, node } = filter;
  const isDrop = record.kind === 'drop';
  if (verdict !== undefined && isDrop !== (verdict === 'dropped')) return false;
  const { source, target, targetPort, sourceOwner, targetOwner } = isDrop ? record : record.flow;
  const [destination, destinationPort] = isDrop
    ? [target, targetPort]
    : [record.flow.destination, record.flow.destinationPort];
  if (port !== undefined && port !== targetPort && port !== destinationPort) return false;
  const isTo = (wanted: string): boolean => wanted === target || wanted === destination;
  if (isAddress(from) && from !== source) return false;
  if (isAddress(to) && !isTo(to)) return false;
  if (isAddress(pod) && pod !== source && !isTo(pod)) return false;
  const needsCluster = namespace !== undefined || label !== undefined || node !== undefined;
  return !needsCluster || sourceOwner !== undefined || targetOwner !== undefined;
}

/** An address, and no `namespace/name`. */
function isAddress(text: string | undefined): text is string {
  return text !== undefined && !text.includes('/');
}

/** Whether a reader who asks for `filter` wants `row`. */
export function passesFlowFilter(row: FlowRow, filter: FlowFilter, labelsOf: LabelsOf): boolean {
  if (row.kind === 'gap' || row.kind === 'repaired') return true;
  const { source, target } = row;
  const ends = [source, target];
  const service = row.kind === 'drop' ? null : row.service;
  const { pod, from, to, namespace, label, port, verdict, node } = filter;
  if (verdict !== undefined && row.verdict !== verdict) return false;
  if (port !== undefined && target.port !== port && service?.port !== port) return false;
  const isTo = (wanted: string): boolean => isEnd(target, wanted) || service?.address === wanted;
  if (pod !== undefined && !isEnd(source, pod) && !isTo(pod)) return false;
  if (from !== undefined && !isEnd(source, from)) return false;
  if (to !== undefined && !isTo(to)) return false;
  if (namespace !== undefined && !ends.some((end) => end.pod?.startsWith(`${namespace}/`))) return false;
  if (node !== undefined && !ends.some((end) => end.node === node)) return false;
  return label === undefined || ends.some((end) => hasLabel(end, label, labelsOf));
}

/** `wanted` is a pod's `namespace/name`, or an address. */
function isEnd(end: FlowEnd, wanted: string): boolean {
  return end.pod === wanted || end.address === wanted;
}

/** `label` is `key=value`, or a key. */
function hasLabel(end: FlowEnd, label: string, labelsOf: LabelsOf): boolean {
  const labels = labelsOf(end.address);
  if (labels === undefined) return false;
  const [key, ...value] = label.split('=');
  const found = Object.hasOwn(labels, key!) ? labels[key!] : undefined;
  return found !== undefined && (value.length === 0 || found === value.join('='));
}
