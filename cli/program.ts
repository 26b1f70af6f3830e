import { Command, CommanderError } from 'commander';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import type { ControlRequest, ControlResults, LocateResult } from '../control/control-protocol.ts';
import type { ResetOptions } from '../daemon/reset.io.ts';
import {
  DEFAULT_NPC_STATE_DIR,
  DEFAULT_PORT,
  DEFAULT_RUN_DIR,
  DEFAULT_STATE_DIR,
} from '../daemon/settings/config.ts';
import { parsePeerHint } from '../daemon/settings/peer-hint.ts';
import { readRunDir } from '../daemon/settings/settings.ts';
import type { Finding } from '../doctor/finding.ts';
import { formatFinding, formatSummary, isAllWell } from './doctor.ts';
import { addFlowsCommand } from './flows-command.ts';
import { formatIpam, formatPeers, formatRemoval, formatStatus } from './format.ts';
import { jsonText } from './json-text.ts';
import {
  DEFAULT_PINGS,
  formatPing,
  formatPlace,
  formatProbe,
  MAX_PINGS,
  type PingWorld,
  ping,
} from './ping.ts';
import { addPolicyCommands, type PolicyWorld } from './policy-command.ts';
import { addTestCommand, type Connectivity, NotConnectedError } from './test-command.ts';
import { addTopCommands } from './top-command.ts';
import { addUiCommand, type ServeUi } from './ui-command.ts';
import { addWhyCommand, CannotTalkError, type Why } from './why-command.ts';

/** What the command line needs of the world around it. */
export interface World {
  ask<Op extends keyof ControlResults>(
    runDir: string,
    request: ControlRequest & { readonly op: Op },
  ): Promise<ControlResults[Op]>;
  readonly policy: PolicyWorld;
  /** Goes through what this node needs and has; `flags` are those that a weftd would get, for a preflight. */
  doctor(runDir: string, flags: readonly string[]): AsyncIterable<Finding>;
  readonly why: Why;
  readonly ui: ServeUi;
  readonly connectivity: Connectivity;
  /** What `weft ping` sends and waits with. */
  readonly pinging: PingWorld;
  /** Removes all of Weft from this host; resolves with what that was. */
  reset(options: ResetOptions): Promise<string[]>;
  /** The text of a new cluster secret, without line end. */
  newSecret(): Promise<string>;
  /** Writes a file of mode 0600; throws E_EXISTS where there is one. */
  createFile(path: string, content: string): void;
  out(text: string): void;
  /** False once whoever reads standard output has gone. */
  isHeard(): boolean;
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
}

/** Exit codes of `weft`. */
export const EXIT = { done: 0, failed: 1, usage: 2, noDaemon: 3 } as const;

/** `weft doctor` found something, and has said what. */
class UnwellError extends Error {}

/** What has been told by the results, so that nothing more is to be said. */
const TOLD = [UnwellError, CannotTalkError, NotConnectedError];

/** How often `weft rmpeer` looks how far it is. */
const PROGRESS_EVERY_S = 10;

/** What `weft reset` is refused with while a weftd runs. */
const RUNS_STILL: readonly string[] = ['E_STATE_LOCKED', 'E_SOCKET_TAKEN'];

/** How often, and how long apart, a weftd that leaves is looked for before a reset gives up. */
const END_ATTEMPTS = 100;
const END_PAUSE_MS = 200;

interface GlobalOptions {
  readonly runDir: string;
  readonly json?: true;
}

interface AllOption {
  readonly all?: true;
}

/** Runs one command line (the arguments after the program's name) and gives the exit code. Never rejects. */
export async function runProgram(argv: readonly string[], world: World): Promise<number> {
  const program = buildProgram(world);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (TOLD.some((each) => error instanceof each)) return EXIT.failed;
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    tellError(error, program.opts<GlobalOptions>().json === true, world);
    if (!(error instanceof WeftError)) return EXIT.failed;
    if (error.code === 'E_USAGE') return EXIT.usage;
    return error.code === 'E_NO_DAEMON' ? EXIT.noDaemon : EXIT.failed;
  }
}

