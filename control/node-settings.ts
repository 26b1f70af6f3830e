/** The settings of a weftd that concern its host. */
export interface NodeSettings {
  /** The cluster's pod ranges, as CIDRs (or `first-last`). */
  readonly ranges: readonly string[];
  readonly port: number;
  readonly stateDir: string;
  readonly masquerade: boolean;
  /** The runtime's network configuration that weftd writes; null where it writes none. */
  readonly cniConfig: string | null;
  readonly cniBinDir: string;
  readonly sysctlDir: string;
}
