/** What a gauge's number is of. */
type GaugeUnit = 'count' | 'bytes' | 'seconds' | 'percent';

/** A number at one moment; or several, one for each value of a label. */
export type GaugeReading = number | Readonly<Record<string, number>>;

/** Something that a node can be asked for at any time, in words for whoever operates the node. */
export interface Gauge<Source, Reading extends GaugeReading = GaugeReading> {
  /** One or two sentences: what the number is. */
  readonly help: string;
  readonly unit: GaugeUnit;
  /** What the numbers are told apart by, and all values that this can have: the set is closed. */
  readonly label?: { readonly name: string; readonly values: readonly string[] };
  /** The value now. Called only when somebody asks. */
  readonly read: (source: Source) => Reading;
}

/** The gauges that a room declares, by name. Names have the form of those of counters (counters.ts). */
export type GaugeTable<Source> = Readonly<Record<string, Gauge<Source>>>;

/** Declares a gauge of one number. */
export function gauge<Source>(
  unit: GaugeUnit,
  help: string,
  read: (source: Source) => number,
): Gauge<Source, number> {
  return { unit, help, read };
}

/** Declares a gauge of one number for each value of a label. */
export function gaugeBy<Source, const Values extends readonly string[]>(
  label: { readonly name: string; readonly values: Values },
  unit: GaugeUnit,
  help: string,
  read: (source: Source) => Readonly<Record<Values[number], number>>,
): Gauge<Source, Readonly<Record<Values[number], number>>> {
  return { unit, help, label, read };
}

/** All values of a table now, by name. */
export function readGauges<Source>(table: GaugeTable<Source>, source: Source): Record<string, GaugeReading> {
  return Object.fromEntries(Object.entries(table).map(([name, { read }]) => [name, read(source)]));
}

/** How many of `things` fall under each of `values`. */
export function countBy<Thing, Value extends string>(
  values: readonly Value[],
  things: Iterable<Thing>,
  sortOf: (thing: Thing) => Value,
): Record<Value, number> {
  const counts = Object.fromEntries(values.map((value) => [value, 0])) as Record<Value, number>;
  for (const thing of things) counts[sortOf(thing)]++;
  return counts;
}
