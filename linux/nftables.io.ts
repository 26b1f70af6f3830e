import { spawn } from 'node:child_process';
import { WeftError } from '../base/weft-error.ts';
import { dropsPods, type ForwardDrop, forwardChains, type PodInterfaces } from './forward-drops.ts';
import { NFT_TABLE, type PacketRules, renderRemoval, renderRules } from './nftables.ts';
import { nftCounterName, RULE_COUNTER_NAMES, type RuleCounter } from './rule-counters.ts';

/** nft ends within this, or is killed. Large foreign rule sets slow it down, so it is generous. */
const NFT_TIMEOUT_MS = 15_000;
/** Of a larger table of another program, nothing is judged. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Where nft is, should our PATH be that of a service manager without sbin. */
const NFT_PATH = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin';

/**
 * Puts the node's packet rules in place of the old ones, in one step and only after nft found no fault in them.
 * @throws WeftError E_NO_NFT, E_NOT_ROOT, E_NFT. The old rules then still hold.
 */
export async function applyRules(rules: PacketRules): Promise<void> {
  const batch = renderRules(rules);
  await nft(['--check', '--file', '-'], batch);
  await nft(['--file', '-'], batch);
}

/** The table as nft writes it, without counts; undefined where there is none. For comparison with itself alone. */
export async function readRules(): Promise<string | undefined> {
  return unlessMissing(nft(['--stateless', 'list', 'table', ...NFT_TABLE.split(' ')], ''));
}

/** Whether nft and this kernel would take the packet rules; nothing is changed. Throws as {@link applyRules} does. */
export async function checkRules(rules: PacketRules): Promise<void> {
  await nft(['--check', '--file', '-'], renderRules(rules));
}

/** Chains of other programs that drop what is forwarded between pods. Nothing of theirs is changed. */
export async function readForwardDrops(pods: PodInterfaces): Promise<ForwardDrop[]> {
  const drops: ForwardDrop[] = [];
  for (const chain of forwardChains(await nft(['--json', 'list', 'chains'], ''))) {
    const table = await unlessMissing(nft(['--json', 'list', 'table', chain.family, chain.table], ''));
    if (table !== undefined && dropsPods(table, chain, pods)) drops.push(chain);
  }
  return drops;
}

/** Removes our table. Succeeds where there is none. */
export async function removeRules(): Promise<void> {
  await nft(['--file', '-'], renderRemoval());
}

/**
 * Packets dropped by each rule since the table was last set; undefined where there is no table.
 * @throws WeftError E_NO_NFT, E_NOT_ROOT, E_NFT.
 */
export async function readRuleCounters(): Promise<Record<RuleCounter, number> | undefined> {
  const text = await unlessMissing(nft(['--json', 'list', 'counters', 'table', ...NFT_TABLE.split(' ')], ''));
  if (text === undefined) return undefined;
  const packetsByNftName = new Map<string, number>();
  for (const { counter } of (JSON.parse(text) as { nftables: NftEntry[] }).nftables) {
    if (counter?.name !== undefined) packetsByNftName.set(counter.name, counter.packets ?? 0);
  }
  const counts = RULE_COUNTER_NAMES.map((name) => [name, packetsByNftName.get(nftCounterName(name)) ?? 0]);
  return Object.fromEntries(counts) as Record<RuleCounter, number>;
}

/** Names of all tables and chains of this network namespace, also those of iptables-nft. Bounded by the length of the list. */
export async function readChainNames(): Promise<ReadonlySet<string>> {
  const text = await nft(['--json', 'list', 'chains'], '');
  const names = new Set<string>();
  for (const { table, chain } of (JSON.parse(text) as { nftables: NftEntry[] }).nftables) {
    if (table?.name !== undefined) names.add(table.name);
    if (chain?.name !== undefined) names.add(chain.name).add(chain.table ?? '');
  }
  return names;
}

interface NftEntry {
  readonly table?: { readonly name?: string };
  readonly chain?: { readonly name?: string; readonly table?: string };
  readonly counter?: { readonly name?: string; readonly packets?: number };
}

/** What nft `said` of our table; undefined where there is none. */
async function unlessMissing(said: Promise<string>): Promise<string | undefined> {
  try {
    return await said;
  } catch (error) {
    if (error instanceof WeftError && error.code === 'E_NFT' && error.message.includes('No such file'))
      return undefined;
    throw error;
  }
}

function nft(args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('nft', args, {
      env: { PATH: `${process.env.PATH ?? ''}:${NFT_PATH}`, LC_ALL: 'C' },
      timeout: NFT_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    const output = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        if (output[stream].length < MAX_OUTPUT_BYTES) output[stream] += text;
      });
    }
    child.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') return reject(failed(cause.message, cause));
      const remedy = 'install nftables (apt-get install nftables)';
      reject(new WeftError('E_NO_NFT', 'the program nft is missing', remedy, { cause }));
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output.stdout);
      else reject(failed(firstLine(output.stderr) || `ended by ${signal ?? `exit code ${code}`}`, undefined));
    });
    child.stdin.on('error', () => undefined); // its end is reported by 'close'
    child.stdin.end(input);
  });
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0]!.slice(0, 300);
}

function failed(reason: string, cause: unknown): WeftError {
  if (/Operation not permitted/.test(reason)) {
    return new WeftError('E_NOT_ROOT', 'packet rules may not be set', 'run as root or with CAP_NET_ADMIN', {
      cause,
    });
  }
  const remedy = 'see that the kernel has nf_tables with fib, masquerade and NAT';
  return new WeftError('E_NFT', `nft refused the packet rules: ${reason}`, remedy, { cause });
}
