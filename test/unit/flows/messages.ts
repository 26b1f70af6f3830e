import { addressBytes, parseAddress } from '../../../base/address.ts';
import { concat } from '../../../base/bytes.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import type { AddressOwners } from '../../../flows/address-owners.ts';
import type { ConntrackMessage } from '../../../linux/conntrack.ts';

export const SELF = 'self' as PeerId;
export const PEER = 'peer' as PeerId;

/** 10.1.0.0/16 is ours, 10.2.0.0/16 the peer's. */
export const OWNERS: AddressOwners = {
  self: SELF,
  owners: [SELF, PEER],
  ownerIndex: (family, bytes, at) =>
    family === 4 && bytes[at] === 10 ? ([0, 1][bytes[at + 1]! - 1] ?? -1) : -1,
};

interface MessageOptions {
  readonly kind?: ConntrackMessage['kind'];
  readonly id?: number;
  readonly source?: string;
  readonly destination?: string;
  /** Where it went; default: the destination. */
  readonly target?: string;
  /** Whom the server sees; default: the source. */
  readonly seen?: string;
  readonly bytes?: readonly [sent: number, received: number];
  readonly replied?: boolean;
}

/** What connection tracking says of a TCP connection from port 40000 to 80 (8080 where it was translated). */
export function message(options: MessageOptions = {}): ConntrackMessage {
  const {
    kind = 'new',
    id = 1,
    source = '10.1.0.5',
    destination = '10.2.0.7',
    bytes,
    replied = false,
  } = options;
  const { target = destination, seen = source } = options;
  const isTranslated = target !== destination;
  const at = (text: string): Uint8Array => addressBytes(parseAddress(text)!);
  const count = (which: 0 | 1) =>
    bytes === undefined
      ? { packets: -1, bytes: -1 }
      : { packets: Math.ceil(bytes[which] / 100), bytes: bytes[which] };
  return {
    kind,
    id,
    family: 4,
    protocol: 6,
    bytes: concat(at(source), at(destination), at(target), at(seen)),
    original: { source: 0, destination: 4, sourcePort: 40_000, destinationPort: 80 },
    reply: { source: 8, destination: 12, sourcePort: isTranslated ? 8080 : 80, destinationPort: 40_000 },
    isReplied: replied,
    sent: count(0),
    received: count(1),
    startedAtMs: -1,
    endedAtMs: -1,
  };
}
