import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { ApiAccess } from './access/api-access.ts';
import { ApiError, errorOf, UNTRUSTED } from './api-error.ts';
import { LineSplitter } from './line-splitter.ts';
import { ListSplitter } from './list-splitter.ts';
import { isRecord } from './objects.ts';

/** An answer that takes longer is none. Milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Connections at once. Each watch holds one. */
const CONNECTIONS = 4;
/** Bytes of an answer. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** Bytes of an answer that says what went wrong. */
const MAX_ERROR_BYTES = 64 * 1024;
const JSON_TYPE = 'application/json';

interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Of the body; for a PATCH it says which kind. Default `application/json`. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

interface ApiClientOptions {
  /** An answer that takes longer is none. Default {@link REQUEST_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
  /** Default {@link CONNECTIONS}. */
  readonly connections?: number;
}

interface WatchOptions {
  /** A watch that brings nothing for so long is given up. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
  readonly accept?: string;
}

/**
 * Asks the Kubernetes API over HTTPS, with a pod's own credentials or those of a kubeconfig. What it answers is not trusted in its form:
 * callers get `unknown`.
 *
 * Node's own client and no library: the official one takes 90 MB of memory in each node's daemon for the five
 * requests that are made here (docs/adr/0006-kubernetes.md).
 */
export class ApiClient {
  readonly #access: ApiAccess;
  readonly #userAgent: string;
  readonly #timeoutMs: number;
  readonly #agent: Agent;

  constructor(access: ApiAccess, userAgent: string, options: ApiClientOptions = {}) {
    this.#access = access;
    this.#userAgent = userAgent;
    this.#timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: options.connections ?? CONNECTIONS,
      maxFreeSockets: 1,
      scheduling: 'lifo',
    });
  }

  /** The parsed JSON of the answer. Rejects with an {@link ApiError} where it is no success, late, or no JSON. */
  async request(path: string, options: RequestOptions = {}): Promise<unknown> {
    const answer = await this.#send(path, { ...options, signal: this.#inTime(options) });
    return parsed(await bodyOf(answer, MAX_BODY_BYTES), answer);
  }

  /**
   * A list of the API: what `read` makes of each of its items, those left out for which that is undefined, and the list
   * without its items. They are parsed one by one as they come, for all of a page at once would take as much memory as a
   * whole copy does. Rejects as {@link request} does; but it is not late as long as it comes on, for where this process
   * gets little of the machine a page may take long.
   */
  async list<T>(
    path: string,
    read: (item: unknown) => T | undefined,
    options: Pick<RequestOptions, 'accept' | 'signal'> = {},
  ): Promise<{ readonly head: unknown; readonly objects: readonly T[] }> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.#timeoutMs);
    try {
      const signal = AbortSignal.any([
        late.signal,
        ...(options.signal === undefined ? [] : [options.signal]),
      ]);
      const answer = await this.#send(path, { ...options, signal });
      const splitter = new ListSplitter();
      const objects: T[] = [];
      for await (const chunk of chunksOf(answer, MAX_BODY_BYTES)) {
        timer.refresh();
        for (const item of splitter.push(chunk)) {
          const object = read(parsed(textOf(item), answer));
          if (object !== undefined) objects.push(object);
        }
      }
      const head = parsed(textOf(splitter.head()), answer);
      // Written as nobody writes it, and not to be taken for an empty list.
      if (isRecord(head) && Array.isArray(head.items) && head.items.length > 0)
        throw notJson(answer.statusCode ?? 0);
      return { head, objects };
    } finally {
      clearTimeout(timer);
    }
  }

  /** An answer that is no JSON, as logs are. Rejects as {@link request} does. */
  async text(path: string, options: Pick<RequestOptions, 'signal'> = {}): Promise<string> {
    const answer = await this.#send(path, { accept: '*/*', signal: this.#inTime(options) });
    return await bodyOf(answer, MAX_BODY_BYTES);
  }

  #inTime({ signal }: Pick<RequestOptions, 'signal'>): AbortSignal {
    const late = AbortSignal.timeout(this.#timeoutMs);
    return signal === undefined ? late : AbortSignal.any([late, signal]);
  }

  /**
   * Opens a watch; resolves when the server grants it, with its lines as they come. Rejects with an {@link ApiError}
   * where it was not granted in time, or was refused.
   *
   * The lines end when the server ends the watch. They throw an {@link ApiError} where it broke, or was silent for
   * `silenceMs`; what the caller throws as it reads them is the caller's own.
   */
  async watch(path: string, options: WatchOptions): Promise<AsyncIterable<string>> {
    const { silenceMs, signal, accept } = options;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.#timeoutMs);
    try {
      const answer = await this.#send(path, {
        signal: AbortSignal.any([signal, late.signal]),
        ...(accept === undefined ? {} : { accept }),
      });
      return linesOf(answer, silenceMs);
    } catch (cause) {
      if (!late.signal.aborted) throw cause;
      const message = `the API server does not answer within ${this.#timeoutMs} ms`;
      throw new ApiError(0, 'NoAnswer', message, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Sends a request; resolves with the head of a success, its body still to come. */
  async #send(path: string, options: RequestOptions): Promise<IncomingMessage> {
    const { method = 'GET', body, accept = JSON_TYPE, contentType = JSON_TYPE, signal } = options;
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const { host, port, basePath = '', serverName } = this.#access;
    const { token, certificate } = await this.#access.credentials();
    const ca = this.#access.ca();
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpsRequest(
        {
          host,
          port,
          ...(ca === undefined ? {} : { ca }),
          ...(serverName === undefined ? {} : { servername: serverName }),
          ...certificate,
          agent: this.#agent,
          method,
          path: basePath + path,
          ...(signal === undefined ? {} : { signal }),
          headers: {
            accept,
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            'user-agent': this.#userAgent,
            ...(content === undefined
              ? {}
              : { 'content-type': contentType, 'content-length': content.length }),
          },
        },
        resolve,
      );
      request.on('error', reject);
      request.end(content);
    }).catch((cause: unknown) => {
      if (isDistrust(cause))
        throw new ApiError(
          0,
          UNTRUSTED,
          `the API server shows a certificate that is not trusted: ${messageOf(cause)}`,
          { cause },
        );
      throw new ApiError(0, 'NoAnswer', `the API server does not answer: ${messageOf(cause)}`, { cause });
    });
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    const text = await bodyOf(answer, MAX_ERROR_BYTES).catch(() => '');
    throw errorOf(status, jsonOrText(text), answer.headers['retry-after']);
  }
}

