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

/**
 * The network configuration list (CNI 1.0, section 1) by which a container runtime calls us. Version 1.0.0, because
 * the chained plugins of most hosts know no later one.
 *
 * @param present names of the executables that the runtime finds: a chain that names another one would fail each pod.
 */
export function cniConfigList(options: {
  readonly runDir: string;
  readonly present: ReadonlySet<string>;
}): string {
  const { runDir, present } = options;
  const chained = CHAINED.filter(({ type }) => present.has(type));
  const list = {
    cniVersion: '1.0.0',
    name: 'weft',
    plugins: [{ type: 'weft-net', runDir, addWaitSeconds: ADD_WAIT_SECONDS }, ...chained],
  };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}
