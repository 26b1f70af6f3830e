/**
 * Where another program's packet filter drops what is forwarded between pods, as Docker does by the policy DROP of the
 * chain FORWARD, and firewalld by a last rule that rejects. Read from `nft --json list table`; rules that this cannot
 * judge (a mark, a set, an extension of iptables) are taken not to match.
 */
export interface ForwardDrop {
  readonly family: 'ip' | 'ip6' | 'inet';
  readonly table: string;
  readonly chain: string;
  /** Of the old iptables, which nftables does not show. */
  readonly legacy?: true;
}

/** A base chain at the hook `forward`, as `nft --json list chains` tells it. */
export type ForwardChain = ForwardDrop;

/** Interfaces between which packets of pods are forwarded. */
export interface PodInterfaces {
  readonly tun: string;
  readonly podPrefix: string;
}

const MAX_DEPTH = 16;
/** What these drop is to be dropped. */
const OWN_TABLES = ['weft', 'weft-npc'];

/** The filter chains at the hook `forward`, but for our own; none where `json` is not what nft writes. */
export function forwardChains(json: string): ForwardChain[] {
  return objectsOf(json).flatMap(({ chain }) => {
    if (!isObject(chain) || chain.hook !== 'forward' || chain.type !== 'filter') return [];
    const { family, table, name } = chain;
    if (family !== 'ip' && family !== 'ip6' && family !== 'inet') return [];
    if (typeof table !== 'string' || typeof name !== 'string' || OWN_TABLES.includes(table)) return [];
    return [{ family, table, chain: name }];
  });
}

/** Whether `chain` of the table in `json` drops what is forwarded between pods of this node, or by the tunnel. */
export function dropsPods(json: string, { chain }: ForwardChain, pods: PodInterfaces): boolean {
  return objectsDropPods(objectsOf(json), chain, pods);
}

/** The same of the chains and rules that `objects` has. */
export function objectsDropPods(
  objects: readonly NftObject[],
  chain: string,
  { tun, podPrefix }: PodInterfaces,
): boolean {
  const pod = `${podPrefix}00000000000`;
  const ways = [
    [pod, tun],
    [tun, pod],
    [pod, `${podPrefix}00000000001`],
  ] as const;
  const base = objects.map((object) => object.chain).find((one) => isObject(one) && one.name === chain);
  const policy = isObject(base) && base.policy === 'drop' ? 'drop' : 'accept';
  return ways.some(([from, to]) => (verdictOf(objects, chain, from, to, 0) ?? policy) === 'drop');
}

/** A chain or a rule, in the form in which nft writes it. */
export type NftObject = Readonly<Record<string, unknown>>;

type Verdict = 'accept' | 'drop';

/** What the rules of a chain say; undefined where they end without a word. */
function verdictOf(
  objects: readonly NftObject[],
  chain: string,
  from: string,
  to: string,
  depth: number,
): Verdict | undefined {
  if (depth > MAX_DEPTH) return undefined;
  for (const { rule } of objects) {
    if (!isObject(rule) || rule.chain !== chain || !Array.isArray(rule.expr)) continue;
    for (const statement of rule.expr) {
      if (!isObject(statement)) break;
      if ('match' in statement) {
        if (!matches(statement.match, from, to)) break;
      } else if ('accept' in statement) return 'accept';
      else if ('drop' in statement || 'reject' in statement) return 'drop';
      else if ('return' in statement) return undefined;
      else if ('jump' in statement || 'goto' in statement) {
        const target = isObject(statement.jump ?? statement.goto) ? (statement.jump ?? statement.goto) : {};
        const verdict = verdictOf(objects, String((target as NftObject).target), from, to, depth + 1);
        if (verdict !== undefined || 'goto' in statement) return verdict;
      } else if (!('counter' in statement || 'log' in statement)) break;
    }
  }
  return undefined;
}

/** Only what names interfaces can be judged. */
function matches(match: unknown, from: string, to: string): boolean {
  if (!isObject(match) || !isObject(match.left) || !isObject(match.left.meta)) return false;
  const { key } = match.left.meta;
  if (key !== 'iifname' && key !== 'oifname') return false;
  const name = key === 'iifname' ? from : to;
  const { right } = match;
  const set = isObject(right) && Array.isArray(right.set) ? right.set : [right];
  const found = set.some((pattern) => {
    if (typeof pattern !== 'string') return false;
    return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  });
  return match.op === '!=' ? !found : found;
}

function objectsOf(json: string): NftObject[] {
  try {
    const parsed: unknown = JSON.parse(json);
    const objects = isObject(parsed) ? parsed.nftables : undefined;
    return Array.isArray(objects) ? objects.filter(isObject) : [];
  } catch {
    return [];
  }
}

function isObject(value: unknown): value is NftObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
