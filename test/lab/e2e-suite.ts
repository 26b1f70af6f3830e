import { spawn } from 'node:child_process';
import { cpSync, createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Machine } from './harness/machine.ts';
import { ADMIN_CONFIG, BIN, LOG_FOLDER, MACHINE_ENV } from './harness/paths.ts';

/** How a spec ended. `skipped` is what the spec itself said, since it found something missing. */
export interface SpecResult {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly seconds: number;
  /** What it complained of; empty where it did not. */
  readonly failure: string;
}

export interface RunOptions {
  /** How many processes share the specs. Default 1. */
  readonly processes?: number;
  /** When each process gives up, as ginkgo writes it. Default `50m`. */
  readonly limit?: string;
  /** Called with each spec at its end. */
  readonly ended?: (result: SpecResult) => void;
}

/** Part of a report that ginkgo writes as JSON. */
interface GinkgoReport {
  readonly SpecReports:
    | readonly {
        readonly ContainerHierarchyTexts: readonly string[] | null;
        readonly LeafNodeType: string;
        readonly LeafNodeText: string;
        readonly State: string;
        /** Nanoseconds. */
        readonly RunTime: number;
        readonly Failure?: { readonly Message?: string };
      }[]
    | null;
}

/** Reports and output of the suite, in the lab's logs. */
const FOLDER = `${LOG_FOLDER}/e2e`;
/** The same folder's stand-in on the machine where the suite runs, whose checkout is read-only. */
const REPORTS = '/var/log/e2e';

/** Names of the specs of e2e.test that `focus` matches and `skip` does not; nothing is run. */
export async function listSpecs(machine: Machine, focus: string, skip?: string): Promise<string[]> {
  mkdirSync(`${machine.folder}${REPORTS}`, { recursive: true });
  const report = `${REPORTS}/list.json`;
  await machine.run(
    [
      ...command([`--ginkgo.focus=${focus}`, `--ginkgo.json-report=${report}`, '--ginkgo.dry-run']),
      ...(skip === undefined ? [] : [`--ginkgo.skip=${skip}`]),
    ],
    { timeoutMs: 120_000 },
  );
  return readReport(`${machine.folder}${report}`)
    .filter(({ state }) => state === 'passed')
    .map(({ name }) => name);
}

/**
 * Runs specs of e2e.test by their names, from a machine. Answers one result for each name, in that order: one that never
 * ran counts as failed. What was said, and a JUnit report of each process, are in the lab's logs.
 */
export async function runSpecs(
  machine: Machine,
  names: readonly string[],
  options: RunOptions = {},
): Promise<SpecResult[]> {
  const { processes = 1, limit = '50m', ended = () => {} } = options;
  mkdirSync(FOLDER, { recursive: true });
  const shares = Array.from({ length: processes }, (_, i) => names.filter((_, j) => j % processes === i));
  const results = await Promise.all(
    shares
      .filter((share) => share.length > 0)
      .map((share, i) => runShare(machine, share, { id: String(i + 1), limit, ended })),
  );
  cpSync(`${machine.folder}${REPORTS}`, FOLDER, { recursive: true });
  const resultByName = new Map(results.flat().map((result) => [result.name, result]));
  return names.map(
    (name) => resultByName.get(name) ?? { name, state: 'failed', seconds: 0, failure: 'it did not run' },
  );
}

/** Prints how each spec went wrong, and the counts. Answers the exit status. */
export function summarize(results: readonly SpecResult[]): number {
  const of = (state: SpecResult['state']): readonly SpecResult[] =>
    results.filter((result) => result.state === state);
  for (const { name, failure } of of('failed')) {
    console.log(`\nFAILED ${name}\n${failure.trim().slice(0, 2_000).replace(/^/gm, '    ')}`);
  }
  for (const { name, failure } of of('skipped')) console.log(`skipped ${name}: ${failure.trim()}`);
  console.log(`\nlogs are in ${FOLDER}`);
  const skipped = of('skipped').length;
  const counts = `${of('passed').length} passed, ${of('failed').length} failed`;
  console.log(skipped === 0 ? counts : `${counts}, ${skipped} skipped`);
  return of('failed').length === 0 && of('passed').length > 0 ? 0 : 1;
}

/** One process with some of the specs. */
async function runShare(
  machine: Machine,
  names: readonly string[],
  { id, limit, ended }: Required<Pick<RunOptions, 'limit' | 'ended'>> & { readonly id: string },
): Promise<SpecResult[]> {
  const report = `${REPORTS}/report-${id}.json`;
  const [program, ...args] = machine.inside(
    command([
      ...names.map((name) => `--ginkgo.focus=${literally(name)}$`),
      ...[`--report-dir=${REPORTS}`, `--report-prefix=${id}-`, `--ginkgo.json-report=${report}`],
      ...['--ginkgo.v', '--ginkgo.silence-skips', `--ginkgo.timeout=${limit}`],
    ]),
  );
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...MACHINE_ENV } });
  const log = createWriteStream(`${FOLDER}/output-${id}.log`);
  child.stderr.pipe(log, { end: false });
  let name = '';
  for await (const line of createInterface({ input: child.stdout })) {
    log.write(`${line}\n`);
    name = names.find((each) => line === each || line.startsWith(`${each} [`)) ?? name; // its labels follow
    const end = /^• (\[FAILED\] )?\[([\d.]+) seconds\]/.exec(line);
    if (end) ended({ name, state: end[1] ? 'failed' : 'passed', seconds: Number(end[2]), failure: '' });
  }
  log.end();
  try {
    return readReport(`${machine.folder}${report}`).filter((result) => names.includes(result.name));
  } catch (error) {
    const failure = `e2e.test ended without a report: ${String(error)}`;
    return names.map((each) => ({ name: each, state: 'failed', seconds: 0, failure }));
  }
}

function command(flags: readonly string[]): string[] {
  return [
    `${BIN}/e2e.test`,
    `--kubeconfig=${ADMIN_CONFIG}`,
    '--provider=skeleton',
    '--ginkgo.no-color',
    ...flags,
  ];
}

function readReport(path: string): SpecResult[] {
  const reports = JSON.parse(readFileSync(path, 'utf8')) as readonly GinkgoReport[];
  return reports
    .flatMap(({ SpecReports }) => SpecReports ?? [])
    .filter(({ LeafNodeType }) => LeafNodeType === 'It')
    .map((spec) => ({
      name: [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(' '),
      // What was interrupted, timed out or panicked has not passed.
      state: spec.State === 'passed' || spec.State === 'skipped' ? spec.State : 'failed',
      seconds: spec.RunTime / 1e9,
      failure: spec.Failure?.Message ?? '',
    }));
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
