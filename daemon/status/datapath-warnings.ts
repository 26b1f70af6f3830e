import { type Warning, warningOf } from '../../base/warning.ts';
import type { DatapathFeature } from '../../router/datapath/datapath.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';

/**
 * A warning for each part of the datapath that the host claims to have and got wrong when it was tried. What a host
 * simply lacks is no warning (`datapath-status.ts`).
 */
export function datapathWarnings(features: readonly DatapathFeature[]): Warning[] {
  return features.flatMap(({ name: feature, fault, wrong }) =>
    wrong && fault !== undefined ? [warningOf(DAEMON_WARNINGS, 'W_FEATURE_WRONG', { feature, fault })] : [],
  );
}
