import type { Command } from 'commander';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import type { ControlRequest, ControlResults } from '../control/control-protocol.ts';
import { type FlowMeasure, MAX_TOTAL_ROWS, MAX_TOTAL_SECONDS } from '../control/flow-request.ts';
import { formatMap, formatTop } from './format-totals.ts';
import { jsonText } from './json-text.ts';

/** What the commands about totals need of the world. */
interface TotalsWorld {
  ask<Op extends keyof ControlResults>(
    runDir: string,
    request: ControlRequest & { readonly op: Op },
  ): Promise<ControlResults[Op]>;
  out(text: string): void;
}

/** How the commands reach what the program was told beside them. */
interface TotalsTools {
  /** Throws E_USAGE. */
  readonly runDir: () => string;
  readonly json: () => boolean;
}

interface TopOptions {
  readonly by: string;
  readonly seconds: string;
  readonly limit: string;
  readonly pods?: true;
  readonly cluster?: true;
}

/** Adds `weft top` and `weft map` to the program. */
export function addTopCommands(
  { top, map }: { readonly top: Command; readonly map: Command },
  world: TotalsWorld,
  { runDir, json }: TotalsTools,
): void {
  top
    .description('who moves the most, begins the most connections, or is denied the most, on this node')
    .allowExcessArguments(false)
    .option('--by <measure>', 'bytes, connections or drops', 'bytes')
    .option('--seconds <number>', `in the last seconds, 1 to ${MAX_TOTAL_SECONDS}`, '10')
    .option('--limit <number>', `so many lines, 1 to ${MAX_TOTAL_ROWS}`, '20')
    .option('--pods', 'a line for each pod, and not for each pair')
    .option('--cluster', 'on all nodes')
    .action(async (options: TopOptions) => {
      const by = measureOf(options.by);
      const seconds = readNumber('--seconds', options.seconds, MAX_TOTAL_SECONDS);
      const limit = readNumber('--limit', options.limit, MAX_TOTAL_ROWS);
      const asked = { op: 'flowTotals', seconds, wait: true, by, ...clusterOf(options) } as const;
      const result = await world.ask(runDir(), { ...asked, limit: options.pods ? MAX_TOTAL_ROWS : limit });
      world.out(json() ? jsonText(result) : formatTop(result, { by, limit, pods: options.pods === true }));
    });
  map
    .description(
      'which pods talk to which, on this node: what is open, and what is known of the last ten minutes',
    )
    .allowExcessArguments(false)
    .option('--cluster', 'on all nodes')
    .action(async (options: Pick<TopOptions, 'cluster'>) => {
      const asked = { op: 'flowTotals', seconds: MAX_TOTAL_SECONDS, wait: false, by: 'connections' } as const;
      const result = await world.ask(runDir(), { ...asked, limit: MAX_TOTAL_ROWS, ...clusterOf(options) });
      world.out(json() ? jsonText(result) : formatMap(result));
    });
}

function clusterOf({ cluster }: Pick<TopOptions, 'cluster'>): { readonly cluster?: true } {
  return cluster ? { cluster } : {};
}

function measureOf(text: string): FlowMeasure {
  if (text === 'bytes' || text === 'connections' || text === 'drops') return text;
  throw usage(`--by '${printable(text, 40)}' is unknown`, 'give bytes, connections or drops');
}

function readNumber(flag: string, text: string, most: number): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= most) return number;
  throw usage(`${flag} '${printable(text, 40)}' is no number from 1 to ${most}`, 'give one');
}

function usage(message: string, remedy: string): WeftError {
  return new WeftError('E_USAGE', message, remedy);
}
