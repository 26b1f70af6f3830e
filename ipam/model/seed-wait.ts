/**
 * How long a seed that may have peers listens for a ring of theirs before it begins one, in milliseconds, where nothing else
 * is given.
 */
export const DEFAULT_SEED_WAIT_MS = 1_500;