function buildProgram(world: World): Command {
  const program = new Command('weft');
  program
    .description('Looks into and steers the weftd of this node.')
    .option('--run-dir <dir>', "weftd's run folder", world.env.WEFT_RUN_DIR ?? DEFAULT_RUN_DIR)
    .option('--json', 'print JSON; errors too, on standard error')
    .version(world.version, '--version', 'print the version and exit')
    .helpOption('-h, --help', 'print this and exit')
    .configureHelp({ showGlobalOptions: true, helpWidth: 110 })
    .configureOutput({ writeOut: (text) => world.out(text), writeErr: (text) => world.err(text) })
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 no weftd (or weft-npc) runs.')
    .exitOverride();

  /** Asks the daemon and prints its answer. */
  const query = <Op extends keyof ControlResults>(
    request: ControlRequest & { readonly op: Op },
    format: (result: ControlResults[Op]) => string,
  ): Promise<void> => {
    const options = program.opts<GlobalOptions>();
    return world.ask<Op>(runDirOf(options), request).then((result) => {
      world.out(options.json ? jsonText(result) : format(result));
    });
  };

  const allOption = ['--all', 'also peers that left more than 10 minutes ago'] as const;
  command(program, 'status', "this node, its peers' state, its share of the range")
    .option(...allOption)
    .action((options: AllOption) => query({ op: 'status', ...options }, formatStatus));
  command(program, 'peers', 'the peers in full')
    .option(...allOption)
    .action((options: AllOption) => query({ op: 'peers', ...options }, formatPeers));
  command(program, 'ipam', 'who owns which range, and the addresses given out here').action(() =>
    query({ op: 'ipam' }, formatIpam),
  );
  command(program, 'connect', 'seek these peers from now on, until the next start of weftd')
    .argument('<peer...>', 'NAME, NAME:PORT, ADDRESS or [IPV6]:PORT')
    .action((peers: string[]) =>
      query({ op: 'connect', peers: checked(peers) }, (result) => `seeking ${list(result.connecting)}\n`),
    );
  command(program, 'forget', 'seek these peers no more')
    .argument('<peer...>', 'as they were given')
    .action((peers: string[]) =>
      query({ op: 'forget', peers: checked(peers) }, (result) => {
        const unknown = result.unknown.length > 0 ? `not sought: ${list(result.unknown)}\n` : '';
        return (result.forgotten.length > 0 ? `forgot ${list(result.forgotten)}\n` : '') + unknown;
      }),
    );
  command(
    program,
    'rmpeer',
    'forget a peer that is gone for good, and take over its ranges, which takes 3 minutes',
  )
    .argument('<peer>', 'its name, or the start of its id')
    .action(async (peer: string) => {
      const { json, runDir } = program.opts<GlobalOptions>();
      const told = json ? undefined : tellProgress(world, runDirOf({ runDir }));
      const removing = query({ op: 'rmpeer', peer }, (result) => {
        const ranges = result.ranges.length > 0 ? `took over ${list(result.ranges)}` : 'it owned nothing';
        return `removed ${printable(result.name)} (${printable(result.peerId.slice(0, 12))}): ${ranges}\n`;
      });
      await removing.finally(() => told?.stop());
    });
  command(
    program,
    'leave',
    'give the range of this node to the others and end weftd; the node has no vote any more',
  ).action(() =>
    query({ op: 'leave' }, ({ ranges }) =>
      ranges.length > 0 ? `gave ${list(ranges)} to the others; weftd ends\n` : 'owned nothing; weftd ends\n',
    ),
  );
  command(program, 'ping', 'ask a node or a pod for a sign of life, as packets of pods travel')
    .argument('<target>', 'an address of a pod or a node, the name of a node, or the start of its id')
    .option('-c, --count <number>', `how often, 1 to ${MAX_PINGS}`, String(DEFAULT_PINGS))
    .action(async (target: string, options: { readonly count: string }) => {
      const globals = program.opts<GlobalOptions>();
      const place = await world.ask(runDirOf(globals), { op: 'locate', target });
      const say = (text: string): void => {
        if (!globals.json) world.out(text);
      };
      say(formatPlace(place));
      const result = await ping(place, readCount(options.count), world.pinging, (index, outcome) =>
        say(formatProbe(index, outcome)),
      );
      world.out(globals.json ? jsonText(result) : formatPing(result));
      if (result.answered === 0) throw new WeftError('E_NO_REPLY', ...noReply(place));
    });
  command(
    program,
    'doctor',
    'go through what this node needs and has, and say what to do; exit code 0 if all is well',
  )
    .argument('[flags...]', 'after --: what weftd would be started with, to look before its first start')
    .action(async (flags: readonly string[]) => {
      const globals = program.opts<GlobalOptions>();
      const findings: Finding[] = [];
      for await (const finding of world.doctor(runDirOf(globals), flags)) {
        findings.push(finding);
        if (!globals.json) world.out(formatFinding(finding));
      }
      const isWell = isAllWell(findings);
      world.out(globals.json ? jsonText({ well: isWell, findings }) : formatSummary(findings));
      if (!isWell) throw new UnwellError();
    });
  command(program, 'report', 'everything that helps to judge a fault, as JSON; holds no keys').action(() =>
    query({ op: 'report' }, jsonText),
  );

  const tools = {
    json: () => program.opts<GlobalOptions>().json === true,
    runDir: () => runDirOf(program.opts<GlobalOptions>()),
    print: <T>(result: T, format: (result: T) => string): void =>
      world.out(program.opts<GlobalOptions>().json ? jsonText(result) : format(result)),
  };
  addFlowsCommand(program.command('flows'), world, tools);
  addTopCommands({ top: program.command('top'), map: program.command('map') }, world, tools);
  addPolicyCommands(command(program, 'policy', 'what weft-npc enforces on this node'), world.policy, tools);
  addWhyCommand(
    command(program, 'why', 'whether two pods can talk, and where and why not; exit code 0 only if they can'),
    world.why,
    tools,
  );
  addTestCommand(
    command(program, 'test', 'make two workloads, try what they reach, remove them'),
    world,
    tools,
  );
  addUiCommand(
    command(program, 'ui', 'the page for a browser: who talks to whom, by which tunnels'),
    world,
    tools,
  );
  command(
    program,
    'reset',
    'leave this host as it was before weft: pods lose their network, the node its part of the range',
  )
    .option('--state-dir <dir>', "weftd's state folder", world.env.WEFT_STATE_DIR ?? DEFAULT_STATE_DIR)
    .option(
      '--npc-state-dir <dir>',
      "weft-npc's state folder",
      world.env.WEFT_NPC_STATE_DIR ?? DEFAULT_NPC_STATE_DIR,
    )
    .option('--cni-config <file>', 'remove this configuration of the container runtime, if it is ours')
    .option('--plugin <file>', 'remove this executable')
    .action(
      async (options: { stateDir: string; npcStateDir: string; cniConfig?: string; plugin?: string }) => {
        const { stateDir, npcStateDir, cniConfig, plugin } = options;
        const globals = program.opts<GlobalOptions>();
        const runDir = runDirOf(globals);
        const removed = await leaveAndReset(world, { stateDir, runDir, npcStateDir, cniConfig, plugin });
        if (globals.json) world.out(jsonText({ removed }));
        else
          world.out(
            removed.length > 0
              ? removed.map((what) => `removed ${printable(what)}\n`).join('')
              : 'nothing to remove\n',
          );
      },
    );

  const secret = command(program, 'secret', "the cluster's secret");
  command(secret, 'new', 'make the secret of a new cluster')
    .option('--file <file>', 'write it there, readable by its owner alone, instead of printing it')
    .action(async (options: { readonly file?: string }) => {
      const text = await world.newSecret();
      const json = program.opts<GlobalOptions>().json === true;
      if (options.file === undefined) {
        world.out(json ? jsonText({ secret: text }) : `${text}\n`);
        return;
      }
      world.createFile(options.file, `${text}\n`);
      world.out(
        json
          ? jsonText({ file: options.file })
          : `wrote ${printable(options.file)}; copy it to each node of the cluster, over a channel you trust\n`,
      );
    });
  return program;
}

