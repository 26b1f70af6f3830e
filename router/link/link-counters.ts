import { type CounterTable, drops } from '../../base/counters.ts';

/** What the control links count: the TCP connections between nodes, from their handshake on. */
export const LINK_COUNTERS = {
  'link.pushedOut': drops(
    'link',
    'Connections that were closed before they proved themselves because too many came, in all or from one address.',
  ),
  'link.timeout': drops('link', 'Connections whose handshake did not end in time.'),
  'link.replayed': drops(
    'link',
    'Connections that began with a recording of an earlier connection. They were cut before they cost anything.',
  ),
  'link.limited': drops(
    'link',
    'Connections that were cut because too many began at once, from one address or in all. Peers try again.',
  ),
  'link.self': drops('link', 'Connections on which this node met itself.'),
  'link.unexpectedPeer': drops('link', 'Connections that ended at another node than was expected there.'),
  'link.badCredential': drops('link', 'Connections whose far end could not prove which node it is.'),
  'link.badTag': drops(
    'link',
    'Connections whose bytes did not decrypt: of strangers, of a node with another cluster secret, or damaged on the way.',
  ),
  'link.tooShort': drops('link', 'Connections that sent less than a handshake or frame must have.'),
  'link.tooLong': drops('link', 'Connections that sent more than a handshake may have.'),
  'link.frameTooLong': drops('link', 'Connections that announced a longer frame than is allowed.'),
  'link.zeroPoint': drops('link', 'Connections whose far end sent a key that makes no secret.'),
  'link.closed': drops('link', 'Connections on which bytes came after this node had closed them.'),
} as const satisfies CounterTable;

/** A name that the control links count under. */
export type LinkCounter = keyof typeof LINK_COUNTERS;
