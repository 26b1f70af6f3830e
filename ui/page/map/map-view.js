/**
 * The map that is looked at: where it stands, what is pointed at, and when it is drawn.
 *
 * @import { Graph } from './graph.js'
 * @import { Scene } from './map-draw.js'
 *
 * @typedef {object} MapListener
 * @property {(id: string, isPointed?: boolean) => void} onSelect an item or a link; empty: nothing. By mouse or finger, or by keys
 * @property {() => void} onEnter wants the details
 */
import { byId, setText } from '../view/dom.js';
import { Layout } from './layout.js';
import { curveOf, drawMap, pointOf } from './map-draw.js';
import { followTheme, readTheme } from './map-theme.js';

const MIN_SCALE = 0.08;
const MAX_SCALE = 4;
const ARROWS = /** @type {const} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
});

export class MapView {
  #map = byId('map');
  #canvas = /** @type {HTMLCanvasElement} */ (byId('canvas'));
  #context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext('2d'));
  #tip = byId('map-tip');
  #listener;
  #layout = new Layout(() => this.#moved());
  /** @type {Graph} */
  #graph = { mode: 'groups', items: [], links: [] };
  #theme = readTheme();
  #selected = '';
  #hovered = '';
  /** @type {ReadonlySet<string>} */
  #near = new Set();
  #view = { x: 0, y: 0, k: 1 };
  #isFitted = true;
  #isAsked = false;
  #width = 0;
  #height = 0;
  /** Fingers and mouse buttons that are down. @type {Map<number, { x: number, y: number }>} */
  #pointers = new Map();
  #dragged = 0;

  /** @param {MapListener} listener */
  constructor(listener) {
    this.#listener = listener;
    new ResizeObserver(() => this.#resize()).observe(this.#map);
    followTheme(() => {
      this.#theme = readTheme();
      this.#ask();
    });
    const map = this.#map;
    map.addEventListener('pointerdown', (event) => this.#down(event));
    map.addEventListener('pointermove', (event) => this.#move(event));
    for (const type of /** @type {const} */ (['pointerup', 'pointercancel']))
      map.addEventListener(type, (event) => this.#up(event));
    map.addEventListener('pointerleave', () => this.#hover('', 0, 0));
    map.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    map.addEventListener('keydown', (event) => this.#key(event));
    byId('zoom-in').addEventListener('click', () => this.#zoom(1.35));
    byId('zoom-out').addEventListener('click', () => this.#zoom(1 / 1.35));
    byId('zoom-fit').addEventListener('click', () => this.fit());
    this.#resize();
  }

  /** @param {Graph} graph */
  setGraph(graph) {
    if (graph.mode !== this.#graph.mode) this.#isFitted = true;
    this.#graph = graph;
    this.#layout.set(graph, Math.min(2, Math.max(0.5, this.#width / Math.max(1, this.#height))));
    this.#findNear();
    this.#ask();
  }

  /** @param {string} id of an item or a link; empty: nothing */
  select(id) {
    this.#selected = id;
    this.#findNear();
    this.#reveal(id);
    this.#ask();
  }

  /** Shows all of it, and goes on doing so until somebody moves it. */
  fit() {
    this.#isFitted = true;
    this.#ask();
  }

  #moved() {
    this.#ask();
  }

  #ask() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      if (this.#width === 0 || this.#height === 0) return;
      if (this.#isFitted) this.#view = this.#wholeView();
      drawMap(this.#context, this.#scene(), this.#theme);
      const count = this.#layout.places.length / 2;
      if (count > 0 && this.#map.dataset.drawn === undefined) performance.mark('weft:first-picture');
      if (count > 0) this.#map.dataset.drawn = String(count);
    });
  }

  /** @returns {Scene} */
  #scene() {
    return {
      graph: this.#graph,
      layout: this.#layout,
      selected: this.#selected,
      hovered: this.#hovered,
      near: this.#near,
      view: this.#view,
      width: this.#width,
      height: this.#height,
    };
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#map;
    const ratio = Math.min(2, devicePixelRatio || 1);
    this.#width = clientWidth;
    this.#height = clientHeight;
    this.#canvas.width = Math.round(clientWidth * ratio);
    this.#canvas.height = Math.round(clientHeight * ratio);
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#ask();
  }

  /** What is selected, and who stands at the other ends of its links. */
  #findNear() {
    const near = new Set();
    for (const { id, source, target } of this.#graph.links)
      if (id === this.#selected || source === this.#selected || target === this.#selected)
        near.add(id).add(source).add(target);
    if (near.size > 0 || this.#layout.placeOf(this.#selected) !== undefined) near.add(this.#selected);
    this.#near = near;
  }

  #wholeView() {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    const take = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ r) => {
      left = Math.min(left, x - r);
      right = Math.max(right, x + r);
      top = Math.min(top, y - r);
      bottom = Math.max(bottom, y + r);
    };
    const { places, groups } = this.#layout;
    if (this.#graph.mode === 'groups' && groups.length > 0) for (const { x, y, r } of groups) take(x, y, r);
    else for (let i = 0; i < places.length; i += 2) take(places[i] ?? 0, places[i + 1] ?? 0, 26);
    if (left > right) return { x: 0, y: 0, k: 1 };
    // Names stand above groups and below items, and the tools at the right.
    const k = Math.min((this.#width - 32) / (right - left), (this.#height - 64) / (bottom - top), 1.6);
    return { x: (left + right) / 2, y: (top + bottom) / 2 - 5 / k, k: Math.max(MIN_SCALE, k) };
  }

  /** @param {string} id */
  #reveal(id) {
    const place = this.#layout.placeOf(id);
    if (place === undefined || this.#isFitted) return;
    const x = Math.abs(place.x - this.#view.x) * this.#view.k;
    const y = Math.abs(place.y - this.#view.y) * this.#view.k;
    if (x > this.#width / 2 - 30 || y > this.#height / 2 - 30) this.#view = { ...this.#view, ...place };
  }

  /**
   * @param {number} factor
   * @param {{ x: number, y: number }} [at] which point stays, from the middle of the map
   */
  #zoom(factor, at = { x: 0, y: 0 }) {
    const { x, y, k } = this.#view;
    const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, k * factor));
    this.#isFitted = false;
    this.#view = { x: x + at.x / k - at.x / scale, y: y + at.y / k - at.y / scale, k: scale };
    this.#ask();
  }

  /** @param {MouseEvent} event */
  #fromMiddle(event) {
    const box = this.#map.getBoundingClientRect();
    return { x: event.clientX - box.left - this.#width / 2, y: event.clientY - box.top - this.#height / 2 };
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.#pointers.set(event.pointerId, this.#fromMiddle(event));
    if (this.#pointers.size === 1) this.#dragged = 0;
    this.#map.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const now = this.#fromMiddle(event);
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) {
      this.#hover(this.#at(now), now.x, now.y);
      return;
    }
    const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    this.#pointers.set(event.pointerId, now);
    this.#dragged += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (this.#dragged < 5) return;
    this.#isFitted = false;
    const share = other === undefined ? 1 : 0.5;
    this.#view.x -= ((now.x - before.x) * share) / this.#view.k;
    this.#view.y -= ((now.y - before.y) * share) / this.#view.k;
    if (other !== undefined) {
      const apart = (/** @type {{ x: number, y: number }} */ p) =>
        Math.max(1, Math.hypot(p.x - other.x, p.y - other.y));
      this.#zoom(apart(now) / apart(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    }
    this.#ask();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const wasDown = this.#pointers.delete(event.pointerId);
    if (wasDown && event.type === 'pointerup' && this.#dragged < 5)
      this.#listener.onSelect(this.#at(this.#fromMiddle(event)), true);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    // The page scrolls past the map, unless the map is what somebody works with.
    if (!event.ctrlKey && document.activeElement !== this.#map) return;
    event.preventDefault();
    this.#zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), this.#fromMiddle(event));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[/** @type {keyof typeof ARROWS} */ (event.key)];
    if (arrow !== undefined) this.#step(arrow);
    else if (event.key === '+' || event.key === '=') this.#zoom(1.35);
    else if (event.key === '-') this.#zoom(1 / 1.35);
    else if (event.key === '0') this.fit();
    else if (event.key === 'Enter') this.#listener.onEnter();
    else if (event.key === 'Escape') this.#listener.onSelect('');
    else return;
    event.preventDefault();
  }

  /**
   * Selects the nearest item in that direction.
   *
   * @param {readonly [number, number]} direction
   */
  #step([dx, dy]) {
    const from = this.#layout.placeOf(this.#selected);
    let best = '';
    let least = Infinity;
    for (const { id, weight } of this.#graph.items) {
      const place = this.#layout.placeOf(id);
      if (place === undefined || id === this.#selected) continue;
      if (from === undefined) {
        if (-weight < least) [best, least] = [id, -weight];
        continue;
      }
      const along = (place.x - from.x) * dx + (place.y - from.y) * dy;
      const aside = Math.abs((place.x - from.x) * dy) + Math.abs((place.y - from.y) * dx);
      if (along > 0 && along + 2.5 * aside < least) [best, least] = [id, along + 2.5 * aside];
    }
    if (best !== '') this.#listener.onSelect(best);
  }

  /**
   * What stands there: an item, else a link; empty: nothing.
   *
   * @param {{ x: number, y: number }} point from the middle of the map
   */
  #at({ x, y }) {
    const view = this.#view;
    const at = { x: view.x + x / view.k, y: view.y + y / view.k };
    let best = '';
    let least = 8 / view.k;
    for (const { id, radius } of this.#graph.items) {
      const place = this.#layout.placeOf(id);
      if (place === undefined) continue;
      const far = Math.hypot(place.x - at.x, place.y - at.y) - radius;
      if (far < least) [best, least] = [id, far];
    }
    if (best !== '') return best;
    least = 7 / view.k;
    for (const link of this.#graph.links) {
      const curve = curveOf(link, this.#layout);
      if (curve === undefined) continue;
      for (let t = 0.06; t < 0.96; t += 0.06) {
        const point = pointOf(curve, t);
        const far = Math.hypot(point.x - at.x, point.y - at.y);
        if (far < least) [best, least] = [link.id, far];
      }
    }
    return best;
  }

  /**
   * @param {string} id
   * @param {number} x from the middle of the map
   * @param {number} y
   */
  #hover(id, x, y) {
    if (id !== this.#hovered) {
      this.#hovered = id;
      this.#canvas.classList.toggle('pointing', id !== '');
      setText(this.#tip, this.#tipText(id));
      this.#ask();
    }
    this.#tip.hidden = this.#tip.textContent === '';
    if (this.#tip.hidden) return;
    this.#tip.style.left = `${Math.min(x + this.#width / 2 + 14, this.#width - 180)}px`;
    this.#tip.style.top = `${Math.min(y + this.#height / 2 + 14, this.#height - 50)}px`;
  }

  /** @param {string} id */
  #tipText(id) {
    const { items, links } = this.#graph;
    const item = items.find((each) => each.id === id);
    if (item !== undefined)
      return `${item.label}\n${[item.group, item.facts].filter((each) => each !== '').join(' · ')}`;
    const link = links.find((each) => each.id === id);
    if (link === undefined) return '';
    const name = (/** @type {string} */ end) => items.find((each) => each.id === end)?.label ?? end;
    return `${name(link.source)} → ${name(link.target)}\n${link.label}`.trimEnd();
  }
}
