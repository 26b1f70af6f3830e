import { lstatSync, rmSync, type Stats } from 'node:fs';
import { WeftError } from '../base/weft-error.ts';
import { addon, type Handle, isSystemError } from './addon.ts';

/** Connections at once. */
const LOCAL_CONNECTIONS = 256;
/** A request must be complete, and an answer taken, within this. */
const LOCAL_REQUEST_TIMEOUT_MS = 5_000;
/** An answer must be given within this: kubelet's bound for a pod sandbox. */
const LOCAL_ANSWER_TIMEOUT_MS = 240_000;

/** A complete request of a local process. */
export interface LocalRequest {
  /** Who sent it, as the kernel saw it when the client connected. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /**
   * Descriptors that came with it, at most 4. They are closed when the callback returns: whoever wants one
   * duplicates it before (`RouteSocket.adopt(fd)` does), never after an await.
   */
  readonly fds: readonly number[];
  /** The request without its prefix, 1 byte to 1 MiB, owned by the receiver. */
  readonly bytes: Uint8Array;
  /**
   * Sends the answer, at most 16 MiB, and closes the connection; call once, at any time. False where the client is
   * gone, was answered already, or waited longer than {@link LOCAL_ANSWER_TIMEOUT_MS}.
   */
  answer(bytes: Uint8Array): boolean;
  /** Closes the connection without an answer. */
  drop(): void;
  /** Calls `act` if the client closes its connection before it has an answer. One at a time; a later one takes its place. */
  whenGone(act: () => void): void;
}

export interface LocalSocketOptions {
  /** Clients that may wait to be accepted. Default 128. */
  readonly backlog?: number;
  /** Connections at once; more wait in the backlog. Default {@link LOCAL_CONNECTIONS}. */
  readonly connections?: number;
  /** Default {@link LOCAL_REQUEST_TIMEOUT_MS}; kept to within 100 ms. */
  readonly requestTimeoutMs?: number;
  /** Default {@link LOCAL_ANSWER_TIMEOUT_MS}; kept to within 100 ms. */
  readonly answerTimeoutMs?: number;
}

/**
 * Serves requests on a unix stream socket, one request and one answer a connection:
 *
 * ```
 *   0                 4
 *   | length (u32 LE) | length bytes …        descriptors ride on the first byte
 * ```
 *
 * The socket's file has mode 0600, and clients other than root and our own user are closed unheard. A client that
 * breaks the framing, sends too much, too slowly or too many descriptors is closed without an answer.
 */
export class LocalSocket {
  readonly #handle: Handle;
  readonly #path: string;
  /** The file as it was made, so that no other is ever removed. */
  readonly #made: Stats | undefined;

  private constructor(handle: Handle, path: string) {
    this.#handle = handle;
    this.#path = path;
    this.#made = lstatSync(path, { throwIfNoEntry: false });
  }

  /**
   * Listens at `path` (at most 107 bytes) and calls `onRequest` once for each complete request. A socket file that
   * nobody answers on is replaced.
   * @throws WeftError E_SOCKET_TAKEN where another process serves it or the file is no socket, E_SOCKET else.
   */
  static listen(
    path: string,
    onRequest: (request: LocalRequest) => void,
    options: LocalSocketOptions = {},
  ): LocalSocket {
    let handle: Handle;
    const goneById = new Map<number, () => void>();
    const receive = (
      id: number,
      pid: number,
      uid: number,
      gid: number,
      fds: number[],
      bytes: Uint8Array,
    ): void => {
      onRequest({
        pid,
        uid,
        gid,
        fds,
        bytes,
        answer: (answer) => {
          goneById.delete(id);
          return addon().socketAnswer(handle, id, answer);
        },
        drop: () => {
          goneById.delete(id);
          addon().socketDrop(handle, id);
        },
        whenGone: (act) => goneById.set(id, act),
      });
    };
    const gone = (id: number): void => {
      const act = goneById.get(id);
      goneById.delete(id);
      act?.();
    };
    try {
      handle = addon().socketListen(
        path,
        options.backlog ?? 128,
        options.connections ?? LOCAL_CONNECTIONS,
        options.requestTimeoutMs ?? LOCAL_REQUEST_TIMEOUT_MS,
        options.answerTimeoutMs ?? LOCAL_ANSWER_TIMEOUT_MS,
        receive,
        gone,
      );
    } catch (error) {
      throw explain(path, error);
    }
    return new LocalSocket(handle, path);
  }

  /**
   * Removes the file if it is still ours: clients that come now find nobody, or our successor. Those that came
   * before are served. Harmless when repeated.
   */
  hide(): void {
    if (this.isNamed) rmSync(this.#path, { force: true });
  }

  /** Its file is there, and is the one that was made. */
  get isNamed(): boolean {
    const found = lstatSync(this.#path, { throwIfNoEntry: false });
    return found !== undefined && found.dev === this.#made?.dev && found.ino === this.#made.ino;
  }

  /**
   * Clients that connected and whose request has not come in whole yet; all those that nobody has accepted yet count as
   * one. Once {@link hide} was called and this is 0 it stays 0. 0 after {@link close}.
   */
  get unheard(): number {
    return addon().socketUnheard(this.#handle);
  }

  /** Stops listening, drops every connection and removes the file if it is still ours. Harmless when repeated. */
  close(): void {
    addon().socketClose(this.#handle);
  }
}

/**
 * Sends one request (a whole frame) with at most 4 descriptors to the {@link LocalSocket} at `path`, and hangs up without
 * an answer. Waits for nothing. 0, or −errno: −ENOENT (−2) and −ECONNREFUSED (−111) where nobody listens, −EACCES (−13)
 * where who listens is neither root nor our own user.
 */
export function sendToLocalSocket(path: string, request: Uint8Array, fds: readonly number[]): number {
  return addon().socketSend(path, request, new Uint8Array(Int32Array.from(fds).buffer));
}

/** Two ends of a stream of bytes, one of which may go to another process. Each is to be closed by who has it. */
export function socketPair(): readonly [number, number] {
  return addon().socketPair();
}

/** Another number of the same descriptor, to be closed by the caller. @throws SystemError. */
export function duplicateDescriptor(fd: number): number {
  return addon().descriptorDuplicate(fd);
}

function explain(path: string, cause: unknown): unknown {
  if (cause instanceof TypeError) {
    return new WeftError('E_SOCKET', `${path} is too long for a socket`, 'choose a shorter run folder', {
      cause,
    });
  }
  if (!isSystemError(cause)) return cause;
  if (cause.code === 'EADDRINUSE') {
    const remedy = 'stop it, or give this one a run folder of its own';
    return new WeftError('E_SOCKET_TAKEN', `another weftd serves ${path}`, remedy, { cause });
  }
  if (cause.code === 'ENOTSOCK') {
    return new WeftError('E_SOCKET_TAKEN', `${path} exists and is no socket`, 'remove or rename it', {
      cause,
    });
  }
  const remedy = 'see that its folder exists and may be written';
  return new WeftError('E_SOCKET', `cannot listen at ${path}: ${cause.message}`, remedy, { cause });
}
