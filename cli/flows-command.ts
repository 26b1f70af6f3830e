import type { Command } from 'commander';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import type { ControlRequest, ControlResults } from '../control/control-protocol.ts';
import {
  type FlowFilter,
  type FlowRequest,
  type FlowsResult,
  MAX_FLOW_ROWS,
  type SilentNode,
} from '../control/flow-request.ts';
import { formatFlowRow } from './format-flows.ts';
import { jsonText } from './json-text.ts';
import { noteLines } from './note-lines.ts';

/** What the commands about flows need of the world. */
interface FlowsWorld {
  ask<Op extends keyof ControlResults>(
    runDir: string,
    request: ControlRequest & { readonly op: Op },
  ): Promise<ControlResults[Op]>;
  out(text: string): void;
  err(text: string): void;
  /** False once whoever reads standard output has gone. */
  isHeard(): boolean;
  readonly pinging: { pause(ms: number): Promise<void> };
}

/** How the commands reach what the program was told beside them. */
interface FlowsTools {
  /** Throws E_USAGE. */
  readonly runDir: () => string;
  readonly json: () => boolean;
}

const DEFAULT_LIMIT = 500;
const ROWS_A_REQUEST = 500;
/** A weftd that is replaced is away for a moment: one who follows asks again, so often and so long apart. */
const AWAY_ATTEMPTS = 60;
const AWAY_PAUSE_MS = 1_000;
const AWAY = ['E_NO_DAEMON', 'E_NO_ANSWER'];

type FlowQuestion = Extract<FlowRequest, { op: 'flows' }>;

interface FlowsOptions {
  readonly follow?: true;
  readonly last?: string;
  readonly limit?: string;
  readonly pod?: string;
  readonly from?: string;
  readonly to?: string;
  readonly namespace?: string;
  readonly label?: string;
  readonly port?: string;
  readonly verdict?: string;
  readonly node?: string;
  readonly cluster?: true;
}

/** Adds `weft flows` to the program. */
export function addFlowsCommand(flows: Command, world: FlowsWorld, tools: FlowsTools): void {
  flows
    .description('the connections that are open on this node; who talks to whom, and what policies denied')
    .allowExcessArguments(false)
    .option('-f, --follow', 'what begins, ends and is denied from now on')
    .option('--last <number>', 'the last ones that weftd recorded')
    .option('--limit <number>', `so many at most, 1 to ${MAX_FLOW_ROWS} (default: ${DEFAULT_LIMIT})`)
    .option('--pod <pod>', 'with this pod at either end: NAMESPACE/NAME, or an address')
    .option('--from <pod>', 'that this pod, or address, began')
    .option('--to <pod>', 'to this pod, address or address of a Service')
    .option('--namespace <name>', 'with a pod of this namespace at either end')
    .option('--label <label>', 'with a pod at either end that has this label: KEY=VALUE or KEY')
    .option('--port <number>', 'to this port, of the pod or of the Service')
    .option('--verdict <verdict>', 'forwarded or dropped')
    .option('--node <name>', 'with this node at either end')
    .option('--cluster', 'of all nodes, which are asked by this one')
    .action(async (options: FlowsOptions) => {
      const filter = filterOf(options);
      if (options.follow && options.last !== undefined)
        throw usage('--follow and --last are both given', 'give one of them');
      const cluster = options.cluster ? { cluster: true } : {};
      if (options.follow) return follow({ filter, ...cluster }, world, tools);
      const last = options.last === undefined ? undefined : readNumber('--last', options.last, MAX_FLOW_ROWS);
      const limit = last ?? readNumber('--limit', options.limit ?? String(DEFAULT_LIMIT), MAX_FLOW_ROWS);
      const want = last === undefined ? 'open' : 'last';
      const asked = { op: 'flows', want, cursor: '', limit, filter, ...cluster } as const;
      const result = await world.ask(tools.runDir(), asked);
      world.out(tools.json() ? jsonText(result) : formatFlows(result));
    });
}

