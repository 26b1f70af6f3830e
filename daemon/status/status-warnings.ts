import { formatAddress } from '../../base/address.ts';
import { shortPeerId } from '../../base/peer-id.ts';
import {
  type Warning,
  type WarningTable,
  warningOf,
  warningOfError,
  warningOfLine,
} from '../../base/warning.ts';
import type { WeftNode } from '../../node/weft-node.ts';

/** What weftd warns of beside the faults of the ring, of the disk and of what is around the node. */
const STATUS_WARNINGS = {
  W_FOREIGN_ADDRESS: {
    message: '{container} uses {addresses}, which this node does not own',
    remedy: 'restart that pod',
  },
  W_REMOVAL_PENDING: {
    message: 'the removal of {peer} is under way',
    remedy: 'wait: it takes three minutes and more',
  },
} as const satisfies WarningTable;

/** What of a node the warnings are made from. */
type Warned = {
  readonly ipam: {
    status(): Pick<ReturnType<WeftNode['ipam']['status']>, 'faults' | 'orphaned' | 'pending'>;
  };
  readonly diskFault: WeftNode['diskFault'];
};

/**
 * All that a user should know of at present: first what is wrong, then what is merely unusual. `around` is what other
 * parts of weftd warn of; a part that gives a line has it shown under the code W_OTHER.
 */
export function statusWarnings(node: Warned, around: readonly (Warning | string)[]): Warning[] {
  const { faults, orphaned, pending } = node.ipam.status();
  return [
    ...(node.diskFault === undefined ? [] : [warningOfError(node.diskFault)]),
    ...faults.map(warningOfError),
    ...around.map((each) => (typeof each === 'string' ? warningOfLine('W_OTHER', each) : each)),
    ...orphaned.map(({ key, addresses }) =>
      warningOf(STATUS_WARNINGS, 'W_FOREIGN_ADDRESS', {
        container: key.containerId,
        addresses: addresses.map(formatAddress).join(', '),
      }),
    ),
    ...pending.removals.map(({ peer }) =>
      warningOf(STATUS_WARNINGS, 'W_REMOVAL_PENDING', { peer: shortPeerId(peer) }),
    ),
  ];
}
