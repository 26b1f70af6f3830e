// Keeps the host's network of the namespace it runs in, without hearing anything of nftables. Prints "ready", then
// carries out lines of its input: "later" makes its clock a minute older, "end" ends it. Prints what it repairs.
import { createInterface } from 'node:readline';
import { Counters } from '../../../base/counters.ts';
import { instant } from '../../../base/instant.ts';
import { parseCidr } from '../../../base/range.ts';
import { GROUND_COUNTERS } from '../../../ground/ground-counters.ts';
import { GroundKeeper } from '../../../ground/ground-keeper.io.ts';
import { KernelEvents } from '../../../ground/kernel-events.io.ts';
import { RouteClient } from '../../../linux/rtnetlink/route-client.io.ts';
import { Sysctl } from '../../../linux/sysctl.io.ts';
import { NETLINK_NETFILTER } from '../../../native/netlink-events.ts';
import { openTun } from '../../../native/tun.ts';

const ground = {
  tun: 'weft0',
  podPrefix: 'wv',
  ranges: [parseCidr('10.32.0.0/13')!],
  addresses: [],
  mtu: 1364,
};
let olderMs = 0;
openTun(ground.tun);
const keeper = new GroundKeeper({
  kernel: { client: RouteClient.open(), sysctl: new Sysctl() },
  ground,
  rules: { ...ground, masquerade: true, port: 6783 },
  counters: new Counters(GROUND_COUNTERS),
  clock: () => instant(performance.now() + olderMs),
  listen: (protocol, groups, told) =>
    KernelEvents.of(protocol, protocol === NETLINK_NETFILTER ? [] : groups, told),
  listener: {
    repaired: ({ found }) => console.log(found),
    hindered: () => undefined,
    failed: (error) => console.log(String(error)),
    tunGone: (error) => console.log(String(error)),
    underlayStirred: () => undefined,
  },
});
await keeper.start();
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'later') olderMs += 60_000;
  else process.exit();
}
