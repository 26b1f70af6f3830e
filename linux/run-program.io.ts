import { spawn } from 'node:child_process';

/** Where programs of administrators are, should our PATH be that of a service manager without sbin. */
const SBIN_PATH = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin';

interface RunOptions {
  readonly input?: string;
  /** All that the program has, beside PATH. Default: as this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** It is killed then. */
  readonly timeoutMs: number;
  /** Characters of each stream that are kept; the rest is read and thrown away. */
  readonly maxOutput: number;
  readonly signal?: AbortSignal;
}

/** How a program ended. */
interface RunEnd {
  /** −1 where it could not be started, or was killed. */
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Why it could not be started. */
  readonly fault?: NodeJS.ErrnoException;
}

/** Runs a program to its end, in the network namespace of this process. Never rejects, however it ends. */
export function runProgram(program: string, args: readonly string[], options: RunOptions): Promise<RunEnd> {
  const { input = '', env = process.env, timeoutMs, maxOutput, signal } = options;
  return new Promise((resolve) => {
    let child: ReturnType<typeof spawn>;
    try {
      child = spawn(program, args, {
        env: { ...env, PATH: `${process.env.PATH ?? ''}:${SBIN_PATH}` },
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      // What Node does where there is no memory for another process.
      const fault = error as NodeJS.ErrnoException;
      resolve({ code: -1, signal: null, stdout: '', stderr: fault.message, fault });
      return;
    }
    const text = { stdout: '', stderr: '' };
    // Without descriptors for them there are no streams.
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream]?.setEncoding('utf8').on('data', (part: string) => {
        if (text[stream].length < maxOutput) text[stream] += part;
      });
    child.on('error', (fault: NodeJS.ErrnoException) => {
      text.stderr ||= fault.message;
      // One that was aborted still closes.
      if (child.pid === undefined) resolve({ code: -1, signal: null, ...text, fault });
    });
    child.on('close', (code, by) => resolve({ code: code ?? -1, signal: by, ...text }));
    child.stdin?.on('error', () => {}); // its end is told by 'close'
    child.stdin?.end(input);
  });
}
