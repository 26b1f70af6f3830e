import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { parseAddress } from '../../../base/address.ts';
import { formatRange, parseCidr } from '../../../base/range.ts';
import {
  type HostGround,
  hostRepairs,
  IPV6_FORWARDING,
  type ObservedHost,
  settingsOfHost,
  staleRoutes,
} from '../../../ground/host-ground.ts';
import type { InterfaceAddress } from '../../../linux/rtnetlink/interface-address.ts';
import type { Link } from '../../../linux/rtnetlink/link.ts';
import type { HostRoute } from '../../../linux/rtnetlink/route.ts';

const GROUND: HostGround = {
  tun: 'weft0',
  podPrefix: 'wv',
  ranges: [parseCidr('10.32.0.0/12')!, parseCidr('fd00:77::/64')!],
  addresses: [parseAddress('10.32.0.1')!, parseAddress('fd00:77::1')!],
  mtu: 1364,
};
const TUN: Link = {
  index: 7,
  name: 'weft0',
  up: true,
  mtu: 1364,
  txQueueLength: 1000,
  mac: new Uint8Array(0),
  alias: undefined,
  kind: 'tun',
  peerIndex: undefined,
  loopback: false,
  arp: false,
  masterIndex: undefined,
};

function route(cidr: string, over: Partial<HostRoute>): HostRoute {
  return {
    destination: parseCidr(cidr)!,
    kind: 'unicast',
    link: undefined,
    gateway: undefined,
    metric: 50,
    preferredSource: undefined,
    table: 254,
    protocol: 87,
    mtu: undefined,
    ...over,
  };
}

function entry(text: string): InterfaceAddress {
  const address = parseAddress(text)!;
  const prefix = address.family === 4 ? 32 : 128;
  return { link: 7, address, prefix, scope: 'global', usable: true, temporary: false };
}

/** A host on which all is as it should be. */
function sound(): ObservedHost {
  const [v4, v6] = GROUND.addresses as [HostRoute['gateway'], HostRoute['gateway']];
  return {
    tun: TUN,
    addresses: [entry('10.32.0.1'), entry('fd00:77::1')],
    routes: [
      route('10.32.0.0/12', { link: 7, preferredSource: v4 }),
      route('10.32.0.0/12', { kind: 'blackhole', metric: 100_000 }),
      route('fd00:77::/64', { link: 7, preferredSource: v6 }),
      route('fd00:77::/64', { kind: 'blackhole', metric: 100_000, link: 1 }),
      route('10.32.0.7/32', { link: 9, metric: 0 }),
      route('0.0.0.0/0', { link: 2, protocol: 3, metric: 0 }),
    ],
    valueByPath: new Map(settingsOfHost(GROUND).map(({ path, value }) => [path, value])),
    announcedBy: [],
  };
}

const words = (observed: ObservedHost, ground = GROUND): string[] =>
  hostRepairs(observed, ground).map(({ kind, found }) => `${kind}: ${found}`);

