import { type Finding, fault, fine } from '../doctor/finding.ts';
import type { Check, Outcome } from './check.ts';

/**
 * What an outcome means, and what to do where it is not well.
 *
 * @param source how `weft why` names the end that tried.
 * @param node where it is to be asked.
 */
export function outcomeFinding(
  { name, what }: Check,
  outcome: Outcome | undefined,
  { source, node }: { readonly source: string; readonly node: string },
): Finding {
  if (outcome === undefined)
    return fault(name, 'was not tried in time', 'see whether the machine is busy, and try again');
  if (outcome.isWell) return fine(name, outcome.seen);
  return fault(name, outcome.seen, remedyOf(what, source, node));
}

function remedyOf(what: Check['what'], source: string, node: string): string {
  const on = `on ${node}`;
  switch (what.kind) {
    case 'tcp':
    case 'bulk':
    case 'reach':
      return `ask 'weft why ${source} ${what.to} ${what.port}' ${on}`;
    case 'udp':
      return `ask 'weft why ${source} ${what.to} ${what.port}/udp' ${on}`;
    case 'size':
    case 'size-one-way':
      return `see 'weft peers --json' ${on} for the size that is proven, and let ICMP 'fragmentation needed' and 'packet too big' pass between the nodes`;
    case 'closed':
      return `see 'weft policy status' ${on}, and 'weft status' for who enforces policies`;
    case 'name':
      return "see that the pods of the cluster's DNS run, and ask 'weft why POD DNS-SERVICE-IP dns'";
    case 'mark':
      return "see 'weft status'";
  }
}
