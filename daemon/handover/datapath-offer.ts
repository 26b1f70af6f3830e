/** The version of the hand-over of a datapath between two weftds: what is said, in which order, by which means. */
export const OFFER_VERSION = 1;

/** Sockets that can be handed over; with the TUN device and a stream these are the 4 descriptors of one message. */
const MAX_SOCKETS = 2;

/**
 * What a weftd that asks another one to make room says, where it can go on with the devices and sessions of that one: the
 * newest version that it knows, and what it would open itself.
 */
export interface DatapathOffer {
  readonly version: number;
  /** UDP. */
  readonly port: number;
  /** Numeric addresses; none: all of the host. */
  readonly listen: readonly string[];
}

/** Reads an offer, which is not trusted; undefined where it is none. A newer one may say more. */
export function readDatapathOffer(value: unknown): DatapathOffer | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, port, listen } = value as Record<string, unknown>;
  if (!Number.isInteger(version) || (version as number) < 1) return undefined;
  if (!Number.isInteger(port) || (port as number) < 0 || (port as number) > 65_535) return undefined;
  if (!Array.isArray(listen) || !listen.every((host) => typeof host === 'string')) return undefined;
  return { version: version as number, port: port as number, listen };
}

/**
 * The version by which a weftd that serves hands its devices over to the one that offers to go on with them; undefined where
 * it keeps to closing them: the other one would open others, or knows no version of ours.
 */
export function agreedVersion(
  own: { readonly port: number; readonly listen: readonly string[]; readonly sockets: number | undefined },
  offer: DatapathOffer | undefined,
): number | undefined {
  if (offer === undefined || own.sockets === undefined || own.sockets > MAX_SOCKETS) return undefined;
  const same = own.port === offer.port && sorted(own.listen) === sorted(offer.listen);
  return same ? Math.min(offer.version, OFFER_VERSION) : undefined;
}

function sorted(hosts: readonly string[]): string {
  return hosts.toSorted().join(' ');
}
