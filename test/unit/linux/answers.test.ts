import assert from 'node:assert/strict';
import { formatAddress } from '../../../base/address.ts';
import { fromHex, hex } from '../../../base/bytes.ts';
import { formatRange } from '../../../base/range.ts';
import {
  type NetlinkMessage,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseMessages,
} from '../../../linux/netlink-message.ts';
import { errnoName, outcomeOf } from '../../../linux/netlink-request.ts';
import { parseInterfaceAddress } from '../../../linux/rtnetlink/interface-address.ts';
import { parseLink } from '../../../linux/rtnetlink/link.ts';
import { parseRoute } from '../../../linux/rtnetlink/route.ts';

/** Answers of kernel 6.18, recorded. */
const ADDRESSES =
  '4c00000014002200010000001a680000021880000300000008000100c000020108000200c0000201080003007776300008000800' +
  '8000000014000600fffffffffffffffffbeb0400fbeb04004800000014002200010000001a6800000a8082000300000014000100' +
  'fd00007700000000000000000000000114000600fffffffffffffffffbeb0400fbeb040008000800820000005000000014002200' +
  '010000001a6800000a40c0fd0300000014000100fe80000000000000000000fffe00000214000600fffffffffffffffffbeb0400' +
  'fbeb040008000800c000000005000b00030000001400000003002200010000001a68000000000000';
const ROUTES_4 =
  '4000000018002200010000001a68000002000000fe0300010000000008000f00fe0000000c000800080002004605000008000500c00002020800' +
  '0400030000003400000018002200010000001a680000020c0000fe5700060000000008000f00fe000000080001000a20000008000600a0860100' +
  '3c00000018002200010000001a68000002180000fe02fd010000000008000f00fe00000008000100c000020008000700c0000201080004000300' +
  '00001400000003002200010000001a68000000000000';
const NO_SUCH_LINK = '2400000002000001010000001a680000edffffff2c000000120005000100000000000000';
/** Shortened to the attributes that matter. */
const LINK =
  '7000000010000000010000003f0b0000000001000300000043100100000000000800030077763000080004005405000008000d00' +
  'e803000005001000060000000c001400706f64206f6e65000a0001000200000000020000100012000900010076657468000000000800050002000000';

function messages(recorded: string): readonly NetlinkMessage[] {
  const parsed = parseMessages(fromHex(recorded)!);
  assert.ok(parsed.ok);
  return parsed.value;
}

describe('answers of the kernel', () => {
  it('tell addresses with scope and readiness', () => {
    const found = messages(ADDRESSES).map(parseInterfaceAddress);
    assert.deepEqual(
      found.map(
        (entry) => entry && `${formatAddress(entry.address)}/${entry.prefix} ${entry.scope} ${entry.usable}`,
      ),
      ['192.0.2.1/24 global true', 'fd00:77::1/128 global true', 'fe80::ff:fe00:2/64 link false', undefined],
    );
    assert.equal(found[0]!.link, 3);
  });

  it('tell routes with kind, metric, MTU and maker', () => {
    const found = messages(ROUTES_4).map((message) => parseRoute(message));
    assert.deepEqual(
      found.map(
        (route) =>
          route && [formatRange(route.destination), route.kind, route.metric, route.mtu, route.protocol],
      ),
      [
        ['0.0.0.0/0', 'unicast', 0, 1350, 3],
        ['10.32.0.0/12', 'blackhole', 100_000, undefined, 87],
        ['192.0.2.0/24', 'unicast', 0, undefined, 2],
        undefined,
      ],
    );
    assert.equal(formatAddress(found[0]!.gateway!), '192.0.2.2');
    assert.equal(formatAddress(found[2]!.preferredSource!), '192.0.2.1');
    assert.equal(found[1]!.link, undefined);
  });

  it('tell that a link is not sent by yet, whatever its flags say', () => {
    const unknown = LINK.replace('0500100006000000', '0500100000000000');
    assert.notEqual(unknown, LINK);
    assert.equal(parseLink(messages(unknown)[0]!)!.running, false);
  });

  it('tell links', () => {
    const link = parseLink(messages(LINK)[0]!)!;
    assert.equal(hex(link.mac), '020000000002');
    assert.deepEqual(
      { ...link, mac: undefined },
      {
        index: 3,
        name: 'wv0',
        running: true,
        up: true,
        loopback: false,
        arp: true,
        masterIndex: undefined,
        carrierLosses: 0,
        forwards4: undefined,
        mtu: 1364,
        txQueueLength: 1000,
        mac: undefined,
        alias: 'pod one',
        kind: 'veth',
        peerIndex: 2,
      },
    );
  });

  it('tell refusals by name', () => {
    const error = outcomeOf('get link none', messages(NO_SUCH_LINK)[0]!)!;
    assert.equal(error.code, 'ENODEV');
    assert.equal(error.message, 'get link none: ENODEV');
    assert.equal(errnoName(17), 'EEXIST');
    assert.equal(errnoName(9999), 'E9999');
  });

  it('tell refusals with the words of the kernel', () => {
    const text = [...'Nexthop has invalid gateway\0']
      .map((c) => c.charCodeAt(0).toString(16).padStart(2, '0'))
      .join('');
    const payload = fromHex(`9bffffff${'00'.repeat(16)}20000100${text}`)!;
    const error = outcomeOf('add route', { type: NLMSG_ERROR, flags: 0x300, sequence: 1, port: 0, payload })!;
    assert.equal(error.message, 'add route: ENETUNREACH: Nexthop has invalid gateway');
    const cut = outcomeOf('add route', {
      type: NLMSG_ERROR,
      flags: 0x300,
      sequence: 1,
      port: 0,
      payload: payload.subarray(0, 30),
    });
    assert.equal(cut?.message, 'add route: ENETUNREACH', 'cut short, the words are lost and not the error');
  });

  it('are no success when they are too short to say so', () => {
    const short = { type: NLMSG_DONE, flags: 0, sequence: 1, port: 0, payload: new Uint8Array(3) };
    assert.equal(outcomeOf('list links', short)?.code, 'EPROTO');
    assert.equal(outcomeOf('list links', { ...short, payload: new Uint8Array(4) }), undefined);
  });

  it('are, cut anywhere, refused or read without the part that was cut, and never read wrong', () => {
    const check = (recorded: string, parse: (message: NetlinkMessage) => object | undefined): void => {
      const { payload, ...rest } = messages(recorded)[0]!;
      const whole = new Map<string, unknown>(Object.entries(parse({ ...rest, payload })!));
      let read = 0;
      for (let length = 0; length < payload.length; length++) {
        const cut = parse({ ...rest, payload: payload.subarray(0, length) });
        if (cut === undefined) continue;
        read++;
        for (const [key, value] of Object.entries(cut)) {
          const absent =
            value === undefined || value === 0 || (value instanceof Uint8Array && value.length === 0);
          if (!absent) assert.deepEqual(value, whole.get(key), `${key}, cut at ${length}`);
        }
      }
      assert.ok(read < payload.length / 2);
    };
    check(ADDRESSES, parseInterfaceAddress);
    check(LINK, parseLink);
  });
});
