import { ownProcess, type ProcessPlace } from '../host/own-process.io.ts';

/** How long a program may take to say in which process it runs. Milliseconds. */
export const PROBE_TIMEOUT_MS = 3_000;

/**
 * The startup probe of a program's container: exit status 0 once the process that serves this node is this container's
 * own. `asked`: what the program that serves says of itself. During a rollout the last pod's serves first, and answers
 * the HTTP probes of both; so those say nothing of a new pod until it has taken over.
 */
export async function startupProbe(program: string, asked: Promise<ProcessPlace>): Promise<void> {
  const served = await asked.catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  });
  if (served?.pidNamespace === ownProcess().pidNamespace) return;
  if (served !== undefined) process.stderr.write(`another ${program} serves this node\n`);
  process.exitCode = 1;
}
