/** Plugins that may follow ours in the chain: what each does, and for which capability a runtime passes its part. */
export const CHAINED = [
  { type: 'portmap', capabilities: { portMappings: true }, snat: true },
  { type: 'bandwidth', capabilities: { bandwidth: true } },
] as const;

/**
 * How long an ADD waits for a weftd that is being replaced: a pod of a DaemonSet is, in a few seconds, and a pod that
 * came meanwhile need not fail. The runtime waits with it, so it is bounded.
 */
const ADD_WAIT_SECONDS = 30;

/** The version of the specification with STATUS and GC. */
export const LATEST_CNI = '1.1.0';

/**
 * The network configuration list (CNI 1.1, section 1) by which a container runtime calls us. It is of version 1.0.0, which
 * the chained plugins of most hosts know. Where all of them speak 1.1.0 too, `cniVersions` offers that: a runtime of 1.1
 * takes the latest that it knows, and an older one passes over the key.
 *
 * @param present names of the executables that the runtime finds: a chain that names another one would fail each pod.
 * @param latest names of those that speak {@link LATEST_CNI}: an older one would fail each pod too.
 */
export function cniConfigList(options: {
  readonly runDir: string;
  readonly present: ReadonlySet<string>;
  readonly latest: ReadonlySet<string>;
}): string {
  const { runDir, present, latest } = options;
  const chained = CHAINED.filter(({ type }) => present.has(type));
  const list = {
    cniVersion: '1.0.0',
    ...(chained.every(({ type }) => latest.has(type)) ? { cniVersions: ['1.0.0', LATEST_CNI] } : {}),
    name: 'weft',
    plugins: [{ type: 'weft-net', runDir, addWaitSeconds: ADD_WAIT_SECONDS }, ...chained],
  };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}