/** Prints what comes until the reader has gone. Rejects where weftd stays away. */
async function follow(
  wanted: Pick<FlowQuestion, 'filter' | 'cluster'>,
  world: FlowsWorld,
  { runDir, json }: FlowsTools,
): Promise<void> {
  const told = new Set<string>();
  let silent: readonly SilentNode[] = [];
  const request = (cursor: string): FlowQuestion => ({
    op: 'flows',
    want: 'follow',
    cursor,
    limit: ROWS_A_REQUEST,
    ...wanted,
  });
  let result = await askPatiently(request(''), { world, runDir, attempts: 1 });
  while (world.isHeard()) {
    const { rows, lost, notes, cursor } = result;
    const lines = [
      ...silenceLines(silent, result.silent ?? [], json()),
      ...(lost === 0 ? [] : [json() ? jsonText({ kind: 'lost', count: lost }, 'line') : lostText(lost)]),
      ...rows.map((row) => (json() ? jsonText(row, 'line') : `${formatFlowRow(row)}\n`)),
    ];
    silent = result.silent ?? [];
    if (lines.length > 0) world.out(lines.join(''));
    for (const note of notes) {
      if (!told.has(note)) world.err(`weft: ${printable(note, 400)}\n`);
      told.add(note);
    }
    result = await askPatiently(request(cursor), { world, runDir, attempts: AWAY_ATTEMPTS });
  }
}

async function askPatiently(
  request: FlowQuestion,
  { world, runDir, attempts }: { world: FlowsWorld; runDir: () => string; attempts: number },
): Promise<FlowsResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await world.ask(runDir(), request);
    } catch (error) {
      const mayReturn = error instanceof WeftError && AWAY.includes(error.code);
      if (!mayReturn || attempt >= attempts || !world.isHeard()) throw error;
      await world.pinging.pause(AWAY_PAUSE_MS);
    }
  }
}

function formatFlows(result: FlowsResult): string {
  const { rows, more } = result;
  const lines = [
    ...rows.map(formatFlowRow),
    ...(rows.length === 0 ? ['no flows'] : []),
    ...(more > 0 ? [`${more} more: give --limit, or a filter`] : []),
    ...noteLines(result),
  ];
  return `${lines.join('\n')}\n`;
}

/** Which nodes do not tell any more, and which tell again. */
function silenceLines(
  before: readonly SilentNode[],
  now: readonly SilentNode[],
  asJson: boolean,
): readonly string[] {
  const lacks = (nodes: readonly SilentNode[], { node }: SilentNode): boolean =>
    !nodes.some((each) => each.node === node);
  const gone = now.filter((each) => lacks(before, each));
  const back = before.filter((each) => lacks(now, each)).map(({ node }) => node);
  if (asJson)
    return [
      ...gone.map((each) => jsonText({ kind: 'silent', ...each }, 'line')),
      ...back.map((node) => jsonText({ kind: 'tells', node }, 'line')),
    ];
  return [
    ...gone.map(({ node, reason }) => `--- not of ${printable(node)}: ${printable(reason, 300)} ---\n`),
    ...back.map((node) => `--- of ${printable(node)} again ---\n`),
  ];
}

function lostText(lost: number): string {
  return `--- ${lost} lost: this reader was too slow ---\n`;
}

/** Throws E_USAGE. */
function filterOf(options: FlowsOptions): FlowFilter {
  const { pod, from, to, namespace, label, port, verdict, node } = options;
  if (verdict !== undefined && verdict !== 'forwarded' && verdict !== 'dropped')
    throw usage(`--verdict '${printable(verdict, 40)}' is unknown`, 'give forwarded or dropped');
  for (const each of [pod, from]) {
    if (each !== undefined && !/[/.:]/.test(each))
      throw usage(`'${printable(each, 80)}' is no pod`, 'give NAMESPACE/NAME, or an address');
  }
  return {
    ...(pod === undefined ? {} : { pod }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(label === undefined ? {} : { label }),
    ...(port === undefined ? {} : { port: readNumber('--port', port, 65_535) }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(node === undefined ? {} : { node }),
  };
}

/** Throws E_USAGE for what is no number from 1 to `most`. */
function readNumber(flag: string, text: string, most: number): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= most) return number;
  throw usage(`${flag} '${printable(text, 40)}' is no number from 1 to ${most}`, 'give one');
}

function usage(message: string, remedy: string): WeftError {
  return new WeftError('E_USAGE', message, remedy);
}
