import { isIPv6 } from 'node:net';

/** The port at which a test's server takes connections and datagrams, and gives back what it gets. */
export const SERVER_PORT = 8080;
/** A port where nobody listens: the first of traceroute. Its reset, or its ICMP error, is an answer of the address. */
export const CLOSED_PORT = 33_434;

/** What one end tries towards another. `to` is an address. */
export type Try =
  /** A connection that gives back what it gets. */
  | { readonly kind: 'tcp'; readonly to: string; readonly port: number }
  /** The same with a megabyte, byte for byte. */
  | { readonly kind: 'bulk'; readonly to: string; readonly port: number }
  /** Any answer to a SYN: from an address of which nobody knows what listens there. */
  | { readonly kind: 'reach'; readonly to: string; readonly port: number }
  /** A datagram that comes back. */
  | { readonly kind: 'udp'; readonly to: string; readonly port: number }
  /** The largest packet that the interface takes, which nobody may fragment; it comes back as large. */
  | { readonly kind: 'size'; readonly to: string; readonly port: number }
  /** The same, to an address where nobody gives it back: it answers that nobody listens (ICMP). */
  | { readonly kind: 'size-one-way'; readonly to: string }
  /** A connection that must not come about. */
  | { readonly kind: 'closed'; readonly to: string; readonly port: number }
  /** A name that has at least one address. */
  | { readonly kind: 'name'; readonly name: string }
  /** Datagrams with a random text that must be seen nowhere. Hex. */
  | { readonly kind: 'mark'; readonly to: readonly string[]; readonly marker: string };

/** A try under a name that is the same at every run. */
export interface Check {
  readonly name: string;
  readonly what: Try;
}

/** What came of a check. */
export interface Outcome {
  readonly name: string;
  readonly isWell: boolean;
  /** One line. */
  readonly seen: string;
}

/** `IPv4` or `IPv6`, of an address. */
export function familyOf(address: string): 'IPv4' | 'IPv6' {
  return isIPv6(address) ? 'IPv6' : 'IPv4';
}

/** All that a pod tries towards a pod that serves, in each family. */
export function serverChecks(where: string, addresses: readonly string[]): Check[] {
  return addresses.flatMap((to) => {
    const at = { to, port: SERVER_PORT };
    const name = (what: string): string => `${where}, ${familyOf(to)}, ${what}`;
    return [
      { name: name('TCP'), what: { kind: 'tcp', ...at } },
      { name: name('UDP'), what: { kind: 'udp', ...at } },
      { name: name('1 MB'), what: { kind: 'bulk', ...at } },
      { name: name('largest packet'), what: { kind: 'size', ...at } },
    ] as const satisfies readonly Check[];
  });
}

/** What a pod tries towards a host. */
export function hostChecks(where: string, addresses: readonly string[], port = CLOSED_PORT): Check[] {
  return addresses.map((to) => ({ name: `${where}, ${familyOf(to)}`, what: { kind: 'reach', to, port } }));
}

/** Not trusted in its form: it comes out of the log of a pod. Undefined where it is none. */
export function readOutcome(line: string): Outcome | undefined {
  try {
    const value = JSON.parse(line) as Partial<Record<keyof Outcome, unknown>> | null;
    if (value === null || typeof value !== 'object') return undefined;
    const { name, isWell, seen } = value;
    if (typeof name !== 'string' || typeof isWell !== 'boolean' || typeof seen !== 'string') return undefined;
    return { name, isWell, seen };
  } catch {
    return undefined;
  }
}
