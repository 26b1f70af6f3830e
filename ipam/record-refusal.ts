import type { RowFault } from './agreement/paxos.ts';
import type { IpamCounter } from './model/ipam-counters.ts';
import type { MergeFault } from './ring/ring.ts';

/** Why a record of another peer is not taken. `rolled-back`: the peer has forgotten what its log held before. */
export type RecordRefusal = MergeFault | 'rolled-back' | RowFault;

/** Where a record that is not taken is counted. */
export const COUNTER_BY_REFUSAL: Readonly<Record<RecordRefusal, IpamCounter>> = {
  malformed: 'ipam.recordMalformed',
  'too-large': 'ipam.ringTooLarge',
  'bad-version': 'ipam.ringBadVersion',
  'too-many': 'ipam.ringTooMany',
  'rolled-back': 'ipam.ringRolledBack',
  'not-listed': 'ipam.voteNotListed',
  'name-taken': 'ipam.voteNameTaken',
  implausible: 'ipam.voteImplausible',
};
