/**
 * What an attachment is known by: the runtime's id of the container, and the name of the interface in it. The
 * namespace is no part of it, for after a reboot a DEL comes without one.
 */
export interface AttachmentKey {
  readonly containerId: string;
  readonly ifname: string;
}

/** Longest container id that is taken; runtimes use 64 characters. The shim has the same limit. */
export const MAX_CONTAINER_ID_LENGTH = 128;

/** IFNAMSIZ without its NUL. */
const MAX_INTERFACE_NAME_LENGTH = 15;

/**
 * Longest network name that is taken, so that the alias of a host link ({@link linkAlias}: key and network) stays under
 * the kernel's 255 bytes.
 */
export const MAX_NETWORK_NAME_LENGTH = 255 - MAX_CONTAINER_ID_LENGTH - MAX_INTERFACE_NAME_LENGTH - 2;

/** `containerId/ifname`. No two keys share it: neither part can hold a slash. */
export function keyText(key: AttachmentKey): string {
  return `${key.containerId}/${key.ifname}`;
}

/** CNI 1.1.0, Parameters: a letter or digit, then letters, digits, `_`, `.`, `-`. */
export function isContainerId(text: string): boolean {
  return text.length <= MAX_CONTAINER_ID_LENGTH && isName(text);
}

/** CNI 1.1.0, network configuration: the form of a container id, at most {@link MAX_NETWORK_NAME_LENGTH} characters. */
export function isNetworkName(text: string): boolean {
  return text.length <= MAX_NETWORK_NAME_LENGTH && isName(text);
}

/** A name the kernel takes for an interface: at most 15 bytes, no `/`, `:` or white space, not `.` or `..`. */
export function isInterfaceName(text: string): boolean {
  if (text === '' || text === '.' || text === '..') return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return utf8Length(text) <= MAX_INTERFACE_NAME_LENGTH && !/[/:\s\u0000-\u001f\u007f]/.test(text);
}

function isName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(text);
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
