/**
 * What is known of one workload, and of what one says to another.
 *
 * @import { EdgeRow, WorkloadRow } from '../../picture/picture.ts'
 * @import { PictureStore } from '../live/picture-store.js'
 *
 * @typedef {(id: string) => void} Select
 * @typedef {{ readonly kind: string, readonly title: string, readonly parts: readonly HTMLElement[] }} Details
 */
import { element, factsList, table } from './dom.js';
import { bytesRate, counted, portText, rate } from './format.js';

const MAX_PEERS = 60;
const MAX_BUSIEST = 6;

/** What the kinds of workloads are called. */
const KIND_TEXT = {
  workload: 'Workload',
  address: 'Address without a name',
  node: 'A node itself',
  outside: 'Outside of the cluster',
  other: 'What you may not see',
};

const VERDICT_TEXT = { forwarded: 'passes', dropped: '✕ denied', mixed: '✕ some denied', idle: 'quiet' };

/**
 * @param {PictureStore} picture
 * @param {WorkloadRow} row
 * @param {Select} select
 * @returns {Details}
 */
export function workloadDetails(picture, row, select) {
  const out = [...picture.edges.values()].filter(({ source }) => source === row.id).sort(worstFirst);
  const back = [...picture.edges.values()].filter(({ target }) => target === row.id).sort(worstFirst);
  const listed = row.pods.length;
  return {
    kind: KIND_TEXT[row.kind],
    title: row.name,
    parts: [
      factsList([
        ['Kind', KIND_TEXT[row.kind]],
        ['Namespace', row.namespace],
        ['Pods', row.kind === 'workload' ? String(row.podCount) : null],
        ['Nodes', row.nodes.join(', ')],
      ]),
      peers('Talks to', out, picture, 'target', select),
      peers('Is talked to by', back, picture, 'source', select),
      ...(row.kind === 'workload' && listed > 0
        ? [
            section(
              'Pods that were seen',
              table(
                ['Pod', 'Node', 'Address'],
                row.pods.map(({ name, node, address }) => [name, node ?? '–', mono(address)]),
                `Pods of ${row.name}`,
              ),
              row.podCount > listed && note(`and ${counted(row.podCount - listed, 'more pod', 'more pods')}`),
            ),
          ]
        : []),
    ],
  };
}

/**
 * @param {PictureStore} picture
 * @param {EdgeRow} edge
 * @param {Select} select
 * @returns {Details}
 */
export function edgeDetails(picture, edge, select) {
  const isDenied = edge.verdict === 'dropped' || edge.verdict === 'mixed';
  const bytes = (/** @type {number} */ value) =>
    picture.head?.counted === false ? 'not counted' : bytesRate(value);
  return {
    kind: 'Connections',
    title: `${nameOf(picture, edge.source)} → ${nameOf(picture, edge.target)}`,
    parts: [
      factsList([
        ['From', end(picture, edge.source, select)],
        ['To', end(picture, edge.target, select)],
        [
          'Verdict',
          element('span', { class: isDenied ? 'bad-text' : 'good-text', text: VERDICT_TEXT[edge.verdict] }),
        ],
        ['Denied', edge.droppedPerS > 0 ? `${rate(edge.droppedPerS)} packets` : null],
        ['Denied by', edge.policies.length > 0 ? lines(edge.policies) : isDenied ? 'not told' : null],
        ['Open now', String(edge.open)],
        ['New', rate(edge.beganPerS)],
        ['Bytes there', bytes(edge.sentBytesPerS)],
        ['Bytes back', bytes(edge.receivedBytesPerS)],
        ['Nodes', lines(edge.ways.map(({ from, to }) => `${from ?? 'outside'} → ${to ?? 'outside'}`))],
      ]),
      section(
        'By port',
        table(
          ['Port', 'Service', '#Open', '#There', '#Back', '#Denied'],
          edge.ports.map((each) => [
            portText(each),
            each.service === null ? '–' : mono(each.service),
            String(each.open),
            bytesRate(each.sentBytesPerS),
            bytesRate(each.receivedBytesPerS),
            each.droppedPerS > 0 ? rate(each.droppedPerS) : '–',
          ]),
          'Ports of these connections',
        ),
      ),
    ],
  };
}

/**
 * What to look at first, while nothing is selected.
 *
 * @param {PictureStore} picture
 * @param {Select} select
 * @returns {Details}
 */
