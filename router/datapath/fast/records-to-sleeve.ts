import type { Instant } from '../../../base/instant.ts';
import type { DatapathOptions } from '../datapath.ts';
import type { Sleeve } from '../sleeve/sleeve.ts';
import { UdpOrigins } from '../udp-origins.ts';

/** Words of a record, and where its origin begins. */
const WORDS = 12;
const ORIGIN_WORD = 4;
/** Kinds of records. */
const FRAME = 0;
const DATAGRAM = 1;
const OPENED = 2;
const WORN = 3;
const TUN_ERROR = 4;
const SOCKET_ERROR = 5;
const DROPPED = 6;
const BUSY = 7;

/** What of the lanes' records is not for the sleeve. */
interface RecordHandlers {
  /** The TUN, or the sockets, can be read no more. */
  onFault(what: 'tun' | 'sockets', errno: number): void;
  /** There are drops to be collected. */
  onDropped(): void;
  /** Much goes to the peer with this number. */
  onBusy(peer: number, now: Instant): void;
}

/** Hands what the lanes leave to others, as `native/fastdp.ts` draws it, to the sleeve. */
export function recordsToSleeve(
  sleeve: Sleeve,
  { clock, counters }: Pick<DatapathOptions, 'clock' | 'counters'>,
  handlers: RecordHandlers,
): (buffer: Uint8Array, words: Uint32Array, count: number) => void {
  const origins = { 4: new UdpOrigins(4), 6: new UdpOrigins(6) };
  return (buffer, words, count) => {
    const now = clock();
    for (let at = 0; at < count * WORDS; at += WORDS) {
      const kind = words[at]!;
      const bytes = buffer.subarray(words[at + 1]!, words[at + 1]! + words[at + 2]!);
      const index = words[at + 10]!;
      if (kind === FRAME) sleeve.handleTunPacket(bytes, now);
      else if (kind === WORN) sleeve.tellWorn(index, now);
      else if (kind === TUN_ERROR) handlers.onFault('tun', words[at + 11]!);
      else if (kind === SOCKET_ERROR) handlers.onFault('sockets', words[at + 11]!);
      else if (kind === DROPPED) handlers.onDropped();
      else if (kind === BUSY) handlers.onBusy(index, now);
      if (kind !== DATAGRAM && kind !== OPENED) continue;
      const from = origins[words[at + 3] === 4 ? 4 : 6].endpoint(words, at + ORIGIN_WORD);
      const tos = words[at + 9]!;
      if (from === undefined) counters.add('datapath.badOrigin');
      else if (kind === DATAGRAM) sleeve.handleDatagrams(from, bytes, now, bytes.length, tos);
      else sleeve.handleOpened(index, from, bytes, words[at + 11] === 1, now, tos);
    }
    sleeve.endBatch(now);
  };
}
