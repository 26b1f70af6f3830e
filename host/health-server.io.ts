import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Counters } from '../base/counters.ts';
import { type Endpoint, endpointHost, endpointPort } from '../base/endpoint.ts';
import { WeftError } from '../base/weft-error.ts';
import { ConnectionPlaces } from './connection-places.ts';
import { connectionSource } from './connection-source.ts';
import type { HealthCounter } from './health-counters.ts';

/** What a probe may learn: whether the program serves, and in one sentence why not. */
export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };

/** Connections at once. A probe has one for some milliseconds. */
const HEALTH_CONNECTIONS = 128;
/** A connection ends within this from when it was accepted, whatever it does: kubelet's probes wait for 1 s. */
const HEALTH_DEADLINE_MS = 2_000;
/** Connections that the kernel holds until we accept them. */
const BACKLOG = 1024;

/**
 * Answers the probes of a kubelet: `/healthz` as long as the event loop turns, `/readyz` while the program serves.
 * Nothing else is told and nothing can be changed here: the control API is a unix socket.
 *
 * Any process of the host may connect. So each connection has one deadline, counted from when it was accepted, and where
 * there are too many the oldest of the source that has most is closed for a new one: a probe always finds a place.
 */
export class HealthServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Throws E_HEALTH_PORT where the address cannot be listened on. */
  static async listen(
    at: Endpoint,
    options: { readonly readiness: () => Readiness; readonly counters: Counters<HealthCounter> },
  ): Promise<HealthServer> {
    const { readiness, counters } = options;
    const server = createServer({ maxHeaderSize: 4_096, requestTimeout: 0 }, (request, response) => {
      const path = request.url?.split('?', 1)[0];
      const state = path === '/readyz' ? readiness() : ({ ready: true } as const);
      const known = request.method === 'GET' && (path === '/readyz' || path === '/healthz');
      response.statusCode = known ? (state.ready ? 200 : 503) : 404;
      response.shouldKeepAlive = false;
      response.end(known ? `${state.ready ? 'ok' : state.reason}\n` : 'there is /healthz and /readyz\n');
    });
    const places = new ConnectionPlaces<Socket>(HEALTH_CONNECTIONS);
    server.on('connection', (socket) => {
      const source = connectionSource(socket.remoteAddress);
      const deadline = setTimeout(() => {
        counters.add('health.tooSlow');
        socket.destroy();
      }, HEALTH_DEADLINE_MS);
      socket.once('close', () => {
        clearTimeout(deadline);
        places.free(socket, source);
      });
      const crowdedOut = places.take(socket, source);
      if (crowdedOut === undefined) return;
      counters.add('health.tooMany');
      crowdedOut.destroy();
    });
    await listen(server, at);
    return new HealthServer(server);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function listen(server: Server, at: Endpoint): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (cause: NodeJS.ErrnoException) => {
    const message = `TCP ${at} cannot be listened on (${cause.code})`;
    const remedy = 'stop the program that has it, or give another --health-listen';
    reject(new WeftError('E_HEALTH_PORT', message, remedy, { cause }));
  });
  server.listen({ port: endpointPort(at), host: endpointHost(at), backlog: BACKLOG }, () => {
    // What goes wrong with a single accept (no descriptors left) must not end the program.
    server.removeAllListeners('error').on('error', () => {});
    resolve();
  });
  return promise;
}
