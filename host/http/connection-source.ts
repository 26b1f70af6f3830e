import { parseAddress } from '../../base/address.ts';

/**
 * Where a connection comes from, for fairness: one IPv4 address, or one /64 of IPv6, of which a single host has all. All
 * of loopback is one source: a local process may choose among its addresses.
 *
 * @param remote as Node gives it: IPv4 in IPv6 (`::ffff:192.0.2.1`) and with a scope (`fe80::1%eth0`) too.
 */
export function connectionSource(remote: string | undefined): string {
  const address = parseAddress(remote?.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '') ?? '');
  if (address === undefined) return 'unknown';
  const { family, value } = address;
  if (family === 4) return value >> 24n === 127n ? 'loopback' : `4/${value}`;
  return value === 1n ? 'loopback' : `6/${value >> 64n}`;
}
