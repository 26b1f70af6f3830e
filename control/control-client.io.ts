import { connect } from 'node:net';
import { concat } from '../base/bytes.ts';
import { WeftError } from '../base/weft-error.ts';
import {
  type ControlRequest,
  type ControlResults,
  decodeAnswer,
  encodeMessage,
  frame,
  framedLength,
  MAX_ANSWER_BYTES,
} from './control-protocol.ts';
import { TOTAL_WAIT_S } from './flow-request.ts';
import { POLICY_WAIT_MS } from './policy-request.ts';

/** How long an answer may take. Removing a peer waits until its sessions everywhere have ended (180 s). */
const TIMEOUT_MS = 10_000;
const TIMEOUT_MS_BY_OP: Partial<Record<keyof ControlResults, number>> = {
  rmpeer: 235_000,
  policyWait: POLICY_WAIT_MS + TIMEOUT_MS,
  flowTotals: TOTAL_WAIT_S * 1000 + TIMEOUT_MS,
};

/**
 * Asks the weftd of a run folder. Rejects with the WeftError that the daemon answered, or E_NO_DAEMON,
 * E_NOT_PERMITTED, E_NO_ANSWER.
 */
export async function askDaemon<Op extends keyof ControlResults>(
  runDir: string,
  request: ControlRequest & { readonly op: Op },
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<ControlResults[Op]> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS_BY_OP[request.op] ?? TIMEOUT_MS;
  const { signal } = options;
  const at = { path: `${runDir}/weft.sock`, program: 'weftd', timeoutMs, signal };
  return (await ask(at, request)) as ControlResults[Op];
}

/** A program that serves a control socket, as its users know it. */
interface ControlledProgram {
  /** Of the socket. */
  readonly path: string;
  /** `weftd` */
  readonly program: string;
  readonly timeoutMs: number;
  /** Nobody waits for the answer any more: it rejects with E_NO_ANSWER. */
  readonly signal?: AbortSignal | undefined;
}

/** Asks any program; resolves with the result, which is its word. Rejects as {@link askDaemon} does. */
export async function ask(at: ControlledProgram, request: object): Promise<object> {
  const { path, program } = at;
  const bytes = await exchange(at, frame(encodeMessage(request)));
  const answer = decodeAnswer(bytes);
  if (!answer.ok) {
    throw noAnswer(`what answers on ${path} is no ${program}`, `give the --run-dir of a ${program}`);
  }
  if (answer.value.ok) return answer.value.result;
  const { code, message, remedy } = answer.value.error;
  throw new WeftError(code, message, remedy);
}

/** Sends one frame and takes one, without its prefix. */
function exchange(
  { path, program, timeoutMs, signal }: ControlledProgram,
  request: Uint8Array,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let received = 0;
    let length: number | undefined;
    const socket = connect(path);
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      socket.destroy();
      finish();
    };
    const giveUp = (): void => settle(() => reject(noAnswer(`${program} was not waited for`, 'ask again')));
    if (signal?.aborted) queueMicrotask(giveUp);
    signal?.addEventListener('abort', giveUp);
    const timer = setTimeout(() => {
      const error = noAnswer(
        `${program} did not answer within ${timeoutMs / 1000} s`,
        'see its log, then restart it',
      );
      settle(() => reject(error));
    }, timeoutMs);
    socket.on('connect', () => socket.write(request));
    socket.on('error', (cause) => settle(() => reject(connectFault(program, path, cause))));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      received += chunk.length;
      length ??= framedLength(concat(...chunks));
      if (length === undefined) return;
      const end = 4 + length;
      if (length > MAX_ANSWER_BYTES) {
        settle(() => reject(noAnswer(`${program} answered too much`, 'use the weft of its version')));
      } else if (received >= end) settle(() => resolve(concat(...chunks).subarray(4, end)));
    });
    socket.on('close', () => {
      const error = noAnswer(
        `${program} hung up without an answer`,
        'run as root, and use the weft of its version',
      );
      settle(() => reject(error));
    });
  });
}

function connectFault(program: string, path: string, cause: Error): WeftError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') {
    return new WeftError('E_NOT_PERMITTED', `${path} is not open to this user`, 'run weft as root', {
      cause,
    });
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK' || code === 'ENOTDIR') {
    const remedy = `start ${program}, or give its run folder with --run-dir`;
    return new WeftError('E_NO_DAEMON', `no ${program} answers on ${path}`, remedy, { cause });
  }
  return noAnswer(`asking ${program} on ${path} failed: ${cause.message}`, 'see its log');
}

function noAnswer(message: string, remedy: string): WeftError {
  return new WeftError('E_NO_ANSWER', message, remedy);
}
