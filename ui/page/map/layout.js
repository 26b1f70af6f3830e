/**
 * The page's side of the layout: tells the worker what there is, and knows where everything stands.
 *
 * @import { Graph } from './graph.js'
 * @import { LayoutPlaces, LayoutTask } from './layout-worker.js'
 */

/** The only script that may become a worker. */
const WORKER_PATH = '/page/map/layout-worker.js';

export class Layout {
  /** Indexes into {@link places} by item. */
  /** @type {Map<string, number>} */
  indexById = new Map();
  /** @type {Float32Array} */
  places = new Float32Array(0);
  /** @type {LayoutPlaces['groups']} */
  groups = [];

  #worker = new Worker(/** @type {string} */ (workerAddress()), { type: 'module' });
  #run = 0;
  #shape = '';
  #onMoved;
  /** @type {readonly string[]} */
  #ids = [];

  /** @param {(isDone: boolean) => void} onMoved */
  constructor(onMoved) {
    this.#onMoved = onMoved;
    this.#worker.onmessage = ({ data }) => this.#take(data);
  }

  /**
   * Lays out `graph`, unless it has the same items and links as before.
   *
   * @param {Graph} graph
   * @param {number} aspect
   */
  set({ mode, items, links }, aspect) {
    const shape = [
      mode,
      ...items.map(({ id, group }) => `${group}/${id}`),
      ...links.map(({ id }) => id),
    ].join('\n');
    if (shape === this.#shape) return;
    this.#shape = shape;
    const index = new Map(items.map(({ id }, i) => [id, i]));
    this.#ids = items.map(({ id }) => id);
    /** @type {LayoutTask} */
    const task = {
      run: ++this.#run,
      mode,
      aspect,
      isStill: matchMedia('(prefers-reduced-motion: reduce)').matches,
      ids: this.#ids,
      groups: items.map(({ group }) => group),
      order: orderOf(items),
      links: links.flatMap(({ source, target }) => [index.get(source) ?? 0, index.get(target) ?? 0]),
    };
    this.#worker.postMessage(task);
  }

  /**
   * Where an item stands; undefined where it has no place yet.
   *
   * @param {string} id
   */
  placeOf(id) {
    const index = this.indexById.get(id);
    if (index === undefined) return undefined;
    return { x: this.places[2 * index] ?? 0, y: this.places[2 * index + 1] ?? 0 };
  }

  /** @param {LayoutPlaces} answer */
  #take({ run, isDone, places, groups }) {
    if (run !== this.#run) return;
    if (this.indexById.size !== this.#ids.length || this.#ids.some((id, i) => this.indexById.get(id) !== i))
      this.indexById = new Map(this.#ids.map((id, i) => [id, i]));
    this.places = places;
    this.groups = groups;
    this.#onMoved(isDone);
  }
}

/**
 * The number of each item, counted from the lowest rank.
 *
 * @param {Graph['items']} items
 */
function orderOf(items) {
  const byRank = items.map(({ rank }, index) => ({ rank, index })).sort((a, b) => a.rank - b.rank);
  const order = new Array(items.length).fill(0);
  byRank.forEach(({ index }, number) => {
    order[index] = number;
  });
  return order;
}

/** Browsers that know trusted types want to be told who vouches for an address of a script. */
function workerAddress() {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (types === undefined) return WORKER_PATH;
  return types.createPolicy('weft-layout', { createScriptURL: () => WORKER_PATH }).createScriptURL('');
}
