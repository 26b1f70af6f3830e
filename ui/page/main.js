/**
 * Puts the page together: who looks, what is told live, what is shown of it.
 *
 * @import { Filter } from './view/picture-filter.js'
 * @import { Fault } from './live/session.js'
 */

import { Live } from './live/live.js';
import { PictureStore } from './live/picture-store.js';
import { ServerFault, Session } from './live/session.js';
import { signIn } from './live/sign-in.js';
import { nodeGraph, workloadGraph } from './map/graph.js';
import { showLegend } from './map/legend.js';
import { MapView } from './map/map-view.js';
import { DetailsView } from './view/details-view.js';
import { byId, element, setText } from './view/dom.js';
import { showDenied, showReasons, showWarnings } from './view/drops-view.js';
import { clock, counted } from './view/format.js';
import { missingInPicture, showHead, showNotices } from './view/head-view.js';
import { ItemList } from './view/item-list.js';
import { filterNodes, filterWorkloads, namespacesOf } from './view/picture-filter.js';
import { TimeCharts } from './view/time-charts.js';

const session = new Session();
const picture = new PictureStore();
let selected = '';
/** @type {{ text: string, isBad: boolean } | undefined} */
let lost;
/** @type {{ text: string, isBad: boolean } | undefined} */
let missed;
let isAsked = false;

const form = /** @type {HTMLFormElement} */ (byId('filter'));
const text = /** @type {HTMLInputElement} */ (byId('filter-text'));
const namespaces = /** @type {HTMLSelectElement} */ (byId('filter-namespace'));
const nodes = /** @type {HTMLSelectElement} */ (byId('filter-node'));
const verdict = /** @type {HTMLSelectElement} */ (byId('filter-verdict'));
const details = new DetailsView(session, select);
const map = new MapView({ onSelect: select, onEnter: () => details.focus() });
const list = new ItemList(select, () => details.focus());
/** Details stand below the map there, or above the list. */
const isNarrow = matchMedia('(max-width: 680px)');
const isStill = matchMedia('(prefers-reduced-motion: reduce)');
const charts = new TimeCharts();

form.addEventListener('submit', (event) => event.preventDefault());
form.addEventListener('input', () => ask());
form.addEventListener('reset', () => setTimeout(() => ask()));
byId('sign-out').addEventListener('click', async () => {
  await session.close();
  location.reload();
});
void begin();

async function begin() {
  const token = session.takeLinkToken();
  let reason = 'This page shows a cluster only to who was given a link to it.';
  if (token !== null) {
    session.forget();
    try {
      await session.open({ token });
    } catch (error) {
      reason = error instanceof ServerFault ? `${error.message}.` : 'weft ui does not answer.';
    }
  }
  for (;;) {
    if (!session.isOpen) await signIn(session, reason);
    byId('page').hidden = false;
    byId('sign-out').hidden = false;
    const fault = await watch();
    connection('lost', 'Ended');
    if (fault.code === 'E_UI_OVER') {
      lost = {
        text: `${fault.message}. What is shown is of ${clock(Date.now())}. ${fault.remedy}`,
        isBad: true,
      };
      ask();
      return;
    }
    session.forget();
    byId('sign-out').hidden = true;
    reason = `${fault.message}. ${fault.remedy}`;
  }
}

/** Follows the live picture until it ends for good. @returns {Promise<Fault>} */
function watch() {
  return new Promise((resolve) => {
    let lostAt = '';
    const live = new Live(session, {
      onPicture: (whole) => {
        picture.takePicture(whole);
        lost = undefined;
        lostAt = '';
        connection('live', 'Live');
        ask();
      },
      onChange: (change) => {
        if (picture.takeChange(change)) ask();
        else {
          const number = Math.max(1, change.head.number - (picture.head?.number ?? 0) - 1);
          missed = {
            text: `${counted(number, 'change was', 'changes were')} lost on the way at ${clock(Date.now())}; the picture is fetched anew.`,
            isBad: false,
          };
          setTimeout(() => {
            missed = undefined;
            ask();
          }, 60_000);
          live.again();
        }
      },
      onHeard: () => {},
      onLost: (reason, nextTryMs) => {
        if (lostAt === '') lostAt = clock(Date.now());
        connection('lost', `Not connected since ${lostAt}`);
        const shown = picture.head === undefined ? '' : ` What is shown is of ${lostAt}.`;
        lost = {
          text: `Not connected: ${reason}.${shown} It is tried again in ${(nextTryMs / 1000).toFixed(0) === '0' ? 'a moment' : `${Math.round(nextTryMs / 1000)} s`}.`,
          isBad: true,
        };
        ask();
      },
      onEnd: resolve,
    });
    addEventListener('online', () => live.again());
    void live.run();
  });
}

/**
 * @param {'starting' | 'live' | 'lost'} state
 * @param {string} name
 */
