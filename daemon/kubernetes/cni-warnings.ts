/** What a runtime takes for a configuration; it takes the one whose name sorts first. */
const CONFIGURATION = /\.(conf|conflist|json)$/;

/** Plugins that pods miss where they are not there, and what is missing then. */
const MISSED = [
  { name: 'loopback', effect: 'container runtimes start no pod without it' },
  { name: 'portmap', effect: 'hostPorts of pods have no effect' },
] as const;

/**
 * What is wrong in the folders of a container runtime, one line each, with what to do.
 *
 * @param ownName of our configuration: `10-weft.conflist`.
 * @param configNames names in the folder of configurations.
 * @param pluginNames names of the executables that the runtime finds in `binDir`.
 */
export function cniWarnings(seen: {
  readonly ownName: string;
  readonly configNames: readonly string[];
  readonly binDir: string;
  readonly pluginNames: ReadonlySet<string>;
}): string[] {
  const { ownName, configNames, binDir, pluginNames } = seen;
  const [first] = configNames.filter((name) => CONFIGURATION.test(name)).sort();
  const order =
    first === undefined || first >= ownName
      ? []
      : [
          `the container runtime takes '${first}', which sorts before ${ownName}: new pods get another network; ` +
            `remove '${first}', and the program that writes it`,
        ];
  const missing = MISSED.filter(({ name }) => !pluginNames.has(name)).map(
    ({ name, effect }) =>
      `the CNI plugin ${name} is not in ${binDir}: ${effect}; install the CNI plugins (containernetworking-plugins) there`,
  );
  return [...order, ...missing];
}