describe('the ground of a host', () => {
  it('needs nothing where all is as it should be', () => {
    deepEqual(words(sound()), []);
  });

  it('is made whole on an empty host, the blackholes first and routes into the tunnel after its addresses', () => {
    const valueByPath = new Map(settingsOfHost(GROUND).map(({ path }) => [path, '7']));
    const tun = { ...TUN, up: false, mtu: 1500, txQueueLength: 500 };
    const found = words({ tun, addresses: [], routes: [], valueByPath, announcedBy: [] });
    match(found[0]!, /^route: the blackhole beneath 10\.32\.0\.0\/12 is missing$/);
    match(found[1]!, /^route: the blackhole beneath fd00:77::\/64 is missing$/);
    const at = (pattern: RegExp): number => found.findIndex((line) => pattern.test(line));
    ok(at(/forwarding is 7/) > 1 && at(/disable_ipv6/) < at(/is down/));
    ok(at(/is down/) < at(/lacks the address fd00:77::1/));
    ok(at(/lacks the address fd00:77::1/) < at(/the route 10\.32\.0\.0\/12 into weft0/));
  });

  it('names what differs: a setting, the interface, an address, a route', () => {
    const host = sound();
    const tun = { ...TUN, up: false, mtu: 1500, masterIndex: 3, txQueueLength: 10 };
    deepEqual(words({ ...host, tun }), [
      'tun: weft0 is a port of another interface',
      'tun: weft0 has MTU 1500',
      'tun: weft0 has a queue of 10 packets',
      'tun: weft0 is down',
    ]);
    deepEqual(words({ ...host, addresses: [entry('10.32.0.1'), entry('10.32.0.9')] }), [
      "address: weft0 has the address 10.32.0.9/32, which is not the node's",
      'address: weft0 lacks the address fd00:77::1',
    ]);
    const valueByPath = new Map(host.valueByPath).set('net/ipv4/ip_forward', '0');
    deepEqual(words({ ...host, valueByPath }), [
      'sysctl: the kernel setting net.ipv4.ip_forward is 0 and must be 1',
    ]);
    for (const missing of [0, 1, 2, 3]) {
      const found = words({ ...host, routes: host.routes.filter((_, i) => i !== missing) });
      equal(found.length, 1);
      match(found[0]!, missing % 2 ? /^route: the blackhole beneath/ : /^route: the route .* into weft0/);
    }
  });

  it('takes no route of another program, table or interface for its own', () => {
    for (const over of [{ protocol: 4 }, { table: 100 }, { link: 2 }, { metric: 51 }]) {
      const host = sound();
      const [first, ...rest] = host.routes;
      const found = words({ ...host, routes: [{ ...first!, ...over }, ...rest] });
      match(found[0]!, /the route 10\.32\.0\.0\/12 into weft0 is missing/);
    }
  });

  it('loses what is left of other settings, and spares pods and others', () => {
    const other: HostGround = { ...GROUND, ranges: [parseCidr('10.32.0.0/13')!] };
    deepEqual(
      staleRoutes(sound(), other).map(({ kind, metric }) => [kind, metric]),
      [
        ['unicast', 50],
        ['blackhole', 100_000],
        ['unicast', 50],
        ['blackhole', 100_000],
      ],
    );
  });

  it('loses all of its routes at a reset, and no other', () => {
    deepEqual(
      staleRoutes(sound(), { ranges: [] }).map(({ destination, kind, metric }) => [
        formatRange(destination),
        kind,
        metric,
      ]),
      [
        ['10.32.0.0/12', 'unicast', 50],
        ['10.32.0.0/12', 'blackhole', 100_000],
        ['fd00:77::/64', 'unicast', 50],
        ['fd00:77::/64', 'blackhole', 100_000],
      ],
    );
  });

  it('has interfaces that live by router advertisements go on before IPv6 is forwarded', () => {
    const host = sound();
    const valueByPath = new Map(host.valueByPath)
      .set(IPV6_FORWARDING, '0')
      .set('net/ipv6/conf/eth0/accept_ra', '1')
      .set('net/ipv6/conf/eth1/accept_ra', '0');
    const [repair] = hostRepairs({ ...host, valueByPath, announcedBy: ['eth0', 'eth1'] }, GROUND);
    deepEqual(repair!.sysctls, [
      { path: 'net/ipv6/conf/eth0/accept_ra', value: '2' },
      { path: IPV6_FORWARDING, value: '1' },
    ]);
  });

  it('asks nothing of an interface that is gone but that packets for pods are dropped', () => {
    const found = words({ ...sound(), tun: undefined, routes: [], addresses: [] });
    deepEqual(found, [
      'route: the blackhole beneath 10.32.0.0/12 is missing',
      'route: the blackhole beneath fd00:77::/64 is missing',
    ]);
  });
});
