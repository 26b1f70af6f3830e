import type { Counters } from '../base/counters.ts';
import type { Endpoint } from '../base/endpoint.ts';
import { WeftError } from '../base/weft-error.ts';
import type { HealthCounter } from './health-counters.ts';
import { AnswerServer } from './http/answer-server.io.ts';

/** What a probe may learn: whether the program serves, and in one sentence why not. */
export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };

/** Connections at once. A probe has one for some milliseconds. */
const HEALTH_CONNECTIONS = 128;
/** A connection ends within this from when it was accepted: kubelet's probes wait for 1 s. */
const HEALTH_DEADLINE_MS = 2_000;

const COUNTER_BY_REFUSAL = {
  tooSlow: 'health.tooSlow',
  tooMany: 'health.tooMany',
  // There is no limit of the rate here.
  tooOften: 'health.tooMany',
} as const;

/**
 * Answers the probes of a kubelet: `/healthz` as long as the event loop turns, `/readyz` while the program serves.
 * Nothing else is told and nothing can be changed here: the control API is a unix socket. Any process of the host may
 * connect; a probe always finds a place ({@link AnswerServer}).
 */
export class HealthServer {
  readonly #server: AnswerServer;

  private constructor(server: AnswerServer) {
    this.#server = server;
  }

  /** Throws E_HEALTH_PORT where the address cannot be listened on. */
  static async listen(
    at: Endpoint,
    options: { readonly readiness: () => Readiness; readonly counters: Counters<HealthCounter> },
  ): Promise<HealthServer> {
    const { readiness, counters } = options;
    try {
      const server = await AnswerServer.listen(at, {
        pages: {
          '/healthz': () => ({ status: 200, body: 'ok\n' }),
          '/readyz': () => {
            const state = readiness();
            return state.ready ? { status: 200, body: 'ok\n' } : { status: 503, body: `${state.reason}\n` };
          },
        },
        connections: HEALTH_CONNECTIONS,
        deadlineMs: HEALTH_DEADLINE_MS,
        onRefused: (why) => counters.add(COUNTER_BY_REFUSAL[why]),
      });
      return new HealthServer(server);
    } catch (cause) {
      const message = `TCP ${at} cannot be listened on (${(cause as NodeJS.ErrnoException).code})`;
      const remedy = 'stop the program that has it, or give another --health-listen';
      throw new WeftError('E_HEALTH_PORT', message, remedy, { cause });
    }
  }

  close(): void {
    this.#server.close();
  }
}
