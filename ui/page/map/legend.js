/**
 * What the signs of a map mean.
 *
 * @import { LinkStyle, Shape } from './graph.js'
 */
import { byId, element } from '../view/dom.js';
import { lineSign, shapeSign } from './map-shapes.js';

/** @type {readonly (readonly [LinkStyle, boolean, string])[]} */
const WORKLOAD_LINES = [
  ['plain', false, 'passes; thicker is more'],
  ['mixed', true, 'some denied'],
  ['denied', true, 'all denied'],
];
/** @type {readonly (readonly [LinkStyle, boolean, string])[]} */
const TUNNEL_LINES = [
  ['plain', false, 'direct'],
  ['relayed', false, 'relayed'],
  ['idle', false, 'not used yet'],
  ['none', true, 'no way'],
];
/** @type {readonly (readonly [Shape, string])[]} */
const SHAPES = [
  ['circle', 'workload'],
  ['hexagon', 'node'],
  ['diamond', 'outside'],
  ['square', 'address without a name'],
  ['ring', 'not shown to you'],
];

/**
 * @param {'workloads' | 'nodes'} map
 * @param {ReadonlySet<Shape>} shapes that are on it
 */
export function showLegend(map, shapes) {
  const where = byId('legend');
  const key = [map, ...[...shapes].sort()].join();
  if (where.dataset.shown === key) return;
  where.dataset.shown = key;
  const forms =
    map === 'nodes'
      ? [
          entry(shapeSign({ shape: 'hexagon', isFilled: true, isBad: false }), 'reached'),
          entry(
            shapeSign({ shape: 'hexagon', isFilled: false, isBad: true }),
            'not reached, or loses packets',
          ),
        ]
      : [
          ...SHAPES.filter(([shape]) => shapes.has(shape)).map(([shape, text]) =>
            entry(shapeSign({ shape, isFilled: shape === 'circle', isBad: false }), text),
          ),
          entry(shapeSign({ shape: 'circle', isFilled: false, isBad: true }), 'denied packets'),
        ];
  const lines = (map === 'nodes' ? TUNNEL_LINES : WORKLOAD_LINES).map(([style, isBad, text]) =>
    entry(lineSign(style, isBad), text),
  );
  where.replaceChildren(...forms, ...lines);
}

/**
 * @param {SVGElement} sign
 * @param {string} text
 */
function entry(sign, text) {
  return element('li', {}, sign, element('span', { text }));
}
