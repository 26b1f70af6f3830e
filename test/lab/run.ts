/**
 * The lab by hand: `npm run lab:up [-- --nodes 3] [--cni none|bridge]`, `npm run lab:down`,
 * `npm run lab:shell MACHINE [-- COMMAND…]`, where a machine is `cp`, `outside`, `n1`, `n2`…
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Lab } from './harness/lab.ts';
import type { Cni } from './harness/lab-node.ts';
import { LabError, ownerAtWork } from './harness/lab-state.ts';
import { LOG_FOLDER, MACHINE_ENV } from './harness/paths.ts';
import { takeDown } from './harness/take-down.ts';

const USAGE = 'usage: run.ts up [--nodes N] [--cni none|bridge] | down | shell MACHINE [COMMAND…]';
const MAX_NODES = 100;

async function up(args: string[]): Promise<void> {
  const options = {
    nodes: { type: 'string', default: '3' },
    cni: { type: 'string', default: 'none' },
  } as const;
  const { values } = parseArgs({ args, options });
  const nodes = Number(values.nodes);
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MAX_NODES) {
    throw new LabError(`--nodes is a number from 1 to ${MAX_NODES}, not '${values.nodes}'`);
  }
  if (values.cni !== 'none' && values.cni !== 'bridge') {
    throw new LabError(`--cni is none or bridge, not '${values.cni}'`);
  }
  let stopping = false;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (stopping) return;
      stopping = true;
      console.log('lab: interrupted, taking it down');
      void takeDown().then(() => process.exit(130));
    });
  }
  const begun = performance.now();
  const say = (text: string): void => {
    if (!stopping) console.log(`lab: ${text} (${((performance.now() - begun) / 1_000).toFixed(1)} s)`);
  };
  try {
    await Lab.up({ nodes, cni: values.cni satisfies Cni, say });
  } catch (error) {
    if (stopping) return; // it fails because everything is taken away beneath it
    throw error;
  }
  say(`up; logs are in ${LOG_FOLDER}`);
  console.log('lab: look inside with npm run lab:shell n1, or lab:shell cp -- kubectl get pods -A');
}

async function down(): Promise<void> {
  const owner = ownerAtWork();
  if (owner !== undefined) throw new LabError(`process ${owner} is bringing it up; interrupt that first`);
  await takeDown();
  console.log('lab: down, nothing is left');
}

/** A shell on a machine; or a command, whose exit status becomes ours. */
function shell([name, ...command]: string[]): void {
  if (name === undefined) throw new LabError(USAGE);
  const argv = command.length > 0 ? command : process.stdin.isTTY ? ['bash', '-l'] : ['bash'];
  const [program, ...rest] = Lab.attach().machine(name).inside(argv);
  const env = { ...MACHINE_ENV, TERM: process.env.TERM ?? 'dumb', PS1: `${name}:\\w\\$ ` };
  const child = spawn(program!, rest, { stdio: 'inherit', env });
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
}

const [command, ...args] = process.argv.slice(2);
try {
  if (process.getuid?.() !== 0) throw new LabError('the lab needs root');
  if (command === 'up') await up(args);
  else if (command === 'down' && args.length === 0) await down();
  else if (command === 'shell') shell(args[0] === '--' ? args.slice(1) : args);
  else throw new LabError(USAGE);
} catch (error) {
  console.error(error instanceof LabError ? `lab: ${error.message}` : error);
  process.exitCode = 1;
}
