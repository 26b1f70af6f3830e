import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SECURITY_HEADERS } from '../../ui/http-answers.io.ts';
import { pageFiles } from '../../ui/page-files.io.ts';
import type { Picture } from '../../ui/picture/picture.ts';
import { type PictureChange, pictureChange } from '../../ui/picture/picture-change.ts';

/** What it answers beside the live picture. */
interface Answers {
  readonly tunnel?: (id: string) => unknown;
  readonly explain?: (question: { source: string; destination: string; with?: string }) => unknown;
}

/**
 * Serves the page with pictures that a test makes, as the server of `weft ui` does: files and headers are that server's own.
 * For what that one cannot be brought to show on demand: ten minutes of history, changes that get lost.
 */
export class PictureServer {
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #files = pageFiles();
  readonly #live = new Set<ServerResponse>();
  readonly #answers: Answers;
  #picture: Picture;
  /** Whether it refuses whoever wants the live picture. */
  isDown = false;
  /** How often the live picture was asked for. */
  asked = 0;

  private constructor(picture: Picture, answers: Answers) {
    this.#picture = picture;
    this.#answers = answers;
  }

  static async listen(picture: Picture, answers: Answers = {}): Promise<PictureServer> {
    const server = new PictureServer(picture, answers);
    const { promise, resolve } = Promise.withResolvers<void>();
    server.#server.listen(0, '127.0.0.1', resolve);
    await promise;
    return server;
  }

  get link(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/#token`;
  }

  get picture(): Picture {
    return this.#picture;
  }

  /** Shows another picture, told as the change to it. `isLost`: nobody hears of it. */
  show(picture: Picture, { isLost = false } = {}): void {
    const change = pictureChange(this.#picture, picture);
    this.#picture = picture;
    if (!isLost) this.tell('change', change);
  }

  tell(name: string, data: PictureChange | Picture | Readonly<Record<string, string>>): void {
    for (const response of this.#live) response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Cuts all live connections. */
  cut(): void {
    for (const response of this.#live) response.destroy();
    this.#live.clear();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.closeAllConnections();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const file = this.#files.get(pathname);
    if (file !== undefined) {
      response.writeHead(200, { 'Content-Type': file.type }).end(file.bytes);
      return;
    }
    const json = (status: number, body: unknown): void =>
      void response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    if (pathname === '/api/session')
      return json(200, { session: 'session', viewer: this.#picture.viewer, tokens: false });
    if (request.headers.authorization !== 'Bearer session')
      return json(403, { error: { code: 'E_UI_SESSION', message: 'no session', remedy: '' } });
    if (pathname === '/api/tunnel') return json(200, this.#answers.tunnel?.(searchParams.get('id') ?? ''));
    if (pathname === '/api/explain')
      return json(200, this.#answers.explain?.(JSON.parse(await bodyOf(request))));
    if (pathname !== '/api/live')
      return json(404, { error: { code: 'E_UI_PATH', message: 'no such path', remedy: '' } });
    this.asked++;
    if (this.isDown)
      return json(503, { error: { code: 'E_UI_VIEWERS', message: 'too many look', remedy: '' } });
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    this.#live.add(response);
    response.on('close', () => this.#live.delete(response));
    response.write(`event: picture\ndata: ${JSON.stringify(this.#picture)}\n\n`);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += String(piece);
  return text;
}