export function overview(picture, select) {
  const edges = [...picture.edges.values()];
  const denied = edges
    .filter(({ droppedPerS }) => droppedPerS > 0)
    .sort((a, b) => b.droppedPerS - a.droppedPerS);
  const busiest = edges.filter((edge) => bytesOf(edge) > 0).sort((a, b) => bytesOf(b) - bytesOf(a));
  const row = (/** @type {EdgeRow} */ edge, /** @type {string} */ amount) => [
    link(`${nameOf(picture, edge.source)} → ${nameOf(picture, edge.target)}`, edge.id, select),
    amount,
  ];
  return {
    kind: '',
    title: 'Details',
    parts: [
      element('p', {
        class: 'muted',
        text: 'Select something in the map, or in the list, to see what is known of it.',
      }),
      ...(denied.length === 0
        ? []
        : [
            section(
              'Most denied',
              table(
                ['Who', '#Packets'],
                denied.slice(0, MAX_BUSIEST).map((edge) => row(edge, rate(edge.droppedPerS))),
                'Pairs of which most packets are denied',
              ),
            ),
          ]),
      ...(busiest.length === 0
        ? []
        : [
            section(
              'Busiest',
              table(
                ['Who', '#Both ways'],
                busiest.slice(0, MAX_BUSIEST).map((edge) => row(edge, bytesRate(bytesOf(edge)))),
                'Pairs that move the most',
              ),
            ),
          ]),
    ],
  };
}

/**
 * `shop/web`; the id where the row is gone.
 *
 * @param {PictureStore} picture
 * @param {string} id
 */
export function nameOf(picture, id) {
  const row = picture.workloads.get(id);
  if (row === undefined) return id;
  return row.namespace === null ? row.name : `${row.namespace}/${row.name}`;
}

/**
 * A name that selects what it names.
 *
 * @param {string} text
 * @param {string} id
 * @param {Select} select
 */
export function link(text, id, select) {
  return element('button', {
    type: 'button',
    class: 'link',
    'data-key': `${id} ${text}`,
    text,
    onclick: () => select(id),
  });
}

/**
 * @param {string} title
 * @param {...(Node | false)} parts
 */
export function section(title, ...parts) {
  return element('section', {}, element('h3', { text: title }), ...parts);
}

/** @param {string} text */
export function mono(text) {
  return element('span', { class: 'mono', text });
}

/**
 * One below the other; null where there are none.
 *
 * @param {readonly string[]} texts
 */
export function lines(texts) {
  return texts.length === 0 ? null : element('span', {}, ...texts.map((text) => element('div', { text })));
}

/** @param {string} text */
export function note(text) {
  return element('p', { class: 'muted', text });
}

/**
 * @param {string} title
 * @param {readonly EdgeRow[]} edges
 * @param {PictureStore} picture
 * @param {'source' | 'target'} far
 * @param {Select} select
 */
function peers(title, edges, picture, far, select) {
  if (edges.length === 0) return section(title, note('nobody, as far as was seen'));
  const rows = edges.slice(0, MAX_PEERS).map((edge) => [
    element(
      'span',
      {},
      link(nameOf(picture, edge[far]), edge.id, select),
      element('div', { class: 'muted', text: edge.ports.slice(0, 3).map(portText).join(', ') }),
    ),
    element('span', {
      class: edge.droppedPerS > 0 ? 'bad-text' : false,
      text: edge.droppedPerS > 0 ? `✕ ${rate(edge.droppedPerS)}` : bytesRate(bytesOf(edge)),
    }),
  ]);
  return section(
    title,
    table(['Who', '#Bytes, or ✕ denied'], rows, title),
    edges.length > MAX_PEERS && note(`and ${edges.length - MAX_PEERS} more`),
  );
}

/**
 * @param {PictureStore} picture
 * @param {string} id
 * @param {Select} select
 */
function end(picture, id, select) {
  return picture.workloads.has(id) ? link(nameOf(picture, id), id, select) : id;
}

/** @param {EdgeRow} edge */
function bytesOf({ sentBytesPerS, receivedBytesPerS }) {
  return sentBytesPerS + receivedBytesPerS;
}

/**
 * @param {EdgeRow} a
 * @param {EdgeRow} b
 */
function worstFirst(a, b) {
  return (
    b.droppedPerS - a.droppedPerS || bytesOf(b) - bytesOf(a) || b.open - a.open || (a.id < b.id ? -1 : 1)
  );
}
