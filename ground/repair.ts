import type { NetlinkRequest } from '../linux/netlink-request.ts';
import type { SysctlPath } from '../linux/sysctl.io.ts';

/** What kind of thing had to be put right; each has a counter (ground-counters.ts). */
const REPAIR_KINDS = ['sysctl', 'tun', 'address', 'route', 'rules', 'pod'] as const;
export type RepairKind = (typeof REPAIR_KINDS)[number];

/** One thing on the host that is not as Weft made it, and how to put it right. */
export interface Repair {
  readonly kind: RepairKind;
  /** What was found, for people: `route 10.32.0.0/12 into weft0 is missing`. The same fault has the same words. */
  readonly found: string;
  /** To be sent in this order. */
  readonly requests: readonly NetlinkRequest[];
  /** To be written before the requests are sent. */
  readonly sysctls: readonly SysctlSetting[];
}

/** A kernel setting and the value that it must have. */
export interface SysctlSetting {
  readonly path: SysctlPath;
  readonly value: string;
}

/** What was found and put right, as the log, the counters and the status need it. */
export type Repaired = Pick<Repair, 'kind' | 'found'> & {
  /** The program that changed it, where the kernel said so. */
  readonly by?: string | undefined;
};
