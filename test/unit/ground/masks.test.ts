import { deepEqual, equal, match } from 'node:assert/strict';
import { parseCidr } from '../../../base/range.ts';
import { warningLine } from '../../../base/warning.ts';
import type { HostGround } from '../../../ground/host-ground.ts';
import { MAX_MASKS, masksOf } from '../../../ground/masks.ts';
import type { HostRoute } from '../../../linux/rtnetlink/route.ts';
import type { PolicyRule } from '../../../linux/rtnetlink/rule.ts';

const GROUND: HostGround = {
  tun: 'weft0',
  podPrefix: 'wv',
  ranges: [parseCidr('10.32.0.0/12')!, parseCidr('fd00:77::/64')!],
  addresses: [],
  mtu: 1364,
};
const linkByIndex = new Map([
  [2, { name: 'eth0', kind: undefined }],
  [3, { name: 'tun0', kind: 'tun' }],
  [7, { name: 'weft0', kind: 'tun' }],
  [9, { name: 'wv00000000001', kind: 'veth' }],
  [11, { name: 'wvpn0', kind: 'wireguard' }],
]);

function route(cidr: string, over: Partial<HostRoute> = {}): HostRoute {
  return {
    destination: parseCidr(cidr)!,
    kind: 'unicast',
    link: 3,
    gateway: undefined,
    metric: 0,
    preferredSource: undefined,
    table: 254,
    protocol: 3,
    mtu: undefined,
    ...over,
  };
}

function rule(priority: number, table: number, over: Partial<PolicyRule> = {}): PolicyRule {
  return {
    family: 4,
    priority,
    source: undefined,
    destination: undefined,
    incomingInterface: undefined,
    outgoingInterface: undefined,
    mark: undefined,
    narrowed: false,
    inverted: false,
    action: 'lookup',
    table,
    suppressedPrefix: undefined,
    target: undefined,
    protocol: 0,
    ...over,
  };
}

const USUAL = [rule(0, 255), rule(32_766, 254), rule(32_767, 253)];
const masks = (routes: readonly HostRoute[], rules: readonly PolicyRule[] = USUAL): string[] =>
  masksOf({ routes, rules, linkByIndex }, GROUND).map(warningLine);

