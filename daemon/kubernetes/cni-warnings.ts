import { type Warning, warningOf } from '../../base/warning.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';

/** What a runtime takes for a configuration; it takes the one whose name sorts first. */
const CONFIGURATION = /\.(conf|conflist|json)$/;

/** Plugins that pods miss where they are not there. */
const CODE_BY_MISSED = { loopback: 'E_NO_LOOPBACK_PLUGIN', portmap: 'W_NO_PORTMAP_PLUGIN' } as const;

/**
 * What is wrong in the folders of a container runtime.
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
}): Warning[] {
  const { ownName, configNames, binDir, pluginNames } = seen;
  const [first] = configNames.filter((name) => CONFIGURATION.test(name)).sort();
  const order =
    first === undefined || first >= ownName
      ? []
      : [warningOf(DAEMON_WARNINGS, 'E_CNI_CONFIG_ORDER', { first, ours: ownName })];
  const missing = (['loopback', 'portmap'] as const)
    .filter((name) => !pluginNames.has(name))
    .map((name) => warningOf(DAEMON_WARNINGS, CODE_BY_MISSED[name], { folder: binDir }));
  return [...order, ...missing];
}
