import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiAccess } from '../../../kube/access/api-access.ts';

/** Answers one request as a test wants it. */
export type Answerer = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * An HTTPS server in the place of an API server, for faults which a real one cannot be made to show: half answers,
 * silence, lines cut in two, errors within a watch. What a right answer looks like is judged by a real one in
 * `test/lab`.
 */
export class FakeApi {
  readonly requests: string[] = [];
  token = 'first';
  answer: Answerer = (_request, response) => response.end('{}');
  readonly #server: Server;
  #ca: string;

  private constructor(server: Server, ca: string) {
    this.#server = server;
    this.#ca = ca;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.requests.push(`${request.method} ${request.url}`);
      this.answer(request, response);
    });
  }

  static async listen(): Promise<FakeApi> {
    const { key, cert } = selfSigned();
    const server = createServer({ key, cert });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeApi(server, cert);
  }

  get access(): ApiAccess {
    const { port } = this.#server.address() as AddressInfo;
    return {
      host: '127.0.0.1',
      port,
      ca: () => this.#ca,
      credentials: () => ({ token: this.token }),
      namespace: 'weft',
    };
  }

  /** From now on it shows a certificate of another authority, as after a rotation. */
  changeAuthority(): void {
    const { key, cert } = selfSigned();
    this.#server.setSecureContext({ key, cert });
    this.#server.closeIdleConnections();
    this.#ca = cert;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Answers with JSON. */
export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answerer {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

function selfSigned(): { readonly key: string; readonly cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'weft-fake-api-'));
  try {
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-subj', '/CN=fake', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
      ],
      { stdio: 'ignore' },
    );
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