/** The lines of a watch that was granted. */
async function* linesOf(answer: IncomingMessage, silenceMs: number): AsyncGenerator<string> {
  let isSilent = false;
  const giveUp = (): void => {
    isSilent = true;
    answer.destroy();
  };
  let timer = setTimeout(giveUp, silenceMs);
  const splitter = new LineSplitter();
  const chunks: AsyncIterator<Uint8Array> = answer[Symbol.asyncIterator]();
  const next = async (): Promise<readonly string[] | undefined> => {
    try {
      const { done, value } = await chunks.next();
      return done ? undefined : splitter.push(value);
    } catch (cause) {
      if (isSilent) throw new ApiError(0, 'Silent', `the watch was silent for ${silenceMs} ms`, { cause });
      throw new ApiError(0, 'Broken', `the watch broke: ${messageOf(cause)}`, { cause });
    }
  };
  try {
    for (;;) {
      const lines = await next();
      if (lines === undefined) return;
      clearTimeout(timer);
      timer = setTimeout(giveUp, silenceMs);
      yield* lines;
    }
  } finally {
    clearTimeout(timer);
    answer.destroy();
  }
}

/** The body, piece by piece. Throws an {@link ApiError} where it breaks off or has over `limit` bytes. */
async function* chunksOf(answer: IncomingMessage, limit: number): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = answer[Symbol.asyncIterator]();
  let length = 0;
  let isOver = false;
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      const { done, value } = await chunks.next();
      if (done) {
        isOver = true;
        return undefined;
      }
      length += value.length;
      if (length > limit) throw new RangeError(`it has over ${limit} bytes`);
      return value;
    } catch (cause) {
      const message = `the answer of the API server broke off: ${messageOf(cause)}`;
      throw new ApiError(0, 'Broken', message, { cause });
    }
  };
  try {
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) yield chunk;
  } finally {
    // One that was read to its end leaves its connection to the next request.
    if (!isOver) answer.destroy();
  }
}

async function bodyOf(answer: IncomingMessage, limit: number): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunksOf(answer, limit)) parts.push(chunk);
  return Buffer.concat(parts).toString('utf8');
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

function parsed(text: string, { statusCode = 0 }: IncomingMessage): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw notJson(statusCode, cause);
  }
}

function notJson(status: number, cause?: unknown): ApiError {
  return new ApiError(status, 'NoJson', 'the answer of the API server is no JSON', { cause });
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** What Node says of a certificate that it does not accept: OpenSSL's verification errors, and its own of names. */
const DISTRUST =
  /^(ERR_TLS_CERT|CERT_|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)|(DEPTH_ZERO_)?SELF_SIGNED_CERT|INVALID_CA$|ERR_OSSL_PEM_)/;

function isDistrust(cause: unknown): boolean {
  return cause instanceof Error && DISTRUST.test((cause as NodeJS.ErrnoException).code ?? '');
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
