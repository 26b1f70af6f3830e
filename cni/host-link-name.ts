import { type AttachmentKey, isContainerId, isInterfaceName, isNetworkName, keyText } from './key.ts';
import { keyHash } from './key-hash.ts';

/** What the names of the hosts' ends begin with; the packet rules match it. */
export const HOST_LINK_PREFIX = 'wv';

/** Name of the host's end of the pair of `key`. Of 30 million nodes with 1,000 pods, one has a name twice. */
export function hostLinkName(key: AttachmentKey): string {
  return HOST_LINK_PREFIX + keyHash(keyText(key)).toString(16).padStart(16, '0').slice(0, 11);
}

/** True for names that only {@link hostLinkName} gives out. */
export function isHostLinkName(name: string): boolean {
  return /^wv[0-9a-f]{11}$/.test(name);
}

/** `containerId/ifname/network`, the alias of the host's end; under the kernel's 255 bytes by the limits of the parts. */
export function linkAlias(key: AttachmentKey, network: string): string {
  return `${keyText(key)}/${network}`;
}

/** What an alias says, or undefined where it is none of ours. */
export function parseLinkAlias(alias: string): { key: AttachmentKey; network: string } | undefined {
  const [containerId, ifname, network, ...rest] = alias.split('/');
  if (containerId === undefined || ifname === undefined || network === undefined || rest.length > 0)
    return undefined;
  if (!isContainerId(containerId) || !isInterfaceName(ifname) || !isNetworkName(network)) return undefined;
  return { key: { containerId, ifname }, network };
}
