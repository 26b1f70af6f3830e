import { createServer, type Server } from 'node:http';
import { type Endpoint, endpointHost, endpointPort } from '../base/endpoint.ts';
import { WeftError } from '../base/weft-error.ts';

/** What a probe may learn: whether this node can attach pods, and in one sentence why not. */
export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };

/**
 * Answers the probes of a kubelet: `/healthz` as long as the event loop turns, `/readyz` while pods can be attached.
 * Nothing else is told and nothing can be changed here: the control API is a unix socket.
 */
export class HealthServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Throws E_HEALTH_PORT where the address cannot be listened on. */
  static async listen(at: Endpoint, readiness: () => Readiness): Promise<HealthServer> {
    const server = createServer({ requestTimeout: 5_000, maxHeaderSize: 4_096 }, (request, response) => {
      const path = request.url?.split('?', 1)[0];
      const state = path === '/readyz' ? readiness() : ({ ready: true } as const);
      const known = request.method === 'GET' && (path === '/readyz' || path === '/healthz');
      response.statusCode = known ? (state.ready ? 200 : 503) : 404;
      response.end(known ? `${state.ready ? 'ok' : state.reason}\n` : 'there is /healthz and /readyz\n');
    });
    server.maxConnections = 32;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const remedy = 'stop the program that has it, or give another --health-listen';
        reject(
          new WeftError('E_HEALTH_PORT', `TCP ${at} cannot be listened on (${cause.code})`, remedy, {
            cause,
          }),
        );
      });
      server.listen(endpointPort(at), endpointHost(at), resolve);
    });
    return new HealthServer(server);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
