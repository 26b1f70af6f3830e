import { printable } from '../base/printable.ts';
import type { FlowsResult } from '../control/flow-request.ts';
import { type Finding, fine, skipped } from '../doctor/finding.ts';

/** So many rows of the past are looked at. */
export const MAX_DENIED_ROWS = 100;

/** What policies have denied of a pair before, as far as this node recorded it. It explains, and decides nothing. */
export function deniedLately({ rows, recording }: FlowsResult): Finding {
  const check = 'denied before';
  const drops = rows.filter((row) => row.kind === 'drop');
  const last = drops.at(-1);
  if (last === undefined)
    return recording
      ? fine(check, 'no packet of this pair, as far as is remembered')
      : skipped(check, 'not recorded: weftd --flows does');
  const most = drops.length >= MAX_DENIED_ROWS ? ' or more' : '';
  const by = last.policies.map((policy) => printable(policy)).join(', ');
  const port = last.target.port === null ? '' : ` ${last.target.port}`;
  const when = new Date(last.at).toISOString();
  return fine(
    check,
    `${drops.length}${most} packets of this pair; the last at ${when}, ${printable(last.protocol)}${port}, ${last.way}${by === '' ? '' : `, by ${by}`}`,
  );
}
