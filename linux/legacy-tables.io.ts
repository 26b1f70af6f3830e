import { readFileSync } from 'node:fs';
import type { ForwardDrop, PodInterfaces } from './forward-drops.ts';
import { legacyDropsPods } from './legacy-drops-pods.ts';
import { runProgram } from './run-program.io.ts';

const SAVE_TIMEOUT_MS = 10_000;
/** Of larger rule sets nothing is judged. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

const FAMILIES = [
  { family: 'ip', names: '/proc/net/ip_tables_names', program: 'iptables-legacy-save' },
  { family: 'ip6', names: '/proc/net/ip6_tables_names', program: 'ip6tables-legacy-save' },
] as const;

/** What the old iptables do to packets of pods. */
interface LegacyTables {
  readonly drops: readonly ForwardDrop[];
  /** Those that have rules which could not be read here. */
  readonly unread: readonly ForwardDrop[];
}

/** Looks at the tables of the old iptables, where this network namespace has any; else it costs nothing. */
export async function readLegacyTables(pods: PodInterfaces): Promise<LegacyTables> {
  const drops: ForwardDrop[] = [];
  const unread: ForwardDrop[] = [];
  for (const { family, names, program } of FAMILIES) {
    if (!hasFilter(names)) continue;
    const drop = { family, table: 'filter', chain: 'FORWARD', legacy: true } as const;
    const saved = await save(program);
    if (saved === undefined) unread.push(drop);
    else if (legacyDropsPods(saved, pods)) drops.push(drop);
  }
  return { drops, unread };
}

/** The kernel lists the tables that this namespace has; without the module there is no such file. */
function hasFilter(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').split('\n').includes('filter');
  } catch {
    return false;
  }
}

/** Undefined where the program is missing, or may not look. */
async function save(program: string): Promise<string | undefined> {
  const { code, stdout } = await runProgram(program, ['-t', 'filter'], {
    env: { LC_ALL: 'C' },
    timeoutMs: SAVE_TIMEOUT_MS,
    maxOutput: MAX_OUTPUT_BYTES,
  });
  return code === 0 ? stdout : undefined;
}
