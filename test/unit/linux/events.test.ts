import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatAddress } from '../../../base/address.ts';
import { fromHex, hex } from '../../../base/bytes.ts';
import { formatRange } from '../../../base/range.ts';
import { encodeMessage } from '../../../linux/netlink-message.ts';
import { RulesetChanges } from '../../../linux/nftables-event.ts';
import { parseRouteEvents, type RouteEvent } from '../../../linux/rtnetlink/route-event.ts';

/** Events of kernel 6.18, recorded. */
const ADDRESS_DELETED =
  '4c00000015000000487b0b6b5d380000021880000200000008000100c000020108000200c00002010800030062723000080008008000000014000600ffffffffffffffffc98a0200c98a0200';
const ROUTE_SET =
  '4000000018000006487b0b6b68380000020c0000fe03fd010000000008000f00fe000000080001000a2000000c00080008000200140500000800040002000000';
const ROUTE_DELETED =
  '4000000019000000487b0b6b69380000020c0000fe03fd010000000008000f00fe000000080001000a2000000c00080008000200140500000800040002000000';
/** ip -6 rule add not from fd00:77::/64 iif br0 fwmark 0x20/0xff lookup 300 priority 90 */
const RULE_SET =
  '6800000020000000487b0b6b613800000a004000fc0000010200000008000f002c01000008000e00ffffffff05001500000000000800030062723000080006005a00000008000a002000000008001000ff00000014000200fd000077000000000000000000000000';
/** ip rule add to 10.0.0.0/8 oif br0 prohibit priority 91 */
const RULE_PROHIBIT =
  '4c00000020000000487b0b6b6438000002080000000000080000000008000f000000000008000e00ffffffff05001500000000000800110062723000080006005b000000080001000a000000';
const NEIGHBOUR_SET =
  '580000001c000000000000006e3800000a000000020000008000000114000100fe8000000000000000000000000000090a000200020000000009000008000400000000001400030000000000000000000000000001000000';
/** Without a hardware address: it failed, and is deleted. */
const NEIGHBOUR_DELETED =
  '4c0000001d000000000000000000000002000000020000004000000508000100e00000160a00020001005e00001600000800040000000000140003003c180000cc000000cc00000000000000';
const RP_FILTER = '240000005000000000000000000000000200000008000100020000000800030002000000';
const PROXY_ARP_OF_ALL = '240000005000000000000000000000000200000008000100ffffffff0800050001000000';

const TABLE_MADE = [
  '3c000000000a000001000000743800000100000209000100776566740000000008000300000000000c00040000000000000000010800020000000000',
  '2c0000000f0a000001000000743800000000000208000100000000020800020000003874080003006e667400',
];
const CHAIN_MADE =
  '3c000000030a000401000000763800000100000309000100776566740000000006000300630000000c00020000000000000000010800060000000000';
const GENERATION_3 =
  '2c0000000f0a000001000000763800000000000308000100000000030800020000003876080003006e667400';
/** nft flush ruleset: the rule, the chain and the table in one datagram, the generation in the next. */
const FLUSHED = [
  '68000000080a0000010000007e3800000100000509000100776566740000000006000200630000000c000300000000000000000234000400300001000e000100696d6d6564696174650000001c0002000800010000000000100002000c0002000800010000000001' +
    '34000000050a0000010000007e3800000100000509000100776566740000000006000200630000000c0002000000000000000001' +
    '34000000020a0000010000007e3800000100000509000100776566740000000008000300000000000c0004000000000000000001',
  '2c0000000f0a0000010000007e380000000000050800010000000005080002000000387e080003006e667400',
];

const bytes = (recorded: string): Uint8Array => fromHex(recorded)!;
const event = (recorded: string): RouteEvent => {
  const events = parseRouteEvents(bytes(recorded));
  assert.equal(events.length, 1);
  return events[0]!;
};

