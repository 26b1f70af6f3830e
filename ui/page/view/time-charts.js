/**
 * The time lines below the maps.
 *
 * @import { Series, SeriesLine } from '../../picture/picture.ts'
 */
import { byId } from './dom.js';
import { TimeChart } from './time-chart.js';

/** Reasons for drops in one chart; all are in the table. */
const MAX_REASONS = 5;

export class TimeCharts {
  #bytes = new TimeChart('Bytes');
  #connections = new TimeChart('New connections');
  #drops = new TimeChart('Dropped packets', true);
  #rtt = new TimeChart('Round trip');

  constructor() {
    byId('charts').append(
      ...[this.#bytes, this.#connections, this.#drops, this.#rtt].map((chart) => chart.element),
    );
  }

  /** @param {Series} series */
  show(series) {
    const { at } = series;
    const named = (/** @type {readonly string[]} */ ids) =>
      ids.map((id) => series.lines.find((line) => line.id === id)).filter((line) => line !== undefined);
    this.#bytes.set({ at, lines: named(['sent', 'received']) });
    this.#connections.set({ at, lines: named(['began']) });
    this.#drops.set({ at, lines: [...named(['denied']), ...worst(series.lines)] });
    this.#rtt.set({ at, lines: named(['rtt']) });
  }
}

/**
 * The reasons for which most was dropped.
 *
 * @param {readonly SeriesLine[]} lines
 */
function worst(lines) {
  return lines
    .filter(({ id }) => id.startsWith('drop:'))
    .map((line) => ({ line, sum: line.values.reduce((sum, value) => (sum ?? 0) + (value ?? 0), 0) ?? 0 }))
    .filter(({ sum }) => sum > 0)
    .sort((a, b) => b.sum - a.sum || (a.line.id < b.line.id ? -1 : 1))
    .slice(0, MAX_REASONS)
    .map(({ line }) => line);
}
