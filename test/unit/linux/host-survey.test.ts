import assert from 'node:assert/strict';
import { formatAddress, parseAddress } from '../../../base/address.ts';
import { formatRange, parseCidr } from '../../../base/range.ts';
import {
  advertisableAddresses,
  defaultMtu,
  findOverlap,
  type HostSurvey,
  MAX_ADVERTISED_ADDRESSES,
} from '../../../linux/host-survey.ts';
import type { InterfaceAddress } from '../../../linux/rtnetlink/interface-address.ts';
import type { Link } from '../../../linux/rtnetlink/link.ts';
import type { HostRoute } from '../../../linux/rtnetlink/route.ts';

const OWN = { tun: 'weft0', podPrefix: 'wv' };
const RANGES = [parseCidr('10.32.0.0/12')!, parseCidr('fd00:77::/64')!];

function link(index: number, name: string, up = true): Link {
  const rest = {
    mtu: 1500,
    txQueueLength: 0,
    mac: new Uint8Array(6),
    loopback: name === 'lo',
    arp: true,
    masterIndex: undefined,
  };
  const kind = /^wv\d/.test(name) ? 'veth' : undefined;
  return { index, name, up, ...rest, alias: undefined, kind, peerIndex: undefined };
}

function route(cidr: string, changes: Partial<HostRoute> = {}): HostRoute {
  const rest = {
    gateway: undefined,
    metric: 0,
    preferredSource: undefined,
    table: 254,
    protocol: 3,
    mtu: undefined,
  };
  return { destination: parseCidr(cidr)!, kind: 'unicast', link: 2, ...rest, ...changes };
}

function address(text: string, changes: Partial<InterfaceAddress> = {}): InterfaceAddress {
  const rest = {
    link: 2,
    prefix: text.includes(':') ? 64 : 24,
    scope: 'global',
    usable: true,
    temporary: false,
  } as const;
  return { address: parseAddress(text)!, ...rest, ...changes };
}

const survey = (changes: Partial<HostSurvey>): HostSurvey => ({
  links: [link(1, 'lo'), link(2, 'eth0'), link(3, 'weft0'), link(4, 'wv00000000001'), link(5, 'eth1', false)],
  addresses: [],
  routes: [],
  ...changes,
});

describe('a pod range overlaps', () => {
  const useOf = (changes: Partial<HostSurvey>): string | undefined => {
    const overlap = findOverlap(survey(changes), RANGES, OWN);
    return overlap && `${formatRange(overlap.range)}: ${overlap.use}`;
  };

  it('a route into it, one around it, and one by a gateway without interface', () => {
    assert.equal(useOf({ routes: [route('10.33.0.0/16')] }), '10.32.0.0/12: route 10.33.0.0/16 on eth0');
    assert.equal(useOf({ routes: [route('10.0.0.0/8')] }), '10.32.0.0/12: route 10.0.0.0/8 on eth0');
    assert.equal(
      useOf({ routes: [route('10.47.255.255/32', { link: undefined })] }),
      '10.32.0.0/12: route 10.47.255.255/32',
    );
    assert.equal(useOf({ routes: [route('fd00:77::8/125')] }), 'fd00:77::/64: route fd00:77::8/125 on eth0');
  });

  it('no default route, whole or in the pieces in which a VPN sets one', () => {
    for (const wide of ['0.0.0.0/0', '0.0.0.0/1', '8.0.0.0/7', '::/0', '8000::/1', 'fc00::/7'])
      assert.equal(useOf({ routes: [route(wide)] }), undefined);
  });

  it('the subnet of an address of the host', () => {
    assert.equal(useOf({ addresses: [address('10.40.1.2')] }), '10.32.0.0/12: address 10.40.1.0/24 of eth0');
  });

  it('no default route, no neighbour of the range, nothing of its own', () => {
    assert.equal(
      useOf({ routes: [route('0.0.0.0/0'), route('::/0'), route('10.48.0.0/12'), route('10.16.0.0/12')] }),
      undefined,
    );
    assert.equal(
      useOf({ routes: [route('10.32.0.0/12', { link: 3 }), route('10.32.0.5/32', { link: 4 })] }),
      undefined,
    );
    assert.equal(
      useOf({ routes: [route('10.32.0.0/12', { kind: 'blackhole', link: undefined, protocol: 87 })] }),
      undefined,
    );
    assert.equal(useOf({ addresses: [address('10.32.0.1', { link: 3 })] }), undefined);
  });
});

describe('addresses offered to peers', () => {
  const offered = (...addresses: InterfaceAddress[]): string[] =>
    advertisableAddresses(survey({ addresses }), RANGES, OWN).map(formatAddress);

  it('are global, usable, lasting, and on an interface that is up', () => {
    assert.deepEqual(
      offered(
        address('2001:db8::1'),
        address('192.0.2.1'),
        address('192.0.2.2', { link: 5 }),
        address('127.0.0.1', { link: 1, scope: 'host' }),
        address('fe80::1', { scope: 'link' }),
        address('2001:db8::2', { usable: false }),
        address('2001:db8::3', { temporary: true }),
        address('169.254.7.7'),
        address('203.0.113.1', { link: 1 }),
      ),
      ['192.0.2.1', '203.0.113.1', '2001:db8::1'],
    );
  });

  it('are none of the overlay', () => {
    assert.deepEqual(
      offered(address('10.32.0.1', { link: 3 }), address('10.33.0.1'), address('192.0.2.9', { link: 4 })),
      [],
    );
  });

  it('are bounded in number', () => {
    const many = Array.from({ length: 300 }, (_, i) => address(`198.51.${100 + (i >> 8)}.${i & 255}`));
    assert.equal(offered(...many).length, MAX_ADVERTISED_ADDRESSES);
    assert.ok(MAX_ADVERTISED_ADDRESSES > 64, 'bridges of containers sort before the address that works');
  });
});

describe("the MTU of the host's way into the world", () => {
  const links = [
    { ...link(2, 'eth0'), mtu: 9000 },
    { ...link(3, 'weft0'), mtu: 1364 },
    { ...link(6, 'docker0'), mtu: 1280 },
    { ...link(7, 'eth1'), mtu: 1500 },
  ];
  const mtuOf = (...routes: HostRoute[]): number | undefined => defaultMtu(survey({ links, routes }), OWN);

  it('is that of the default route that is taken, in either family', () => {
    assert.equal(mtuOf(route('0.0.0.0/0'), route('172.17.0.0/16', { link: 6 })), 9000);
    assert.equal(
      mtuOf(route('0.0.0.0/0', { metric: 100 }), route('0.0.0.0/0', { link: 7, metric: 50 })),
      1500,
    );
    assert.equal(mtuOf(route('0.0.0.0/0'), route('::/0', { link: 7 })), 1500);
  });

  it('is what an administrator set on the route, never more than the interface has', () => {
    assert.equal(mtuOf(route('0.0.0.0/0', { mtu: 1400 })), 1400);
    assert.equal(mtuOf(route('0.0.0.0/0', { link: 7, mtu: 9000 })), 1500);
  });

  it('is not known without a default route in the main table, or with one into the tunnel', () => {
    assert.equal(mtuOf(route('192.0.2.0/24')), undefined);
    assert.equal(mtuOf(route('0.0.0.0/0', { table: 100 })), undefined);
    assert.equal(mtuOf(route('0.0.0.0/0', { link: 3 })), undefined);
  });
});
