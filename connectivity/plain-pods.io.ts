import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import { runProgram } from '../linux/run-program.io.ts';
import { FileLock } from '../native/file-lock.ts';
import { type Check, type Outcome, readOutcome } from './check.ts';

/** One test of this host at a time: the workloads have fixed names, so that what a killed one left is found. */
const LOCK = '/run/weft-test.lock';
const NAMES = ['weft-test-a', 'weft-test-b'] as const;
/** Longer than the plugin itself waits. */
const PLUGIN_MS = 60_000;
const COMMAND_MS = 10_000;
/** Characters of what they print. */
const MAX_OUTPUT = 64 * 1024;
const SERVING_MS = 10_000;
const AGENT = fileURLToPath(new URL('./agent.ts', import.meta.url));

/** One workload: a network namespace that is attached as a container would be. */
export interface PlainPod {
  /** By which it is known to weftd, and to `ip netns`. */
  readonly name: string;
  readonly addresses: readonly string[];
}

/** Two network namespaces of this host that are attached by the CNI plugin, with the agents that run in them. */
export class PlainPods {
  readonly #lock: FileLock;
  readonly #plugin: string;
  readonly #runDir: string;
  readonly #signal: AbortSignal;
  readonly #agents = new Set<ChildProcess>();

  private constructor(options: { lock: FileLock; plugin: string; runDir: string; signal: AbortSignal }) {
    this.#lock = options.lock;
    this.#plugin = options.plugin;
    this.#runDir = options.runDir;
    this.#signal = options.signal;
  }

  /**
   * Makes ready, and removes what a test that was killed left. Throws E_TEST_RUNS while another test is under way,
   * E_TEST_HOST where this host lacks what it needs.
   *
   * @param pluginFolders where the plugin `weft-net` may be, the first that has it counts.
   */
  static async open(options: {
    readonly runDir: string;
    readonly pluginFolders: readonly string[];
    readonly signal: AbortSignal;
  }): Promise<PlainPods> {
    const { runDir, pluginFolders, signal } = options;
    const plugin = pluginFolders.map((folder) => `${folder}/weft-net`).find((path) => existsSync(path));
    if (plugin === undefined)
      throw new WeftError(
        'E_TEST_HOST',
        `the CNI plugin weft-net is in none of ${pluginFolders.join(', ')}`,
        'give its folder with --plugin-dir',
      );
    const lock = FileLock.take(LOCK);
    if (lock === undefined)
      throw new WeftError('E_TEST_RUNS', 'another weft test is under way on this host', 'wait for its end');
    const pods = new PlainPods({ lock, plugin, runDir, signal });
    try {
      await pods.#remove();
      return pods;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Attaches one of the two. */
  async attach(which: 0 | 1): Promise<PlainPod> {
    const name = NAMES[which];
    await this.#ip(['netns', 'add', name]);
    await this.#ip(['-n', name, 'link', 'set', 'lo', 'up']);
    const { code, stdout } = await this.#cni('ADD', name, this.#signal);
    const answer = JSON.parse(stdout) as {
      readonly msg?: string;
      readonly details?: string;
      readonly ips?: readonly { readonly address: string }[];
    };
    if (code !== 0) {
      const why = printable([answer.msg, answer.details].filter(Boolean).join(': '), 400);
      throw new WeftError('E_TEST_ATTACH', `a workload cannot be attached: ${why}`, "see 'weft doctor'");
    }
    return { name, addresses: (answer.ips ?? []).map(({ address }) => address.replace(/\/.*/, '')) };
  }

  /** Has `pod` give back what it gets, until all is removed. */
  async serve({ name }: PlainPod): Promise<void> {
    const agent = this.#agent(name, ['serve']);
    for await (const line of within(agent, SERVING_MS)) if (line.includes('serving')) return;
    this.#signal.throwIfAborted();
    throw new WeftError(
      'E_TEST_HOST',
      `no program can be run in the namespace ${name}`,
      "see that 'ip netns exec' works here",
    );
  }

  /** Has `pod` try the checks; each outcome as it comes. Ends early where the test is ended. */
  async *try({ name }: PlainPod, checks: readonly Check[], timeoutMs: number): AsyncGenerator<Outcome> {
    const agent = this.#agent(name, ['try', JSON.stringify(checks)]);
    for await (const line of within(agent, timeoutMs)) {
      const outcome = readOutcome(line);
      if (outcome !== undefined) yield outcome;
      if (line.includes('"done":true')) return;
    }
  }

  /** Removes all of it, also where the test was ended. */
  async close(): Promise<void> {
    try {
      for (const agent of this.#agents) await ended(agent);
      await this.#remove();
    } finally {
      this.#lock.release();
    }
  }

  async #remove(): Promise<void> {
    for (const name of NAMES) {
      const path = `/run/netns/${name}`;
      const hasNamespace = existsSync(path);
      // Harmless where it is not attached. It goes first, so that its address is free at once.
      const { code, stdout } = await this.#cni('DEL', name);
      if (hasNamespace) await this.#ip(['netns', 'delete', name]);
      if (code !== 0)
        throw new WeftError(
          'E_TEST_ATTACH',
          `${name} cannot be detached: ${printable(stdout, 400)}`,
          "see 'weft doctor'",
        );
    }
  }

  async #cni(command: 'ADD' | 'DEL', name: string, signal?: AbortSignal) {
    const path = `/run/netns/${name}`;
    const config = { cniVersion: '1.0.0', name: 'weft', type: 'weft-net', runDir: this.#runDir };
    return runProgram(this.#plugin, [], {
      input: JSON.stringify(config),
      env: {
        ...process.env,
        CNI_COMMAND: command,
        CNI_CONTAINERID: name,
        CNI_IFNAME: 'eth0',
        CNI_PATH: '/opt/cni/bin',
        ...(existsSync(path) ? { CNI_NETNS: path } : {}),
      },
      timeoutMs: PLUGIN_MS,
      maxOutput: MAX_OUTPUT,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #ip(args: readonly string[]): Promise<void> {
    const { code, stderr } = await runProgram('ip', args, {
      timeoutMs: COMMAND_MS,
      maxOutput: MAX_OUTPUT,
    });
    if (code === 0) return;
    throw new WeftError(
      'E_TEST_HOST',
      `'ip ${args.join(' ')}' failed: ${printable(stderr.trim(), 300)}`,
      'run weft test as root of the host, with iproute2',
    );
  }

  #agent(name: string, args: readonly string[]): ChildProcess {
    const program = [process.execPath, ...process.execArgv, AGENT, ...args, '--attended'];
    const agent = spawn('ip', ['netns', 'exec', name, ...program], { stdio: ['pipe', 'pipe', 'inherit'] });
    agent.on('error', () => this.#agents.delete(agent));
    agent.on('exit', () => this.#agents.delete(agent));
    this.#agents.add(agent);
    this.#signal.addEventListener('abort', () => agent.kill('SIGKILL'), { once: true });
    return agent;
  }
}

/** The lines that it prints, until it ends or the time is over; it is killed then. */
async function* within(agent: ChildProcess, timeoutMs: number): AsyncGenerator<string> {
  const timer = setTimeout(() => agent.kill('SIGKILL'), timeoutMs);
  try {
    yield* createInterface({ input: agent.stdout! });
  } finally {
    clearTimeout(timer);
  }
}

async function ended(agent: ChildProcess): Promise<void> {
  if (agent.exitCode !== null || agent.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    agent.once('exit', () => resolve());
    agent.kill('SIGKILL');
  });
}
