import { type Address, formatAddress, parseAddress } from '../../../../base/address.ts';
import type { Way } from '../../../../linux/policy-rules.ts';
import type { PolicyRuleSet } from '../../../../linux/policy-table.ts';
import { blocksContain, mergeBlocks, readBlock } from '../../../../npc/model/address-blocks.ts';

/** The first packet of a flow, as connection tracking notes it. */
export interface TrackedPacket {
  readonly from: Address;
  readonly to: Address;
  /** As nft calls it. */
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmpv6';
  readonly port: number;
  /** It goes out where it came in. */
  readonly toItself: boolean;
}

/** What nft would make of a packet at a link, by the rules as they are written. Only what our rules are made of is known. */
export function walk(rules: PolicyRuleSet, link: string, way: Way, packet: TrackedPacket): 'accept' | 'drop' {
  const chain = rules.chainsByLink.get(link)?.[way]?.straight;
  if (chain === undefined) return 'accept';
  return walkChain(rules, chain, packet) ?? 'accept';
}

function walkChain(rules: PolicyRuleSet, name: string, packet: TrackedPacket): 'accept' | 'drop' | undefined {
  const chain = rules.chains.get(name);
  if (chain === undefined) throw new Error(`there is no chain ${name}`);
  for (const rule of chain) {
    let rest = rule;
    let matches = true;
    for (;;) {
      const condition = CONDITIONS.find(([pattern]) => pattern.test(rest));
      if (condition === undefined) break;
      const [pattern, test] = condition;
      const match = pattern.exec(rest)!;
      if (!test(rules, packet, match)) matches = false;
      rest = rest.slice(match[0].length);
    }
    const verdict = /^(accept|drop|return|jump (\S+)|goto (\S+)|counter .*|limit .*)$/.exec(rest);
    if (verdict === null) throw new Error(`a rule is not known: ${rule}`);
    if (!matches) continue;
    const [, text, jump, goto] = verdict;
    if (text === 'accept' || text === 'drop') return text;
    if (text === 'return') return undefined;
    if (goto !== undefined) return walkChain(rules, goto, packet);
    if (jump === undefined) continue;
    const inner = walkChain(rules, jump, packet);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

type Test = (rules: PolicyRuleSet, packet: TrackedPacket, match: RegExpExecArray) => boolean;

const CONDITIONS: readonly (readonly [RegExp, Test])[] = [
  [
    /^ct (original|reply) (ip6?) saddr (!= )?@(\S+) /,
    (rules, { from, to }, [, tuple, family, not, set]) => {
      const address = tuple === 'original' ? from : to;
      const isOfFamily = address.family === (family === 'ip' ? 4 : 6);
      return isOfFamily && isIn(rules, set!, address) === (not === undefined);
    },
  ],
  [
    /^ct (original|reply) ip6? saddr (\S+\/\d+) /,
    (_, { from, to }, [, tuple, range]) =>
      blocksContain([readBlock(range!)!], tuple === 'original' ? from : to),
  ],
  [/^meta l4proto (\S+) /, (_, { protocol }, [, wanted]) => protocol === wanted],
  [/^ct protocol (\S+) /, (_, { protocol }, [, wanted]) => protocol === wanted],
  [
    /^ct reply proto-src (\S+) /,
    (rules, { port }, [, ports]) => {
      const spans = ports!.startsWith('@') ? [...setOf(rules, ports!.slice(1)).elements] : [ports!];
      return spans.some((span) => {
        const [first, last = first] = span.split('-').map(Number) as [number, number?];
        return first <= port && port <= last;
      });
    },
  ],
  [/^oifname "wv\*" fib daddr \. iif oif exists /, (_, { toItself }) => toItself],
];

function setOf(rules: PolicyRuleSet, name: string) {
  const set = rules.sets.get(name);
  if (set === undefined) throw new Error(`there is no set ${name}`);
  return set;
}

function isIn(rules: PolicyRuleSet, name: string, address: Address): boolean {
  const { interval, elements } = setOf(rules, name);
  if (!interval) return elements.has(formatAddress(address));
  const ranges = [...elements].map((text) => {
    const block = readBlock(text);
    if (block !== undefined) return block;
    const [first, last] = text.split('-').map((each) => parseAddress(each)!) as [Address, Address];
    return { family: first.family, start: first.value, end: last.value + 1n };
  });
  return blocksContain(mergeBlocks(ranges), address);
}
