import { spawn } from 'node:child_process';

/** Text that is kept of each stream. */
const MAX_OUTPUT = 64 * 1024;

/** Runs a program to its end, however it ends; `code` is −1 where it cannot be started, or was killed. Never rejects. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: {
    readonly input?: string;
    /** Added to this process's own. */
    readonly env?: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
    readonly signal?: AbortSignal;
  },
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const { input = '', env = {}, timeoutMs, signal } = options;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      ...(signal === undefined ? {} : { signal }),
    });
    const text = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (part: string) => {
        text[stream] = (text[stream] + part).slice(0, MAX_OUTPUT);
      });
    child.on('error', (error) => {
      text.stderr ||= error.message;
      if (child.pid === undefined) resolve({ code: -1, ...text });
    });
    child.on('close', (code) => resolve({ code: code ?? -1, ...text }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
