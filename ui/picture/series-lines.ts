import type { SeriesLine } from './picture.ts';

/** What the lines are, but for those of single reasons. */
export const LINES = {
  open: line('open', 'open', 'connections', 'Connections that are open.'),
  began: line('began', 'began', 'connections/s', 'Connections that began.'),
  denied: line('denied', 'denied', 'packets/s', 'Packets that policies denied, of those that are told.'),
  sent: line('sent', 'sent', 'bytes/s', 'Bytes from those who began connections to those whom they reached.'),
  received: line('received', 'received', 'bytes/s', 'Bytes back to those who began connections.'),
  tunnelSent: line(
    'tunnelSent',
    'into tunnels',
    'bytes/s',
    'Sealed bytes that this node sent to other nodes.',
  ),
  tunnelReceived: line(
    'tunnelReceived',
    'out of tunnels',
    'bytes/s',
    'Sealed bytes that came from other nodes.',
  ),
  rtt: line('rtt', 'round trip', 'ms', 'To other nodes and back, the median of all tunnels of this node.'),
} as const;

function line(id: string, name: string, unit: SeriesLine['unit'], help: string): Omit<SeriesLine, 'values'> {
  return { id, name, help, unit };
}
