/**
 * Forms that tell kinds apart without colour: on the canvas, and as signs in lists and legends.
 *
 * @import { LinkStyle, Shape } from './graph.js'
 */
import { svg } from '../view/dom.js';

/** Pixels drawn and left out, by turns. @type {Readonly<Record<LinkStyle, readonly number[]>>} */
export const DASHES = {
  plain: [],
  idle: [],
  mixed: [12, 4],
  denied: [5, 4],
  relayed: [9, 3, 2, 3],
  none: [1.5, 4],
};

/**
 * Corners of a form around 0, with radius 1; none: a circle.
 *
 * @param {Shape} shape
 * @returns {readonly (readonly [number, number])[]}
 */
function corners(shape) {
  if (shape === 'hexagon')
    return [0, 1, 2, 3, 4, 5].map((i) => [Math.cos((i * Math.PI) / 3), Math.sin((i * Math.PI) / 3)]);
  if (shape === 'diamond')
    return [
      [0, -1.15],
      [1.15, 0],
      [0, 1.15],
      [-1.15, 0],
    ];
  if (shape === 'square')
    return [
      [-0.85, -0.85],
      [0.85, -0.85],
      [0.85, 0.85],
      [-0.85, 0.85],
    ];
  return [];
}

const CORNERS = {
  circle: corners('circle'),
  ring: corners('ring'),
  hexagon: corners('hexagon'),
  diamond: corners('diamond'),
  square: corners('square'),
};

/**
 * Adds the form to the path of `context`.
 *
 * @param {CanvasRenderingContext2D | Path2D} context
 * @param {Shape} shape
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 */
export function addShape(context, shape, x, y, radius) {
  const points = CORNERS[shape];
  if (points.length === 0) {
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  points.forEach(([dx, dy], i) => {
    if (i === 0) context.moveTo(x + dx * radius, y + dy * radius);
    else context.lineTo(x + dx * radius, y + dy * radius);
  });
  context.closePath();
}

/**
 * The form as a small picture.
 *
 * @param {{ readonly shape: Shape, readonly isFilled: boolean, readonly isBad: boolean }} item
 */
export function shapeSign({ shape, isFilled, isBad }) {
  const points = CORNERS[shape];
  const form =
    points.length === 0
      ? svg('circle', { cx: 8, cy: 8, r: 5.5, 'stroke-dasharray': shape === 'ring' ? '2 2' : undefined })
      : svg('polygon', { points: points.map(([x, y]) => `${8 + x * 6},${8 + y * 6}`).join(' ') });
  const cross = isBad && svg('path', { d: 'M5.5 5.5l5 5M10.5 5.5l-5 5' });
  const classes = `sign${isFilled && !isBad ? ' filled' : ''}${isBad ? ' bad' : ''}`;
  return svg('svg', { class: classes, viewBox: '0 0 16 16', 'aria-hidden': 'true' }, form, cross);
}

/**
 * A piece of such a line.
 *
 * @param {LinkStyle} style
 * @param {boolean} isBad
 */
export function lineSign(style, isBad) {
  const line = svg('path', { d: 'M1 5h28', 'stroke-dasharray': DASHES[style].join(' ') || undefined });
  return svg(
    'svg',
    {
      class: `way${isBad ? ' bad' : ''}${style === 'idle' ? ' idle' : ''}`,
      viewBox: '0 0 30 10',
      'aria-hidden': 'true',
    },
    line,
  );
}