describe('events of routing', () => {
  it('show an address and a route, set or deleted', () => {
    const address = event(ADDRESS_DELETED);
    assert.ok(address.object === 'address' && address.change === 'deleted');
    assert.equal(`${formatAddress(address.address.address)}/${address.address.prefix}`, '192.0.2.1/24');
    const [set, deleted] = [event(ROUTE_SET), event(ROUTE_DELETED)];
    assert.ok(set.object === 'route' && deleted.object === 'route');
    assert.deepEqual([set.change, deleted.change], ['set', 'deleted']);
    assert.deepEqual(set.route, deleted.route);
    assert.deepEqual([formatRange(set.route.destination), set.route.mtu], ['10.32.0.0/12', 1300]);
  });

  it('show a rule with all that decides whom it is for', () => {
    const lookup = event(RULE_SET);
    assert.ok(lookup.object === 'rule');
    assert.equal(formatRange(lookup.rule.source!), 'fd00:77::/64');
    assert.deepEqual(
      { ...lookup.rule, source: undefined },
      {
        family: 6,
        priority: 90,
        source: undefined,
        destination: undefined,
        incomingInterface: 'br0',
        outgoingInterface: undefined,
        mark: 0x20,
        narrowed: false,
        inverted: true,
        action: 'lookup',
        table: 300,
        suppressedPrefix: undefined,
        target: undefined,
        protocol: 0,
      },
    );
    const prohibit = event(RULE_PROHIBIT);
    assert.ok(prohibit.object === 'rule');
    assert.equal(formatRange(prohibit.rule.destination!), '10.0.0.0/8');
    assert.deepEqual(
      [prohibit.rule.action, prohibit.rule.outgoingInterface, prohibit.rule.inverted],
      ['prohibit', 'br0', false],
    );
  });

  it('show a neighbour, and settings of one interface or of all', () => {
    const [set, deleted] = [event(NEIGHBOUR_SET), event(NEIGHBOUR_DELETED)];
    assert.ok(set.object === 'neighbour' && deleted.object === 'neighbour');
    assert.deepEqual(
      [formatAddress(set.neighbour.address), hex(set.neighbour.mac!), set.neighbour.permanent],
      ['fe80::9', '020000000009', true],
    );
    assert.deepEqual([deleted.change, deleted.neighbour.permanent], ['deleted', false]);
    const settings = [event(RP_FILTER), event(PROXY_ARP_OF_ALL)].map((each) => {
      assert.ok(each.object === 'netconf');
      return each.netconf;
    });
    const none = { family: 4, forwarding: undefined, rpFilter: undefined, proxyNeighbour: undefined };
    assert.deepEqual(settings, [
      { ...none, link: 2, rpFilter: 2 },
      { ...none, link: 'all', proxyNeighbour: 1 },
    ]);
  });

  it('keep nothing of the datagram', () => {
    const datagram = bytes(NEIGHBOUR_SET);
    const [first] = parseRouteEvents(datagram);
    const before = structuredClone(first);
    datagram.fill(0xff);
    assert.deepEqual(first, before);
  });

  it('of other families and kinds are told as such, never left out', () => {
    const other = (type: number, payload: Uint8Array): RouteEvent[] =>
      parseRouteEvents(encodeMessage(type, 0, 1, payload));
    const AF_BRIDGE = 7;
    const bridgePort = new Uint8Array(16);
    bridgePort[0] = AF_BRIDGE;
    assert.deepEqual(other(17, bridgePort), [{ change: 'deleted', object: 'other', type: 17 }]);
    assert.deepEqual(other(104, new Uint8Array(8)), [{ change: 'set', object: 'other', type: 104 }]);
    assert.deepEqual(other(24, new Uint8Array(3)), [{ change: 'set', object: 'other', type: 24 }]);
    assert.deepEqual(parseRouteEvents(Uint8Array.of(1, 2, 3)), [{ change: 'set', object: 'other', type: 0 }]);
  });

  it('never break the reader, whatever the bytes', () => {
    const types = fc.constantFrom(16, 17, 20, 21, 24, 25, 28, 29, 32, 33, 80, 81, 104);
    fc.assert(
      fc.property(types, fc.uint8Array({ maxLength: 96 }), (type, payload) => {
        const events = parseRouteEvents(encodeMessage(type, 0, 1, payload));
        assert.equal(events.length, 1);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 96 }), (datagram) => parseRouteEvents(datagram).length >= 0),
    );
  });
});

