import { type CounterTable, counts, drops } from '../../base/counters.ts';

/** What address management counts; who owns which addresses is in the ring, which all nodes' `ring` records make up. */
export const IPAM_COUNTERS = {
  'ipam.ringTooLarge': drops('record', 'Ring records of other nodes that are longer than allowed.'),
  'ipam.recordMalformed': drops('record', 'Ring records and votes of other nodes that could not be read.'),
  'ipam.ringBadVersion': drops(
    'record',
    'Ring records of a version that this node does not know. Nodes of different versions are in the cluster.',
  ),
  'ipam.ringTooMany': drops(
    'record',
    'Ring records for which there is no room. More identities are or were in the cluster than this node can remember.',
  ),
  'ipam.ringRolledBack': drops(
    'record',
    'Ring records that lack what their node had written before: its state folder was rolled back.',
  ),
  'ipam.ringForked': counts(
    'Ring records that contradict what their node had written before: its state folder was rolled back or copied.',
  ),
  'ipam.voteNotListed': drops(
    'record',
    'Votes on the first ring of nodes that the initial peers do not name.',
  ),
  'ipam.voteNameTaken': drops(
    'record',
    'Votes on the first ring under a name that another node bears. Two nodes have one name.',
  ),
  'ipam.voteImplausible': drops('record', 'Votes on the first ring whose number is far above all others.'),
  'ipam.messageMalformed': drops('message', 'Messages about addresses that could not be read.'),
  'ipam.ringEvaluated': counts('How often the owners of all addresses were worked out anew.'),
  'ipam.answerLate': drops(
    'message',
    'Answers to requests for addresses that came when nobody waited any more.',
  ),
} as const satisfies CounterTable;

/** A name that address management counts under. */
export type IpamCounter = keyof typeof IPAM_COUNTERS;
