/** Names of constants of a file, and what they are to be instead. */
export type TimesByFile = Readonly<Record<string, Readonly<Record<string, number>>>>;

/**
 * The environment in which a program of this checkout has other times, for tests that would wait else. A file is named by the end
 * of its path. The program ends at its start where a constant is not found.
 */
export function shortTimes(timesByFile: TimesByFile): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import=${import.meta.dirname}/inside/short-times.ts`,
    SHORT_TEST_TIMES: JSON.stringify(timesByFile),
  };
}
