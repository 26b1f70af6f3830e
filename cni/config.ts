import { CNI_CODE, CniFault } from './fault.ts';
import { type AttachmentKey, isContainerId, isInterfaceName, isNetworkName } from './key.ts';

/** The versions of the CNI specification that are spoken, oldest first. */
const CNI_VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof CNI_VERSIONS)[number];

/** True when `version` is `least` or newer. */
export function atLeast(version: CniVersion, least: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(least);
}

/** A JSON object that was not looked into. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What the plugin takes from the network config. */
export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  readonly name: string;
  /** Handed through to the result. */
  readonly dns: JsonObject;
  /** The result of the plugin before us in the chain, or at CHECK and DEL that of the ADD; not looked into. */
  readonly prevResult: unknown;
  /**
   * GC: the attachments of this network that shall stay. Undefined where the key is missing, which is not the
   * same as an empty list. Entries that cannot be an attachment of ours are left out.
   */
  readonly validAttachments: readonly AttachmentKey[] | undefined;
  /** How long a call waits for a weftd that is being replaced; 0 where the key is missing. The shim checks it. */
  readonly addWaitSeconds: number;
}

/** Longest GC list that is taken: far more pods than a node can hold. */
export const MAX_VALID_ATTACHMENTS = 16_384;

/**
 * The config that the runtime wrote to the shim's stdin, not looked into.
 *
 * @throws {CniFault} code 6 for text that is no JSON object.
 */
export function configObject(text: string): JsonObject {
  const config = parseObject(text);
  if (!config) throw new CniFault(CNI_CODE.decode, 'the network config is not a JSON object');
  return config;
}

/**
 * Reads what every command needs. Keys that are not known are passed over here; {@link refuseUnsupported} looks at them.
 *
 * @throws {CniFault} code 1 for a version not spoken, 7 for a missing or impossible name, and for members of the wrong
 * type.
 */
export function parseConfig(config: JsonObject): NetworkConfig {
  const version = config.cniVersion ?? '0.1.0'; // what a config without it means
  const cniVersion = CNI_VERSIONS.find((known) => known === version);
  if (!cniVersion) {
    const said = typeof version === 'string' ? version.slice(0, 32) : typeof version;
    throw new CniFault(
      CNI_CODE.incompatibleVersion,
      `cniVersion ${said} is not supported; use one of ${CNI_VERSIONS.join(', ')}`,
    );
  }
  return {
    cniVersion,
    name: networkName(config.name),
    dns: dnsOf(config.dns),
    prevResult: config.prevResult,
    validAttachments: validAttachments(config),
    addWaitSeconds: typeof config.addWaitSeconds === 'number' ? config.addWaitSeconds : 0,
  };
}

/** The version of a config that may be broken elsewhere, for error documents. */
export function configVersion(text: string): CniVersion {
  const version = parseObject(text)?.cniVersion;
  return CNI_VERSIONS.find((known) => known === version) ?? '1.1.0';
}

/** Whether `value` is a JSON object: neither null nor an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function networkName(name: unknown): string {
  if (name === undefined || name === '')
    throw new CniFault(CNI_CODE.config, 'the network config has no name');
  if (typeof name !== 'string' || !isNetworkName(name)) {
    throw new CniFault(
      CNI_CODE.config,
      "the network's name must be a letter or digit, then letters, digits, '_', '.' or '-', at most 110 in all",
    );
  }
  return name;
}

function dnsOf(dns: unknown): JsonObject {
  if (dns === undefined || dns === null) return {};
  if (!isObject(dns)) throw new CniFault(CNI_CODE.config, 'dns in the network config is not an object');
  return dns;
}

/**
 * The runtime's library writes `cni.dev/valid-attachments`, and `cni.dev/attachments` as early drafts had it; a
 * null is its way to write an empty list.
 */
function validAttachments(config: JsonObject): AttachmentKey[] | undefined {
  const list =
    config['cni.dev/valid-attachments' in config ? 'cni.dev/valid-attachments' : 'cni.dev/attachments'];
  if (list === undefined) return undefined;
  if (list === null) return [];
  if (!Array.isArray(list) || list.length > MAX_VALID_ATTACHMENTS) {
    throw new CniFault(CNI_CODE.config, 'cni.dev/valid-attachments is not a list of attachments');
  }
  const out: AttachmentKey[] = [];
  for (const entry of list as readonly unknown[]) {
    // An entry that cannot be read would otherwise cost its pod the network: refuse the whole list.
    const containerId = isObject(entry) ? entry.containerID : undefined;
    const ifname = isObject(entry) ? entry.ifname : undefined;
    if (typeof containerId !== 'string' || typeof ifname !== 'string') {
      throw new CniFault(
        CNI_CODE.config,
        'an entry of cni.dev/valid-attachments lacks containerID or ifname',
      );
    }
    if (isContainerId(containerId) && isInterfaceName(ifname)) out.push({ containerId, ifname });
  }
  return out;
}
