import type { Sysctl } from '../linux/sysctl.io.ts';
import type { Attachment } from './attachment.ts';

/**
 * Kernel settings of the host's end of a pod. IPv6 on the host's end, where the host has it switched off for new interfaces: the pod has
 * an IPv6 address. And a pod must not advertise itself as a router to the host (CVE-2020-10749). Where /proc/sys may not be
 * written, two other things keep it from that: a host that forwards ignores advertisements, and the packet rules drop them.
 *
 * @throws WeftError E_SYSCTL where IPv6 is off and may not be switched on.
 */
export function setHostEndSysctls(sysctl: Sysctl, { hostName, addresses }: Attachment): void {
  const settings = `net/ipv6/conf/${hostName}`;
  if (addresses.some(({ family }) => family === 6)) sysctl.ensure(`${settings}/disable_ipv6`, '0');
  try {
    sysctl.ensure(`${settings}/accept_ra`, '0');
  } catch {
    // See above.
  }
}
