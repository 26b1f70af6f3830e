import { type Address, parseAddress } from '../../base/address.ts';
import { type Endpoint, parseEndpoint } from '../../base/endpoint.ts';
import { bad, good, type Reading } from './setting.ts';

/** Readers of settings that any program may have. */

/** An absolute path, so that it means the same from any working directory. */
export function readPath(text: string): Reading<string> {
  if (text.startsWith('/') && !text.includes('\0')) return good(text.replace(/(?<=.)\/+$/, ''));
  return bad('is not an absolute path', 'give a path that starts with /');
}

/** A folder in which a program serves a unix socket: the path of both must fit sockaddr_un (unix(7)). */
export function readSocketFolder(socketName: string): (text: string) => Reading<string> {
  return (text) => {
    const path = readPath(text);
    if (path.ok && byteLength(`${path.value}/${socketName}`) > MAX_SOCKET_PATH_BYTES) {
      const most = MAX_SOCKET_PATH_BYTES - byteLength(`/${socketName}`);
      return bad('is too long for a unix socket', `give a path of at most ${most} bytes`);
    }
    return path;
  };
}

/** 108 bytes with the final zero. */
const MAX_SOCKET_PATH_BYTES = 107;

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

export function readPort(text: string): Reading<number> {
  return readInteger(text, 1, 65_535, 'a port');
}

export function readSeconds(text: string): Reading<number> {
  return readInteger(text, 1, 86_400, 'a number of seconds');
}

export function readListen(text: string): Reading<Address> {
  const address = parseAddress(text);
  return address ? good(address) : bad('is not an IP address', 'give one like 192.0.2.1 or 2001:db8::1');
}

/** An endpoint of this host: a numeric address, not a name. */
export function readEndpoint(text: string): Reading<Endpoint> {
  const at = parseEndpoint(text);
  return at ? good(at) : bad('is not an endpoint', 'give ADDRESS:PORT or [IPV6]:PORT');
}

/**
 * An endpoint of this host to listen on. Brackets may stand around an IPv4 address, too: a manifest that is given the
 * node's address does not know of which family it is.
 */
export function readListenEndpoint(text: string): Reading<Endpoint> {
  return readEndpoint(text.replace(/^\[([0-9.]+)\](?=:)/, '$1'));
}

/** A reader for one of a closed list of words. */
export function readWord<const T extends string>(words: readonly T[]): (text: string) => Reading<T> {
  return (text) => {
    const word = words.find((each) => each === text);
    return word === undefined ? bad('is unknown', `give ${words.join(' or ')}`) : good(word);
  };
}

export const readSwitch = (text: string): Reading<boolean> =>
  text === 'true' || text === 'false' ? good(text === 'true') : bad('is unknown', 'give true or false');

/** A whole number from `least` to `most`; `what` it is, for the fault: `a port`. */
export function readInteger(text: string, least: number, most: number, what: string): Reading<number> {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : -1;
  if (value >= least && value <= most) return good(value);
  return bad(`is not ${what}`, `give a number from ${least} to ${most}`);
}
