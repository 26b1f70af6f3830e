/**
 * The panel that says what is known of what is selected.
 *
 * @import { PictureStore } from '../live/picture-store.js'
 * @import { Session } from '../live/session.js'
 */

import { nodeDetails, nodesOverview, tunnelDetails, tunnelName } from './details-nodes.js';
import { edgeDetails, nameOf, overview, workloadDetails } from './details-workloads.js';
import { byId, element, replaceContent, setText } from './dom.js';
import { ExplainForm } from './explain-form.js';
import { TimeChart } from './time-chart.js';

/** A tunnel's history is asked for so often at most. */
const HISTORY_MS = 4_000;

export class DetailsView {
  #session;
  #select;
  #panel = byId('details');
  #title = byId('details-title');
  #close = byId('details-close');
  #facts = element('div', { class: 'details-facts' });
  #more = element('div');
  #selected = '';
  /** @type {{ id: string, at: number, rtt: TimeChart, bytes: TimeChart } | undefined} */
  #history;

  /**
   * @param {Session} session
   * @param {(id: string) => void} select
   */
  constructor(session, select) {
    this.#session = session;
    this.#select = select;
    byId('details-body').append(this.#facts, this.#more);
    this.#close.addEventListener('click', () => select(''));
    this.#panel.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') select('');
    });
  }

  focus() {
    this.#panel.focus();
  }

  /**
   * Shows what is known of `id` now.
   *
   * @param {PictureStore} picture
   * @param {string} id empty: nothing is selected
   * @param {boolean} isOfNodes the map that is shown
   */
  show(picture, id, isOfNodes) {
    const isOther = id !== this.#selected;
    this.#selected = id;
    const { title, parts } = this.#detailsOf(picture, id, isOfNodes);
    setText(this.#title, title);
    this.#close.hidden = id === '';
    const before = this.#facts.textContent;
    const made = element('div', { class: 'details-facts' }, ...parts);
    if (isOther || before !== made.textContent) replaceContent(this.#facts, ...made.childNodes);
    if (isOther) this.#showMore(picture, id);
    if (hasHistory(picture, id)) void this.#showHistory(id);
  }

  /**
   * A line for those who do not see it.
   *
   * @param {PictureStore} picture
   * @param {string} id
   */
  spokenName(picture, id) {
    const workload = picture.workloads.get(id);
    if (workload !== undefined) return nameOf(picture, id);
    const node = picture.nodes.get(id);
    if (node !== undefined) return `${node.name}, ${node.state}`;
    const edge = picture.edges.get(id);
    if (edge !== undefined)
      return `${nameOf(picture, edge.source)} to ${nameOf(picture, edge.target)}, ${edge.verdict}`;
    const tunnel = picture.tunnels.get(id);
    return tunnel === undefined ? '' : `Tunnel ${tunnelName(picture, tunnel)}, ${tunnel.path}`;
  }

  /**
   * @param {PictureStore} picture
   * @param {string} id
   * @param {boolean} isOfNodes
   */
  #detailsOf(picture, id, isOfNodes) {
    const workload = picture.workloads.get(id);
    if (workload !== undefined) return workloadDetails(picture, workload, this.#select);
    const edge = picture.edges.get(id);
    if (edge !== undefined) return edgeDetails(picture, edge, this.#select);
    const node = picture.nodes.get(id);
    if (node !== undefined) return nodeDetails(picture, node, this.#select);
    const tunnel = picture.tunnels.get(id);
    if (tunnel !== undefined) return tunnelDetails(picture, tunnel, this.#select);
    if (id === '') return isOfNodes ? nodesOverview(picture, this.#select) : overview(picture, this.#select);
    const text = 'It is not in the picture any more: nothing was seen of it lately.';
    return { title: 'Gone', parts: [element('p', { class: 'muted', text })] };
  }

  /**
   * What is made once for a selection.
   *
   * @param {PictureStore} picture
   * @param {string} id
   */
  #showMore(picture, id) {
    this.#history = undefined;
    const edge = picture.edges.get(id);
    if (edge !== undefined) this.#more.replaceChildren(new ExplainForm(this.#session, picture, edge).element);
    else if (hasHistory(picture, id)) {
      const rtt = new TimeChart('Round trip');
      const bytes = new TimeChart('Bytes');
      this.#history = { id, at: Number.NEGATIVE_INFINITY, rtt, bytes };
      this.#more.replaceChildren(rtt.element, bytes.element);
    } else this.#more.replaceChildren();
    byId('details-body').scrollTop = 0;
  }

  /** @param {string} id */
  async #showHistory(id) {
    const history = this.#history;
    if (history === undefined || performance.now() - history.at < HISTORY_MS) return;
    history.at = performance.now();
    const told = await this.#session.ask(`/api/tunnel?id=${encodeURIComponent(id)}`).catch(() => undefined);
    if (told === undefined || this.#history !== history) return;
    history.rtt.set({ at: told.at, lines: [{ name: 'round trip', unit: 'ms', values: told.rttMs }] });
    history.bytes.set({
      at: told.at,
      lines: [
        { name: 'sent', unit: 'bytes/s', values: told.sentBytesPerS },
        { name: 'received', unit: 'bytes/s', values: told.receivedBytesPerS },
      ],
    });
  }
}

/**
 * Whether it is a tunnel whose course is kept: one of the node that was asked.
 *
 * @param {PictureStore} picture
 * @param {string} id
 */
function hasHistory(picture, id) {
  const tunnel = picture.tunnels.get(id);
  return tunnel !== undefined && picture.nodes.get(tunnel.from)?.isSelf === true;
}
