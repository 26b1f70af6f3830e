import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { hex } from '../../base/bytes.ts';
import { fuzzInput, Noise } from './inputs.ts';

/**
 * Feeds every decoder with hostile inputs. Each `*-targets.ts` beside this file exports lists of {@link FuzzTarget}.
 *
 *   npm run fuzz -- [--count INPUTS of each target] [--seed NUMBER] [--target NAME] [--index NUMBER]
 *
 * A target fails by throwing, by computing longer than a second for one input, or by keeping memory. The failing
 * seed, index and input are printed; the same seed and target run the same inputs again, `--index` that one alone.
 */
export interface FuzzTarget {
  readonly name: string;
  /** Must return, whatever the bytes are. */
  run(bytes: Uint8Array): unknown;
  /** Well-formed inputs, to be damaged. */
  readonly seeds?: readonly Uint8Array[];
  /** Draws an input, in place of damaged seeds. */
  readonly generate?: (noise: Noise) => Uint8Array;
}

const MAX_INPUT_MS = 1000;
/** Heap and buffers that a target may keep after a tenth of its inputs, beyond what it kept then. */
const MAX_GROWTH_BYTES = 16 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    target: { type: 'string' },
    index: { type: 'string' },
  },
});
const count = integer('count', values.count);
const seed = integer('seed', values.seed);
const only = values.index === undefined ? undefined : integer('index', values.index);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const targets = (await loadTargets()).filter(
  ({ name }) => values.target === undefined || name === values.target,
);
if (values.target !== undefined && targets.length === 0) {
  console.error(`fuzz: no target is named '${values.target}'`);
  process.exit(2);
}
console.log(`fuzz: ${targets.length} targets, ${only === undefined ? count : 1} inputs each, seed ${seed}`);
let failures = 0;
for (const target of targets) {
  const fault = await fuzz(target);
  if (fault !== undefined) {
    failures++;
    console.error(`fuzz: ${target.name} FAILED: ${fault}`);
  }
}
console.log(`fuzz: ${targets.length - failures} targets passed, ${failures} failed`);
process.exit(failures > 0 ? 1 : 0);

/** Runs one target. What went wrong, or undefined. */
async function fuzz(target: FuzzTarget): Promise<string | undefined> {
  const examples = target.seeds ?? [];
  const first = only ?? 0;
  const end = only === undefined ? count : only + 1;
  const warm = first + Math.ceil((end - first) / 10);
  let keptWhenWarm = 0;
  let slowestMs = 0;
  const startedAt = performance.now();
  for (let index = first; index < end; index++) {
    if (index === warm) keptWhenWarm = kept();
    const bytes = target.generate?.(new Noise(seed, index)) ?? fuzzInput(seed, index, examples);
    const shown = bytes.slice();
    const before = computingMs();
    try {
      const running = target.run(bytes);
      if (running instanceof Promise) await running;
    } catch (error) {
      return `${report(index, shown)}\n${error instanceof Error ? error.stack : String(error)}`;
    }
    const tookMs = computingMs() - before;
    if (tookMs > slowestMs) slowestMs = tookMs;
    if (tookMs > MAX_INPUT_MS) return `took ${Math.round(tookMs)} ms; ${report(index, shown)}`;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const growth = end > warm ? kept() - keptWhenWarm : 0;
  const rate = Math.round((end - first) / seconds);
  const kib = Math.round(growth / 1024);
  console.log(`fuzz: ${target.name}: ${rate}/s, slowest ${slowestMs.toFixed(1)} ms, memory ${kib} KiB more`);
  if (growth > MAX_GROWTH_BYTES) return `kept ${kib} KiB of memory; seed ${seed}, ${end - first} inputs`;
  return undefined;
}

function report(index: number, bytes: Uint8Array): string {
  return `seed ${seed}, index ${index}, ${bytes.length} bytes: ${hex(bytes.subarray(0, 4096))}`;
}

/** What this thread has computed: on a busy machine time passes without it. */
function computingMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Bytes in use after a full collection; a second one, since V8 frees the buffers of the first beside us. */
function kept(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function loadTargets(): Promise<FuzzTarget[]> {
  const found: FuzzTarget[] = [];
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('-targets.ts'));
  for (const file of files.sort()) {
    const module = (await import(`./${file}`)) as Readonly<Record<string, unknown>>;
    const lists = Object.values(module).filter(Array.isArray);
    if (lists.length === 0) throw new Error(`${file} exports no list of targets`);
    for (const list of lists) found.push(...(list as FuzzTarget[]));
  }
  if (found.length === 0) throw new Error('no file …-targets.ts here: nothing would be tested');
  const names = new Set(found.map((target) => target.name));
  if (names.size < found.length) throw new Error('two targets have the same name');
  return found;
}

function integer(name: string, text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  console.error(`fuzz: --${name} '${text}' is not a number; give digits`);
  process.exit(2);
}
