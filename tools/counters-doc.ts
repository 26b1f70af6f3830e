// Writes docs/counters.md from the declarations of all counters and gauges: `bin/weft-node tools/counters-doc.ts`.
// A test fails where the file is not what this program makes.
import { writeFileSync } from 'node:fs';
import { type CounterDeclaration, type CounterTable, joinCounters } from '../base/counters.ts';
import type { Gauge } from '../base/gauges.ts';
import { DAEMON_COUNTERS } from '../daemon/daemon-counters.ts';
import { DAEMON_GAUGES } from '../daemon/status/daemon-gauges.ts';
import { GATE_COUNTERS } from '../linux/policy-gate.ts';
import { POLICY_COUNTERS } from '../linux/policy-rules.ts';
import { RULE_COUNTERS } from '../linux/rule-counters.ts';
import { NPC_COUNTERS } from '../npc/metrics/npc-counters.ts';

/** Where the file is. */
export const COUNTERS_DOC = new URL('../docs/counters.md', import.meta.url);

/** What the subject of each counter's name stands for, in the order of the file. */
export const SUBJECTS: Readonly<Record<string, string>> = {
  datapath:
    'Packets on their way. `out` is from this node into tunnels, `in` out of tunnels to this node, `relay` what this node passes on, sealed, for others, `send` what the kernel did not take.',
  rules:
    'Packets that the packet rules of this node dropped, since the rules were last set. The kernel counts them.',
  gate: 'Packets that the gate for policies dropped, since it was last laid. The kernel counts them.',
  policy:
    'Packets that the policies of pods denied, since weft-npc last loaded all rules. The kernel counts them; `weft policy status --json` shows these, too.',
  ground: "What Weft put right of the host's network, and what kept it from that.",
  pods: 'The interfaces inside pods, which are kept as they were made.',
  tunnel: 'The tunnels to other nodes.',
  path: 'The search for a way to another node.',
  handshake: 'How two nodes agree on the keys of a tunnel.',
  control: 'Messages between nodes that go through a tunnel beside the packets of pods.',
  link: 'The TCP connections between nodes.',
  gossip: 'What nodes tell each other of themselves over these connections.',
  swim: 'The probes by which nodes see whether another one lives.',
  ipam: 'The ring, which says which node owns which addresses.',
  node: 'What other nodes say that concerns no part of the above.',
  metrics: 'The port at which Prometheus is answered.',
  question: 'What nodes ask each other for views of the whole cluster, as `weft map --cluster` shows one.',
  health: 'Connections to the port that answers whether this node is ready.',
  cni: 'The calls of the container runtime.',
  probe: 'What nodes ask each other about the packets that `weft why` sends.',
  admission: 'Pods at the gate, where they wait until policies were decided for them.',
  flow: 'The connections that users watch with `weft flows`; nothing is counted while nobody watches.',
  npc: 'What weft-npc does with the packet rules of policies; `weft policy status --json` shows these.',
};

/** All counters that a report can show. */
export const ALL_COUNTERS: CounterTable = joinCounters(
  DAEMON_COUNTERS,
  RULE_COUNTERS,
  GATE_COUNTERS,
  POLICY_COUNTERS,
  NPC_COUNTERS,
);

/** All gauges that a report shows; what they are read from does not matter here. */
export const ALL_GAUGES: Readonly<Record<string, Omit<Gauge<never>, 'read'>>> = DAEMON_GAUGES;

/** The text of docs/counters.md. */
export function renderCounters(table: CounterTable = ALL_COUNTERS): string {
  const entries = Object.entries(table);
  const sections = Object.entries(SUBJECTS).map(([subject, what]) => {
    const rows = entries
      .filter(([name]) => name.startsWith(`${subject}.`))
      .map(([name, declaration]) => `| \`${name}\` | ${kind(declaration)} | ${declaration.help} |`);
    return `## ${subject}\n\n${what}\n\n| name | counts | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  const gauges = Object.entries(ALL_GAUGES).map(
    ([name, { unit, label, help }]) =>
      `| \`${name}\` | ${unit} | ${label === undefined ? '' : `${label.name}: ${label.values.join(', ')}`} | ${help} |`,
  );
  return `# Counters and gauges

\`weft report\` shows under \`counters\` how often each of these has happened since weftd started; what never happened is
left out. What Weft drops or refuses is counted under one of these names, so a packet that is missing is found here.
"Dropped" says what was dropped or refused; the other counters tell of something that happened.

This file is made from the declarations in the code by \`bin/weft-node tools/counters-doc.ts\`.

${sections.join('\n')}
## Gauges

How things stand at the moment: \`weft report\` shows them under \`gauges\`, with one number for each value of a label.

| name | unit | label | meaning |
|---|---|---|---|
${gauges.join('\n')}
`;
}

function kind({ drops }: CounterDeclaration): string {
  return drops === undefined ? 'events' : `dropped ${drops}s`;
}

if (import.meta.main) {
  if (process.argv.length > 2) {
    console.error(`tools/counters-doc.ts: unknown argument '${process.argv[2]}'; it takes none`);
    process.exit(2);
  }
  writeFileSync(COUNTERS_DOC, renderCounters());
}
