import type { EdgeRow } from './picture.ts';
import { LINES } from './series-lines.ts';
import type { SeriesValue } from './series-ring.ts';

/** How much goes over an edge, or one port of it. */
export type EdgeAmounts = Pick<
  EdgeRow,
  'open' | 'beganPerS' | 'droppedPerS' | 'sentBytesPerS' | 'receivedBytesPerS'
>;

/** No amounts. */
export const NOTHING: EdgeAmounts = {
  open: 0,
  beganPerS: 0,
  droppedPerS: 0,
  sentBytesPerS: 0,
  receivedBytesPerS: 0,
};

/** The sum of two, to one digit behind the point. */
export function sumOf(a: EdgeAmounts, b: EdgeAmounts): EdgeAmounts {
  const sum = (x: number, y: number): number => Math.round((x + y) * 10) / 10;
  return {
    open: a.open + b.open,
    beganPerS: sum(a.beganPerS, b.beganPerS),
    droppedPerS: sum(a.droppedPerS, b.droppedPerS),
    sentBytesPerS: sum(a.sentBytesPerS, b.sentBytesPerS),
    receivedBytesPerS: sum(a.receivedBytesPerS, b.receivedBytesPerS),
  };
}

/** What is to be said of an edge with these amounts. */
export function verdictOf(amounts: EdgeAmounts): EdgeRow['verdict'] {
  const { open, beganPerS, droppedPerS, sentBytesPerS, receivedBytesPerS } = amounts;
  const passes = open > 0 || beganPerS > 0 || sentBytesPerS > 0 || receivedBytesPerS > 0;
  if (droppedPerS > 0) return passes ? 'mixed' : 'dropped';
  return passes ? 'forwarded' : 'idle';
}

/** What goes over all of these edges together, as the values of a series. */
export function edgeSums(edges: readonly EdgeRow[]): SeriesValue[] {
  const sum = edges.reduce<EdgeAmounts>(sumOf, NOTHING);
  return [
    { ...LINES.open, value: sum.open },
    { ...LINES.began, value: sum.beganPerS },
    { ...LINES.denied, value: sum.droppedPerS },
    { ...LINES.sent, value: sum.sentBytesPerS },
    { ...LINES.received, value: sum.receivedBytesPerS },
  ];
}
