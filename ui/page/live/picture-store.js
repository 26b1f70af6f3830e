/**
 * What the server told, kept up to date by its changes.
 *
 * @import { DeniedRow, EdgeRow, NodeRow, Picture, PictureHead, Series, TunnelRow, WorkloadRow } from '../../picture/picture.ts'
 * @import { PictureChange, RowChange, SeriesPoint } from '../../picture/picture-change.ts'
 */

/** As the server has them (`ui/picture/picture.ts`). */
export const MAX_DENIED = 200;
export const SERIES_POINTS = 300;

/** The present picture, with its rows by their ids. */
export class PictureStore {
  /** @type {PictureHead | undefined} */
  head;
  /** @type {Map<string, NodeRow>} */
  nodes = new Map();
  /** @type {Map<string, TunnelRow>} */
  tunnels = new Map();
  /** @type {Map<string, WorkloadRow>} */
  workloads = new Map();
  /** @type {Map<string, EdgeRow>} */
  edges = new Map();
  /** @type {DeniedRow[]} */
  denied = [];
  /** @type {Series} */
  series = { at: [], lines: [] };

  /**
   * Takes a whole picture.
   *
   * @param {Picture} picture
   */
  takePicture(picture) {
    const { nodes, tunnels, workloads, edges, denied, series, ...head } = picture;
    this.head = head;
    this.nodes = byId(nodes);
    this.tunnels = byId(tunnels);
    this.workloads = byId(workloads);
    this.edges = byId(edges);
    this.denied = denied.slice(-MAX_DENIED);
    this.series = series;
  }

  /**
   * Takes a change. Returns false, and takes nothing, where it is not the one after what is known: some were lost.
   *
   * @param {PictureChange} change
   */
  takeChange(change) {
    if (this.head === undefined || change.head.number !== this.head.number + 1) return false;
    this.head = change.head;
    apply(this.nodes, change.nodes);
    apply(this.tunnels, change.tunnels);
    apply(this.workloads, change.workloads);
    apply(this.edges, change.edges);
    if (change.denied !== undefined) this.denied = [...this.denied, ...change.denied].slice(-MAX_DENIED);
    if (change.point !== null) this.series = withPoint(this.series, change.point);
    return true;
  }
}

/**
 * @template {{ readonly id: string }} Row
 * @param {readonly Row[]} rows
 * @returns {Map<string, Row>}
 */
function byId(rows) {
  return new Map(rows.map((row) => [row.id, row]));
}

/**
 * @template {{ readonly id: string }} Row
 * @param {Map<string, Row>} rows
 * @param {RowChange<Row> | undefined} change
 */
function apply(rows, change) {
  if (change === undefined) return;
  for (const id of change.gone) rows.delete(id);
  for (const row of change.set) rows.set(row.id, row);
}

/**
 * @param {Series} series
 * @param {SeriesPoint} point
 * @returns {Series}
 */
function withPoint(series, point) {
  const valuesById = new Map(series.lines.map(({ id, values }) => [id, values]));
  const nothing = series.at.map(() => null);
  return {
    at: [...series.at, point.at].slice(-SERIES_POINTS),
    lines: point.lines.map(({ value, ...line }) => ({
      ...line,
      values: [...(valuesById.get(line.id) ?? nothing), value].slice(-SERIES_POINTS),
    })),
  };
}
