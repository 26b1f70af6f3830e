import { connect } from 'node:net';

/**
 * How an attempt to reach a TCP port ended. `open` and `refused` both mean that the address answered; `unreachable`
 * that the kernel or a router said so; `silent` that nothing came in time.
 */
export type ReachOutcome =
  | { readonly outcome: 'open' | 'refused'; readonly rttMs: number }
  | { readonly outcome: 'unreachable' | 'silent' };

/** Errors of `connect` that come from the far end itself. */
const REFUSED = new Set(['ECONNREFUSED', 'ECONNRESET']);

/**
 * Tries to open a TCP connection and closes it at once. A closed port answers with a reset (RFC 9293, section 3.10.7.1), so any
 * port tells the round trip to an address, and neither end needs privileges. Kernels limit the rate of ICMP
 * errors for each destination (icmp_ratelimit), but not of resets.
 */
export function probeTcp(host: string, port: number, timeoutMs: number): Promise<ReachOutcome> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    const socket = connect({ host, port });
    const end = (outcome: ReachOutcome): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end({ outcome: 'silent' }), timeoutMs);
    socket.on('connect', () => end({ outcome: 'open', rttMs: performance.now() - startedAt }));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ETIMEDOUT') end({ outcome: 'silent' });
      else if (REFUSED.has(code ?? '')) end({ outcome: 'refused', rttMs: performance.now() - startedAt });
      else end({ outcome: 'unreachable' });
    });
  });
}
