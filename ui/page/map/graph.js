/**
 * What a map draws: items, and links between them, made of rows.
 *
 * @import { EdgeRow, NodeRow, TunnelRow, WorkloadRow } from '../../picture/picture.ts'
 *
 * @typedef {'circle' | 'hexagon' | 'diamond' | 'square' | 'ring'} Shape
 * @typedef {'plain' | 'mixed' | 'denied' | 'idle' | 'relayed' | 'none'} LinkStyle
 *
 * @typedef {object} Item
 * @property {string} id
 * @property {string} label
 * @property {string} group items of one group stand together; empty: no group
 * @property {Shape} shape
 * @property {number} radius pixels
 * @property {boolean} isFilled
 * @property {boolean} isBad
 * @property {number} weight who is named first where there is no room for all
 * @property {number} rank on a map of rings, how far from the middle it stands: the first in the middle
 * @property {string} facts a line of what is known of it
 *
 * @typedef {object} Link
 * @property {string} id
 * @property {string} source
 * @property {string} target
 * @property {LinkStyle} style
 * @property {number} width 0 to 4
 * @property {string} label
 * @property {string} [by] the item that it goes by
 *
 * @typedef {{ readonly mode: 'groups' | 'rings', readonly items: readonly Item[], readonly links: readonly Link[] }} Graph
 */
import { bytesRate, counted, milliseconds, percent, rate } from '../view/format.js';

/** Names of groups that are no namespaces, which have no parentheses in their names. */
const GROUP_BY_KIND = {
  workload: '(no namespace)',
  address: '(no name)',
  node: '(nodes)',
  outside: '(outside)',
  other: '(not shown)',
};

/** @type {Readonly<Record<WorkloadRow['kind'], Shape>>} */
const SHAPE_BY_KIND = {
  workload: 'circle',
  address: 'square',
  node: 'hexagon',
  outside: 'diamond',
  other: 'ring',
};

/** Lines between nodes of which all are drawn, well or not. */
const MAX_PLAIN_LINKS = 200;

/** A loss from which on it is shown as bad. */
export const BAD_LOSS = 0.02;

/**
 * Workloads by their namespaces, and who talks to whom.
 *
 * @param {readonly WorkloadRow[]} workloads
 * @param {readonly EdgeRow[]} edges
 * @returns {Graph}
 */
export function workloadGraph(workloads, edges) {
  /** @type {Map<string, { bytes: number, denied: number, links: number }>} */
  const sums = new Map(workloads.map(({ id }) => [id, { bytes: 0, denied: 0, links: 0 }]));
  for (const edge of edges) {
    for (const id of new Set([edge.source, edge.target])) {
      const sum = sums.get(id);
      if (sum === undefined) continue;
      sum.bytes += edge.sentBytesPerS + edge.receivedBytesPerS;
      sum.denied += edge.droppedPerS;
      sum.links++;
    }
  }
  const items = workloads.map((row) => {
    const sum = sums.get(row.id) ?? { bytes: 0, denied: 0, links: 0 };
    return {
      id: row.id,
      label: row.name,
      group: groupOf(row),
      shape: SHAPE_BY_KIND[row.kind],
      radius: 6 + Math.min(8, 2 * Math.sqrt(Math.max(0, row.podCount - 1))),
      isFilled: row.kind === 'workload' && sum.links > 0,
      isBad: sum.denied > 0,
      rank: 0,
      weight: Math.log10(1 + sum.bytes) + sum.links / 10 + (sum.denied > 0 ? 3 : 0),
      facts: [
        row.kind === 'workload' ? counted(row.podCount, 'pod') : undefined,
        sum.bytes > 0 ? bytesRate(sum.bytes) : undefined,
        sum.denied > 0 ? `denied ${rate(sum.denied)}` : undefined,
      ]
        .filter((each) => each !== undefined)
        .join(' · '),
    };
  });
  const links = edges.map((edge) => ({
    id: edge.id,
    source: edge.source,
    target: edge.target,
    style: STYLE_BY_VERDICT[edge.verdict],
    width: widthOf(edge.sentBytesPerS + edge.receivedBytesPerS),
    label: edge.verdict === 'dropped' ? '✕ denied' : edge.verdict === 'mixed' ? '✕ some denied' : '',
  }));
  return { mode: 'groups', items: sorted(items), links };
}

/**
 * Nodes around the one that was asked, the near ones inside, and their tunnels.
 *
 * @param {readonly NodeRow[]} nodes
 * @param {readonly TunnelRow[]} tunnels
 * @returns {Graph}
 */