describe('what leads packets for pods elsewhere', () => {
  it('is a more specific route of another program, with the command that removes it', () => {
    deepEqual(masks([route('10.33.0.0/16')]), [
      'the route 10.33.0.0/16 by tun0 takes packets for pods (10.32.0.0/12), which are dropped; remove it (ip route del 10.33.0.0/16), or have the program that made it leave out the pod range',
    ]);
    equal(masks([route('fd00:77::5/128')]).length, 1);
    match(masks([route('10.33.0.0/16', { link: 11 })])[0]!, /by wvpn0 takes packets for pods/);
    match(masks([route('10.40.0.0/24', { kind: 'unreachable', link: undefined })])[0]!, /\(unreachable\)/);
  });

  it('is a route as wide as ours only where it comes before it', () => {
    equal(masks([route('10.32.0.0/12')]).length, 1);
    equal(masks([route('10.32.0.0/12', { metric: 600 })]).length, 0);
  });

  it("is no wider route, no route elsewhere, none of ours or of pods, and none of the kernel's own", () => {
    const others = [
      route('0.0.0.0/0'),
      route('0.0.0.0/1'),
      route('10.0.0.0/8'),
      route('192.0.2.0/24'),
      route('10.32.0.0/12', { link: 7, protocol: 87 }),
      route('10.32.0.7/32', { link: 9, protocol: 87 }),
      route('10.32.0.8/32', { link: 9 }),
      route('10.32.0.1/32', { table: 255, kind: 'local', link: 7, protocol: 2 }),
    ];
    deepEqual(masks(others), []);
  });

  it('is an address of the host within the range, but for those of Weft', () => {
    const own = { table: 255, kind: 'local', protocol: 2 } as const;
    deepEqual(masks([route('10.33.0.9/32', { ...own, link: 2 })]), [
      'the host takes 10.33.0.9/32 for its own (on eth0): packets for pods there (10.32.0.0/12) end at the host; remove that address (ip address del 10.33.0.9/32 dev eth0), or that route (ip route del local 10.33.0.9/32 dev eth0)',
    ]);
    match(masks([route('fd00:77::9/128', { ...own, link: undefined })])[0]!, /on lo\)/);
    deepEqual(
      masks([route('10.32.0.1/32', { ...own, link: 7 }), route('192.0.2.1/32', { ...own, link: 2 })]),
      [],
    );
    deepEqual(
      masks([route('10.33.255.255/32', { ...own, kind: 'other', link: 2 })]),
      [],
      'a broadcast address',
    );
  });

  it('is a policy rule that refuses what is for pods, and that there is no way to the main table', () => {
    for (const action of ['prohibit', 'unreachable', 'blackhole'] as const)
      match(
        masks([], [...USUAL, rule(50, 0, { action })])[0]!,
        new RegExp(`the routing rule 50 \\(${action}\\)`),
      );
    deepEqual(masks([], [...USUAL, rule(40_000, 0, { action: 'prohibit' })]), [], 'after main');
    const elsewhere = { destination: parseCidr('192.0.2.0/24')! };
    deepEqual(masks([], [...USUAL, rule(50, 0, { action: 'prohibit', ...elsewhere })]), []);
    deepEqual(masks([], [rule(0, 255)]), [
      'no routing rule leads to the main table, so nothing leads packets to pods (10.32.0.0/12); put it back: ip -4 rule add lookup main pref 32766',
    ]);
    deepEqual(masks([], []), [], 'a kernel without policy routing');
  });

  it('is a policy rule whose table has a route for pods and that comes before the main table', () => {
    const routes = [route('0.0.0.0/0', { table: 1000 })];
    const [line] = masks(routes, [...USUAL, rule(100, 1000)]);
    match(line!, /^the routing rule 100 \(lookup 1000\) takes packets for pods \(10\.32\.0\.0\/12\)/);
    match(line!, /ip -4 rule add to 10\.32\.0\.0\/12 lookup main pref 99$/);
    equal(masks(routes, [...USUAL, rule(100, 1000, { destination: parseCidr('10.33.0.0/16')! })]).length, 1);
    equal(masks(routes, [...USUAL, rule(100, 1000, { mark: 0xca6c, inverted: true })]).length, 1);
  });

  it('is no rule for others: marked packets, other sources, other interfaces, an empty table, after main', () => {
    const routes = [route('0.0.0.0/0', { table: 1000 })];
    for (const other of [
      rule(100, 1000, { mark: 1 }),
      rule(100, 1000, { source: parseCidr('192.0.2.0/24')! }),
      rule(100, 1000, { incomingInterface: 'eth0' }),
      rule(100, 1000, { destination: parseCidr('192.0.2.0/24')! }),
      rule(100, 1001),
      rule(32_767, 1000),
    ])
      deepEqual(masks(routes, [...USUAL, other]), []);
    const wireguard = [rule(90, 254), rule(100, 1000, { mark: 0xca6c, inverted: true })];
    deepEqual(masks(routes, [...USUAL, ...wireguard]), [], 'wg-quick asks the main table first');
  });

  it('is a more specific route that refuses, or sends on to a table that has none, whatever its kind', () => {
    for (const kind of ['blackhole', 'prohibit', 'unreachable', 'throw'] as const)
      match(masks([route('10.40.0.0/24', { kind, link: undefined })])[0]!, new RegExp(`\\(${kind}\\)`));
  });

  it('is a rule after one that has the main table decide about some packets only', () => {
    const routes = [route('0.0.0.0/0', { table: 1000 })];
    const vpn = rule(200, 1000);
    for (const first of [
      rule(100, 254, { narrowed: true }),
      rule(100, 254, { destination: parseCidr('10.33.0.0/16')! }),
      rule(100, 254, { suppressedPrefix: 16 }),
    ])
      equal(masks(routes, [...USUAL, first, vpn]).length, 1);
    for (const first of [
      rule(100, 254),
      rule(100, 254, { destination: parseCidr('10.0.0.0/8')! }),
      rule(100, 254, { suppressedPrefix: 0 }),
      rule(100, 254, { suppressedPrefix: 11 }),
    ])
      deepEqual(masks(routes, [...USUAL, first, vpn]), []);
  });

  it('is a leap over the main table, and no leap over what would take packets', () => {
    const leap = (priority: number, target: number): PolicyRule =>
      rule(priority, 0, { action: 'goto', target });
    match(masks([], [...USUAL, leap(100, 32_767)])[0]!, /no routing rule leads to the main table/);
    const routes = [route('0.0.0.0/0', { table: 1000 })];
    deepEqual(masks(routes, [...USUAL, leap(100, 32_766), rule(200, 1000)]), []);
    const some = { incomingInterface: 'eth0' };
    equal(masks(routes, [...USUAL, { ...leap(100, 32_766), ...some }, rule(200, 1000)]).length, 1);
    match(
      masks([], [rule(0, 255), rule(32_766, 254, { suppressedPrefix: 32 })])[0]!,
      /no routing rule leads to the main table/,
    );
  });

  it('is no table that sends packets for pods on to the next one', () => {
    const routes = [
      route('0.0.0.0/0', { table: 1000 }),
      route('10.32.0.0/12', { table: 1000, kind: 'throw', link: undefined }),
    ];
    deepEqual(masks(routes, [...USUAL, rule(100, 1000)]), []);
    equal(masks([...routes, route('10.33.0.0/16', { table: 1000 })], [...USUAL, rule(100, 1000)]).length, 1);
  });

  it('is told a bounded number of times', () => {
    const many = Array.from({ length: 100 }, (_, i) => route(`10.33.${i}.0/24`));
    equal(masks(many).length, MAX_MASKS);
  });
});
