/**
 * Draws a map. Nothing is remembered but widths of texts; many lines of one kind are one path, for a canvas draws one long
 * path much faster than many short ones.
 *
 * @import { Graph, Item, Link, LinkStyle } from './graph.js'
 * @import { Layout } from './layout.js'
 * @import { Theme } from './map-theme.js'
 *
 * @typedef {object} Scene
 * @property {Graph} graph
 * @property {Layout} layout
 * @property {string} selected an item or a link
 * @property {string} hovered
 * @property {ReadonlySet<string>} near items and links that belong to what is selected; empty: nothing is selected
 * @property {{ readonly x: number, readonly y: number, readonly k: number }} view what stands in the middle, and the scale
 * @property {number} width pixels of the page
 * @property {number} height
 *
 * @typedef {{ x: number, y: number }} Point
 * @typedef {{ a: Point, b: Point, c: Point }} Curve from, to, and what it bends to
 */
import { shortened } from '../view/format.js';
import { addShape, DASHES } from './map-shapes.js';

/** How far a link bends to its side, so that the one back does not lie on it. */
const BEND = 0.07;
const MANY_LINKS = 200;
const MAX_WIDTHS = 8_000;
/** Where on a link its text may stand, the best place first. */
const PLACES_ON_LINK = [0.55, 0.4, 0.7, 0.28];
const PLACES_BEHIND_RELAY = [0.78, 0.85, 0.22];
/** Items are no smaller than this, in pixels of the page. */
const LEAST_RADIUS = 3.4;
const WIDTHS = [1, 1.6, 2.4, 3.4, 4.8];

/**
 * @param {CanvasRenderingContext2D} context scaled to pixels of the page
 * @param {Scene} scene
 * @param {Theme} theme
 */
export function drawMap(context, scene, theme) {
  const { width, height, view } = scene;
  context.clearRect(0, 0, width, height);
  context.save();
  context.translate(width / 2 - view.x * view.k, height / 2 - view.y * view.k);
  context.scale(view.k, view.k);
  drawGroups(context, scene, theme);
  drawLinks(context, scene, theme);
  drawItems(context, scene, theme);
  context.restore();
  drawTexts(context, scene, theme);
}

/**
 * How a link goes; undefined where an end has no place yet.
 *
 * @param {Link} link
 * @param {Layout} layout
 * @returns {Curve | undefined}
 */
export function curveOf({ source, target, by }, layout) {
  const a = layout.placeOf(source);
  const b = layout.placeOf(target);
  if (a === undefined || b === undefined) return undefined;
  const relay = by === undefined ? undefined : layout.placeOf(by);
  const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  // A curve that goes through the relay.
  if (relay !== undefined) return { a, b, c: { x: 2 * relay.x - middle.x, y: 2 * relay.y - middle.y } };
  return { a, b, c: { x: middle.x + (b.y - a.y) * BEND, y: middle.y - (b.x - a.x) * BEND } };
}

/**
 * The point of a curve after the share `t` of it.
 *
 * @param {Curve} curve
 * @param {number} t 0 to 1
 */
export function pointOf({ a, b, c }, t) {
  const u = 1 - t;
  return {
    x: u * u * a.x + 2 * u * t * c.x + t * t * b.x,
    y: u * u * a.y + 2 * u * t * c.y + t * t * b.y,
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Theme} theme
 */
function drawGroups(context, { layout, view, graph }, theme) {
  if (graph.mode !== 'groups') return;
  context.fillStyle = theme.bubble;
  context.strokeStyle = theme['bubble-line'];
  context.lineWidth = 1 / view.k;
  context.beginPath();
  for (const { x, y, r } of layout.groups) {
    context.moveTo(x + r, y);
    context.arc(x, y, r, 0, 2 * Math.PI);
  }
  context.fill();
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Theme} theme
 */
function drawLinks(context, scene, theme) {
  const { graph, layout, near, view } = scene;
  /** @type {Map<string, { link: Link, isDim: boolean, path: Path2D, heads: Path2D }>} */
  const bundles = new Map();
  const hasHeads = graph.mode === 'groups';
  // Lines of one pixel are drawn many times as fast as thick ones, and hide less of each other.
  const isFine = (/** @type {boolean} */ isDim) =>
    isDim || (near.size === 0 && graph.links.length > MANY_LINKS);
  const itemById = new Map(graph.items.map((item) => [item.id, item]));
  for (const link of graph.links) {
    const isDim = near.size > 0 && !near.has(link.id);
    const key = `${isDim ? 0 : 1} ${link.style} ${link.width}`;
    let bundle = bundles.get(key);
    if (bundle === undefined) {
      bundle = { link, isDim, path: new Path2D(), heads: new Path2D() };
      bundles.set(key, bundle);
    }
    if (link.source === link.target) {
      addLoop(bundle.path, layout.placeOf(link.source), itemById.get(link.source));
      continue;
    }
    const curve = curveOf(link, layout);
    if (curve === undefined) continue;
    const { a, b, c } = curve;
    bundle.path.moveTo(a.x, a.y);
    bundle.path.quadraticCurveTo(c.x, c.y, b.x, b.y);
    const isLong = Math.abs(b.x - a.x) + Math.abs(b.y - a.y) > 40 / view.k;
    if (hasHeads && isLong && !isFine(isDim))
      addHead(bundle.heads, curve, itemById.get(link.target)?.radius ?? 8, 5 + link.width);
  }
  const sorted = [...bundles].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, { link, isDim, path, heads }] of sorted) {
    const { style, width } = link;
    const isPlain = style === 'plain' || style === 'idle';
    context.globalAlpha = isDim ? 0.14 : !isPlain ? 0.95 : isFine(isDim) ? 0.22 + 0.07 * width : 0.62;
    context.strokeStyle = colourOf(style, theme);
    context.fillStyle = context.strokeStyle;
    const step = WIDTHS[isPlain ? width : Math.max(1, width)] ?? 1;
    context.lineWidth = isFine(isDim) ? 1 / view.k : step / Math.max(0.7, Math.sqrt(view.k));
    context.setLineDash(DASHES[style].map((length) => length / Math.min(1, view.k)));
    context.stroke(path);
    context.setLineDash([]);
    context.fill(heads);
  }
  context.globalAlpha = 1;
}

