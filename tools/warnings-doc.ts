// Writes docs/warnings.md from the declarations of all warnings: `bin/weft-node tools/warnings-doc.ts`.
// A test fails where the file is not what this program makes.
import { writeFileSync } from 'node:fs';
import type { WarningTable } from '../base/warning.ts';
import { DAEMON_WARNINGS } from '../daemon/daemon-warnings.ts';
import { type EventSubject, eventSubject } from '../daemon/kubernetes/event-subjects.ts';
import { POD_WARNINGS } from '../daemon/pods/pod-warnings.ts';
import { GATE_WARNINGS } from '../daemon/policy/gate-warnings.ts';
import { GROUND_WARNINGS } from '../ground/ground-warnings.ts';
import { METRICS_WARNINGS } from '../host/metrics/metrics-warnings.ts';
import { IPAM_WARNINGS } from '../ipam/ipam-warnings.ts';
import { KUBE_WARNINGS } from '../kube/kube-warnings.ts';
import { NPC_WARNINGS } from '../npc/npc-warnings.ts';

/** Where the file is. */
export const WARNINGS_DOC = new URL('../docs/warnings.md', import.meta.url);

interface WarningSection {
  readonly title: string;
  readonly table: WarningTable;
  /** weftd tells events for them. */
  readonly hasEvents: boolean;
}

const EVENT_ON: Readonly<Record<EventSubject, string>> = { node: 'Node', cluster: 'DaemonSet', nobody: '' };

/** All tables of warnings, with what each is about, in the order of the file. */
export const WARNING_SECTIONS: readonly WarningSection[] = [
  { title: 'Addresses and the ring', table: IPAM_WARNINGS, hasEvents: true },
  { title: "The host's network", table: GROUND_WARNINGS, hasEvents: true },
  { title: 'Interfaces in pods', table: POD_WARNINGS, hasEvents: true },
  { title: 'Kubernetes', table: KUBE_WARNINGS, hasEvents: true },
  { title: 'The gate for policies', table: GATE_WARNINGS, hasEvents: true },
  { title: 'The node and its surroundings', table: DAEMON_WARNINGS, hasEvents: true },
  { title: 'The port for metrics', table: METRICS_WARNINGS, hasEvents: true },
  { title: 'Policies, in `weft policy status`', table: NPC_WARNINGS, hasEvents: false },
];

/** The text of docs/warnings.md. */
export function renderWarnings(sections = WARNING_SECTIONS): string {
  const parts = sections.map(({ title, table, hasEvents }) => {
    const rows = Object.entries(table).map(([code, { message, remedy }]) => {
      const event = hasEvents ? ` ${EVENT_ON[eventSubject(code)]} |` : '';
      return `| \`${code}\` | ${cell(message)} | ${cell(remedy)} |${event}`;
    });
    const [head, line] = hasEvents ? [' event on |', '---|'] : ['', ''];
    return `## ${title}\n\n| code | what is wrong | what to do |${head}\n|---|---|---|${line}\n${rows.join('\n')}\n`;
  });
  return `# Warnings

\`weft status\` shows a warning for as long as its cause stands: what is wrong and what to do, in one line. In \`weft status
--json\` each is also under \`problems\`, with a code that stays. \`E_…\` is an error: something does not work until somebody
acts. \`W_…\` is a warning: everything works, and that may not last. What stands in braces is filled in. A fault of the
host that stands, such as a full disk (\`E_DISK_FULL\`), is shown likewise, under the code of the error.

In Kubernetes weftd also tells a warning that stands as an event: of the *Node* by that node, of the *DaemonSet* by one node for all; an
error after a minute, a warning after five (\`docs/adr/0021-node-condition-and-events.md\`). The reason of the event is the code: \`NoPodAddress\`.

This file is made from the declarations in the code by \`bin/weft-node tools/warnings-doc.ts\`.

${parts.join('\n')}`;
}

/** Text for a cell of a table, in which a bar would end it. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

if (import.meta.main) {
  if (process.argv.length > 2) {
    console.error(`tools/warnings-doc.ts: unknown argument '${process.argv[2]}'; it takes none`);
    process.exit(2);
  }
  writeFileSync(WARNINGS_DOC, renderWarnings());
}
