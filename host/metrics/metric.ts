/** The types of metrics that Prometheus' text format knows and that are used here. */
type MetricType = 'counter' | 'gauge' | 'histogram';

/** A label and what its values are. */
interface MetricLabel {
  readonly name: string;
  /** All values that it can have; or, where they are not known beforehand, what bounds them, as a clause. */
  readonly values: readonly string[] | string;
  /** Where they are not known beforehand: how many there are at most, if not a few. */
  readonly most?: number;
}

/** One number of a metric. */
export interface Sample {
  readonly value: number;
  /** A value for each label of the metric; none of the sum and count of a histogram. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What is added to the metric's name: of histograms only. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
}

/** What is shown under one name to who scrapes: declared once, for the answer and for docs/metrics.md. */
export interface Metric<in Source> {
  /** As Prometheus wants it: snake_case, with the unit, and `_total` behind a counter. */
  readonly name: string;
  readonly type: MetricType;
  /** One or two sentences, for whoever operates the node. */
  readonly help: string;
  readonly labels: readonly MetricLabel[];
  /** The numbers now; none where nothing is known. No two have the same labels. */
  readonly read: (source: Source) => readonly Sample[];
}
