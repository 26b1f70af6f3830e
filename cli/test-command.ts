import type { Command } from 'commander';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import { type OutsideTarget, readOutsideTarget } from '../connectivity/outside-target.ts';
import type { Finding } from '../doctor/finding.ts';
import { formatFinding, formatSummary, isAllWell } from './doctor.ts';

/** Tries what workloads reach, by workloads that it makes and removes. */
export type Connectivity = (
  runDir: string,
  question: {
    readonly kubeconfig: string | undefined;
    readonly nodes: readonly string[];
    readonly outside: readonly OutsideTarget[];
    readonly pluginDir: string | undefined;
  },
) => AsyncIterable<Finding>;

/** Something does not work, and has been told. */
export class NotConnectedError extends Error {}

interface TestOptions {
  readonly kubeconfig?: string;
  readonly nodes?: string;
  readonly outside: readonly string[];
  readonly pluginDir?: string;
}

/** Adds `weft test`. */
export function addTestCommand(
  command: Command,
  world: {
    readonly connectivity: Connectivity;
    readonly env: Readonly<Record<string, string | undefined>>;
    out(text: string): void;
  },
  tools: {
    readonly json: () => boolean;
    readonly runDir: () => string;
    readonly print: <T>(result: T, format: (result: T) => string) => void;
  },
): void {
  command
    .option(
      '--kubeconfig <file>',
      'make pods in this cluster, - for standard input; without it, workloads on this host',
    )
    .option('--nodes <names>', 'in a cluster: on these two nodes, A,B')
    .option(
      '--outside <address:port>',
      'an address that should be reached, too; may be repeated',
      collect,
      [],
    )
    .option('--plugin-dir <folder>', 'on a plain host: where weft-net is')
    .action(async (options: TestOptions) => {
      const { kubeconfig, pluginDir } = options;
      if (kubeconfig === undefined && world.env.KUBERNETES_SERVICE_HOST !== undefined)
        throw usage(
          'in a pod weft has no rights to make pods',
          'give --kubeconfig FILE, or - for standard input',
        );
      const nodes = options.nodes?.split(',') ?? [];
      if (nodes.length > 2 || nodes.some((name) => name === ''))
        throw usage(
          `--nodes '${printable(options.nodes ?? '', 80)}' does not name one or two nodes`,
          'give A,B',
        );
      const outside = options.outside.map((text) => {
        const target = readOutsideTarget(text);
        if (target === undefined)
          throw usage(
            `--outside '${printable(text, 80)}' is no address with a port`,
            'give one like 192.0.2.1:443 or [2001:db8::1]:443',
          );
        return target;
      });
      const findings: Finding[] = [];
      const asked = { kubeconfig: kubeconfig === '-' ? '/dev/stdin' : kubeconfig, nodes, outside, pluginDir };
      for await (const finding of world.connectivity(tools.runDir(), asked)) {
        findings.push(finding);
        if (!tools.json()) world.out(formatFinding(finding));
      }
      const well = isAllWell(findings);
      tools.print({ well, findings }, () => formatSummary(findings));
      if (!well) throw new NotConnectedError();
    });
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

function usage(message: string, remedy: string): WeftError {
  return new WeftError('E_USAGE', message, remedy);
}