export function nodeGraph(nodes, tunnels) {
  const self = nodes.find(({ isSelf }) => isSelf);
  const fromSelf = new Map(tunnels.filter(({ from }) => from === self?.id).map((row) => [row.to, row]));
  const items = nodes.map((node) => {
    const tunnel = fromSelf.get(node.id);
    const isBad = NOT_REACHED.has(node.state) || (tunnel !== undefined && isBadTunnel(tunnel));
    return {
      id: node.id,
      label: node.name,
      group: '',
      shape: /** @type {Shape} */ ('hexagon'),
      radius: node.isSelf ? 13 : 9,
      isFilled: node.state === 'connected' || node.state === 'self',
      isBad,
      rank: node.isSelf ? -1 : (tunnel?.rttMs ?? 1e6) + (isBad ? 1e7 : 0),
      weight: node.isSelf ? 1e9 : (isBad ? 1e6 : 0) - (tunnel?.rttMs ?? 1e5),
      facts: node.isSelf ? 'this node' : nodeFacts(node, tunnel),
    };
  });
  const idByName = new Map(nodes.map(({ id, name }) => [name, id]));
  const links = drawnTunnels(tunnels, self?.id).map((tunnel) => {
    // Between others a line says that all is well by being thin and without a word.
    const isAside = tunnel.from !== self?.id && tunnel.to !== self?.id && faultOf(tunnel) === 0;
    return {
      id: tunnel.id,
      source: tunnel.from,
      target: tunnel.to,
      style: isUnused(tunnel) ? /** @type {const} */ ('idle') : STYLE_BY_PATH[tunnel.path],
      width: isAside ? 0 : widthOf((tunnel.sentBytesPerS ?? 0) + (tunnel.receivedBytesPerS ?? 0)),
      label: isAside ? '' : tunnelLabel(tunnel),
      ...byRelay(tunnel.path === 'relayed' ? idByName.get(tunnel.via ?? '') : undefined),
    };
  });
  return {
    mode: 'rings',
    items: items.sort((a, b) => b.weight - a.weight || (a.label < b.label ? -1 : 1)),
    links,
  };
}

/**
 * One tunnel for each two nodes: as the end sees it for which it is worse, or the node that was asked. Where nodes have so many
 * that lines would hide one another, of other nodes those that are not plain and well.
 *
 * @param {readonly TunnelRow[]} tunnels
 * @param {string | undefined} self
 */
function drawnTunnels(tunnels, self) {
  /** @type {Map<string, TunnelRow>} */
  const rowByPair = new Map();
  for (const row of tunnels) {
    const pair = row.from < row.to ? `${row.from} ${row.to}` : `${row.to} ${row.from}`;
    const known = rowByPair.get(pair);
    if (known === undefined || faultOf(row) > faultOf(known)) rowByPair.set(pair, row);
  }
  const drawn = [...rowByPair.values()];
  if (drawn.length <= MAX_PLAIN_LINKS) return drawn;
  return drawn.filter((row) => row.from === self || row.to === self || faultOf(row) > 0);
}

/** @param {TunnelRow} tunnel */
function faultOf(tunnel) {
  return isBadTunnel(tunnel) ? 2 : tunnel.path === 'relayed' ? 1 : 0;
}

/**
 * Whether a tunnel carries nothing, or loses much.
 *
 * @param {TunnelRow} tunnel
 */
export function isBadTunnel({ path, state, loss }) {
  return (path === 'none' && !isUnused({ path, state })) || (loss ?? 0) >= BAD_LOSS;
}

/**
 * Whether nothing was to go there.
 *
 * @param {Pick<TunnelRow, 'path' | 'state'>} tunnel
 */
function isUnused({ path, state }) {
  return path === 'none' && (state === 'idle' || state === 'left');
}

/** @type {Readonly<Record<EdgeRow['verdict'], LinkStyle>>} */
const STYLE_BY_VERDICT = { forwarded: 'plain', mixed: 'mixed', dropped: 'denied', idle: 'idle' };

/** @type {Readonly<Record<TunnelRow['path'], LinkStyle>>} */
const STYLE_BY_PATH = { direct: 'plain', relayed: 'relayed', none: 'none' };

/** @type {ReadonlySet<NodeRow['state']>} */
const NOT_REACHED = new Set(['dead', 'suspect', 'unreachable']);

/** @param {WorkloadRow} row */
function groupOf({ namespace, kind }) {
  return namespace ?? GROUP_BY_KIND[kind];
}

/**
 * Five steps, each ten times as much as the one before it.
 *
 * @param {number} bytesPerS
 */
function widthOf(bytesPerS) {
  return bytesPerS < 1e3 ? 0 : Math.min(4, Math.floor(Math.log10(bytesPerS)) - 2);
}

/**
 * @param {NodeRow} node
 * @param {TunnelRow | undefined} tunnel
 */
function nodeFacts(node, tunnel) {
  if (tunnel === undefined) return node.state;
  const way =
    tunnel.path === 'none'
      ? node.state
      : tunnel.path === 'relayed'
        ? `by ${tunnel.via ?? 'a relay'}`
        : 'direct';
  const rtt = tunnel.rttMs === null ? undefined : milliseconds(tunnel.rttMs);
  const loss = (tunnel.loss ?? 0) > 0 ? `loss ${percent(tunnel.loss)}` : undefined;
  return [way, rtt, loss].filter((each) => each !== undefined).join(' · ');
}

/** @param {string | undefined} by */
function byRelay(by) {
  return by === undefined ? {} : { by };
}

/** @param {TunnelRow} tunnel */
function tunnelLabel(tunnel) {
  if (tunnel.path === 'none') return tunnel.state === 'idle' ? '' : `✕ ${tunnel.state}`;
  const parts = [];
  if (tunnel.path === 'relayed') parts.push(`by ${tunnel.via ?? 'a relay'}`);
  if (tunnel.rttMs !== null) parts.push(milliseconds(tunnel.rttMs));
  if ((tunnel.loss ?? 0) >= BAD_LOSS) parts.push(`loss ${percent(tunnel.loss)}`);
  return parts.join(' · ');
}

/**
 * By group and name; namespaces before what is none.
 *
 * @param {Item[]} items
 */
function sorted(items) {
  const order = (/** @type {Item} */ { group }) => (group.startsWith('(') ? 1 : 0);
  return items.sort(
    (a, b) =>
      order(a) - order(b) || compare(a.group, b.group) || compare(a.label, b.label) || compare(a.id, b.id),
  );
}

/**
 * @param {string} a
 * @param {string} b
 */
function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
