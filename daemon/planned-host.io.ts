import { dirname } from 'node:path';
import { WeftError } from '../base/weft-error.ts';
import { DEFAULT_CNI_CONFIG_FOLDER, type HostSettings } from '../doctor/host-facts.ts';
import { readCluster } from './parts/cluster.io.ts';
import { podRanges } from './pod-ranges.ts';
import { loadConfig } from './settings/config.io.ts';
import type { Config } from './settings/config.ts';

/** The host's part of the settings that a weftd would start with here, and what is wrong with them. */
export interface PlannedHost {
  readonly settings: HostSettings;
  readonly faults: readonly WeftError[];
}

/** Stands for a secret file that is not given, so that the other settings can be read. */
const NO_SECRET_FILE = '/nonexistent';

/** Reads the settings as weftd would: `argv` are its flags. Never rejects for what is wrong with them. */
export async function planHost(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<PlannedHost> {
  const intent = loadConfig(argv, env);
  if (intent.action === 'run') {
    const { ranges, fault } = await rangesOf(intent.config);
    return { settings: hostSettings(intent.config, ranges), faults: fault === undefined ? [] : [fault] };
  }
  const faults = intent.action === 'refuse' ? intent.faults : [];
  const isSecretMissing = faults.some(({ code }) => code === 'E_SECRET_UNSET');
  const again = isSecretMissing ? loadConfig([...argv, '--secret-file', NO_SECRET_FILE], env) : undefined;
  const fallback =
    again?.action === 'run' ? again : loadConfig(['--secret-file', NO_SECRET_FILE, '--name', 'node'], {});
  if (fallback.action !== 'run') throw new Error('the defaults are settings');
  return { settings: hostSettings(fallback.config, knownRanges(fallback.config)), faults };
}

/** The derived range of IPv6 needs the cluster's secret; without one only what is given outright is known. */
async function rangesOf(
  config: Config,
): Promise<{ ranges: HostSettings['ranges']; fault: WeftError | undefined }> {
  try {
    return { ranges: (await readCluster(config)).ranges, fault: undefined };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return { ranges: knownRanges(config), fault: error };
  }
}

function knownRanges({ range4, range6 }: Config): HostSettings['ranges'] {
  return podRanges({ range4, range6: range6 === 'derived' ? undefined : range6 }, { ula: new Uint8Array(5) });
}

function hostSettings(config: Config, ranges: HostSettings['ranges']): HostSettings {
  const { port, stateDir, runDir, masquerade, cniConfig, cniBinDir, sysctlDir } = config;
  return {
    ranges,
    port,
    stateDir,
    runDir,
    masquerade,
    writesCniConfig: cniConfig !== undefined,
    cniConfigFolder: cniConfig === undefined ? DEFAULT_CNI_CONFIG_FOLDER : dirname(cniConfig),
    cniBinDir,
    sysctlDir,
  };
}
