import assert from 'node:assert/strict';
import { parseAddress } from '../../base/address.ts';
import { parseCidr } from '../../base/range.ts';
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
];