/**
 * @param {LinkStyle} style
 * @param {Theme} theme
 */
function colourOf(style, theme) {
  if (style === 'denied' || style === 'mixed' || style === 'none') return theme.bad;
  return style === 'idle' ? theme['edge-idle'] : theme.edge;
}

/**
 * @param {Path2D} path
 * @param {Point | undefined} at
 * @param {Item | undefined} item
 */
function addLoop(path, at, item) {
  if (at === undefined || item === undefined) return;
  const r = item.radius * 0.9;
  path.moveTo(at.x + r * 1.7, at.y - item.radius);
  path.arc(at.x + r * 0.8, at.y - item.radius, r * 0.9, 0, 2 * Math.PI);
}

/**
 * @param {Path2D} path
 * @param {Curve} curve
 * @param {number} gap
 * @param {number} size
 */
function addHead(path, { b, c }, gap, size) {
  const angle = Math.atan2(b.y - c.y, b.x - c.x);
  const x = b.x - Math.cos(angle) * (gap + 2);
  const y = b.y - Math.sin(angle) * (gap + 2);
  path.moveTo(x, y);
  path.lineTo(x - size * Math.cos(angle - 0.42), y - size * Math.sin(angle - 0.42));
  path.lineTo(x - size * Math.cos(angle + 0.42), y - size * Math.sin(angle + 0.42));
  path.closePath();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Theme} theme
 */
