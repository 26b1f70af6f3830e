/** A protocol that has ports. */
export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** All of {@link Protocol}, in the order in which rules are written. */
export const PROTOCOLS: readonly Protocol[] = ['TCP', 'UDP', 'SCTP'];

/** True for the names of {@link Protocol}, which the API writes in capitals. */
export function isProtocol(value: unknown): value is Protocol {
  return value === 'TCP' || value === 'UDP' || value === 'SCTP';
}

/** Ports from `first` to `last`, both included. All ports of a protocol are 0 to 65535. */
interface PortRange {
  readonly kind: 'range';
  readonly protocol: Protocol;
  readonly first: number;
  readonly last: number;
}

/** Whatever port of the destination pod has that name, of `protocol` or, where that is undefined, of any. */
export interface NamedPort {
  readonly kind: 'named';
  readonly protocol: Protocol | undefined;
  readonly name: string;
}

/** A destination port that a rule is about. */
export type PortMatch = PortRange | NamedPort;

/** Every port of a protocol. */
export function allPorts(protocol: Protocol): PortRange {
  return { kind: 'range', protocol, first: 0, last: 65_535 };
}

/** The number, where it is one of a port. */
export function portNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535
    ? value
    : undefined;
}
