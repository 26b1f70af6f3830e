import { type Address, formatAddress, parseAddress } from './address.ts';

/**
 * Where a peer's socket is, as canonical text: `192.0.2.1:6783` or `[2001:db8::1]:6783`.
 * Text, so that it can key a map; canonical, so that equal endpoints are equal keys.
 */
export type Endpoint = string & { readonly __brand: 'Endpoint' };

/** The endpoint of a socket address, `port` from 1 to 65535. */
export function endpoint(address: Address, port: number): Endpoint {
  const host = formatAddress(address);
  return (address.family === 4 ? `${host}:${port}` : `[${host}]:${port}`) as Endpoint;
}

/** Reads `address:port` or `[address]:port` into canonical form. Undefined where it is neither, or port 0. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):([1-9]\d{0,4})$/.exec(text);
  const address = match ? parseAddress((match[1] ?? match[2])!) : undefined;
  const port = Number(match?.[3]);
  if (!address || port > 65535) return undefined;
  if ((match?.[1] !== undefined) !== (address.family === 6)) return undefined;
  return endpoint(address, port);
}

/** The host part without brackets, as sockets take it. */
export function endpointHost(at: Endpoint): string {
  const host = at.slice(0, at.lastIndexOf(':'));
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** 1 to 65535. */
export function endpointPort(at: Endpoint): number {
  return Number(at.slice(at.lastIndexOf(':') + 1));
}
