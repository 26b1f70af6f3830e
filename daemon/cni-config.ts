/** Plugins that may follow ours in the chain: what each does, and for which capability a runtime passes its part. */
export const CHAINED = [
  { type: 'portmap', capabilities: { portMappings: true }, snat: true },
  { type: 'bandwidth', capabilities: { bandwidth: true } },
] as const;

/**
 * The network configuration list (CNI 1.0, section 1) by which a container runtime calls us. Version 1.0.0, because
 * the chained plugins of most hosts know no later one.
 *
 * @param present names of the executables that the runtime finds: a chain that names another one would fail each pod.
 */
export function networkConfigList(options: {
  readonly runDir: string;
  readonly present: ReadonlySet<string>;
}): string {
  const { runDir, present } = options;
  const chained = CHAINED.filter(({ type }) => present.has(type));
  const list = {
    cniVersion: '1.0.0',
    name: 'weft',
    plugins: [{ type: 'weft-net', runDir }, ...chained],
  };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}
