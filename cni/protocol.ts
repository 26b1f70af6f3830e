import { isObject, type NetworkConfig, parseConfig } from './config.ts';
import { CNI_CODE, type CniErrorDocument, CniFault } from './fault.ts';
import { type AttachmentKey, isContainerId, isInterfaceName } from './key.ts';

/**
 * The commands that reach the daemon. VERSION does not: the shim answers it itself.
 */
export const CNI_COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS'] as const;

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
 * @throws {CniFault} code 4 for the environment, 6, 7 or 1 for the config.
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
  return { command, key, netns, config: parseConfig(text) };
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
