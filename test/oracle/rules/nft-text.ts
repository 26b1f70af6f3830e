/** What a text for `nft -f` puts into a table, as far as it is written the way that weft-npc writes it. */
export interface NftTable {
  /** Elements as they are written: `10.0.0.1`, `10.0.0.0/8`, `80-90`, a name. */
  readonly sets: ReadonlyMap<string, readonly string[]>;
  /** Verdict by key. */
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly chains: ReadonlyMap<string, NftChain>;
}

export interface NftChain {
  /** Undefined for a chain that others jump to. */
  readonly base: { readonly hook: string; readonly priority: number } | undefined;
  readonly rules: readonly string[];
}

/** Reads the last table of a text. @throws Where a line is none that it knows. */
export function readNftTable(text: string): NftTable {
  const sets = new Map<string, string[]>();
  const maps = new Map<string, Map<string, string>>();
  const chains = new Map<string, NftChain>();
  let chain: { base: NftChain['base']; rules: string[] } | undefined;
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (chain !== undefined && line !== '}') {
      const base = /^type filter hook (\w+) priority filter(?: ([+-]) (\d+))?; policy accept;$/.exec(line);
      if (base === null) chain.rules.push(line);
      else chain.base = { hook: base[1]!, priority: Number(`${base[2] ?? ''}${base[3] ?? 0}`) };
      continue;
    }
    if (chain !== undefined) {
      chain = undefined;
      continue;
    }
    const [, kind, name, body] = /^(set|map) (\S+) \{ type (.*)\}$/.exec(line) ?? [];
    const elements = (/elements = \{ (.*?) \}/.exec(body ?? '')?.[1] ?? '')
      .split(', ')
      .filter((element) => element !== '')
      .map((element) => element.replaceAll('"', ''));
    if (kind === 'set') sets.set(name!, elements);
    else if (kind === 'map')
      maps.set(name!, new Map(elements.map((element) => element.split(' : ') as [string, string])));
    else if (/^chain \S+ \{$/.test(line)) {
      chain = { base: undefined, rules: [] };
      chains.set(line.split(' ')[1]!, chain);
    } else if (!/^(|\}|table \S+ \S+( \{)?|delete table \S+ \S+|(counter|limit) \S+ \{.*\})$/.test(line)) {
      throw new Error(`no line of a table that is known: ${line}`);
    }
  }
  return { sets, maps, chains };
}
