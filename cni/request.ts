import {
  atLeast,
  type CniVersion,
  configObject,
  configVersion,
  isObject,
  type NetworkConfig,
  parseConfig,
} from './config.ts';
import { CNI_CODE, type CniErrorDocument, CniFault } from './fault.ts';
import { type AttachmentKey, isContainerId, isInterfaceName } from './key.ts';
import { type PodOfArgs, podOfArgs } from './pod-args.ts';
import { refuseUnsupported } from './unsupported.ts';

/** The commands that reach the daemon. VERSION does not: the shim answers it itself. */
const CNI_COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS'] as const;

export type CniCommand = (typeof CNI_COMMANDS)[number];

/**
 * A request as the shim frames it for the control socket. The pod's netlink socket is attached to ADD and CHECK.
 * ```
 * {"op": "cni", "env": {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": …}, "config": "<stdin, as text>"}
 * ```
 */
export interface CniRequest {
  readonly command: CniCommand;
  /** Undefined at GC and STATUS, which are about no single attachment. */
  readonly key: AttachmentKey | undefined;
  /** Path of the pod's namespace as the runtime sees it; only ever echoed as the result's sandbox. */
  readonly netns: string;
  /** Whose container it is. */
  readonly pod: PodOfArgs;
  readonly config: NetworkConfig;
}

/** What goes back over the control socket; the shim prints `result` or `error` and takes its exit code from `ok`. */
export type CniAnswer =
  | { readonly ok: true; readonly result: Readonly<Record<string, unknown>> | null }
  | { readonly ok: false; readonly error: CniErrorDocument };

/** Longest namespace path that is echoed. */
const MAX_NETNS_LENGTH = 4096;

/**
 * Reads a request. The shim has checked all of this; whoever else reaches the socket has not.
 *
 * @param value the parsed frame. Members not known are passed over, so an older or newer shim works.
 * @throws {CniFault} code 4 for the environment, 6, 7, 2 or 1 for the config.
 */
export function parseRequest(value: unknown): CniRequest {
  const env = isObject(value) ? value.env : undefined;
  const text = isObject(value) ? value.config : undefined;
  if (!isObject(env) || typeof text !== 'string') {
    throw new CniFault(CNI_CODE.environment, 'the request has no environment or no network config');
  }
  const command = CNI_COMMANDS.find((known) => known === env.CNI_COMMAND);
  if (!command) throw new CniFault(CNI_CODE.environment, `CNI_COMMAND is none of ${CNI_COMMANDS.join(', ')}`);
  const single = command === 'ADD' || command === 'DEL' || command === 'CHECK';
  const key = single ? keyOf(env.CNI_CONTAINERID, env.CNI_IFNAME) : undefined;
  const netns = typeof env.CNI_NETNS === 'string' ? env.CNI_NETNS.slice(0, MAX_NETNS_LENGTH) : '';
  const object = configObject(text);
  const config = parseConfig(object);
  // A DEL or CHECK of a pod that an earlier version attached must work whatever the config says by now.
  if (command === 'ADD' || command === 'STATUS') refuseUnsupported(object, env.CNI_ARGS);
  return { command, key, netns, pod: podOfArgs(env.CNI_ARGS), config };
}

/**
 * CHECK came with version 0.4.0 of the specification, GC and STATUS with 1.1.0.
 *
 * @throws {CniFault} code 1 where `command` is newer than the `version` that the config asks for.
 */
export function needVersion(command: CniCommand, version: CniVersion): void {
  const least = command === 'CHECK' ? '0.4.0' : command === 'GC' || command === 'STATUS' ? '1.1.0' : '0.3.1';
  if (atLeast(version, least)) return;
  throw new CniFault(
    CNI_CODE.incompatibleVersion,
    `${command} needs cniVersion ${least}; the config says ${version}`,
  );
}

/** The command of a request that may be broken elsewhere: a failure is counted under it. */
export function askedCommand(value: unknown): CniCommand | 'unknown' {
  const env = isObject(value) ? value.env : undefined;
  const command = isObject(env) ? env.CNI_COMMAND : undefined;
  return CNI_COMMANDS.find((known) => known === command) ?? 'unknown';
}

/** The version of a request that may be broken elsewhere, for error documents. */
export function askedVersion(value: unknown): CniVersion {
  const config = isObject(value) ? value.config : undefined;
  return configVersion(typeof config === 'string' ? config : '');
}

function keyOf(containerId: unknown, ifname: unknown): AttachmentKey {
  if (typeof containerId !== 'string' || !isContainerId(containerId)) {
    throw new CniFault(CNI_CODE.environment, 'CNI_CONTAINERID is missing or not a container id');
  }
  if (typeof ifname !== 'string' || !isInterfaceName(ifname)) {
    throw new CniFault(CNI_CODE.environment, 'CNI_IFNAME is missing or no name for an interface');
  }
  return { containerId, ifname };
}
