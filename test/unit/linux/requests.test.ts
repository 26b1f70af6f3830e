import assert from 'node:assert/strict';
import { type Address, parseAddress } from '../../../base/address.ts';
import { fromHex, hex } from '../../../base/bytes.ts';
import { parseCidr } from '../../../base/range.ts';
import { parseAttributes, parseMessages } from '../../../linux/netlink-message.ts';
import type { NetlinkRequest } from '../../../linux/netlink-request.ts';
import { addAddress } from '../../../linux/rtnetlink/interface-address.ts';
import { createVeth, setLink } from '../../../linux/rtnetlink/link.ts';
import { setNeighbour } from '../../../linux/rtnetlink/neighbour.ts';
import { addRoute, replaceRoute } from '../../../linux/rtnetlink/route.ts';

const at = (text: string): Address => parseAddress(text)!;
const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);

/** What iproute2 6.1 sent for the same command (recorded by strace), interface 2. */
const RECORDED = {
  // ip link add eth0 mtu 1364 address 02:00:00:00:00:01 type veth peer name wv0 mtu 1364 address 02:00:00:00:00:02
  veth:
    '80000000100005069c14056b000000000000000000000000000000000000000008000400540500000a000100020000000001000009000300' +
    '657468300000000040001200080001007665746834000200300001000000000000000000000000000000000008000400540500000a000100' +
    '02000000000200000800030077763000',
  // ip -6 addr add fd00:77::5/128 dev d0 nodad noprefixroute
  address6:
    '48000000140005069c14056b000000000a8000000200000014000200fd00007700000000000000000000000508000800020200001400010' +
    '0fd000077000000000000000000000005',
  // ip route add 10.32.0.0/12 dev d0 proto 87 metric 50 mtu 1364
  route4:
    '40000000180005069c14056b00000000020c0000fe57fd0100000000080001000a200000080006003200000008000400020000000c000800' +
    '0800020054050000',
  // ip route add blackhole fd00:77::/64 proto 87 metric 100000
  blackhole6:
    '38000000180005069c14056b000000000a400000fe5700060000000014000100fd00007700000000000000000000000008000600a0860100',
  // ip route add default via 169.254.1.1 dev d0 onlink proto 87
  onLink: '2c000000180005069c14056b0000000002000000fe5700010400000008000500a9fe01010800040002000000',
  // ip neigh replace 10.32.0.5 lladdr 02:00:00:00:00:01 dev d0 nud permanent
  neighbour:
    '300000001c0005059d14056b00000000020000000200000080000000080001000a2000050a0002000200000000010000',
};

const HEADER: Readonly<Record<number, number>> = { 16: 16, 20: 8, 24: 12, 28: 12 };
/** Attributes that hold attributes, by the path of types to them: link info, its data, the peer; route metrics. */
const NESTS: Readonly<Record<number, readonly string[]>> = { 16: ['18', '18.2', '18.2.1'], 24: ['8'] };

/** A request as header and tree of attributes: their order and nesting flags are a matter of taste. */
function shape(type: number, body: Uint8Array): unknown {
  const tree = (bytes: Uint8Array, path: string): unknown => {
    const parsed = parseAttributes(bytes);
    assert.ok(parsed.ok);
    const entries = [...parsed.value].sort(([a], [b]) => a - b);
    return entries.map(([key, value]) => {
      const here = path === '' ? String(key) : `${path}.${key}`;
      if (here === '18.2.1') return [here, hex(value.subarray(0, 16)), tree(value.subarray(16), here)];
      return [here, NESTS[type]?.includes(here) ? tree(value, here) : hex(value)];
    });
  };
  const header = HEADER[type]!;
  return { header: hex(body.subarray(0, header)), attributes: tree(body.subarray(header), '') };
}

function assertSameAsRecorded(request: NetlinkRequest, recorded: string): void {
  const parsed = parseMessages(fromHex(recorded)!);
  assert.ok(parsed.ok);
  const message = parsed.value[0]!;
  assert.equal(request.type, message.type);
  assert.equal(request.flags, message.flags);
  assert.deepEqual(shape(request.type, request.body), shape(message.type, message.payload));
}

describe('requests to the kernel are those that iproute2 sends', () => {
  it('for a veth pair', () => {
    const near = { name: 'eth0', mtu: 1364, mac: mac(1) };
    assertSameAsRecorded(createVeth(near, { name: 'wv0', mtu: 1364, mac: mac(2) }), RECORDED.veth);
  });

  it('for an address', () => {
    assertSameAsRecorded(addAddress(2, at('fd00:77::5'), 128), RECORDED.address6);
  });

  it('for a route with metric and MTU', () => {
    const route = { destination: parseCidr('10.32.0.0/12')!, link: 2, metric: 50, mtu: 1364 };
    assertSameAsRecorded(addRoute(route), RECORDED.route4);
  });

  it('for a blackhole', () => {
    const route = { destination: parseCidr('fd00:77::/64')!, kind: 'blackhole', metric: 100_000 } as const;
    assertSameAsRecorded(addRoute(route), RECORDED.blackhole6);
  });

  it('for a default route by a gateway that no subnet holds', () => {
    const route = { destination: parseCidr('0.0.0.0/0')!, link: 2, gateway: at('169.254.1.1'), onLink: true };
    assertSameAsRecorded(addRoute(route), RECORDED.onLink);
  });

  it('for a permanent neighbour', () => {
    assertSameAsRecorded(setNeighbour(2, at('10.32.0.5'), mac(1)), RECORDED.neighbour);
  });
});

describe('requests to the kernel', () => {
  it('put the far end of a pair into the namespace of a descriptor', () => {
    const request = createVeth({ name: 'eth0' }, { name: 'wv0', namespace: { fd: 17 } });
    // Attribute 28 (IFLA_NET_NS_FD) of 4 bytes.
    assert.match(hex(request.body), /08001c0011000000/);
  });

  it('change whether a link is up only where that is asked', () => {
    assert.equal(hex(setLink(2, { mtu: 1400 }).body.subarray(8, 16)), '0000000000000000');
    assert.equal(hex(setLink(2, { up: true }).body.subarray(8, 16)), '0100000001000000');
    assert.equal(hex(setLink(2, { up: false }).body.subarray(8, 16)), '0000000001000000');
  });

  it('say what they do, for errors', () => {
    assert.equal(
      replaceRoute({ destination: parseCidr('10.32.0.0/12')! }).what,
      'replace route 10.32.0.0/12',
    );
  });

  it('hold one block a route', () => {
    const crooked = { family: 4, start: 1n, end: 4n } as const;
    assert.throws(() => addRoute({ destination: crooked }), /one CIDR block/);
  });
});
