/**
 * Numbers over time: a picture by uPlot, and the same numbers as a table.
 *
 * @typedef {object} ChartLine
 * @property {string} name
 * @property {string} unit
 * @property {readonly (number | null)[]} values
 *
 * @typedef {{ readonly at: readonly number[], readonly lines: readonly ChartLine[] }} ChartData
 */

import { followTheme } from '../map/map-theme.js';
import { element, setText, svg, table } from './dom.js';
import { clock, inUnit } from './format.js';

/** Lines are told apart by their dashes first, and by colour. */
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [14, 4], [4, 2]];
const COLOURS = ['item', 'text', 'accent', 'muted', 'good', 'warn'];
const BAD_COLOURS = ['bad', 'text', 'warn', 'muted', 'accent', 'item'];
const HEIGHT = 150;
const TABLE_ROWS = 15;

export class TimeChart {
  /** @type {HTMLElement} */
  element;
  #title;
  #isBad;
  #plot = element('div', { class: 'plot', role: 'img' });
  #keys = element('ul', { class: 'keys' });
  #rows = element('div', { class: 'as-table', role: 'group', tabindex: '0' });
  #details;
  /** @type {any} */
  #uplot;
  #shape = '';
  /** @type {ChartData} */
  #data = { at: [], lines: [] };

  /**
   * @param {string} title
   * @param {boolean} [isBad] it tells of what should not be
   */
  constructor(title, isBad = false) {
    this.#title = title;
    this.#isBad = isBad;
    this.#rows.setAttribute('aria-label', `${title}, as a table`);
    this.#details = element(
      'details',
      { ontoggle: () => this.#fillTable() },
      element('summary', { text: 'As a table' }),
      this.#rows,
    );
    this.element = element(
      'figure',
      { class: 'panel chart' },
      element('figcaption', {}, element('h3', { text: title }), this.#keys),
      this.#plot,
      this.#details,
    );
    new ResizeObserver(() => this.#uplot?.setSize({ width: this.#plot.clientWidth, height: HEIGHT })).observe(
      this.#plot,
    );
    followTheme(() => {
      this.#shape = '';
      this.set(this.#data);
    });
  }

  /** @param {ChartData} data */
  set(data) {
    this.#data = data;
    const shape = data.lines.map(({ name }) => name).join('\n');
    const columns = [data.at.map((at) => at / 1000), ...data.lines.map(({ values }) => values)];
    if (shape !== this.#shape || this.#uplot === undefined) {
      this.#shape = shape;
      this.#make(columns);
    } else this.#uplot.setData(columns);
    const latest = data.lines.map(({ name, unit, values }) => `${name} ${inUnit(values.at(-1), unit)}`);
    data.lines.forEach(({ unit, values }, i) => {
      const text = this.#keys.children[i]?.lastElementChild;
      if (text != null) setText(text, inUnit(values.at(-1), unit));
    });
    this.#plot.setAttribute(
      'aria-label',
      `${this.#title}: ${latest.length === 0 ? 'nothing' : `now ${latest.join(', ')}`}`,
    );
    this.#fillTable();
  }

  /** @param {readonly (readonly (number | null)[])[]} columns */
  #make(columns) {
    const style = getComputedStyle(document.documentElement);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
    const colours = (this.#isBad ? BAD_COLOURS : COLOURS).map(colour);
    const { lines } = this.#data;
    const unit = lines[0]?.unit ?? '';
    this.#uplot?.destroy();
    const font = `11px ${colour('font')}`;
    const axis = {
      stroke: colour('muted'),
      font,
      grid: { stroke: colour('line'), width: 1 },
      ticks: { show: false },
    };
    const options = {
      width: Math.max(120, this.#plot.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { time: true },
        y: {
          range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ most) => [
            0,
            Math.max(most * 1.1, 1),
          ],
        },
      },
      axes: [
        {
          ...axis,
          size: 24,
          space: 70,
          values: (/** @type {any} */ _, /** @type {number[]} */ all) =>
            all.map((at) => clock(at * 1000).slice(0, 5)),
        },
        {
          ...axis,
          size: 66,
          space: 34,
          values: (/** @type {any} */ _, /** @type {number[]} */ all) =>
            all.map((value) => inUnit(value, unit)),
        },
      ],
      series: [
        {},
        ...lines.map(({ name }, i) => ({
          label: name,
          stroke: colours[i % colours.length],
          width: 1.75,
          dash: DASHES[i % DASHES.length],
          points: { show: false },
          ...(i === 0 ? { fill: `color-mix(in srgb, ${colours[0]} 10%, transparent)` } : {}),
        })),
      ],
    };
    this.#uplot = new /** @type {any} */ (globalThis).uPlot(options, columns, this.#plot);
    this.#keys.replaceChildren(
      ...lines.map(({ name }, i) => key(name, i, colours[i % colours.length] ?? '')),
    );
  }

  #fillTable() {
    if (!this.#details.open) {
      if (this.#rows.childElementCount > 0) this.#rows.replaceChildren();
      return;
    }
    const { at, lines } = this.#data;
    // One row for as many points as it takes to show all of the time.
    const step = Math.max(1, Math.ceil(at.length / TABLE_ROWS));
    const rows = [];
    for (let i = at.length - 1; i >= 0; i -= step)
      rows.push([clock(at[i] ?? 0), ...lines.map(({ unit, values }) => inUnit(values[i], unit))]);
    this.#rows.replaceChildren(table(['When', ...lines.map(({ name }) => `#${name}`)], rows, this.#title));
  }
}

/**
 * @param {string} name
 * @param {number} number
 * @param {string} colour
 */
function key(name, number, colour) {
  const dash = (DASHES[number % DASHES.length] ?? []).join(' ');
  const line = svg('path', { d: 'M1 5h28', stroke: colour, 'stroke-dasharray': dash || undefined });
  return element(
    'li',
    {},
    svg('svg', { class: 'key', viewBox: '0 0 30 10', width: 26, height: 9, 'aria-hidden': 'true' }, line),
    element('span', { text: name }),
    element('span', {}),
  );
}
