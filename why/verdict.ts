import type { Finding } from '../doctor/finding.ts';

/** The end of `weft why`: whether the two can talk, and where and why not. */
export type PairVerdict =
  | { readonly talk: true; readonly because: string }
  | {
      readonly talk: false;
      /** The check that found it. */
      readonly station: string;
      readonly because: string;
      readonly remedy: string;
    };

/** What the facts alone say: the first fault on the way is what a packet meets. */
export function verdictOfFindings(findings: readonly Finding[]): PairVerdict {
  const first = findings.find(({ verdict }) => verdict === 'fault');
  if (first === undefined)
    return { talk: true, because: 'nothing on the way drops it, as far as can be seen' };
  return { talk: false, station: first.check, because: first.seen, remedy: first.remedy ?? '' };
}
