import { WeftError } from '../base/weft-error.ts';
import { nft, unlessMissing } from './nft.io.ts';
import {
  addressesIn,
  DECIDED_SET,
  decidedIn,
  GATE_CHAINS,
  type GateChange,
  type GateCounter,
  NFT_GATE_COUNTER,
  POLICY_TABLE,
  renderDecided,
  renderGate,
  renderGateAlone,
  renderPolicyRemoval,
  type TableAddresses,
} from './policy-gate.ts';
import { NFT_POLICY_COUNTER, type PolicyCounter } from './policy-rules.ts';

/**
 * The gate in the kernel. Of the rest of the table only counters are read, and sets where it must be, for it may be large: every
 * function here runs nft once or twice and throws WeftError E_NO_NFT, E_NOT_ROOT or E_NFT, and the kernel is then as it was.
 */

const TABLE = POLICY_TABLE.split(' ');

/** Lays the gate, whatever is there of it, beside what else is in the table; see {@link renderGate}. */
export async function layGate(change: GateChange): Promise<void> {
  await nft(['--file', '-'], renderGate(change));
}

/** Puts a gate alone in place of the whole table. */
export async function layGateAlone(decided: readonly string[]): Promise<void> {
  await nft(['--file', '-'], renderGateAlone(decided));
}

/** Changes the set of those decided; nothing is run where nothing changes. Rejects where there is no gate. */
export async function changeDecided(change: GateChange): Promise<void> {
  const batch = renderDecided(change);
  if (batch !== '') await nft(['--file', '-'], batch);
}

/** The links in the set; undefined where there is no such set. */
export async function readDecided(): Promise<Set<string> | undefined> {
  const listing = await unlessMissing(nft(['list', 'set', ...TABLE, DECIDED_SET], ''));
  return listing === undefined ? undefined : decidedIn(listing);
}

/**
 * The addresses that rules tell apart, see {@link addressesIn}; none where there is no table. In a table of many sets this
 * takes a quarter of a second.
 */
export async function readTableAddresses(): Promise<TableAddresses> {
  const listing = await unlessMissing(nft(['list', 'sets', 'table', ...TABLE], ''));
  if (listing === undefined) return { peers: new Set(), known: new Set() };
  const addresses = addressesIn(listing);
  if (addresses !== undefined) return addresses;
  throw new WeftError(
    'E_NFT',
    'the sets of the table inet weft-npc are too large to be read',
    'see that weft-npc runs',
  );
}

/**
 * The chains as nft writes them, for comparison with themselves alone; undefined where one is missing. nft reads more than
 * it shows: in a table of thousands of chains this takes a quarter of a second, so it is for when they were touched.
 */
export async function readGateChains(): Promise<string | undefined> {
  const texts: string[] = [];
  for (const chain of GATE_CHAINS) {
    // Without --terse it would read the elements of all sets in the table.
    const text = await unlessMissing(nft(['--terse', '--stateless', 'list', 'chain', ...TABLE, chain], ''));
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return texts.join('');
}

/** Removes the whole table, also what weft-npc has in it. Succeeds where there is none. */
export async function removePolicyTable(): Promise<void> {
  await nft(['--file', '-'], renderPolicyRemoval());
}

/** Packets that the gate and policies dropped since they were last laid; undefined where there is no table. */
export async function readPolicyCounters(): Promise<Record<GateCounter | PolicyCounter, number> | undefined> {
  const text = await unlessMissing(nft(['--json', 'list', 'counters', 'table', ...TABLE], ''));
  if (text === undefined) return undefined;
  const packetsByName = new Map<string, number>();
  for (const { counter } of (JSON.parse(text) as { nftables: NftEntry[] }).nftables) {
    if (counter?.name !== undefined) packetsByName.set(counter.name, counter.packets ?? 0);
  }
  const counts = Object.entries({ ...NFT_GATE_COUNTER, ...NFT_POLICY_COUNTER }).map(([name, inNft]) => [
    name,
    packetsByName.get(inNft) ?? 0,
  ]);
  return Object.fromEntries(counts) as Record<GateCounter | PolicyCounter, number>;
}

interface NftEntry {
  readonly counter?: { readonly name?: string; readonly packets?: number };
}
