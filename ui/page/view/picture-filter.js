/**
 * Which rows are shown.
 *
 * @import { EdgeRow, NodeRow, TunnelRow, WorkloadRow } from '../../picture/picture.ts'
 * @import { PictureStore } from '../live/picture-store.js'
 *
 * @typedef {{ readonly text: string, readonly namespace: string, readonly node: string, readonly verdict: string }} Filter
 *   Empty where anything will do. `node`: a name. `verdict`: `forwarded` or `dropped`.
 */

/**
 * Workloads and edges to which all of the filter applies. An edge is shown where one of its ends is wanted; a workload
 * where it is wanted itself, or stands at the other end of an edge that is shown.
 *
 * @param {PictureStore} picture
 * @param {Filter} filter
 * @returns {{ workloads: WorkloadRow[], edges: EdgeRow[] }}
 */
export function filterWorkloads(picture, filter) {
  const text = filter.text.trim().toLowerCase();
  /** @type {Set<string>} */
  const wanted = new Set();
  /** @type {Set<string>} */
  const wantedByPlace = new Set();
  for (const row of picture.workloads.values()) {
    if (!isInPlace(row, filter)) continue;
    wantedByPlace.add(row.id);
    if (text === '' || workloadTexts(row).some((each) => each.toLowerCase().includes(text)))
      wanted.add(row.id);
  }
  /** @type {EdgeRow[]} */
  const edges = [];
  const shown = new Set(filter.verdict === '' ? wanted : []);
  for (const edge of picture.edges.values()) {
    const { source, target } = edge;
    if (!picture.workloads.has(source) || !picture.workloads.has(target)) continue;
    if (!isOfVerdict(edge, filter.verdict)) continue;
    const fits =
      wanted.has(source) ||
      wanted.has(target) ||
      ((wantedByPlace.has(source) || wantedByPlace.has(target)) && edgeHas(edge, text));
    if (!fits) continue;
    edges.push(edge);
    shown.add(source).add(target);
  }
  return { workloads: [...picture.workloads.values()].filter(({ id }) => shown.has(id)), edges };
}

/**
 * Nodes and tunnels to which the filter applies. Verdicts are of workloads and hide nothing here; a namespace shows the
 * nodes that its workloads are on.
 *
 * @param {PictureStore} picture
 * @param {Filter} filter
 * @returns {{ nodes: NodeRow[], tunnels: TunnelRow[] }}
 */
export function filterNodes(picture, filter) {
  const text = filter.text.trim().toLowerCase();
  const hosts = new Set(
    filter.namespace === ''
      ? []
      : [...picture.workloads.values()]
          .filter(({ namespace }) => namespace === filter.namespace)
          .flatMap(({ nodes }) => nodes),
  );
  const wanted = new Set(
    [...picture.nodes.values()]
      .filter(
        (node) =>
          (filter.node === '' || node.name === filter.node) &&
          (filter.namespace === '' || hosts.has(node.name)) &&
          (text === '' || nodeTexts(node).some((each) => each.toLowerCase().includes(text))),
      )
      .map(({ id }) => id),
  );
  const isWhole = filter.node === '' && filter.namespace === '' && text === '';
  const shown = new Set(wanted);
  const tunnels = [...picture.tunnels.values()].filter(({ from, to }) => {
    if (!picture.nodes.has(from) || !picture.nodes.has(to)) return false;
    if (!isWhole && !wanted.has(from) && !wanted.has(to)) return false;
    shown.add(from).add(to);
    return true;
  });
  // Who sees all tunnels of one end as wanted needs no node that only hangs on the node that was asked.
  const self = [...picture.nodes.values()].find(({ isSelf }) => isSelf);
  if (!isWhole && self !== undefined && wanted.has(self.id) && wanted.size > 1) {
    const kept = tunnels.filter(({ from, to }) => wanted.has(from) && wanted.has(to));
    return { nodes: [...picture.nodes.values()].filter(({ id }) => wanted.has(id)), tunnels: kept };
  }
  return { nodes: [...picture.nodes.values()].filter(({ id }) => shown.has(id)), tunnels };
}

/**
 * Namespaces of all workloads, by their names.
 *
 * @param {PictureStore} picture
 * @returns {string[]}
 */
export function namespacesOf(picture) {
  const names = new Set([...picture.workloads.values()].map(({ namespace }) => namespace));
  return [...names].filter((name) => name !== null).sort();
}

/**
 * @param {WorkloadRow} row
 * @param {Filter} filter
 */
function isInPlace(row, { namespace, node }) {
  return (namespace === '' || row.namespace === namespace) && (node === '' || row.nodes.includes(node));
}

/**
 * @param {EdgeRow} edge
 * @param {string} wanted
 */
function isOfVerdict({ verdict }, wanted) {
  if (wanted === '') return true;
  return verdict === 'mixed' || verdict === wanted || (wanted === 'forwarded' && verdict === 'idle');
}

/** @param {WorkloadRow} row */
function workloadTexts({ namespace, name, pods }) {
  return [
    `${namespace ?? ''}/${name}`,
    ...pods.flatMap((pod) => [pod.name, `${namespace ?? ''}/${pod.name}`, pod.address]),
  ];
}

/**
 * @param {EdgeRow} edge
 * @param {string} text in small letters
 */
function edgeHas({ policies, ports }, text) {
  return (
    text !== '' &&
    (policies.some((policy) => policy.toLowerCase().includes(text)) ||
      ports.some(({ service, port }) => service?.includes(text) === true || String(port) === text))
  );
}

/** @param {NodeRow} node */
function nodeTexts({ name, id, addresses, endpoints }) {
  return [name, id, ...addresses, ...endpoints];
}