/**
 * Resets the host. A weftd that runs gives its range to others first and ends, where it can; where it cannot the reset is
 * refused, and says why.
 */
async function leaveAndReset(world: World, options: ResetOptions): Promise<string[]> {
  try {
    await world.ask(options.runDir, { op: 'leave' });
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return world.reset(options).catch((refusal: unknown) => {
      if (!isRunning(refusal) || error.code === 'E_NO_DAEMON') throw refusal;
      const remedy = `${refusal.remedy}; it does not leave by itself: ${error.message}`;
      throw new WeftError(refusal.code, refusal.message, remedy);
    });
  }
  return afterItsEnd(world, options);
}

/** Tells on standard error how far the removals of the weftd are, whenever that changes, until it is stopped. */
function tellProgress(world: World, runDir: string): { readonly stop: () => void } {
  let isOver = false;
  let last = '';
  const tell = async (): Promise<void> => {
    for (let second = 1; !isOver; second++) {
      // Short steps, since the command ends no sooner than its last pause.
      await world.pinging.pause(1_000);
      if (isOver || second % PROGRESS_EVERY_S !== 0) continue;
      const { removals } = await world.ask(runDir, { op: 'ipam' });
      const lines = removals.map((removal) => `${formatRemoval(removal)}\n`).join('');
      if (!isOver && lines !== last) world.err(lines);
      last = lines;
    }
  };
  // Where weftd does not answer this, the removal itself says why.
  void tell().catch(() => {});
  return {
    stop: () => {
      isOver = true;
    },
  };
}

