import { equal } from 'node:assert/strict';
import { legacyDropsPods } from '../../../linux/legacy-drops-pods.ts';

const PODS = { tun: 'weft0', podPrefix: 'wv' };
const REJECT = '-A FORWARD -j REJECT --reject-with icmp-port-unreachable';

/** The table as iptables-legacy-save writes it. */
function saved(policy: string, ...rules: string[]): string {
  const chains = [':INPUT ACCEPT [0:0]', `:FORWARD ${policy} [12:900]`, ':DOCKER-USER - [0:0]'];
  return ['# Generated', '*filter', ...chains, ...rules, 'COMMIT', ''].join('\n');
}

const WAYS = ['-i wv+', '-i weft0', '-o wv+', '-o weft0'].map((way) => `-A FORWARD ${way} -j ACCEPT`);

describe('the old iptables at the chain FORWARD', () => {
  const cases: [what: string, drops: boolean, text: string][] = [
    ['drop by their policy', true, saved('DROP')],
    ['pass by their policy', false, saved('ACCEPT')],
    ['pass what is accepted first', false, saved('DROP', ...WAYS)],
    ['drop one of two ways', true, saved('DROP', WAYS[0]!, WAYS[1]!.replace('weft0', 'docker0'))],
    ['drop by a last rule that rejects', true, saved('ACCEPT', REJECT)],
    [
      'pass by a chain that they jump to, with a comment of blanks',
      false,
      saved(
        'DROP',
        '-A FORWARD -m comment --comment "what \\"we\\" let pass" -j DOCKER-USER',
        '-A DOCKER-USER -j LOG --log-prefix "x -j DROP"',
        '-A DOCKER-USER -j ACCEPT',
      ),
    ],
    ['come back from a chain', true, saved('DROP', '-A FORWARD -j DOCKER-USER', '-A DOCKER-USER -j RETURN')],
    ['are not judged by what says more than interfaces', true, saved('DROP', '-A FORWARD -p tcp -j ACCEPT')],
    ['drop all but what comes in by others', true, saved('ACCEPT', '-A FORWARD ! -i eth0 -o wv+ -j DROP')],
    ['are none', false, ''],
  ];
  for (const [what, drops, text] of cases)
    it(`${what}: ${drops ? 'pods are dropped' : 'pods pass'}`, () =>
      equal(legacyDropsPods(text, PODS), drops));
});
