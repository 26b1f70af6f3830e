/**
 * Stands before the API server and behaves, towards each client, as it is told.
 *
 *   fault-proxy.ts ADDRESS PORT UPSTREAM-ADDRESS UPSTREAM-PORT CONTROL-PORT PKI-FOLDER
 *
 * On 127.0.0.1:CONTROL-PORT: `PUT /CLIENT/MODE` changes how the client of that address is met; `GET /CLIENT` answers
 * what it asked for since, as JSON.
 */
import { readFileSync } from 'node:fs';
import { createServer as createControl, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, createServer, request as httpsRequest } from 'node:https';

/**
 * pass: as the API server does. A status: that, for everything. never: takes connections and requests, and answers
 * none. silent: of watches no byte comes any more, old or new; the rest passes.
 */
type Mode = 'pass' | '401' | '403' | '429' | '500' | 'never' | 'silent';

/** `reason` of the Status object, as the API server gives it. */
const REASON_BY_STATUS: Readonly<Record<string, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  429: 'TooManyRequests',
  500: 'InternalError',
};
const RETRY_AFTER_S = 2;

/** An answer that is under way. */
interface Stream {
  readonly isWatch: boolean;
  readonly from: IncomingMessage;
  readonly to: ServerResponse;
}

const [address, port, upstreamAddress, upstreamPort, controlPort, pki] = process.argv.slice(2) as string[];
const modeByClient = new Map<string, Mode>();
const requestsByClient = new Map<string, string[]>();
const streamsByClient = new Map<string, Set<Stream>>();
const agent = new Agent({ ca: readFileSync(`${pki}/ca.crt`), keepAlive: true });

const server = createServer(
  { key: readFileSync(`${pki}/fault-proxy.key`), cert: readFileSync(`${pki}/fault-proxy.crt`) },
  (request, response) => {
    const client = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    const mode = modeByClient.get(client) ?? 'pass';
    const isWatch = /[?&]watch=/.test(request.url ?? '');
    requestsByClient.set(client, [
      ...(requestsByClient.get(client) ?? []),
      `${request.method} ${request.url}`,
    ]);
    if (mode === 'never' || (mode === 'silent' && isWatch)) return;
    if (mode === 'pass' || mode === 'silent') pass(client, isWatch, request, response);
    else refuse(mode, response);
  },
);
// As the API server, it does not end what is quiet.
[server.keepAliveTimeout, server.requestTimeout] = [0, 0];
server.listen(Number(port), address);

createControl((request, response) => {
  const [, client = '', mode] = (request.url ?? '').split('/');
  if (request.method === 'PUT') setMode(client, mode as Mode);
  response.end(JSON.stringify(requestsByClient.get(client) ?? []));
}).listen(Number(controlPort), '127.0.0.1');

function refuse(status: string, response: ServerResponse): void {
  const code = Number(status);
  if (code === 429) response.setHeader('retry-after', RETRY_AFTER_S);
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({ kind: 'Status', code, reason: REASON_BY_STATUS[status], message: 'a fault' }),
  );
}

function pass(client: string, isWatch: boolean, request: IncomingMessage, response: ServerResponse): void {
  const { method, url: path, headers } = request;
  const upstream = httpsRequest(
    { host: upstreamAddress, port: upstreamPort, agent, method, path, headers },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      const stream: Stream = { isWatch, from: answer, to: response };
      const streams = streamsByClient.get(client) ?? new Set();
      streamsByClient.set(client, streams.add(stream));
      response.on('close', () => {
        streams.delete(stream);
        answer.destroy();
      });
      answer.on('error', () => response.destroy()).pipe(response);
    },
  );
  upstream.on('error', () => response.destroy());
  request.pipe(upstream);
}

/** What is under way is cut off where the API fails, and held up where it is silent. */
function setMode(client: string, mode: Mode): void {
  modeByClient.set(client, mode);
  requestsByClient.set(client, []);
  for (const { isWatch, from, to } of streamsByClient.get(client) ?? []) {
    if (mode === 'silent' && isWatch) from.unpipe(to);
    else if (mode === 'pass') from.unpipe(to).pipe(to);
    else if (mode !== 'silent') to.destroy();
  }
}
