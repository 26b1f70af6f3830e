import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type CommandOptions, type CommandResult, run, until } from '../../cluster/command.ts';
import { CGROUP, LOG_FOLDER, MACHINE_ENV, ROOT, RUN_FOLDER } from './paths.ts';
import { childrenOf, end, identify, isAlive, type ProcessId } from './process-id.ts';

/** The program that is the first process of every machine; the lab's machines are known by it. */
export const MACHINE_INIT = `${ROOT}/test/lab/harness/machine-init`;

/** Characters of a log that an error shows. */
const LOG_TAIL = 2_000;

/** What is written down of a machine. */
export interface MachineState {
  readonly name: string;
  /** Last part of its addresses, 1–254. */
  readonly number: number;
  /** Its first process; absent while it is powered off. */
  init?: ProcessId;
  readonly daemonByName: Record<string, ProcessId>;
}

/**
 * A host of the lab: process ids, mounts, network, host name and IPC of its own, and a root of its own with the real
 * paths of a real node (see `machine-init`). /etc, /var and /opt outlast a power cycle, everything else does not.
 */
export class Machine {
  readonly state: MachineState;
  readonly #changed: () => void;

  /** `changed` is called whenever `state` is another, and writes it down. */
  constructor(state: MachineState, changed: () => void) {
    this.state = state;
    this.#changed = changed;
  }

  get name(): string {
    return this.state.name;
  }

  /** Holds its `etc`, `var` and `opt`, seen from outside. */
  get folder(): string {
    return `${RUN_FOLDER}/${this.name}`;
  }

  /** Its root in every cgroup hierarchy, from the whole machine's: `weft-lab-…/n1`. */
  get cgroup(): string {
    return `${CGROUP}/${this.name}`;
  }

  get isOn(): boolean {
    return this.state.init !== undefined && isAlive(this.state.init);
  }

  /** Id of its first process, seen from outside. */
  get pid(): number {
    if (this.state.init === undefined) throw new Error(`${this.name} is powered off`);
    return this.state.init.pid;
  }

  /** Starts it, without any cable or daemon. */
  async powerOn(): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    rmSync(`${this.folder}/init`, { force: true });
    rmSync(`${this.folder}/etc/.ready`, { force: true });
    const log = this.#openLog('init');
    const namespaces = ['--fork', '--kill-child', '--pid', '--mount', '--net', '--uts', '--ipc'];
    const child = spawn('unshare', [...namespaces, MACHINE_INIT, this.folder, this.name, ROOT, this.cgroup], {
      stdio: ['ignore', log, log],
      detached: true,
      env: MACHINE_ENV,
    });
    closeSync(log);
    child.unref();
    const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
    await until(`${this.name} to start`, () => {
      this.#takeInit();
      return ended() || existsSync(`${this.folder}/etc/.ready`);
    });
    if (ended()) throw new Error(`${this.name} did not start: ${this.log('init').slice(-LOG_TAIL)}`);
  }

  /** Takes its power away: everything in it is gone at once, as after a pulled plug. */
  async powerOff(): Promise<void> {
    const { init } = this.state;
    if (init !== undefined) await end(init);
    delete this.state.init;
    for (const name of Object.keys(this.state.daemonByName)) delete this.state.daemonByName[name];
    this.#changed();
  }

  /** argv that runs what follows in the machine; `nsenter` mirrors how it ends. */
  inside(argv: readonly string[]): string[] {
    return ['nsenter', '-t', String(this.pid), '-m', '-u', '-i', '-n', '-p', '--', ...argv];
  }

  /** Runs a command in the machine to its end. */
  run(argv: readonly string[], options: Omit<CommandOptions, 'namespace'> = {}): Promise<CommandResult> {
    const env = { ...MACHINE_ENV, ...options.env };
    return run(this.inside(argv), { ...options, env });
  }

  /** Starts a program that stays, its output in the log of that name. It outlives us. */
  async start(name: string, argv: readonly string[]): Promise<void> {
    if (this.isRunning(name)) throw new Error(`${name} runs on ${this.name} already`);
    const [program, ...rest] = this.inside(argv);
    const log = this.#openLog(name);
    const child = spawn(program!, rest, { stdio: ['ignore', log, log], detached: true, env: MACHINE_ENV });
    closeSync(log);
    child.unref();
    // nsenter stays and waits for the program, which is its only child.
    const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
    const found = await until(`${name} to start on ${this.name}`, () => childrenOf(child.pid!)[0] ?? ended());
    if (found === true) throw this.#ended(name);
    this.state.daemonByName[name] = found;
    this.#changed();
  }

  /** Ends a program that {@link start} started, and waits until it is gone. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const id = this.state.daemonByName[name];
    if (id !== undefined) await end(id, signal);
    delete this.state.daemonByName[name];
    this.#changed();
  }

  /** Waits until a program that runs has done what `probe` looks for. Rejects at once, with its log, where it ends. */
  async waitFor(name: string, probe: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
    const settled = async (): Promise<boolean> => !this.isRunning(name) || (await probe());
    await until(`${name} on ${this.name}`, settled, { timeoutMs, everyMs: 100 });
    if (!this.isRunning(name)) throw this.#ended(name);
  }

  isRunning(name: string): boolean {
    const id = this.state.daemonByName[name];
    return id !== undefined && isAlive(id);
  }

  /** What a program wrote, over all power cycles. */
  log(name: string): string {
    const path = `${LOG_FOLDER}/${this.name}/${name}.log`;
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  #ended(name: string): Error {
    return new Error(`${name} on ${this.name} ended: ${this.log(name).slice(-LOG_TAIL)}`);
  }

  #takeInit(): void {
    if (this.state.init !== undefined || !existsSync(`${this.folder}/init`)) return;
    const [pid, startTime] = readFileSync(`${this.folder}/init`, 'utf8').split(' ').map(Number);
    const found = identify(pid ?? 0);
    if (found?.startTime !== startTime) return; // half written
    this.state.init = found!;
    this.#changed();
  }

  #openLog(name: string): number {
    mkdirSync(`${LOG_FOLDER}/${this.name}`, { recursive: true });
    return openSync(`${LOG_FOLDER}/${this.name}/${name}.log`, 'a');
  }
}
