/**
 * What one check of `weft doctor` found. `fault`: something does not work or is not safe. `warning`: it works, and will
 * not for long or not for all. `skipped`: it could not be looked at, and `seen` says why.
 */
export interface Finding {
  /** What was looked at, in one or two words; the same at every run, for scripts: `forwarding`, `peer b`. */
  readonly check: string;
  readonly verdict: Verdict;
  /** What was seen, one line. */
  readonly seen: string;
  /** What to do, one line; only where the verdict is `fault` or `warning`. */
  readonly remedy?: string;
}

export type Verdict = 'ok' | 'warning' | 'fault' | 'skipped';

/** The check is satisfied with what it saw. */
export function fine(check: string, seen: string): Finding {
  return { check, verdict: 'ok', seen };
}

export function warning(check: string, seen: string, remedy: string): Finding {
  return { check, verdict: 'warning', seen, remedy };
}

export function fault(check: string, seen: string, remedy: string): Finding {
  return { check, verdict: 'fault', seen, remedy };
}

export function skipped(check: string, why: string): Finding {
  return { check, verdict: 'skipped', seen: why };
}
