import { deepEqual, equal, ok } from 'node:assert/strict';
import { type Address, parseAddress } from '../../../../base/address.ts';
import { randomBelow } from '../../../../base/random.ts';
import type { PolicyRuleSet } from '../../../../linux/policy-table.ts';
import { decide, type Flow } from '../../../../npc/compiler/decide.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { RandomWorld } from '../random-world.ts';
import { type TrackedPacket, walk } from './rule-walker.ts';

const DROPS = { reject: false, log: { group: 1, packetsPerSecond: 10 } };

/** As plain data in one order, to compare. */
function plain({ decided, chainsByLink, addressesByLink, chains, sets }: PolicyRuleSet): object {
  const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] =>
    [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    decided: [...decided].sort(),
    chainsByLink: sorted(chainsByLink),
    addressesByLink: sorted(addressesByLink),
    chains: sorted(chains),
    sets: sorted(sets).map(([name, { type, interval, elements }]) => [
      name,
      type,
      interval,
      [...elements].sort(),
    ]),
  };
}

describe('the policy compiler', () => {
  it('makes of changes, one by one, the rules that it makes of everything at once', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const world = new RandomWorld(seededRandom(seed), DROPS);
      const steps: string[] = [];
      for (let i = 0; i < 120; i++) {
        steps.push(world.step());
        if (i % 3 > 0) continue;
        world.forgetHistory();
        const told = `seed ${seed}, after ${steps.length} steps, the last: ${steps.slice(-4).join('\n')}`;
        deepEqual(plain(world.compiler.ruleSet()), plain(world.fresh().ruleSet()), told);
      }
    }
  });

  it('writes rules that decide as decide does', () => {
    let denied = 0;
    let asked = 0;
    for (let seed = 1; seed <= 80; seed++) {
      const random = seededRandom(seed);
      const world = new RandomWorld(random, DROPS);
      for (let i = 0; i < 60; i++) world.step();
      const rules = world.compiler.ruleSet();
      for (let i = 0; i < 200; i++) {
        const question = randomFlow(random);
        const { source, destination, flow } = question;
        for (const [way, own] of [
          ['egress', source],
          ['ingress', destination],
        ] as const) {
          const [pod] = world.compiler.judged.cluster.podsAt(own);
          const link = world.links.find(
            (each) => pod !== undefined && world.compiler.podAt(each.link) === pod,
          )?.link;
          if (link === undefined) continue;
          const decision = decide(world.compiler.judged, flow);
          ok(typeof decision !== 'string', String(decision));
          if (decision[way].reason.startsWith('what comes from the own node')) continue;
          const verdict = walk(rules, link, way, question.packet);
          asked++;
          if (verdict === 'drop') denied++;
          equal(verdict === 'accept', decision[way].allowed, `seed ${seed}: ${JSON.stringify(flow)} ${way}`);
        }
      }
    }
    ok(asked > 2000 && denied > asked / 10 && denied < (asked * 9) / 10, `${denied} of ${asked} denied`);
  });
});

function randomFlow(random: Parameters<typeof randomBelow>[0]): {
  readonly source: string;
  readonly destination: string;
  readonly flow: Flow;
  readonly packet: TrackedPacket;
} {
  const family = randomBelow(random, 2) === 0 ? 4 : 6;
  const address = (): string => {
    const number = randomBelow(random, 42) + 1;
    if (randomBelow(random, 8) === 0) {
      const overlay = 1 + (number % 2);
      if (number % 3 === 0) return family === 4 ? `10.0.9.${overlay}` : `fd00::9:${overlay}`;
      return family === 4 ? `192.0.2.${1 + (number % 7)}` : `2001:db8::${1 + (number % 7)}`;
    }
    return family === 4 ? `10.0.0.${number}` : `fd00::${number}`;
  };
  const [source, destination] = [address(), address()];
  const protocol = (['TCP', 'TCP', 'UDP', 'SCTP', 'ICMP'] as const)[randomBelow(random, 5)]!;
  const port = [80, 81, 82, 443, 8080, 9][randomBelow(random, 6)]!;
  const isIcmp = protocol === 'ICMP';
  const parsed = (text: string): Address => parseAddress(text)!;
  return {
    source,
    destination,
    flow: {
      source: { address: source },
      destination: { address: destination },
      protocol,
      ...(isIcmp ? {} : { port }),
      viaService: true,
    },
    packet: {
      from: parsed(source),
      to: parsed(destination),
      protocol: isIcmp ? (family === 4 ? 'icmp' : 'icmpv6') : (protocol.toLowerCase() as 'tcp'),
      port,
      toItself: source === destination,
    },
  };
}
