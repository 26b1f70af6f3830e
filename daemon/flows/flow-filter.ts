import type { FlowEnd, FlowFilter, FlowRow } from '../../control/flow-request.ts';

/** Labels of the pod that has an address, where they are known. */
type LabelsOf = (address: string) => Readonly<Record<string, string>> | undefined;

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
