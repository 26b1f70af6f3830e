// Prints what the kernel tells of this network namespace, one JSON line an event, until its input ends.
//   event-listener.ts                     routing and nftables; "ready" first
//   event-listener.ts overrun COUNT       adds COUNT routes while it does not listen, with a small buffer; then prints how
//                                         many routes it knows by events and by what it read when it was told of the loss
//   event-listener.ts refused             prints the code of the error that each kind of socket gives, as JSON
import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { formatAddress } from '../../../base/address.ts';
import { formatRange } from '../../../base/range.ts';
import { NFNLGRP_NFTABLES, RulesetChanges } from '../../../linux/nftables-event.ts';
import { RouteClient } from '../../../linux/rtnetlink/route-client.io.ts';
import { parseRouteEvents, ROUTE_GROUP, type RouteEvent } from '../../../linux/rtnetlink/route-event.ts';
import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  type NetlinkEventListener,
  NetlinkEvents,
} from '../../../native/netlink-events.ts';

const GROUPS = Object.values(ROUTE_GROUP).filter((group) => group !== ROUTE_GROUP.neighbour);
const say = (line: unknown): void => console.log(JSON.stringify(line));
const fail = (error: unknown): void => {
  throw error;
};

/** What a test compares, in words. */
function words(event: RouteEvent): string {
  const subject = (): string => {
    switch (event.object) {
      case 'link':
        return `${event.link.name} ${event.link.up ? 'up' : 'down'}`;
      case 'address':
        return `${formatAddress(event.address.address)}/${event.address.prefix}`;
      case 'route':
        return `${formatRange(event.route.destination)} table ${event.route.table}`;
      case 'rule':
        return `${event.rule.priority} from ${event.rule.source ? formatRange(event.rule.source) : 'all'} ${event.rule.action} ${event.rule.table}`;
      case 'neighbour':
        return `${formatAddress(event.neighbour.address)} ${event.neighbour.permanent ? 'permanent' : 'learned'}`;
      case 'netconf':
        return `${event.netconf.link} IPv${event.netconf.family} forwarding ${event.netconf.forwarding}`;
      case 'other':
        return String(event.type);
    }
  };
  return `${event.object} ${event.change}: ${subject()}`;
}

function listen(): void {
  const changes = new RulesetChanges();
  NetlinkEvents.open(NETLINK_ROUTE, [...GROUPS, ROUTE_GROUP.neighbour], {
    onDatagrams: (datagrams) => {
      for (const event of datagrams.flatMap(parseRouteEvents)) say(words(event));
    },
    onLost: () => say('lost'),
    onError: fail,
  });
  NetlinkEvents.open(NETLINK_NETFILTER, [NFNLGRP_NFTABLES], {
    onDatagrams: (datagrams) => {
      for (const change of datagrams.flatMap((datagram) => changes.receive(datagram))) {
        const tables = change.tables.map(({ family, name, deleted, set, objects }) => {
          const self = `${set ? ' set' : ''}${deleted ? ' deleted' : ''}`;
          return `${family} ${name}${self}: ${[...objects].sort().join(' ')}`;
        });
        say({ program: change.program, pid: change.pid, whole: change.whole, tables });
      }
    },
    onLost: () => say('lost'),
    onError: fail,
  });
  say('ready');
  process.stdin.on('end', () => process.exit()).resume();
}

async function overrun(count: number): Promise<void> {
  const client = RouteClient.open();
  const known = new Set<string>();
  const outcome = { events: 0, eventsAtLoss: 0, losses: 0, readAfterLoss: 0, known: 0, utilization: 0 };
  let lost = (): void => undefined;
  const told = new Promise<void>((resolve) => {
    lost = resolve;
  });
  const take = (event: RouteEvent): void => {
    if (event.object !== 'route') return;
    outcome.events++;
    if (event.change === 'set') known.add(formatRange(event.route.destination));
    else known.delete(formatRange(event.route.destination));
  };
  const events = NetlinkEvents.open(
    NETLINK_ROUTE,
    [ROUTE_GROUP.ipv4Route],
    {
      onDatagrams: (datagrams) => datagrams.flatMap(parseRouteEvents).forEach(take),
      onLost: () => {
        outcome.losses++;
        outcome.eventsAtLoss = outcome.events;
        lost();
      },
      onError: fail,
    },
    { receiveBufferBytes: 32 * 1024 },
  );
  const lines = Array.from(
    { length: count },
    (_, i) => `route add blackhole 10.${(i >> 8) & 255}.${i & 255}.0/24\n`,
  );
  // The event loop stands still meanwhile, so that the socket's buffer runs full.
  const added = spawnSync('ip', ['-batch', '-'], { input: lines.join(''), encoding: 'utf8' });
  if (added.status !== 0) throw new Error(added.stderr);
  await told;
  for (const route of await client.routes(4, 254)) known.add(formatRange(route.destination));
  outcome.readAfterLoss = known.size;
  const removed = spawnSync('ip', ['route', 'del', 'blackhole', '10.0.0.0/24'], { encoding: 'utf8' });
  if (removed.status !== 0) throw new Error(removed.stderr);
  while (known.has('10.0.0.0/24')) await new Promise((resolve) => setTimeout(resolve, 5));
  outcome.known = known.size;
  const before = performance.eventLoopUtilization();
  await new Promise((resolve) => setTimeout(resolve, 300));
  outcome.utilization = performance.eventLoopUtilization(before).utilization;
  events.close();
  client.close();
  say(outcome);
}

function refusals(): Record<string, string> {
  const silent: NetlinkEventListener = { onDatagrams: () => {}, onLost: () => {}, onError: () => {} };
  const code = (protocol: number, group: number): string => {
    try {
      NetlinkEvents.open(protocol, [group], silent).close();
      return 'none';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
  };
  return {
    route: code(NETLINK_ROUTE, ROUTE_GROUP.link),
    nftables: code(NETLINK_NETFILTER, NFNLGRP_NFTABLES),
  };
}

const [mode, argument] = process.argv.slice(2);
if (mode === 'overrun') await overrun(Number(argument));
else if (mode === 'refused') say(refusals());
else listen();
