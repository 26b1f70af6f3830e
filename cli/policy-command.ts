import type { Command } from 'commander';
import { printable } from '../base/printable.ts';
import { warningLine } from '../base/warning.ts';
import { WeftError } from '../base/weft-error.ts';
import type {
  ExplainedDirection,
  ExplainedEnd,
  NpcRequest,
  NpcResults,
  PolicyExplainResult,
  PolicyStatusResult,
  UnhonouredPolicy,
} from '../control/npc-request.ts';
import { table, text } from './format.ts';

/** What the commands of `weft policy` need of the world. */
export interface PolicyWorld {
  ask<Op extends keyof NpcResults>(
    runDir: string,
    request: NpcRequest & { readonly op: Op },
  ): Promise<NpcResults[Op]>;
  /** The text of a file, `-` for standard input. Throws a WeftError. */
  readText(path: string): string;
}

/** How a command reaches what the program was told beside it. */
interface CommandTools {
  /** Throws E_USAGE. */
  readonly runDir: () => string;
  /** Prints a result, as JSON where that is wanted. */
  readonly print: <T>(result: T, format: (result: T) => string) => void;
}

/** Adds `weft policy status` and `weft policy explain` to `weft policy`. */
export function addPolicyCommands(
  policy: Command,
  world: PolicyWorld,
  { runDir, print }: CommandTools,
): void {
  policy
    .command('status')
    .description('whether weft-npc is up to date, what it has loaded, what it cannot honour, which pods wait')
    .allowExcessArguments(false)
    .action(async () =>
      print(await world.ask(runDir(), { op: 'policyStatus' }), (result) => formatPolicyStatus(result)),
    );
  policy
    .command('explain')
    .description('whether a connection would pass the policies, and which rule decides')
    .argument('<source>', 'a pod as NAMESPACE/NAME, or an address')
    .argument('<destination>', 'the same')
    .argument('<port>', 'PORT, PORT/udp or PORT/sctp, of the destination pod, not of a Service')
    .option('--with <file>', 'as if these policies were there too; YAML or JSON, - for standard input')
    .allowExcessArguments(false)
    .action(
      async (source: string, destination: string, port: string, options: { readonly with?: string }) => {
        checkPort(port);
        const policies = options.with === undefined ? {} : { with: world.readText(options.with) };
        const question = { source, destination, port, ...policies };
        print(await world.ask(runDir(), { op: 'policyExplain', ...question }), (result) =>
          formatExplanation(result),
        );
      },
    );
}

/** Throws E_USAGE for what is no port of a protocol. */
function checkPort(port: string): void {
  const [number, protocol = 'tcp', ...more] = port.split('/');
  const isPort = /^\d{1,5}$/.test(number!) && Number(number) >= 1 && Number(number) <= 65_535;
  if (isPort && more.length === 0 && /^(tcp|udp|sctp)$/i.test(protocol)) return;
  throw new WeftError('E_USAGE', `'${printable(port, 40)}' is no port`, 'give one like 80, 53/udp or 9/sctp');
}

function formatPolicyStatus(status: PolicyStatusResult): string {
  const { copy, loaded, waiting } = status;
  const lines = [
    ...status.problems.map((problem) => `warning   ${printable(warningLine(problem), 400)}`),
    `node      ${printable(status.node)}`,
    `version   ${printable(status.version)}`,
    `copy      ${copy.complete ? `complete, for ${copy.forS ?? 0} s` : 'not complete yet: nothing that is loaded is changed'}`,
    `loaded    ${loadedText(loaded)}`,
    `dropped   ${droppedText(status.counters)}`,
    `attached  ${status.attached} pods, ${waiting.length} of them wait${waitedText(status.addsWaitedMs)}`,
  ];
  const kinds = copy.kinds.map((each) => [
    each.kind,
    each.version ?? 'not served',
    each.complete ? 'complete' : 'under way',
    String(each.objects),
  ]);
  if (kinds.length > 0) lines.push('', ...table(['KIND', 'VERSION', 'COPY', 'OBJECTS'], kinds));
  if (waiting.length > 0) {
    const rows = waiting.map(({ link, pod, reason }) => [link, pod ?? 'unknown', reason]);
    lines.push('', ...table(['WAITS', 'POD', 'REASON'], rows));
  }
  lines.push(...unhonouredLines(status.unhonoured));
  return text(lines);
}

function loadedText(loaded: PolicyStatusResult['loaded']): string {
  if (loaded === null) return 'nothing yet';
  const { pods, sets, chains, rules, lastApplyMs, applyP99Ms } = loaded;
  const what = `policies for ${pods} pods, as ${rules} rules in ${chains} chains and ${sets} sets`;
  return `${what}; the last change took ${Math.round(lastApplyMs)} ms, 99 of 100 at most ${Math.round(applyP99Ms)} ms`;
}

/** What the kernel counts since the rules were last loaded whole. */
function droppedText(counters: PolicyStatusResult['counters']): string {
  const count = (...names: string[]): number => names.reduce((sum, name) => sum + (counters[name] ?? 0), 0);
  const egress = count('policy.dropEgress');
  const ingress = count('policy.dropIngress');
  const invalid = count('policy.dropInvalid');
  const gate = count('gate.dropForwarded', 'gate.dropInput');
  return `packets: ${egress} egress, ${ingress} ingress, ${invalid} of no known connection, ${gate} at the gate`;
}

function waitedText(addsWaitedMs: number | null): string {
  return addsWaitedMs === null ? '' : `; starts of pods waited ${(addsWaitedMs / 1000).toFixed(1)} s in all`;
}

function unhonouredLines(policies: readonly UnhonouredPolicy[]): string[] {
  if (policies.length === 0) return [];
  const rows = policies.flatMap(({ policy, reasons }) =>
    reasons.map((reason, index) => [index === 0 ? policy : '', reason]),
  );
  return ['', ...table(['NOT HONOURED', 'WHY'], rows)];
}

function formatExplanation(result: PolicyExplainResult): string {
  const { source, destination, port, protocol, passes, egress, ingress } = result;
  const droppedAt = egress.passes ? 'where it reaches' : 'where it leaves';
  const end = egress.passes ? destination : source;
  const verdict = passes ? 'passes' : `is dropped ${droppedAt} ${printable(end.pod ?? end.text)}`;
  return text([
    `A connection to ${protocol} port ${port} ${verdict}.`,
    '',
    `from     ${endText(source)}`,
    ...directionLines('egress', egress),
    `to       ${endText(destination)}`,
    ...directionLines('ingress', ingress),
    ...unhonouredLines(result.unhonoured),
  ]);
}

function endText({ text: asked, pod, node, addresses }: ExplainedEnd): string {
  const where = node === null ? '' : ` on ${printable(node)}`;
  const others = addresses.filter((address) => address !== asked);
  const at = others.length === 0 ? '' : ` (${others.map((address) => printable(address)).join(', ')})`;
  const name =
    pod === null || pod === asked ? printable(asked) : `${printable(asked)}, pod ${printable(pod)}`;
  return `${name}${where}${at}`;
}

function directionLines(name: string, { passes, because, rule, selecting }: ExplainedDirection): string[] {
  const named = rule === null || rule.name === '' ? '' : ` (rule ${printable(rule.name)})`;
  return [
    `${name.padEnd(7)}  ${passes ? 'passes' : 'denied'}: ${printable(because, 400)}${named}`,
    ...selecting.map(({ policy, tier }) => {
      const decides = rule?.policy === policy ? '  <- decides' : '';
      return `           ${tier.padEnd(13)}  ${printable(policy)}${decides}`;
    }),
  ];
}
