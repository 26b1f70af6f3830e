import { bitsOf, cidrHolds } from '../cidr.ts';
import type { NftTable } from './nft-text.ts';

/** What connection tracking knows of a flow at one node. */
export interface Entry {
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmpv6';
  /** Where each direction's packets come from, and from which port. */
  readonly original: { readonly source: string; readonly port?: number };
  readonly reply: { readonly source: string; readonly port?: number };
  readonly labels: Set<string>;
}

/** A packet at one hook of a node. */
export interface Packet {
  readonly hook: 'forward' | 'input' | 'output';
  readonly iif?: string;
  readonly oif?: string;
  /** That of the packet: an ICMP error has another one than its flow. */
  readonly l4proto: Entry['protocol'];
  readonly entry: Entry;
  readonly direction: 'original' | 'reply';
  readonly state: 'new' | 'established' | 'related';
  /** Of TCP: it begins a connection. */
  readonly isSyn: boolean;
}

type Verdict = 'accept' | 'drop';
type Step = 'next' | 'no match' | 'return' | Verdict | { readonly jump: string } | { readonly goto: string };

/** Whether a packet passes all chains of a table at its hook, in the order of their priorities. */
export function passes(table: NftTable, packet: Packet): boolean {
  const bases = [...table.chains]
    .flatMap(([name, { base }]) => (base?.hook === packet.hook ? [{ name, priority: base.priority }] : []))
    .sort((a, b) => a.priority - b.priority);
  return bases.every(({ name }) => walkChain(table, name, packet) !== 'drop');
}

/** What a chain makes of a packet; undefined where it hands it back. */
function walkChain(table: NftTable, name: string, packet: Packet): Verdict | undefined {
  const chain = table.chains.get(name);
  if (chain === undefined) throw new Error(`there is no chain ${name}`);
  for (const rule of chain.rules) {
    const step = walkRule(table, rule, packet);
    if (step === 'accept' || step === 'drop') return step;
    if (step === 'return') return undefined;
    if (typeof step !== 'object') continue;
    if ('goto' in step) return walkChain(table, step.goto, packet);
    const said = walkChain(table, step.jump, packet);
    if (said !== undefined) return said;
  }
  return undefined;
}

/** Takes one statement of a rule after another, until one does not match or decides. */
function walkRule(table: NftTable, rule: string, packet: Packet): Step {
  for (const { run, words } of statementsOf(rule)) {
    const step = run({ table, packet, words });
    if (step !== 'next') return step;
  }
  return 'next';
}

interface Statement {
  readonly run: (context: Context) => Step;
  readonly words: Context['words'];
}

const statementsByRule = new Map<string, readonly Statement[]>();

function statementsOf(rule: string): readonly Statement[] {
  const known = statementsByRule.get(rule);
  if (known !== undefined) return known;
  const statements: Statement[] = [];
  for (let rest = rule; rest !== ''; ) {
    const found = STATEMENTS.map(([form, run]) => ({ match: form.exec(rest), run })).find(
      ({ match }) => match,
    );
    if (found === undefined) throw new Error(`no statement that is known: ${rest} (in: ${rule})`);
    statements.push({ run: found.run, words: found.match!.slice(1) });
    rest = rest.slice(found.match![0].length).trimStart();
  }
  statementsByRule.set(rule, statements);
  return statements;
}

interface Context {
  readonly table: NftTable;
  readonly packet: Packet;
  /** The groups of the statement's form. */
  readonly words: readonly (string | undefined)[];
}

const when = (condition: boolean): Step => (condition ? 'next' : 'no match');

