import { type Range, rangeCidrs } from '../../base/range.ts';
import type { NodeSettings } from '../../control/node-settings.ts';
import type { Config } from '../settings/config.ts';

/** The settings that concern the host, as `weft report` tells them and `weft doctor` goes by. */
export function settingsView(config: Config, ranges: readonly Range[]): NodeSettings {
  const { port, stateDir, masquerade, cniConfig, cniBinDir, sysctlDir } = config;
  return {
    ranges: ranges.flatMap(rangeCidrs),
    port,
    stateDir,
    masquerade,
    cniConfig: cniConfig ?? null,
    cniBinDir,
    sysctlDir,
  };
}
