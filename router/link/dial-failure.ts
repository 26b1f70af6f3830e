/**
 * Why a dial led to no link.
 *
 * - `refused`: nobody listens there. `unanswered`: no answer came. `unroutable`: no route leads there. `forbidden`: this
 *   host's own rules do not let us. `unconnected`: the system had another reason.
 * - `hung-up`: the connection stood, and the far end closed it before the handshake had ended. A weftd with another cluster
 *   secret does so, and most programs that are no weftd.
 * - `silent`: the connection stood, and the handshake did not end in time.
 * - `unproven`: what answered holds the secret of no node of this cluster. `self`: it was this node.
 */
export type DialFailure =
  | 'refused'
  | 'unanswered'
  | 'unroutable'
  | 'forbidden'
  | 'unconnected'
  | 'hung-up'
  | 'silent'
  | 'unproven'
  | 'self';

/** What the error of a system call that dialled is, by its name: `ECONNREFUSED`. */
export function dialFailureOf(errno: string | undefined): DialFailure {
  switch (errno) {
    case 'ECONNREFUSED':
      return 'refused';
    case 'ETIMEDOUT':
      return 'unanswered';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return 'unroutable';
    case 'EPERM':
    case 'EACCES':
      return 'forbidden';
    default:
      return 'unconnected';
  }
}