/** The statements that weft-npc writes. */
const STATEMENTS: readonly (readonly [form: RegExp, run: (context: Context) => Step])[] = [
  [
    /^ct (original|reply) (ip6?) saddr @(\S+)/,
    ({ table, packet, words: [tuple, family, set] }) => {
      const { source } = packet.entry[tuple as 'original' | 'reply'];
      return when((family === 'ip6') === source.includes(':') && isIn(table, set!, source));
    },
  ],
  [
    /^ct (original|reply) (ip6?) saddr (?:!= @(\S+)|(\S+\/\d+))/,
    ({ table, packet, words: [tuple, family, set, range] }) => {
      const { source } = packet.entry[tuple as 'original' | 'reply'];
      const isOfFamily = (family === 'ip6') === source.includes(':');
      return when(isOfFamily && (set === undefined ? cidrHolds(range!, source) : !isIn(table, set, source)));
    },
  ],
  [
    /^iifname \. ct (original|reply) (ip6?) saddr != @(\S+)/,
    ({ table, packet, words: [tuple, family, set] }) => {
      const { source } = packet.entry[tuple as 'original' | 'reply'];
      const isOfFamily = (family === 'ip6') === source.includes(':');
      return when(isOfFamily && !elementsOf(table, set!).includes(`${packet.iif} . ${source}`));
    },
  ],
  [
    /^ct (original|reply) proto-src (\S+)/,
    ({ table, packet, words: [tuple, ports] }) => {
      const { port } = packet.entry[tuple as 'original' | 'reply'];
      if (port === undefined) throw new Error('the flow has no ports');
      const ranges = ports!.startsWith('@') ? elementsOf(table, ports!.slice(1)) : [ports!];
      return when(ranges.some((range) => isInPorts(range, port)));
    },
  ],
  [/^ct protocol (\S+)/, ({ packet, words: [protocol] }) => when(packet.entry.protocol === protocol)],
  [/^meta l4proto (\S+)/, ({ packet, words: [protocol] }) => when(packet.l4proto === protocol)],
  [
    /^ct direction (original|reply)/,
    ({ packet, words: [direction] }) => when(packet.direction === direction),
  ],
  [
    /^ct label set (\d+)/,
    ({ packet, words: [label] }) => {
      packet.entry.labels.add(label!);
      return 'next';
    },
  ],
  [/^ct label (\d+)/, ({ packet, words: [label] }) => when(packet.entry.labels.has(label!))],
  [
    /^ct state (new|related|invalid,untracked)/,
    ({ packet, words: [states] }) => when(packet.state === states),
  ],
  [
    /^tcp flags & \(fin \| syn \| rst \| ack\) != syn/,
    ({ packet }) => when(packet.l4proto === 'tcp' && !packet.isSyn),
  ],
  [
    // At input the kernel says yes without a look, once a socket waits for the packet.
    /^fib daddr \. iif oif exists/,
    ({ packet }) =>
      when(
        packet.hook === 'input'
          ? packet.state !== 'new'
          : packet.iif !== undefined && packet.iif === packet.oif,
      ),
  ],
  [
    /^([io])ifname vmap @(\S+)/,
    ({ table, packet, words: [way, map] }) => {
      const verdict = known(table.maps, map!).get((way === 'i' ? packet.iif : packet.oif) ?? '');
      return verdict === undefined ? 'no match' : walkRule(table, verdict, packet);
    },
  ],
  [
    /^([io])ifname (!= )?(?:@(\S+)|"(\S+)")/,
    ({ table, packet, words: [way, not, set, name] }) => {
      const link = (way === 'i' ? packet.iif : packet.oif) ?? '';
      const holds =
        set === undefined
          ? name!.endsWith('*')
            ? link.startsWith(name!.slice(0, -1))
            : link === name
          : elementsOf(table, set).includes(link);
      return when(holds === (not === undefined));
    },
  ],
  [/^counter( name \S+)?/, () => 'next'],
  [/^limit name \S+/, () => 'next'],
  [/^log prefix "[^"]*" group \d+ snaplen \d+/, () => 'next'],
  [/^reject with .*$/, () => 'drop'],
  [/^(accept|drop|return)$/, ({ words: [verdict] }) => verdict as Step],
  [/^jump (\S+)$/, ({ words: [chain] }) => ({ jump: chain! })],
  [/^goto (\S+)$/, ({ words: [chain] }) => ({ goto: chain! })],
];

function known<T>(things: ReadonlyMap<string, T>, name: string): T {
  const thing = things.get(name);
  if (thing === undefined) throw new Error(`there is no ${name}`);
  return thing;
}

function elementsOf(table: NftTable, set: string): readonly string[] {
  return known(table.sets, set);
}

function isIn(table: NftTable, set: string, address: string): boolean {
  const bits = bitsOf(address)!;
  return elementsOf(table, set).some((element) => {
    if (element.includes('/')) return cidrHolds(element, address);
    const [first, last = first] = element.split('-').map((one) => bitsOf(one)!) as [string, string?];
    return first.length === bits.length && first <= bits && bits <= last;
  });
}

function isInPorts(range: string, port: number): boolean {
  const [first, last = first] = range.split('-').map(Number) as [number, number?];
  return first <= port && port <= last;
}
