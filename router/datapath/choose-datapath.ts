import { WeftError } from '../../base/weft-error.ts';
import type { DatapathKind } from './datapath.ts';

/** What `--datapath` may name, the fastest first: the kinds of `datapaths.io.ts`. */
export const DATAPATH_NAMES = ['fast', 'sleeve'] as const;
/** The datapath that needs nothing but a TUN device. */
export const PORTABLE_DATAPATH: (typeof DATAPATH_NAMES)[number] = 'sleeve';
/** The setting that leaves the choice to us. */
export const AUTO_DATAPATH = 'auto';

/**
 * The kind of datapath to run: the one named `wanted`, or for 'auto' the first of `kinds` (the fastest first) that can
 * run here. Throws E_DATAPATH where there is none, with the reason of each.
 */
export function chooseDatapath(wanted: string, kinds: readonly DatapathKind[]): DatapathKind {
  const candidates = wanted === AUTO_DATAPATH ? kinds : kinds.filter(({ name }) => name === wanted);
  const reasons: string[] = [];
  for (const kind of candidates) {
    const reason = kind.unfit();
    if (reason === undefined) return kind;
    reasons.push(`the datapath '${kind.name}' cannot run here, because ${reason}`);
  }
  const names = [AUTO_DATAPATH, ...kinds.map(({ name }) => name)].join(', ');
  const message = reasons.length > 0 ? reasons.join('; ') : `there is no datapath '${wanted}'`;
  throw new WeftError('E_DATAPATH', message, `mend that, or give another --datapath of: ${names}`);
}
