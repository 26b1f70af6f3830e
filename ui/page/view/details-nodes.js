/**
 * What is known of one node, and of one tunnel.
 *
 * @import { NodeRow, TunnelRow } from '../../picture/picture.ts'
 * @import { PictureStore } from '../live/picture-store.js'
 * @import { Details, Select } from './details-workloads.js'
 */

import { BAD_LOSS, isBadTunnel } from '../map/graph.js';
import { lines, link, mono, note, section } from './details-workloads.js';
import { element, factsList, table } from './dom.js';
import { bytesRate, milliseconds, percent } from './format.js';

const MAX_ROWS = 60;
const MAX_FIRST = 6;

/** What the states mean, in words. */
const STATE_TEXT = {
  self: 'this node, which was asked',
  connected: 'connected',
  connecting: 'a handshake is under way',
  idle: 'alive; nothing was sent there yet',
  unreachable: '✕ alive, but no way leads there',
  suspect: '✕ does not answer; perhaps dead',
  dead: '✕ dead',
  left: 'has left',
};

const DATAPATH_TEXT = {
  fast: 'fast: lanes of their own',
  sleeve: 'sleeve: in the process of weftd',
};

/**
 * @param {PictureStore} picture
 * @param {NodeRow} node
 * @param {Select} select
 * @returns {Details}
 */
export function nodeDetails(picture, node, select) {
  const tunnels = [...picture.tunnels.values()].filter(({ from, to }) => from === node.id || to === node.id);
  const bad = (/** @type {TunnelRow} */ tunnel) => (isBadTunnel(tunnel) ? 0 : 1);
  tunnels.sort((a, b) => bad(a) - bad(b) || (b.rttMs ?? 0) - (a.rttMs ?? 0) || (a.id < b.id ? -1 : 1));
  const workloads = [...picture.workloads.values()].filter(
    ({ kind, nodes }) => kind === 'workload' && nodes.includes(node.name),
  );
  return {
    kind: 'Node',
    title: node.name,
    parts: [
      factsList([
        ['State', stateText(node.state)],
        ['Version', node.version],
        ['Addresses', lines(node.addresses)],
        ['Endpoints', lines(node.endpoints)],
        ['Peer id', mono(node.id)],
        [
          'Flows',
          node.told === null ? null : node.told ? 'told of its flows' : '✕ did not tell of its flows',
        ],
      ]),
      section(
        'Tunnels',
        tunnels.length === 0
          ? note('none')
          : tunnelTable(picture, tunnels.slice(0, MAX_ROWS), `Tunnels of ${node.name}`, select),
        tunnels.length > MAX_ROWS && note(`and ${tunnels.length - MAX_ROWS} more`),
      ),
      section(
        'Workloads on it',
        workloads.length === 0
          ? note('none that was seen talking')
          : table(
              ['Namespace', 'Name'],
              workloads
                .slice(0, MAX_ROWS)
                .map((row) => [row.namespace ?? '–', link(row.name, row.id, select)]),
              `Workloads on ${node.name}`,
            ),
        workloads.length > MAX_ROWS && note(`and ${workloads.length - MAX_ROWS} more`),
      ),
    ],
  };
}

/**
 * What to look at first among nodes, while nothing is selected.
 *
 * @param {PictureStore} picture
 * @param {Select} select
 * @returns {Details}
 */
export function nodesOverview(picture, select) {
  const tunnels = [...picture.tunnels.values()];
  const bad = tunnels.filter(isBadTunnel);
  const relayed = tunnels.filter(({ path }) => path === 'relayed');
  const slow = tunnels.filter(({ rttMs }) => rttMs !== null).sort((a, b) => (b.rttMs ?? 0) - (a.rttMs ?? 0));
  const some = (/** @type {string} */ title, /** @type {readonly TunnelRow[]} */ rows) =>
    rows.length === 0 ? [] : [section(title, tunnelTable(picture, rows.slice(0, MAX_FIRST), title, select))];
  return {
    kind: '',
    title: 'Details',
    parts: [
      note('Select something in the map, or in the list, to see what is known of it.'),
      ...some('Not well', bad),
      ...some('Relayed', relayed),
      ...some('Slowest', slow),
    ],
  };
}

