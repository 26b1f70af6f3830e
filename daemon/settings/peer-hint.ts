import { formatAddress, parseAddress } from '../../base/address.ts';

/** Where to look for a peer, as a user gave it: a name (resolved anew from time to time) or an address. */
export interface PeerHint {
  /** A DNS name in lower case, or an address in canonical text (IPv6 without brackets). */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/**
 * Reads `name`, `name:port`, `192.0.2.1`, `192.0.2.1:port`, `2001:db8::1`, `[2001:db8::1]` or
 * `[2001:db8::1]:port`; `defaultPort` where none is given. Undefined where `text` is none of them.
 */
export function parsePeerHint(text: string, defaultPort: number): PeerHint | undefined {
  const bare = parseAddress(text);
  if (bare) return { host: formatAddress(bare), port: defaultPort };
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::([1-9]\d{0,4}))?$/.exec(text);
  if (!match) return undefined;
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  if (port > 65535) return undefined;
  const [, bracketed, plain] = match;
  const address = parseAddress(bracketed ?? plain!);
  if (bracketed !== undefined) {
    return address?.family === 6 ? { host: formatAddress(address), port } : undefined;
  }
  if (address) return { host: formatAddress(address), port };
  return isHostName(plain!) ? { host: plain!.toLowerCase().replace(/\.$/, ''), port } : undefined;
}

/** The hint as text that {@link parsePeerHint} reads back: equal hints are equal text. */
export function formatPeerHint(hint: PeerHint): string {
  return hint.host.includes(':') ? `[${hint.host}]:${hint.port}` : `${hint.host}:${hint.port}`;
}

/**
 * A name a resolver may be asked for (RFC 1123 §2.1, underscores allowed as resolvers do): labels of 1 to 63
 * characters, 253 in all. A last label of digits alone is refused: it is a mistyped address, `10.0.0`.
 */
function isHostName(text: string): boolean {
  const name = text.replace(/\.$/, '');
  if (name.length > 253 || /^\d+$/.test(name.slice(name.lastIndexOf('.') + 1))) return false;
  return name.split('.').every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
}
