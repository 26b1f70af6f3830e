import type { Command } from 'commander';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import type { WhyEnd, WhyResult } from '../why/why.io.ts';
import { readWhyPort, type WhyPort, whyPortText } from '../why/why-port.ts';
import { formatFinding } from './doctor.ts';

/** Puts together whether two ends can talk, asked on the source's node. */
export type Why = (
  runDir: string,
  question: {
    readonly source: string;
    readonly target: string;
    readonly asked: WhyPort;
    /** Whether a packet may be sent. */
    readonly probes: boolean;
  },
) => Promise<WhyResult>;

/** The two cannot talk, and the result has said why. */
export class CannotTalkError extends Error {}

/** Adds `weft why`. */
export function addWhyCommand(
  command: Command,
  why: Why,
  tools: {
    readonly runDir: () => string;
    /** Prints a result, as JSON where that is wanted. */
    readonly print: <T>(result: T, format: (result: T) => string) => void;
  },
): void {
  command
    .argument('<source>', 'a pod of this node: NAMESPACE/NAME, an address, or a container id')
    .argument('<target>', 'a pod as NAMESPACE/NAME, an address, also of a Service, or the name of a node')
    .argument('<port>', 'PORT, PORT/udp, PORT/sctp, or one of http, https, dns, ssh, ping')
    .option('--no-probe', 'send no packet as the source: look only')
    .action(async (source: string, target: string, port: string, options: { readonly probe: boolean }) => {
      const asked = readWhyPort(port);
      if (asked === undefined) {
        const remedy = 'give one like 80, 53/udp, http or ping';
        throw new WeftError('E_USAGE', `'${printable(port, 40)}' is no port`, remedy);
      }
      const result = await why(tools.runDir(), { source, target, asked, probes: options.probe });
      tools.print(result, formatWhy);
      if (!result.verdict.talk) throw new CannotTalkError();
    });
}

/** The pair, what was found on the way, and the verdict. */
function formatWhy(result: WhyResult): string {
  const { source, target, asked, findings, verdict } = result;
  return [
    `${endText(source)} → ${endText(target)}, ${whyPortText(asked)}\n\n`,
    ...findings.map(formatFinding),
    '\n',
    verdict.talk
      ? `They can talk: ${printable(verdict.because, 500)}.\n`
      : `Dropped at ${printable(verdict.station)}: ${printable(verdict.because, 500)}.\n`,
    verdict.talk || verdict.remedy === '' ? '' : `→ ${printable(verdict.remedy, 500)}\n`,
  ].join('');
}

function endText({ pod, address, node }: WhyEnd): string {
  const where = node === null ? '' : ` on ${printable(node)}`;
  return pod === null ? `${printable(address)}${where}` : `${printable(pod)} (${printable(address)})${where}`;
}