function drawItems(context, { graph, layout, near, selected, hovered, view }, theme) {
  for (const item of graph.items) {
    const at = layout.placeOf(item.id);
    if (at === undefined) continue;
    context.globalAlpha = near.size > 0 && !near.has(item.id) ? 0.25 : 1;
    context.beginPath();
    const radius = Math.max(item.radius, (LEAST_RADIUS * item.radius) / (8 * view.k));
    addShape(context, item.shape, at.x, at.y, radius);
    const colour = item.isBad
      ? theme.bad
      : item.isFilled || item.shape !== 'circle'
        ? theme.item
        : theme['item-quiet'];
    context.fillStyle = item.isFilled || item.isBad ? colour : theme.surface;
    context.fill();
    if (!item.isFilled && !item.isBad) {
      context.strokeStyle = colour;
      context.lineWidth = 1.8;
      context.setLineDash(item.shape === 'ring' ? [3, 3] : []);
      context.stroke();
      context.setLineDash([]);
    }
    if (item.isBad) {
      const r = radius * 0.42;
      context.strokeStyle = theme.surface;
      context.lineWidth = 1.8;
      context.beginPath();
      context.moveTo(at.x - r, at.y - r);
      context.lineTo(at.x + r, at.y + r);
      context.moveTo(at.x + r, at.y - r);
      context.lineTo(at.x - r, at.y + r);
      context.stroke();
    }
    if (item.id === selected || item.id === hovered) {
      context.beginPath();
      context.arc(at.x, at.y, radius + 4 / Math.min(1, view.k), 0, 2 * Math.PI);
      context.strokeStyle = item.id === selected ? theme.accent : theme.muted;
      context.lineWidth = (item.id === selected ? 3 : 1.5) / Math.max(0.6, view.k);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

/**
 * Names, where there is room for them, the important ones first.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Theme} theme
 */
function drawTexts(context, scene, theme) {
  const { graph, layout, near, selected, hovered, view, width, height } = scene;
  const onPage = (/** @type {Point} */ { x, y }) => ({
    x: (x - view.x) * view.k + width / 2,
    y: (y - view.y) * view.k + height / 2,
  });
  const room = new TakenRoom(width, height);
  /** @type {'500' | '600'} */
  let weight = '500';
  context.textAlign = 'center';
  context.textBaseline = 'top';
  context.lineJoin = 'round';
  context.strokeStyle = theme.surface;
  context.lineWidth = 3.5;
  const write = (
    /** @type {string} */ text,
    /** @type {number} */ x,
    /** @type {number} */ y,
    isForced = false,
  ) => {
    const half = widthOf(context, text, weight) / 2;
    if (!room.take(x - half - 2, y - 1, half * 2 + 4, 15, isForced)) return false;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
    return true;
  };
  if (graph.mode === 'groups') {
    weight = '600';
    context.font = `600 12px ${theme.font}`;
    context.fillStyle = theme.muted;
    for (const { name, x, y, r } of layout.groups) {
      const at = onPage({ x, y: y - r });
      const letters = Math.max(12, Math.floor((2 * r * view.k) / 6));
      write(shortened(name, letters), at.x, at.y - 17);
    }
  }
  weight = '500';
  context.font = `500 11px ${theme.font}`;
  const first = graph.items.filter(({ id }) => id === selected || id === hovered || near.has(id));
  // Who looks from far away wants to see the form of all, and not to read.
  const few = view.k >= 0.7 ? graph.items.length : view.k >= 0.45 ? 60 : 14;
  const rest = near.size > 0 ? [] : byWeight(graph.items).slice(0, few);
  context.fillStyle = theme.text;
  for (const item of [...first, ...rest]) {
    const place = layout.placeOf(item.id);
    if (place === undefined) continue;
    const at = onPage(place);
    if (at.x < -20 || at.y < -20 || at.x > width + 20 || at.y > height + 20) continue;
    const isForced = item.id === selected || item.id === hovered;
    write(
      shortened(item.label, isForced ? 48 : 20),
      at.x,
      at.y + Math.max(item.radius * view.k, LEAST_RADIUS) + 4,
      isForced,
    );
  }
  for (const link of graph.links) {
    const isNamed = near.has(link.id) || link.id === hovered || link.id === selected;
    if (link.label === '' || (near.size > 0 && !isNamed)) continue;
    const isBad = link.style === 'denied' || link.style === 'mixed' || link.style === 'none';
    if (!isNamed && (isBad ? view.k < 0.5 : graph.links.length > 60)) continue;
    const curve = curveOf(link, layout);
    if (curve === undefined || link.source === link.target) continue;
    context.fillStyle = isBad ? theme.bad : theme.muted;
    (link.by === undefined ? PLACES_ON_LINK : PLACES_BEHIND_RELAY).some((t) => {
      const at = onPage(pointOf(curve, t));
      return write(link.label, at.x, at.y - 7);
    });
  }
}

/** @type {WeakMap<readonly Item[], readonly Item[]>} */
const orderByItems = new WeakMap();

/** @param {readonly Item[]} items */
function byWeight(items) {
  let order = orderByItems.get(items);
  if (order === undefined) {
    order = [...items].sort((a, b) => b.weight - a.weight);
    orderByItems.set(items, order);
  }
  return order;
}

/** Of texts of items and links, and of names of groups. @type {Record<'500' | '600', Map<string, number>>} */
const widths = { 500: new Map(), 600: new Map() };

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {'500' | '600'} weight
 */
function widthOf(context, text, weight) {
  const widthByText = widths[weight];
  let width = widthByText.get(text);
  if (width === undefined) {
    if (widthByText.size > MAX_WIDTHS) widthByText.clear();
    width = context.measureText(text).width;
    widthByText.set(text, width);
  }
  return width;
}

/** Which parts of the map have a text already, in cells of 8 by 8 pixels. */
class TakenRoom {
  #columns;
  #rows;
  #cells;

  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    this.#columns = Math.ceil(width / 8) + 1;
    this.#rows = Math.ceil(height / 8) + 1;
    this.#cells = new Uint8Array(this.#columns * this.#rows);
  }

  /**
   * Takes the room if nobody has it, or if it must be.
   *
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   * @param {boolean} isForced
   */
  take(x, y, width, height, isForced) {
    const left = Math.max(0, Math.floor(x / 8));
    const right = Math.min(this.#columns - 1, Math.floor((x + width) / 8));
    const top = Math.max(0, Math.floor(y / 8));
    const bottom = Math.min(this.#rows - 1, Math.floor((y + height) / 8));
    if (!isForced)
      for (let row = top; row <= bottom; row++)
        for (let column = left; column <= right; column++)
          if (this.#cells[row * this.#columns + column] === 1) return false;
    for (let row = top; row <= bottom; row++)
      this.#cells.fill(1, row * this.#columns + left, row * this.#columns + right + 1);
    return true;
  }
}