/**
 * @param {PictureStore} picture
 * @param {readonly TunnelRow[]} rows
 * @param {string} caption
 * @param {Select} select
 */
function tunnelTable(picture, rows, caption, select) {
  const cells = rows.map((tunnel) => [
    link(shortName(picture, tunnel), tunnel.id, select),
    wayText(tunnel),
    milliseconds(tunnel.rttMs),
    lossText(tunnel),
  ]);
  return table(['Tunnel to', 'Way', '#RTT', '#Loss'], cells, caption);
}

/**
 * @param {PictureStore} picture
 * @param {TunnelRow} tunnel
 * @param {Select} select
 * @returns {Details}
 */
export function tunnelDetails(picture, tunnel, select) {
  const { from, to, mtu } = tunnel;
  const node = (/** @type {string} */ id) => link(picture.nodes.get(id)?.name ?? id, id, select);
  const mtuText = tunnel.mtuConfirmed ? 'a packet of that size arrived' : 'not proven yet';
  return {
    kind: 'Tunnel',
    title: tunnelName(picture, tunnel),
    parts: [
      factsList([
        ['From', node(from)],
        ['To', node(to)],
        ['State', stateText(tunnel.state)],
        ['Way', wayText(tunnel)],
        ['Endpoint', tunnel.endpoint === null ? null : mono(tunnel.endpoint)],
        ['Round trip', milliseconds(tunnel.rttMs)],
        ['Loss', lossText(tunnel)],
        [
          'Moved by',
          DATAPATH_TEXT[/** @type {keyof typeof DATAPATH_TEXT} */ (tunnel.datapath)] ?? tunnel.datapath,
        ],
        ['Cipher', tunnel.suite],
        ['MTU', mtu === null ? '–' : `${mtu} bytes (${mtuText})`],
        ['Sent', bytesRate(tunnel.sentBytesPerS)],
        ['Received', bytesRate(tunnel.receivedBytesPerS)],
        ['Gossip', tunnel.hasLink ? 'by a TCP connection of the two' : 'by way of others'],
      ]),
    ],
  };
}

/**
 * @param {PictureStore} picture
 * @param {TunnelRow} tunnel
 */
export function tunnelName(picture, { from, to }) {
  return `${picture.nodes.get(from)?.name ?? from} → ${picture.nodes.get(to)?.name ?? to}`;
}

/**
 * That of the other end, for tunnels of the node that was asked.
 *
 * @param {PictureStore} picture
 * @param {TunnelRow} tunnel
 */
function shortName(picture, tunnel) {
  const isOwn = picture.nodes.get(tunnel.from)?.isSelf === true;
  return isOwn ? (picture.nodes.get(tunnel.to)?.name ?? tunnel.to) : tunnelName(picture, tunnel);
}

/** @param {NodeRow['state']} state */
function stateText(state) {
  const text = STATE_TEXT[state];
  const isGood = state === 'connected' || state === 'self';
  return element('span', { class: isGood ? 'good-text' : text.startsWith('✕') && 'bad-text', text });
}

/** @param {TunnelRow} tunnel */
function wayText({ path, via, state }) {
  if (path === 'direct') return 'direct';
  if (path === 'relayed') return `relayed by ${via ?? 'another node'}`;
  return state === 'idle' ? 'not used yet' : element('span', { class: 'bad-text', text: '✕ no way' });
}

/** @param {TunnelRow} tunnel */
function lossText({ loss }) {
  const isBad = (loss ?? 0) >= BAD_LOSS;
  return element('span', { class: isBad && 'bad-text', text: `${isBad ? '✕ ' : ''}${percent(loss)}` });
}
