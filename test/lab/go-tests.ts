/** How one test of a Go program went; those within others have names with `/`. */
export interface GoTest {
  readonly name: string;
  readonly state: 'PASS' | 'FAIL' | 'SKIP';
  readonly seconds: number;
  /** What was said while it ran, by it and not by those within it. */
  readonly output: readonly string[];
}

/** Reads what a test program of Go writes with `-test.v`. A test that never ended counts as failed. */
export function readGoTests(lines: readonly string[]): GoTest[] {
  const outputByName = new Map<string, string[]>();
  const endByName = new Map<string, Pick<GoTest, 'state' | 'seconds'>>();
  let current: string[] = [];
  for (const line of lines) {
    const turn = /^=== (?:RUN|CONT|NAME) +(\S+)$/.exec(line)?.[1];
    const end = /^ *--- (PASS|FAIL|SKIP): (\S+) \(([\d.]+)s\)$/.exec(line);
    if (turn !== undefined) {
      current = outputByName.get(turn) ?? [];
      outputByName.set(turn, current);
    } else if (end !== null) {
      endByName.set(end[2]!, { state: end[1] as GoTest['state'], seconds: Number(end[3]) });
    } else if (!line.startsWith('===')) {
      current.push(line);
    }
  }
  return [...outputByName].map(([name, output]) => ({
    name,
    output,
    ...(endByName.get(name) ?? { state: 'FAIL', seconds: 0 }),
  }));
}
