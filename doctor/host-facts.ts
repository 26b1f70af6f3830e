import type { Address } from '../base/address.ts';
import type { Range } from '../base/range.ts';
import type { Warning } from '../base/warning.ts';
import type { Overlap } from '../linux/host-survey.ts';

/** The settings of weftd that concern its host: those of the weftd that runs, or, where none runs, those it would start with. */
export interface HostSettings {
  /** The cluster's pod ranges, as far as they are known. */
  readonly ranges: readonly Range[];
  /** UDP and TCP port of the tunnels. */
  readonly port: number;
  readonly stateDir: string;
  readonly runDir: string;
  readonly masquerade: boolean;
  readonly cniConfigFolder: string;
  /** Whether weftd writes the runtime's configuration there. */
  readonly writesCniConfig: boolean;
  readonly cniBinDir: string;
  readonly sysctlDir: string;
}

/** Where runtimes look for configurations unless they are told otherwise. */
export const DEFAULT_CNI_CONFIG_FOLDER = '/etc/cni/net.d';

/** What was seen of this host, without changing anything. */
export interface HostFacts {
  /** Whether a weftd runs here; without one, this is a preflight. */
  readonly serving: boolean;
  /** Effective user 0. */
  readonly root: boolean;
  /** Error code of opening /dev/net/tun; undefined where it opens. */
  readonly tunError: string | undefined;
  /** Why nft does not take the packet rules; undefined where it does. */
  readonly rulesError: { readonly message: string; readonly remedy: string } | undefined;
  /** Values of kernel settings by path below /proc/sys; undefined where this kernel does not have one. */
  readonly settings: Readonly<Record<HostSetting, string | undefined>>;
  readonly overlap: Overlap | undefined;
  /**
   * What other programs do to packets of pods. Undefined where weftd runs, which warns of it itself, and where it could
   * not be looked at.
   */
  readonly others:
    | { readonly hindrances: readonly Warning[]; readonly unread: readonly string[] }
    | undefined;
  /** Where peers may find this host. */
  readonly addresses: readonly Address[];
  /** Error codes of binding the port, where no weftd has it. */
  readonly portErrors: Readonly<Partial<Record<'udp' | 'tcp', string | undefined>>>;
  /** Milliseconds since 1970. */
  readonly dateMs: number;
}

export const HOST_SETTINGS = [
  'net/ipv4/ip_forward',
  'net/ipv6/conf/all/forwarding',
  'net/ipv6/conf/all/disable_ipv6',
  'net/ipv6/conf/default/disable_ipv6',
  'net/netfilter/nf_conntrack_count',
  'net/netfilter/nf_conntrack_max',
] as const;
export type HostSetting = (typeof HOST_SETTINGS)[number];
