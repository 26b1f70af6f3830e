import { type NftObject, objectsDropPods, type PodInterfaces } from './forward-drops.ts';

/**
 * Whether the table `filter` of the old iptables, as `iptables-legacy-save -t filter` writes it, drops what is forwarded
 * between pods. A rule that says more than interfaces is taken not to match, as it is with nftables.
 */
export function legacyDropsPods(saved: string, pods: PodInterfaces): boolean {
  const objects: NftObject[] = [];
  for (const line of saved.split('\n')) {
    const [, policyOf, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
    if (policyOf !== undefined)
      objects.push({ chain: { name: policyOf, policy: policy === 'DROP' ? 'drop' : 'accept' } });
    const [, chain, rule] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    if (chain !== undefined) objects.push({ rule: { chain, expr: expressionOf(rule!) } });
  }
  return objectsDropPods(objects, 'FORWARD', pods);
}

const VERDICTS: Readonly<Record<string, string>> = {
  ACCEPT: 'accept',
  DROP: 'drop',
  REJECT: 'reject',
  RETURN: 'return',
};
const WORD = /"(?:[^"\\]|\\.)*"|\S+/g;

/** A rule in the form in which nft writes one. */
function expressionOf(rule: string): unknown[] {
  const words = rule.match(WORD) ?? [];
  const expression: unknown[] = [];
  for (let i = 0; i < words.length; i++) {
    const inverted = words[i] === '!';
    if (inverted) i++;
    const [option, value = ''] = [words[i], words[i + 1]];
    if (option === '-i' || option === '-o') {
      const left = { meta: { key: option === '-i' ? 'iifname' : 'oifname' } };
      const right = value.endsWith('+') ? `${value.slice(0, -1)}*` : value;
      expression.push({ match: { op: inverted ? '!=' : '==', left, right } });
    } else if (option === '-j' || option === '-g') {
      const verdict = VERDICTS[value];
      // What follows, as `--reject-with`, changes nothing of the verdict.
      if (verdict !== undefined) return [...expression, { [verdict]: null }];
      if (value === 'LOG') return [...expression, { log: null }];
      return [...expression, { [option === '-j' ? 'jump' : 'goto']: { target: value } }];
    } else if ((option === '-m' && value === 'comment') || option === '--comment') {
      // A comment matches everything.
    } else return [...expression, { unknown: option }];
    i++;
  }
  return expression;
}
