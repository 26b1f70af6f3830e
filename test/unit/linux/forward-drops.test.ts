import { deepEqual, equal } from 'node:assert/strict';
import { dropsPods, type ForwardChain, forwardChains } from '../../../linux/forward-drops.ts';

const PODS = { tun: 'weft0', podPrefix: 'wv' };
const CHAIN: ForwardChain = { family: 'ip', table: 'filter', chain: 'FORWARD' };
const match = (key: string, right: unknown, op = '=='): unknown => ({
  match: { op, left: { meta: { key } }, right },
});
const accept = { accept: null };
const drop = { drop: null };

/** The table `ip filter` as nft writes it, with the rules of FORWARD and of other chains. */
function table(
  policy: string,
  rules: readonly unknown[][],
  others: Readonly<Record<string, unknown[][]>> = {},
): string {
  const chain = {
    family: 'ip',
    table: 'filter',
    name: 'FORWARD',
    type: 'filter',
    hook: 'forward',
    prio: 0,
    policy,
  };
  const nftables: unknown[] = [{ metainfo: {} }, { chain }];
  for (const [name, list] of Object.entries({ FORWARD: rules, ...others }))
    for (const expr of list) nftables.push({ rule: { family: 'ip', table: 'filter', chain: name, expr } });
  return JSON.stringify({ nftables });
}

describe("another program's filter at the hook forward", () => {
  const drops = (...args: Parameters<typeof table>): boolean => dropsPods(table(...args), CHAIN, PODS);

  it('drops by its policy, as Docker sets it, whatever it accepts for its own', () => {
    equal(drops('drop', []), true);
    equal(drops('drop', [[match('oifname', 'docker0'), { xt: { name: 'conntrack' } }, accept]]), true);
    equal(drops('accept', []), false);
  });

  it('lets pods pass where the commands of the warning were given', () => {
    const commands = ['iifname', 'oifname'].flatMap((key) => [
      [match(key, 'wv*'), { counter: {} }, accept],
      [match(key, 'weft0'), { counter: {} }, accept],
    ]);
    equal(drops('drop', commands), false);
    equal(drops('drop', [[match('iifname', { set: ['wv*', 'weft0'] }), accept]]), false);
    equal(drops('drop', [[match('iifname', 'wv*'), accept]]), true, 'one way only: what comes by the tunnel');
  });

  it('drops by a last rule, as firewalld rejects, and not by one for other interfaces', () => {
    equal(drops('accept', [[{ counter: {} }, { reject: { type: 'icmpx' } }]]), true);
    equal(drops('accept', [[match('iifname', 'eth0'), drop]]), false);
    equal(drops('accept', [[match('oifname', 'eth0', '!='), drop]]), true);
    equal(drops('accept', [[match('mark', 7), drop]]), false, 'what cannot be judged is taken not to match');
  });

  it('is followed into the chains that it calls', () => {
    const jump = [{ counter: {} }, { jump: { target: 'USER' } }];
    equal(
      drops('drop', [jump], {
        USER: [
          [match('iifname', 'wv*'), accept],
          [match('iifname', 'weft0'), accept],
        ],
      }),
      false,
    );
    equal(drops('accept', [jump], { USER: [[{ return: null }], [drop]] }), false);
    equal(drops('accept', [jump], { USER: [[drop]] }), true);
    equal(drops('accept', [jump], { USER: [jump] }), false, 'a circle ends');
  });

  it('is a filter chain of IP at that hook, and none of ours', () => {
    const chain = (over: object): unknown => ({
      chain: { family: 'ip', table: 'filter', name: 'FORWARD', type: 'filter', hook: 'forward', ...over },
    });
    const all = [
      {},
      { type: 'nat' },
      { hook: 'input' },
      { family: 'bridge' },
      { table: 'weft' },
      { table: 'weft-npc' },
      { name: 7 },
    ];
    deepEqual(forwardChains(JSON.stringify({ nftables: all.map(chain) })), [CHAIN]);
    for (const json of ['', '[]', '{"nftables": 3}', '{"nftables": [null, {"chain": 1}]}'])
      deepEqual(forwardChains(json), []);
  });
});