function connection(state, name) {
  byId('connection').dataset.state = state;
  setText(byId('connection-text'), name);
}

/** Shows everything anew with the next frame. */
function ask() {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    show();
  });
}

function show() {
  showNotices([lost, missed].filter((each) => each !== undefined).concat(missingInPicture(picture)));
  if (picture.head === undefined) return;
  showHead(picture);
  const { seesNodes } = picture.head.viewer;
  byId('filter').querySelector('fieldset')?.toggleAttribute('hidden', !seesNodes);
  options(namespaces, namespacesOf(picture), 'all');
  options(nodes, nodeNames(), 'all');
  const filter = filterNow();
  const isNodes = seesNodes && mapName() === 'nodes';
  verdict.disabled = isNodes;
  const shown = filterWorkloads(picture, filter);
  const graph = isNodes ? graphOfNodes(filter) : workloadGraph(shown.workloads, shown.edges);
  map.setGraph(graph);
  map.select(selected);
  list.set(graph.items);
  setText(byId('list-title'), isNodes ? 'Nodes' : 'Workloads');
  setText(byId('map-title'), isNodes ? 'Map of nodes and their tunnels' : 'Map of workloads');
  const all = isNodes ? picture.nodes.size : picture.workloads.size;
  setText(byId('shown'), graph.items.length === all ? String(all) : `${graph.items.length} of ${all}`);
  const empty = byId('map-empty');
  empty.hidden = graph.items.length > 0;
  setText(empty, all === 0 ? emptyReason(isNodes) : 'Nothing to which the filter applies.');
  showLegend(isNodes ? 'nodes' : 'workloads', new Set(graph.items.map(({ shape }) => shape)));
  details.show(picture, selected, isNodes);
  charts.show(picture.series);
  showDenied(picture, filterIsOn(filter) ? new Set(shown.workloads.map(({ id }) => id)) : undefined, select);
  showReasons(picture);
  showWarnings(picture);
  byId('page').dataset.shown = String(picture.head.number);
}

/** @param {Filter} filter */
function graphOfNodes(filter) {
  const shown = filterNodes(picture, filter);
  return nodeGraph(shown.nodes, shown.tunnels);
}

/** @param {boolean} isNodes */
function emptyReason(isNodes) {
  if (isNodes) return 'No nodes are known yet.';
  return 'Nobody was seen talking yet. Connections that are open, or begin, show up here within some seconds.';
}

/**
 * Selects a workload, an edge, a node or a tunnel; empty: nothing. Shows the map that it is on.
 *
 * @param {string} id
 * @param {boolean} [isPointed] by mouse or finger
 */
function select(id, isPointed = false) {
  const hadFocus = byId('details').contains(document.activeElement);
  selected = id;
  const isOfNodes = picture.nodes.has(id) || picture.tunnels.has(id);
  const isOfWorkloads = picture.workloads.has(id) || picture.edges.has(id);
  const wanted = isOfNodes ? 'nodes' : isOfWorkloads ? 'workloads' : mapName();
  for (const radio of form.querySelectorAll('input'))
    if (radio.name === 'map') radio.checked = radio.value === wanted;
  map.select(id);
  list.select(id);
  details.show(picture, id, wanted === 'nodes');
  if (hadFocus && !byId('details').contains(document.activeElement)) details.focus();
  if (isPointed && isNarrow.matches && id !== '')
    byId('details').scrollIntoView({ block: 'start', behavior: isStill.matches ? 'auto' : 'smooth' });
  setText(byId('spoken'), id === '' ? 'Nothing is selected' : details.spokenName(picture, id));
  ask();
}

function mapName() {
  return (
    /** @type {HTMLInputElement | null} */ (form.querySelector('input[name=map]:checked'))?.value ??
    'workloads'
  );
}

/** @returns {Filter} */
function filterNow() {
  return { text: text.value, namespace: namespaces.value, node: nodes.value, verdict: verdict.value };
}

/** @param {Filter} filter */
function filterIsOn(filter) {
  return Object.values(filter).some((value) => value !== '');
}

function nodeNames() {
  const names = new Set([...picture.nodes.values()].map(({ name }) => name));
  for (const { nodes: hosts } of picture.workloads.values()) for (const name of hosts) names.add(name);
  return [...names].sort();
}

/**
 * Offers `values`, and keeps what is chosen, even where it is gone.
 *
 * @param {HTMLSelectElement} where
 * @param {readonly string[]} values
 * @param {string} all
 */
function options(where, values, all) {
  const chosen = where.value;
  const offered = chosen === '' || values.includes(chosen) ? values : [...values, chosen];
  const key = offered.join('\n');
  if (where.dataset.offered === key) return;
  where.dataset.offered = key;
  where.replaceChildren(
    element('option', { value: '', text: all }),
    ...offered.map((value) => element('option', { value, text: value })),
  );
  where.value = chosen;
}
