import { createServer, type Server, type Socket } from 'node:net';
import { type Endpoint, endpointHost, endpointPort } from '../../base/endpoint.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import { clock } from '../clock.io.ts';
import { ConnectionPlaces } from './connection-places.ts';
import { connectionSource } from './connection-source.ts';
import { readRequestHead } from './request-head.ts';
import { SourceRate } from './source-rate.ts';

/** What a request is answered with. */
export interface Answer {
  readonly status: keyof typeof REASONS;
  readonly body: string;
  /** Default: plain text. */
  readonly type?: string;
}

/** Why a connection was closed, or answered with no more than that. */
type Refusal = 'tooSlow' | 'tooMany' | 'tooOften';

interface AnswerOptions {
  /** By path. Answers to GET and HEAD; one that rejects is answered 500. */
  readonly pages: Readonly<Record<string, () => Answer | Promise<Answer>>>;
  /** Connections at once, at least 1. */
  readonly connections: number;
  /** A connection ends within this from when it was accepted, whatever it does. */
  readonly deadlineMs: number;
  /** How often one source may ask, and how often all together may connect. Default: as often as they like. */
  readonly rate?: { readonly source: Rate; readonly all: Rate };
  readonly onRefused: (why: Refusal) => void;
}

interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

const REASONS = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;
const PLAIN = 'text/plain; charset=utf-8';
/** Connections that the kernel holds until they are accepted. */
const BACKLOG = 1_024;
/** With a rate for all, fewer: as many are accepted in one turn of the event loop. */
const BACKLOG_WITH_RATE = 64;
/** Where all together connect too often, nothing is accepted for so long: the kernel refuses them, which costs us nothing. */
const REST_MS = 1_000;

/**
 * A few pages over HTTP, for machines: one request a connection, answered and closed. Speaks on bare sockets: it
 * needs little of HTTP, and `node:http` takes 3 MB of memory, or 15 where it is imported (docs/adr/0009-start-up.md).
 *
 * Anybody may connect. So each connection has one deadline, counted from when it was accepted, and where there are too
 * many the oldest of the source that has most is closed for a new one: who asks properly always finds a place.
 */
export class AnswerServer {
  readonly #options: AnswerOptions;
  readonly #server: Server;
  readonly #places: ConnectionPlaces<Socket>;
  readonly #open = new Set<Socket>();
  readonly #sourceRate: SourceRate | undefined;
  readonly #rate: TokenBucket | undefined;
  #resting: NodeJS.Timeout | undefined;

  private constructor(options: AnswerOptions) {
    this.#options = options;
    const { connections, rate } = options;
    this.#places = new ConnectionPlaces(connections);
    if (rate !== undefined) {
      this.#sourceRate = new SourceRate(rate.source.burst, rate.source.perSecond);
      this.#rate = new TokenBucket(rate.all.burst, rate.all.perSecond);
    }
    // A client that has said all it has to say may close its side, and still wait for the answer.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Rejects with the error of the system where `at` cannot be listened on. */
  static async listen(at: Endpoint, options: AnswerOptions): Promise<AnswerServer> {
    const server = new AnswerServer(options);
    await server.#listen(at);
    return server;
  }

  close(): void {
    clearTimeout(this.#resting);
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  #listen(at: Endpoint): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const backlog = this.#rate === undefined ? BACKLOG : BACKLOG_WITH_RATE;
    this.#server.once('error', reject);
    this.#server.listen({ port: endpointPort(at), host: endpointHost(at), backlog }, () => {
      // What goes wrong with a single accept (no descriptors left) must not end the program.
      this.#server.removeAllListeners('error').on('error', () => {});
      resolve();
    });
    return promise;
  }

  #accept(socket: Socket): void {
    const { deadlineMs, onRefused } = this.#options;
    const source = connectionSource(socket.remoteAddress);
    const deadline = setTimeout(() => {
      onRefused('tooSlow');
      socket.destroy();
    }, deadlineMs);
    this.#open.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(deadline);
      this.#open.delete(socket);
      this.#places.free(socket, source);
    });
    const crowdedOut = this.#places.take(socket, source);
    if (crowdedOut !== undefined) {
      onRefused('tooMany');
      crowdedOut.destroy();
    }
    if (this.#rate?.take(clock()) === false) {
      onRefused('tooOften');
      socket.destroy();
      this.#rest();
      return;
    }
    if (this.#sourceRate?.allow(source, clock()) === false) {
      onRefused('tooOften');
      socket.end(encodeAnswer({ status: 429, body: 'not so often\n' }, { withBody: true }));
      socket.resume();
      return;
    }
    this.#read(socket);
  }

  /** Accepts nothing for a while. */
  #rest(): void {
    const address = this.#server.address();
    if (this.#resting !== undefined || address === null || typeof address === 'string') return;
    const { address: host, port } = address;
    this.#server.close();
    const again = (): void => {
      // Somebody else may have it now, perhaps for a short time.
      const later = (): void => {
        this.#resting = setTimeout(again, REST_MS).unref();
      };
      this.#server.once('error', later);
      this.#server.listen({ port, host, backlog: BACKLOG_WITH_RATE }, () => {
        this.#server.off('error', later);
        this.#resting = undefined;
      });
    };
    this.#resting = setTimeout(again, REST_MS).unref();
  }

  #read(socket: Socket): void {
    let text = '';
    socket.setEncoding('latin1');
    const take = (part: string): void => {
      text += part;
      const head = readRequestHead(text);
      if (head === 'incomplete') return;
      socket.off('data', take);
      // What else comes is passed over until the connection ends.
      socket.resume();
      if (head === 'malformed') this.#end(socket, { status: 400, body: 'this is no request of HTTP/1.1\n' });
      else if (head === 'too-long') this.#end(socket, { status: 431, body: 'the request is too long\n' });
      else if (head.method !== 'GET' && head.method !== 'HEAD')
        this.#end(socket, { status: 405, body: 'only GET and HEAD are answered\n' });
      else void this.#answer(socket, head.path, { withBody: head.method === 'GET' });
    };
    socket.on('data', take);
    // Nothing more comes, and what came is no request.
    socket.once('end', () => {
      if (readRequestHead(text) === 'incomplete') socket.destroy();
    });
  }

  async #answer(socket: Socket, path: string, how: { readonly withBody: boolean }): Promise<void> {
    const { pages } = this.#options;
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined) {
      this.#end(socket, { status: 404, body: `there is ${Object.keys(pages).join(' and ')}\n` }, how);
      return;
    }
    try {
      this.#end(socket, await page(), how);
    } catch {
      this.#end(socket, { status: 500, body: 'the answer could not be made\n' }, how);
    }
  }

  #end(socket: Socket, answer: Answer, how?: { readonly withBody: boolean }): void {
    if (socket.destroyed) return;
    socket.end(encodeAnswer(answer, how ?? { withBody: true }));
    // A client whose request was taken whole has nothing more to say. Of another one something may be under way still,
    // and a connection that is closed before that was read takes the answer with it.
    if (how !== undefined) socket.destroySoon();
  }
}

/** An answer as it goes over the wire; the connection ends after it. */
function encodeAnswer(
  { status, body, type = PLAIN }: Answer,
  { withBody }: { readonly withBody: boolean },
): string {
  const fields = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'X-Content-Type-Options: nosniff',
    ...(status === 405 ? ['Allow: GET, HEAD'] : []),
    'Connection: close',
  ];
  return `${fields.join('\r\n')}\r\n\r\n${withBody ? body : ''}`;
}
