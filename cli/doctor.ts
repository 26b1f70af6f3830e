import { printable } from '../base/printable.ts';
import type { Finding, Verdict } from '../doctor/finding.ts';

/** Texts of `weft doctor` for people. What findings say may come from other nodes, and is not trusted. */

const WORD: Readonly<Record<Verdict, string>> = {
  ok: 'ok     ',
  warning: 'WARNING',
  fault: 'FAULT  ',
  skipped: 'skipped',
};

const MAX_LINE = 500;

/** One finding as one line, and what to do beneath it. */
export function formatFinding({ check, verdict, seen, remedy }: Finding): string {
  const line = `${WORD[verdict]}  ${printable(check)}: ${printable(seen, MAX_LINE)}\n`;
  return remedy === undefined ? line : `${line}         → ${printable(remedy, MAX_LINE)}\n`;
}

/** How many findings of each kind there were, in one line. */
export function formatSummary(findings: readonly Finding[]): string {
  const count = (verdict: Verdict): number => findings.filter((each) => each.verdict === verdict).length;
  const parts = [`${count('ok')} ok`, `${count('warning')} warnings`, `${count('fault')} faults`];
  if (count('skipped') > 0) parts.push(`${count('skipped')} skipped`);
  return `\n${parts.join(', ')}\n`;
}

/** True where no finding asks for anything to be done. */
export function isAllWell(findings: readonly Finding[]): boolean {
  return findings.every(({ verdict }) => verdict === 'ok' || verdict === 'skipped');
}
