import { formatAddress } from '../../base/address.ts';
import { shortPeerId } from '../../base/peer-id.ts';
import { type Warning, warningOf, warningOfError } from '../../base/warning.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';

/** What of a node the warnings are made from. */
type Warned = {
  readonly ipam: {
    status(): Pick<ReturnType<WeftNode['ipam']['status']>, 'faults' | 'orphaned' | 'pending'>;
  };
  readonly diskFault: WeftNode['diskFault'];
};

/**
 * All that a user should know of at present: first what is wrong, then what is merely unusual. `around` is what other
 * parts of weftd warn of.
 */
export function statusWarnings(node: Warned, around: readonly Warning[]): Warning[] {
  const { faults, orphaned, pending } = node.ipam.status();
  return [
    ...(node.diskFault === undefined ? [] : [warningOfError(node.diskFault)]),
    ...faults,
    ...around,
    ...orphaned.map(({ key, addresses }) =>
      warningOf(DAEMON_WARNINGS, 'W_FOREIGN_ADDRESS', {
        container: key.containerId,
        addresses: addresses.map(formatAddress).join(', '),
      }),
    ),
    ...pending.removals.map(({ peer }) =>
      warningOf(DAEMON_WARNINGS, 'W_REMOVAL_PENDING', { peer: shortPeerId(peer) }),
    ),
  ];
}
