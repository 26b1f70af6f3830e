import { ADDRESS_BITS, formatAddress } from '../base/address.ts';
import { type Attachment, formatMac, GATEWAY } from './attachment.ts';
import { atLeast, type CniVersion, isObject, type JsonObject } from './config.ts';
import { CNI_CODE, CniFault } from './fault.ts';

/**
 * The success document of ADD (CNI 1.1.0, Success, and its older forms), e.g. at 1.1.0:
 * ```
 * { "cniVersion": "1.1.0",
 *   "interfaces": [ {"name": "wv1a2b3c4d5e6", "mac": "…", "mtu": 1364},
 *                   {"name": "eth0", "mac": "…", "mtu": 1364, "sandbox": "/var/run/netns/…"} ],
 *   "ips": [ {"address": "10.32.0.7/32", "gateway": "169.254.1.1", "interface": 1} ],
 *   "routes": [ {"dst": "0.0.0.0/0", "gw": "169.254.1.1"} ],
 *   "dns": {} }
 * ```
 * Up to 0.4.0 each of `ips` also has a `version`, "4" or "6"; `mtu` came with 1.1.0.
 */
interface CniResult extends JsonObject {
  readonly cniVersion: CniVersion;
  readonly interfaces: readonly JsonObject[];
  readonly ips: readonly JsonObject[];
  readonly routes: readonly JsonObject[];
  readonly dns: JsonObject;
}

/** Longest list in a prevResult that is handed through. */
const MAX_PREVIOUS_ENTRIES = 256;

/**
 * The result of attaching: what the plugins before us made (`previous`, of the same version), and after it the
 * pair, its addresses and its routes.
 *
 * @param sandbox path of the pod's namespace, as the runtime named it.
 * @throws {CniFault} code 6 for a prevResult that cannot be read.
 */
export function attachmentResult(
  version: CniVersion,
  attachment: Attachment,
  sandbox: string,
  dns: JsonObject,
  previous: unknown,
): CniResult {
  const before = parsePrevResult(previous);
  const podIndex = before.interfaces.length + 1;
  const mtu = atLeast(version, '1.1.0') ? { mtu: attachment.mtu } : {};
  const { addresses, hostName, hostMac, podMac, key } = attachment;
  return {
    ...before.rest,
    cniVersion: version,
    interfaces: [
      ...before.interfaces,
      { name: hostName, mac: formatMac(hostMac), ...mtu },
      { name: key.ifname, mac: formatMac(podMac), ...mtu, sandbox },
    ],
    ips: [
      ...before.ips,
      ...addresses.map((address) => ({
        ...(atLeast(version, '1.0.0') ? {} : { version: String(address.family) }),
        address: `${formatAddress(address)}/${ADDRESS_BITS[address.family]}`,
        gateway: formatAddress(GATEWAY[address.family]),
        interface: podIndex,
      })),
    ],
    routes: [
      ...before.routes,
      ...addresses.map(({ family }) => ({
        dst: family === 4 ? '0.0.0.0/0' : '::/0',
        gw: formatAddress(GATEWAY[family]),
      })),
    ],
    dns: Object.keys(dns).length > 0 ? dns : before.dns,
  };
}

/**
 * Which of `addresses` of `attachment` the result `previous` does not name, as text; what a CHECK begins with.
 *
 * @throws {CniFault} code 7 where there is no result at all, 6 for one that cannot be read.
 */
export function missingFromResult(previous: unknown, attachment: Attachment): string[] {
  if (previous === undefined || previous === null) {
    throw new CniFault(CNI_CODE.config, 'CHECK needs the prevResult of the ADD in the network config');
  }
  const named = new Set(parsePrevResult(previous).ips.map((ip) => ip.address));
  return attachment.addresses
    .map((address) => `${formatAddress(address)}/${ADDRESS_BITS[address.family]}`)
    .filter((text) => !named.has(text));
}

interface PreviousResult {
  readonly interfaces: readonly JsonObject[];
  readonly ips: readonly JsonObject[];
  readonly routes: readonly JsonObject[];
  readonly dns: JsonObject;
  readonly rest: JsonObject;
}

function parsePrevResult(value: unknown): PreviousResult {
  if (value === undefined || value === null)
    return { interfaces: [], ips: [], routes: [], dns: {}, rest: {} };
  if (!isObject(value)) throw new CniFault(CNI_CODE.decode, 'prevResult is not an object');
  const { interfaces, ips, routes, dns, ...rest } = value;
  if (dns !== undefined && dns !== null && !isObject(dns)) {
    throw new CniFault(CNI_CODE.decode, 'prevResult.dns is not an object');
  }
  return {
    interfaces: objects(interfaces, 'interfaces'),
    ips: objects(ips, 'ips'),
    routes: objects(routes, 'routes'),
    dns: isObject(dns) ? dns : {},
    rest,
  };
}

function objects(value: unknown, name: string): readonly JsonObject[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > MAX_PREVIOUS_ENTRIES || !value.every(isObject)) {
    throw new CniFault(CNI_CODE.decode, `prevResult.${name} is not a list of objects`);
  }
  return value;
}
