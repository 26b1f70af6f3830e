import { printable } from '../base/printable.ts';
import { isObject, type JsonObject } from './config.ts';
import { CNI_CODE, CniFault } from './fault.ts';

/**
 * Requests that a network config or a runtime can make and Weft cannot fulfil are refused by name. Without this a
 * container would start with another address than its user asked for, and a misspelt key would silently do nothing.
 *
 * Sources: CNI specification 1.1.0, section 1 (keys of a plugin's configuration); CONVENTIONS.md of the specification
 * (`runtimeConfig`, `args`, CNI_ARGS).
 */

/** Keys that weft-net itself takes. */
const OWN_KEYS = ['runDir', 'addWaitSeconds'];

/** Keys of the specification. Those of a whole list are here too, since runtimes copy them into each plugin's part. */
const SPECIFIED_KEYS = [
  'cniVersion',
  'cniVersions',
  'name',
  'type',
  'capabilities',
  'runtimeConfig',
  'args',
  'prevResult',
  'dns',
  'ipam',
  'ipMasq',
  'disableCheck',
  'disableGC',
  'loadOnlyInlinedPlugins',
];

/** Keys that begin so are kept for the specification. */
const SPECIFIED_PREFIX = 'cni.dev/';

/** Capabilities of plugins that are chained after ours, and what only informs: no harm where they reach us, too. */
const OTHER_PLUGINS_CAPABILITIES = [
  'portMappings',
  'bandwidth',
  'dns',
  'aliases',
  'cgroupPath',
  'io.kubernetes.cri.pod-annotations',
];

/** Requests for an address, under `runtimeConfig` and under `args.cni`, by what they ask for. */
const ADDRESS_CAPABILITIES: Readonly<Record<string, string>> = {
  ips: 'a fixed IP address',
  ipRanges: 'addresses of a given range',
  mac: 'a fixed MAC address',
  infinibandGUID: 'a fixed InfiniBand GUID',
  deviceID: 'a given device',
};

/** The same in CNI_ARGS, which older runtimes use (`podman run --ip` and `--mac-address`). */
const ADDRESS_ARGS: Readonly<Record<string, string>> = {
  IP: 'a fixed IP address',
  GATEWAY: 'a given gateway',
  MAC: 'a fixed MAC address',
};

/** Longest text of a foreign value that an error repeats. */
const MAX_SHOWN_LENGTH = 64;

/**
 * Refuses a config with keys that mean nothing, and requests for addresses of the caller's choice.
 *
 * @param config as the runtime wrote it.
 * @param args the variable CNI_ARGS, `K=V;K=V`. Names in it that are not known are passed over, for kubelet and podman
 * pass names of their own kind in it.
 * @throws {CniFault} code 2 for a key that is not known, with its value; code 7 for a request that Weft cannot fulfil.
 */
export function refuseUnsupported(config: JsonObject, args: unknown): void {
  for (const [key, value] of Object.entries(config)) {
    if (!isKnownKey(key)) throw unknownKey(key, value);
  }
  if (isObject(config.ipam) && !isEmpty(config.ipam.type)) {
    throw refusal('ipam in the network config asks for a plugin that deals out addresses', config.ipam.type);
  }
  refuseAddresses('runtimeConfig', config.runtimeConfig);
  refuseAddresses('args.cni', isObject(config.args) ? config.args.cni : undefined);
  if (isObject(config.runtimeConfig)) {
    for (const [key, value] of Object.entries(config.runtimeConfig)) {
      const known = OTHER_PLUGINS_CAPABILITIES.includes(key) || Object.hasOwn(ADDRESS_CAPABILITIES, key);
      if (!known && !isEmpty(value)) throw unknownKey(`runtimeConfig.${key}`, value);
    }
  }
  for (const part of typeof args === 'string' ? args.split(';') : []) {
    const [name = '', value = ''] = part.split('=', 2).map((text) => text.trim());
    const what = Object.hasOwn(ADDRESS_ARGS, name) ? ADDRESS_ARGS[name] : undefined;
    if (what !== undefined && value !== '') throw refusal(`CNI_ARGS asks for ${what}`, `${name}=${value}`);
  }
}

function refuseAddresses(place: string, asked: unknown): void {
  if (!isObject(asked)) return;
  for (const [key, what] of Object.entries(ADDRESS_CAPABILITIES)) {
    if (Object.hasOwn(asked, key) && !isEmpty(asked[key])) {
      throw refusal(`${place}.${key} in the network config asks for ${what}`, asked[key]);
    }
  }
}

function isKnownKey(key: string): boolean {
  return SPECIFIED_KEYS.includes(key) || OWN_KEYS.includes(key) || key.startsWith(SPECIFIED_PREFIX);
}

/** Runtimes write a list or text of nothing where nothing is asked for. */
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isEmpty);
  return value === undefined || value === null || value === '';
}

function unknownKey(key: string, value: unknown): CniFault {
  return new CniFault(
    CNI_CODE.unsupportedField,
    `weft-net knows no key ${printable(key, MAX_SHOWN_LENGTH)} in the network config; its value is ${printable(JSON.stringify(value), MAX_SHOWN_LENGTH)}`,
    { details: `correct or remove it; the keys of weft-net are ${OWN_KEYS.join(' and ')}` },
  );
}

function refusal(message: string, value: unknown): CniFault {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return new CniFault(
    CNI_CODE.config,
    `${message} (${printable(text, MAX_SHOWN_LENGTH)}), which Weft cannot give`,
    {
      details:
        'Weft deals out addresses itself, from the range of the node; start the container without this request',
    },
  );
}
