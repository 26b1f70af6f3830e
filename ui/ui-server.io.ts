import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { TokenBucket } from '../base/token-bucket.ts';
import { clock } from '../host/clock.io.ts';
import { osRandom } from '../host/os-random.io.ts';
import type { ApiAccess } from '../kube/access/api-access.ts';
import { foreignRequest } from './access/foreign-request.ts';
import { Sessions } from './access/sessions.ts';
import { answerError, answerJson, readJson, SECURITY_HEADERS, UiError } from './http-answers.io.ts';
import { LiveViewers } from './live-viewers.io.ts';
import type { PageFile } from './page-files.io.ts';
import type { DropReasons } from './picture/picture-maker.ts';
import { type AskedPrograms, PictureSource } from './picture-source.io.ts';
import { UiAnswers } from './ui-answers.io.ts';
import type { UiUser } from './ui-user.io.ts';

// Not imported: that would load all of it (daemon/kubernetes/cluster-checks.io.ts says why).
const { createServer } = process.getBuiltinModule('node:http');

/** The page is served to this host alone: whoever is elsewhere comes by a port-forward. */
const HOST = '127.0.0.1';
/** Connections that have shown no session (yet); where there are more, the oldest is closed. */
const MAX_STRANGERS = 128;
/** How long the head of a request, and all of one, may take. */
const HEAD_MS = 10_000;
const REQUEST_MS = 20_000;
/** Attempts at a session, of all together: a token cannot be guessed, but the API of Kubernetes is asked about each. */
const ATTEMPTS = { burst: 40, perSecond: 4 } as const;

interface UiOptions {
  /** 0: any that is free. */
  readonly port: number;
  readonly files: ReadonlyMap<string, PageFile>;
  readonly asked: AskedPrograms;
  /** Flows of all nodes, and not of this one alone. */
  readonly cluster: boolean;
  readonly reasons: DropReasons;
  /** Where tokens of Kubernetes are judged; undefined: none are taken. */
  readonly kubernetes: ApiAccess | undefined;
  readonly version: string;
}

/** Serves the page, what it shows, and what changes of that, on the loopback (docs/adr/0020-page.md). */
export class UiServer {
  readonly #options: UiOptions;
  readonly #server: Server;
  readonly #sessions = new Sessions<UiUser>(osRandom);
  readonly #viewers: LiveViewers;
  readonly #source: PictureSource;
  readonly #answers: UiAnswers;
  readonly #attempts = new TokenBucket(ATTEMPTS.burst, ATTEMPTS.perSecond);
  /** Connections that have shown no session, the oldest first. */
  readonly #strangers = new Set<Socket>();
  readonly #open = new Set<Socket>();

  private constructor(options: UiOptions) {
    this.#options = options;
    this.#viewers = new LiveViewers(() => this.#source.rest());
    this.#source = new PictureSource({
      asked: options.asked,
      cluster: options.cluster,
      reasons: options.reasons,
      onPicture: (picture) => this.#viewers.show(picture),
    });
    this.#answers = new UiAnswers({
      ...options,
      sessions: this.#sessions,
      viewers: this.#viewers,
      source: this.#source,
    });
    this.#server = createServer(
      { headersTimeout: HEAD_MS, requestTimeout: REQUEST_MS, connectionsCheckingInterval: 2_000 },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.on('connection', (socket) => this.#accept(socket));
    this.#server.on('clientError', (_, socket) => socket.destroy());
  }

  /** Rejects with the error of the system where the port cannot be listened on. */
  static async listen(options: UiOptions): Promise<UiServer> {
    const server = new UiServer(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.#server.once('error', reject);
    server.#server.listen({ port: options.port, host: HOST }, () => {
      server.#server.off('error', reject).on('error', () => {});
      resolve();
    });
    await promise;
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many look now. */
  get viewers(): number {
    return this.#viewers.count;
  }

  /** A link that somebody may follow once. What is behind the `#` is sent to nobody by a browser. */
  newLink(): string {
    return `http://${HOST}:${this.port}/#${this.#sessions.newLink(clock())}`;
  }

  /** Tells those who look that it is over, and ends. */
  async close(): Promise<void> {
    this.#answers.close();
    this.#viewers.close('E_UI_OVER');
    this.#source.rest();
    this.#server.close();
    for (const socket of this.#strangers) socket.destroy();
    // What was said last goes out; a page that does not take it is not waited for.
    const deadline = setTimeout(() => {
      for (const socket of this.#open) socket.destroy();
    }, 1_000);
    this.#server.closeIdleConnections();
    await Promise.all([...this.#open].map((socket) => new Promise((done) => socket.once('close', done))));
    clearTimeout(deadline);
  }

  #accept(socket: Socket): void {
    this.#open.add(socket);
    this.#strangers.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#strangers.delete(socket);
    });
    const [oldest] = this.#strangers;
    if (oldest === undefined || this.#strangers.size <= MAX_STRANGERS) return;
    this.#strangers.delete(oldest);
    oldest.destroy();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    try {
      await this.#route(request, response);
    } catch (error) {
      answerError(response, error);
      // What of the request is still under way is not waited for.
      if (!request.complete) response.once('finish', () => request.destroy());
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', headers } = request;
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const foreign = foreignRequest({
      ...{ method, path, host: headers.host, origin: headers.origin },
      site: oneOf(headers['sec-fetch-site']),
      mode: oneOf(headers['sec-fetch-mode']),
      contentType: headers['content-type'],
    });
    if (foreign !== undefined) throw new UiError(foreign);
    const file = this.#options.files.get(path);
    if (file !== undefined) return sendFile(file, method, response);
    if (path === '/api/session' && method === 'GET')
      return answerJson(response, 200, { tokens: this.#options.kubernetes !== undefined });
    if (path === '/api/session' && method === 'POST') {
      if (!this.#attempts.take(clock())) throw new UiError('E_UI_OFTEN');
      return answerJson(response, 200, await this.#answers.begin(await readJson(request)));
    }
    if (!path.startsWith('/api/')) throw new UiError('E_UI_PATH');
    const [, session = ''] = /^Bearer ([\w-]{43})$/.exec(headers.authorization ?? '') ?? [];
    const user = this.#sessions.rightsOf(session, clock());
    if (user === undefined) throw new UiError('E_UI_SESSION');
    this.#strangers.delete(request.socket);
    await this.#answers.answer({ request, response, method, path, query, session, user });
  }
}

function sendFile({ type, bytes }: PageFile, method: string, response: ServerResponse): void {
  if (method !== 'GET' && method !== 'HEAD') throw new UiError('E_UI_METHOD');
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': bytes.length });
  response.end(method === 'HEAD' ? undefined : bytes);
}

function oneOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.join(',');
}
