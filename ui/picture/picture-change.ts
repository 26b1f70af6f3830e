import type {
  DeniedRow,
  EdgeRow,
  NodeRow,
  Picture,
  PictureHead,
  SeriesLine,
  TunnelRow,
  WorkloadRow,
} from './picture.ts';

/** What is other in a picture than in its predecessor. What is absent is as it was. */
export interface PictureChange {
  readonly head: PictureHead;
  readonly nodes?: RowChange<NodeRow>;
  readonly tunnels?: RowChange<TunnelRow>;
  readonly workloads?: RowChange<WorkloadRow>;
  readonly edges?: RowChange<EdgeRow>;
  /** New ones, to be put at the end. */
  readonly denied?: readonly DeniedRow[];
  /** The next point; null where the series did not move. Lines that are not among these have ended. */
  readonly point: SeriesPoint | null;
}

/** What is other in a list of rows. */
export interface RowChange<Row> {
  /** Rows that are new or other, in full. */
  readonly set: readonly Row[];
  /** Ids of rows that are gone. */
  readonly gone: readonly string[];
}

/** One point of all lines. A line that is not known yet was null before. */
export interface SeriesPoint {
  readonly at: number;
  readonly lines: readonly (Omit<SeriesLine, 'values'> & { readonly value: number | null })[];
}

/** What has to be told to somebody who has `before`, so that they have `after`. */
export function pictureChange(before: Picture, after: Picture): PictureChange {
  const known = new Set(before.denied.map(({ id }) => id));
  const denied = after.denied.filter(({ id }) => !known.has(id));
  const at = after.series.at.at(-1);
  const hasPoint = at !== undefined && at !== before.series.at.at(-1);
  return {
    head: headOf(after),
    ...changed('nodes', before.nodes, after.nodes),
    ...changed('tunnels', before.tunnels, after.tunnels),
    ...changed('workloads', before.workloads, after.workloads),
    ...changed('edges', before.edges, after.edges),
    ...(denied.length === 0 ? {} : { denied }),
    point: hasPoint
      ? {
          at,
          lines: after.series.lines.map(({ values, ...line }) => ({ ...line, value: values.at(-1) ?? null })),
        }
      : null,
  };
}

function headOf(picture: Picture): PictureHead {
  const { nodes, tunnels, workloads, edges, denied, series, ...head } = picture;
  return head;
}

function changed<Name extends string, Row extends { readonly id: string }>(
  name: Name,
  before: readonly Row[],
  after: readonly Row[],
): { readonly [Key in Name]?: RowChange<Row> } {
  const beforeById = new Map(before.map((row) => [row.id, row]));
  const set: Row[] = [];
  for (const row of after) {
    const old = beforeById.get(row.id);
    if (old === undefined || (old !== row && JSON.stringify(old) !== JSON.stringify(row))) set.push(row);
    beforeById.delete(row.id);
  }
  const gone = [...beforeById.keys()];
  // The type of a computed key is not followed by TypeScript.
  return (set.length === 0 && gone.length === 0 ? {} : { [name]: { set, gone } }) as unknown as {
    readonly [Key in Name]?: RowChange<Row>;
  };
}
