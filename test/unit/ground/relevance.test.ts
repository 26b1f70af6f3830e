import { equal } from 'node:assert/strict';
import { parseCidr } from '../../../base/range.ts';
import type { HostGround } from '../../../ground/host-ground.ts';
import { PodEndShapes } from '../../../ground/pod-end-shapes.ts';
import { concernOf, concernsRules } from '../../../ground/relevance.ts';
import type { TableFamily, TouchedTable } from '../../../linux/nftables-event.ts';
import type { RouteEvent } from '../../../linux/rtnetlink/route-event.ts';

const GROUND: HostGround = {
  tun: 'weft0',
  podPrefix: 'wv',
  ranges: [parseCidr('10.32.0.0/12')!, parseCidr('fd00:77::/64')!],
  addresses: [],
  mtu: 1364,
};

describe('what an event concerns', () => {
  const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
  let podEnds: PodEndShapes;
  beforeEach(() => {
    podEnds = new PodEndShapes(GROUND.podPrefix);
  });
  const concern = (event: unknown): string | undefined =>
    concernOf(event as RouteEvent, GROUND, { tunIndex: 7, podEnds });
  const link = (name: string, over: object = {}): unknown => ({
    change: 'set',
    object: 'link',
    link: {
      ...{ index: 9, name, up: true, arp: false, kind: 'veth', masterIndex: undefined, mac: MAC, mtu: 1364 },
      ...over,
    },
  });
  const route = (cidr: string, protocol: number, change = 'deleted'): unknown => ({
    change,
    object: 'route',
    route: { destination: parseCidr(cidr)!, protocol },
  });

  it('is the host where it is about the TUN interface, whatever it is called now', () => {
    equal(concern(link('weft0', { up: false })), 'host');
    equal(concern(link('renamed', { index: 7 })), 'host');
    equal(concern({ change: 'deleted', object: 'address', address: { link: 7 } }), 'host');
  });

  it('is a pod where something is taken from it, and nothing where one comes up or ends', () => {
    equal(concern(link('wv00000000001')), undefined);
    equal(concern(link('wv00000000001', { up: false })), 'pods');
    equal(concern(link('wv00000000001', { arp: true })), 'pods');
    equal(concern(link('wv00000000001', { masterIndex: 3 })), 'pods');
    equal(concern({ ...(link('wv00000000001', { up: false }) as object), change: 'deleted' }), undefined);
    equal(concern(route('10.32.0.7/32', 87)), 'pods');
    equal(concern(route('10.32.0.7/32', 87, 'set')), undefined);
  });

  it('is a pod where its end has another hardware address, MTU or name than before', () => {
    equal(concern(link('wv00000000001')), undefined);
    equal(concern(link('wv00000000001', { mac: MAC.slice() })), undefined);
    equal(concern(link('wv00000000001', { mtu: 1200 })), 'pods');
    equal(concern(link('wv00000000001', { mtu: 1200 })), undefined);
    equal(concern(link('wv00000000001', { mtu: 1200, mac: Uint8Array.of(2, 0, 0, 0, 0, 9) })), 'pods');
    equal(concern(link('lan7', { mtu: 1200, mac: Uint8Array.of(2, 0, 0, 0, 0, 9) })), 'pods');
    equal(concern({ ...(link('lan7') as object), change: 'deleted' }), 'underlay');
    equal(concern(link('lan7', { mtu: 1500 })), 'underlay', 'another link of that index later');
  });

  it('is the host where a route of the ranges goes, or another one masks a part of them', () => {
    equal(concern(route('10.32.0.0/12', 87)), 'host');
    equal(concern(route('10.33.0.0/16', 3, 'set')), 'host');
    equal(concern(route('fd00:77::7/128', 3, 'set')), 'host');
    equal(concern(route('10.0.0.0/8', 3, 'set')), 'host');
    equal(concern(route('192.0.2.0/24', 3, 'set')), undefined);
    equal(concern({ change: 'set', object: 'rule', rule: {} }), 'host');
  });

  it('is the underlay where addresses, cards or the default route change', () => {
    equal(concern({ change: 'set', object: 'address', address: { link: 2 } }), 'underlay');
    equal(concern(link('eth0', { kind: undefined })), 'underlay');
    equal(concern(link('eth0')), 'underlay', 'the card of a host that is a container itself');
    const port = link('veth12', { masterIndex: 4 });
    equal(concern(port), undefined, 'of other container networks there are many');
    equal(concern(route('0.0.0.0/0', 3)), 'underlay');
    equal(concern(route('::/0', 3)), 'underlay');
  });

  it('is the host where forwarding is switched off, and nothing where it is switched on', () => {
    const netconf = (over: object): unknown => ({ change: 'set', object: 'netconf', netconf: over });
    equal(concern(netconf({ link: 'all', forwarding: 0 })), 'host');
    equal(concern(netconf({ link: 7, forwarding: 0 })), 'host');
    equal(concern(netconf({ link: 'all', forwarding: 1 })), undefined);
    equal(concern(netconf({ link: 2, forwarding: 0, family: 4 })), 'host', 'answers for pods may come by it');
    equal(concern(netconf({ link: 2, forwarding: 1, family: 4 })), undefined);
    equal(
      concern(netconf({ link: 2, forwarding: 0, family: 6 })),
      undefined,
      'of IPv6 the whole host forwards',
    );
    concern(link('wv00000000001'));
    equal(concern(netconf({ link: 9, forwarding: 0 })), 'pods');
  });

  it('is the rules where our table was touched, or may have been', () => {
    const table = (family: TableFamily, name: string): TouchedTable => ({
      family,
      name,
      deleted: true,
      set: false,
      objects: new Set(),
      names: new Set(),
    });
    equal(concernsRules({ tables: [table('ip', 'weft'), table('inet', 'firewalld')], whole: true }), false);
    equal(concernsRules({ tables: [table('ip', 'nat'), table('inet', 'weft')], whole: true }), true);
    equal(concernsRules({ tables: [], whole: false }), true);
  });
});
