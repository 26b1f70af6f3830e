import { type ChildProcess, spawn } from 'node:child_process';

export interface CommandOptions {
  /** Name of a network namespace under /run/netns; default: our own. */
  readonly namespace?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default 20 s; then the command is killed and the call rejects. */
  readonly timeoutMs?: number;
  /** Resolve also where the exit status is not 0. */
  readonly mayFail?: boolean;
}

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** argv prefix which runs what follows in a namespace. `nsenter` replaces itself, so the process id is the program's. */
export function inNamespace(namespace: string | undefined, argv: readonly string[]): readonly string[] {
  return namespace === undefined ? argv : ['nsenter', `--net=/run/netns/${namespace}`, ...argv];
}

/**
 * Runs a command to its end. Rejects where it cannot start, takes too long, or fails (see `mayFail`). It leads a
 * process group of its own, so that one which takes too long goes with all that it started.
 */
export function run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, ...rest] = inNamespace(options.namespace, argv);
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  const child = spawn(program!, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  let stdout = '';
  let stderr = '';
  const timeoutMs = options.timeoutMs ?? 20_000;
  const timer = setTimeout(() => {
    if (child.pid !== undefined) killGroup(child.pid);
    reject(new Error(`${argv.join(' ')}: no end within ${timeoutMs} ms; ${stderr}`));
  }, timeoutMs);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {}); // a program that reads no input closes it early
  child.stdin.end(options.input ?? '');
  child.on('error', (error) => {
    clearTimeout(timer);
    reject(error);
  });
  child.on('close', (code, signal) => {
    clearTimeout(timer);
    const status = code ?? 128;
    if (status === 0 || options.mayFail) resolve({ status, stdout, stderr });
    else {
      const why = signal ?? `status ${status}`;
      reject(new Error(`${argv.join(' ')}: ${why}: ${stderr.trim() || stdout.trim()}`));
    }
  });
  return promise;
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // All of it has just ended.
  }
}

/** Ends a process and waits until it is gone: `signal` first, SIGKILL after `graceMs`. */
export async function endProcess(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
  graceMs = 5_000,
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await ended;
  clearTimeout(timer);
}

/** Asks `probe` every `everyMs` until it gives something; rejects after `timeoutMs` with `what` was waited for. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs = 30_000, everyMs = 20 }: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const why = last instanceof Error ? ` (${last.message})` : '';
      throw new Error(`waited ${timeoutMs} ms for ${what}${why}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