/** Whether a reset was refused because a weftd runs. */
function isRunning(error: unknown): error is WeftError {
  return error instanceof WeftError && RUNS_STILL.includes(error.code);
}

/** Resets once the weftd that was told to leave has ended. */
async function afterItsEnd(world: World, options: ResetOptions): Promise<string[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await world.reset(options);
    } catch (error) {
      if (!isRunning(error) || attempt >= END_ATTEMPTS) throw error;
      await world.pinging.pause(END_PAUSE_MS);
    }
  }
}

function command(parent: Command, name: string, summary: string): Command {
  return parent.command(name).description(summary).allowExcessArguments(false);
}

function runDirOf(options: GlobalOptions): string {
  const reading = readRunDir(options.runDir);
  if (!reading.ok)
    throw usage(`--run-dir '${printable(options.runDir, 80)}' ${reading.problem}`, reading.remedy);
  return reading.value;
}

/** The peers, unchanged, if each can be one. The daemon knows the default port, and judges again. */
function checked(peers: readonly string[]): readonly string[] {
  const wrong = peers.find((peer) => !parsePeerHint(peer, DEFAULT_PORT));
  if (wrong === undefined) return peers;
  throw usage(`'${printable(wrong, 80)}' is not a peer`, 'give NAME, NAME:PORT, ADDRESS or [IPV6]:PORT');
}

/** Throws E_USAGE for what is no number of probes. */
function readCount(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_PINGS) return count;
  throw usage(`--count '${printable(text, 80)}' is no number from 1 to ${MAX_PINGS}`, 'give one');
}

function noReply({ address, peer }: LocateResult): readonly [message: string, remedy: string] {
  if (peer === null) return [`${address} does not answer`, "see 'weft ipam' whether a pod has it"];
  const remedy =
    peer.state === 'connected'
      ? `run 'weft ping ${peer.name}'; if that answers, the pod or its network policies do not`
      : "see 'weft doctor'";
  return [`${address} on ${printable(peer.name)} does not answer`, printable(remedy, 200)];
}

function usage(message: string, remedy: string): WeftError {
  return new WeftError('E_USAGE', message, remedy);
}

function list(texts: readonly string[]): string {
  return texts.map((text) => printable(text)).join(', ');
}

function tellError(error: unknown, json: boolean, world: World): void {
  const { code, message, remedy } =
    error instanceof WeftError
      ? error
      : {
          code: 'E_BUG',
          message: error instanceof Error ? error.message : String(error),
          remedy: 'report this fault',
        };
  if (json) world.err(`${JSON.stringify({ error: { code, message, remedy } })}\n`);
  else world.err(`weft: ${printable(`${message}; ${remedy}`, 1000)}\n`);
}
