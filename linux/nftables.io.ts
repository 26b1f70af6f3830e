import type { Endpoint } from '../base/endpoint.ts';
import { dropsPods, type ForwardDrop, forwardChains, type PodInterfaces } from './forward-drops.ts';
import { nft, unlessMissing } from './nft.io.ts';
import { NFT_TABLE, type PacketRules, renderPeerPorts, renderRemoval, renderRules } from './nftables.ts';
import { nftCounterName, RULE_COUNTER_NAMES, type RuleCounter } from './rule-counters.ts';

/**
 * Puts the node's packet rules in place of the old ones, in one step and only after nft found no fault in them. `peers`: where
 * the tunnels of peers end.
 * @throws WeftError E_NO_NFT, E_NOT_ROOT, E_NFT. The old rules then still hold.
 */
export async function applyRules(rules: PacketRules, peers: readonly Endpoint[] = []): Promise<void> {
  await nft(['--file', '-'], (await takenRules(rules)) + renderPeerPorts(peers));
}

/** Tells the packet rules where the tunnels of peers end from now on. Throws as {@link applyRules} does, and where there are none. */
export async function applyPeerPorts(peers: readonly Endpoint[]): Promise<void> {
  await nft(['--file', '-'], renderPeerPorts(peers));
}

/** The table as nft writes it, without counts; undefined where there is none. For comparison with itself alone. */
export async function readRules(): Promise<string | undefined> {
  return unlessMissing(nft(['--stateless', 'list', 'table', ...NFT_TABLE.split(' ')], ''));
}

/** Whether nft and this kernel would take the packet rules; nothing is changed. Throws as {@link applyRules} does. */
export async function checkRules(rules: PacketRules): Promise<void> {
  await takenRules(rules);
}

/** The packet rules in a form in which nft and this kernel take them. */
async function takenRules(rules: PacketRules): Promise<string> {
  const check = async (batch: string): Promise<string> => {
    await nft(['--check', '--file', '-'], batch);
    return batch;
  };
  return check(renderRules(rules)).catch((error: unknown) =>
    check(renderRules(rules, { kinds: false })).catch(() => {
      throw error;
    }),
  );
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