describe('events of nftables', () => {
  const changesOf = (changes: RulesetChanges, ...datagrams: readonly string[]) =>
    datagrams.flatMap((datagram) => changes.receive(bytes(datagram)));
  const table = {
    family: 'inet',
    name: 'weft',
    set: false,
    deleted: false,
    objects: new Set(),
    names: new Set(),
  } as const;

  it('become changes by generation, with the author', () => {
    const changes = new RulesetChanges();
    const author = { program: 'nft', whole: true };
    assert.deepEqual(changesOf(changes, ...TABLE_MADE, CHAIN_MADE), [
      { ...author, generation: 2, pid: 0x3874, port: 0x3874, tables: [{ ...table, set: true }] },
    ]);
    assert.deepEqual(changesOf(changes, GENERATION_3), [
      {
        ...author,
        generation: 3,
        pid: 0x3876,
        port: 0x3876,
        tables: [{ ...table, objects: new Set(['chain']) }],
      },
    ]);
    assert.deepEqual(changesOf(changes, ...FLUSHED), [
      {
        ...author,
        generation: 5,
        pid: 0x387e,
        port: 0x387e,
        tables: [{ ...table, deleted: true, objects: new Set(['rule', 'chain']) }],
      },
    ]);
    assert.deepEqual(changesOf(changes, GENERATION_3)[0]!.tables, [], 'nothing is left over');
  });

  it('are not whole after a loss, until the change after that', () => {
    const changes = new RulesetChanges();
    assert.deepEqual(changesOf(changes, CHAIN_MADE), []);
    changes.lost();
    const [torn] = changesOf(changes, GENERATION_3);
    assert.deepEqual([torn!.whole, torn!.tables], [false, []]);
    assert.equal(changesOf(changes, ...TABLE_MADE)[0]!.whole, true);
  });

  it('that cannot be read make a change that is not whole', () => {
    const unknown = encodeMessage((10 << 8) | 99, 0, 1, new Uint8Array(4));
    const broken = encodeMessage((10 << 8) | 3, 0, 1, Uint8Array.of(1, 0, 0, 0, 9, 0));
    const short = encodeMessage((10 << 8) | 3, 0, 1, Uint8Array.of(1));
    for (const datagram of [unknown, broken, short, Uint8Array.of(7)]) {
      const changes = new RulesetChanges();
      assert.deepEqual(changes.receive(datagram), []);
      assert.equal(changesOf(changes, GENERATION_3)[0]!.whole, false);
      assert.equal(changesOf(changes, GENERATION_3)[0]!.whole, true);
    }
    const acknowledgement = encodeMessage(2, 0, 1, new Uint8Array(20));
    const changes = new RulesetChanges();
    changes.receive(acknowledgement);
    assert.equal(changesOf(changes, GENERATION_3)[0]!.whole, true, 'what is no event changes nothing');
  });

  it('take bounded memory', () => {
    const changes = new RulesetChanges();
    const name = bytes(CHAIN_MADE);
    for (let i = 0; i < 1000; i++) {
      // The table's name is four bytes of text.
      name.set(
        [...String(i).padStart(4, '0')].map((digit) => digit.charCodeAt(0)),
        24,
      );
      changes.receive(name);
    }
    const [change] = changesOf(changes, GENERATION_3);
    assert.deepEqual([change!.tables.length, change!.whole], [256, false]);
  });

  it('never break the reader, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.uint8Array({ maxLength: 96 }), (type, payload) => {
        const changes = new RulesetChanges();
        changes.receive(encodeMessage((10 << 8) | type, 0, 1, payload));
        changes.receive(payload);
      }),
    );
  });
});
