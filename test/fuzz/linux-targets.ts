import assert from 'node:assert/strict';
import { parseAddress } from '../../base/address.ts';
import { fromHex } from '../../base/bytes.ts';
import { parseCidr } from '../../base/range.ts';
import { ConntrackReader } from '../../linux/conntrack.ts';
import { encodeMessage, parseAttributes, parseMessages } from '../../linux/netlink-message.ts';
import { outcomeOf } from '../../linux/netlink-request.ts';
import { addAddress, parseInterfaceAddress } from '../../linux/rtnetlink/interface-address.ts';
import { createVeth, parseLink } from '../../linux/rtnetlink/link.ts';
import { addRoute, parseRoute } from '../../linux/rtnetlink/route.ts';
import type { FuzzTarget } from './run.ts';

const requests = [
  createVeth({ name: 'eth0', mtu: 1364 }, { name: 'wv0', mac: new Uint8Array(6) }),
  addAddress(2, parseAddress('10.32.0.5')!, 32),
  addAddress(2, parseAddress('fd00:77::5')!, 128),
  addRoute({
    destination: parseCidr('10.32.0.0/12')!,
    link: 2,
    mtu: 1364,
    gateway: parseAddress('192.0.2.1')!,
  }),
];

/** A TCP connection that begins, as the kernel (6.18) tells it. */
const CONNECTION = fromHex(
  'd0000000000100060000000000000000020000003400018014000180080001000a630001080002000a60000a1c000280' +
    '0500010006000000060002009b76000006000300005000003400028014000180080001000a630002080002000a630001' +
    '1c0002800500010006000000060002001f900000060003009b76000008000c00fa7cde3f08000300000001a808000700' +
    '00000078300004802c0001800500010001000000050002000a0000000500030000000000060004000300000006000500' +
    '000000000c001b0018ec9695b6036248',
)!;

/** What weftd reads from the kernel, and from sockets that a pod's side opened. */
export const linuxTargets: readonly FuzzTarget[] = [
  {
    name: 'netlink messages',
    run: (bytes) => {
      const parsed = parseMessages(bytes);
      if (!parsed.ok) return;
      assert.ok(parsed.value.length <= bytes.length / 16);
      for (const message of parsed.value) {
        parseLink(message);
        parseInterfaceAddress(message);
        parseRoute(message, { cloned: true });
        outcomeOf('fuzz', message);
      }
    },
    seeds: requests.map(({ type, flags, body }) => encodeMessage(type, flags, 1, body)),
  },
  {
    name: 'netlink attributes',
    run: (bytes) => parseAttributes(bytes),
    seeds: requests.map(({ body }) => body.subarray(16)),
  },
  {
    name: 'connection tracking',
    run: (bytes) => {
      new ConntrackReader().read(bytes, ({ family, original, reply }) => {
        const length = family === 4 ? 4 : 16;
        for (const at of [original.source, original.destination, reply.source, reply.destination])
          assert.ok(at >= 0 && at + length <= bytes.length);
      });
    },
    seeds: [CONNECTION],
  },
];
