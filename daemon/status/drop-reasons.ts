import { GATE_COUNTERS } from '../../linux/policy-gate.ts';
import { POLICY_COUNTERS } from '../../linux/policy-rules.ts';
import { RULE_COUNTERS } from '../../linux/rule-counters.ts';
import { DAEMON_COUNTERS } from '../daemon-counters.ts';

/** What each counter of dropped packets and datagrams says, by its name in `weft report`. */
export function dropReasons(): Readonly<Record<string, string>> {
  const tables = { ...DAEMON_COUNTERS, ...RULE_COUNTERS, ...GATE_COUNTERS, ...POLICY_COUNTERS };
  return Object.fromEntries(
    Object.entries(tables).flatMap(([name, { help, drops }]) =>
      drops === 'packet' || drops === 'datagram' ? [[name, help]] : [],
    ),
  );
}
