import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';

/** A command in a namespace ends within this, or is killed. */
const COMMAND_TIMEOUT_MS = 15_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const WEFT_NODE = fileURLToPath(new URL('../../bin/weft-node', import.meta.url));

/** How a command ended. `code` is its exit code, −1 where a signal ended it. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const live = new Set<Namespace>();

/**
 * A network namespace of a test, under a name nobody else has (`<prefix>-<random>`), with the processes started in
 * it. Whatever is still there when the test process exits is removed then, each by its exact name or id.
 */
export class Namespace {
  readonly name: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(name: string) {
    this.name = name;
  }

  /** Creates one, with its loopback up. `prefix` says which suite it is from: 2–6 letters. */
  static async create(prefix: string): Promise<Namespace> {
    const namespace = new Namespace(`${prefix}-${randomBytes(4).toString('hex')}`);
    await execute('ip', ['netns', 'add', namespace.name]);
    live.add(namespace);
    await namespace.run('ip', 'link', 'set', 'lo', 'up');
    return namespace;
  }

  /** Its file, for `setns`, CNI_NETNS and the like. */
  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** Runs a command to its end and returns its output; rejects, with what it said, unless it exits with 0. */
  async run(command: string, ...args: readonly string[]): Promise<string> {
    return execute('ip', ['netns', 'exec', this.name, command, ...args]);
  }

  /** Runs a command to its end, `input` on its standard input, however it ends. */
  async attempt(command: string, args: readonly string[], input = ''): Promise<Outcome> {
    return attempt('ip', ['netns', 'exec', this.name, command, ...args], input);
  }

  /** Runs a TypeScript program in the namespace and returns what it printed, as JSON. */
  async program(file: string, ...args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.run(WEFT_NODE, file, ...args)) as unknown;
  }

  /** Starts a command that lives until it ends by itself, {@link stop} or {@link delete}. Its pid is the command's. */
  start(
    command: string,
    args: readonly string[],
    stdio: 'pipe' | 'ignore' | 'inherit' = 'pipe',
  ): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.name, command, ...args], { stdio });
    child.on('error', () => this.#children.delete(child));
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    return child;
  }

  /** Starts a TypeScript program as {@link start} does. */
  startProgram(file: string, args: readonly string[] = []): ChildProcess {
    return this.start(WEFT_NODE, [file, ...args]);
  }

  /** Kills one child and waits until it is gone. */
  async stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.kill(signal);
    });
  }

  /** Kills its processes and removes it, with every interface in it. Harmless when repeated. */
  async delete(): Promise<void> {
    if (!live.delete(this)) return;
    await Promise.all([...this.#children].map((child) => this.stop(child)));
    await execute('ip', ['netns', 'delete', this.name]);
  }

  /** The same without waiting, for the end of the process. */
  deleteNow(): void {
    if (!live.delete(this)) return;
    for (const child of this.#children) child.kill('SIGKILL');
    try {
      execFileSync('ip', ['netns', 'delete', this.name], { timeout: COMMAND_TIMEOUT_MS, stdio: 'ignore' });
    } catch {
      // Somebody else removed it.
    }
  }
}

/** Joins two namespaces by a veth pair, each end up and with its addresses (`10.0.0.1/24`). */
export async function connect(
  a: { readonly namespace: Namespace; readonly link: string; readonly addresses: readonly string[] },
  b: { readonly namespace: Namespace; readonly link: string; readonly addresses: readonly string[] },
): Promise<void> {
  const far = ['peer', 'name', b.link, 'netns', b.namespace.name];
  await a.namespace.run('ip', 'link', 'add', a.link, 'type', 'veth', ...far);
  for (const { namespace, link, addresses } of [a, b]) {
    for (const address of addresses) {
      const noDad = address.includes(':') ? ['nodad'] : [];
      await namespace.run('ip', 'address', 'add', address, 'dev', link, ...noDad);
    }
    await namespace.run('ip', 'link', 'set', link, 'up');
  }
}

/** Resolves when `condition` does, asking every 20 ms; rejects after `timeoutMs`, naming what was awaited. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

process.on('exit', () => {
  for (const namespace of [...live]) namespace.deleteNow();
});

async function execute(command: string, args: readonly string[]): Promise<string> {
  const outcome = await attempt(command, args, '');
  if (outcome.code === 0) return outcome.stdout;
  throw new Error(`${command} ${args.join(' ')}: exit ${outcome.code}: ${outcome.stderr || outcome.stdout}`);
}

function attempt(command: string, args: readonly string[], input: string): Promise<Outcome> {
  const options = {
    timeout: COMMAND_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
  } as const;
  return new Promise((resolve) => {
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr: stderr || (error && code === -1 ? error.message : '') });
    });
    child.stdin?.on('error', () => undefined); // a command that reads no input may be gone already
    child.stdin?.end(input);
  });
}
