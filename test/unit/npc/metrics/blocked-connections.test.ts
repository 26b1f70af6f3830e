import { deepEqual, equal } from 'node:assert/strict';
import { BlockedConnections } from '../../../../npc/metrics/blocked-connections.ts';

describe('BlockedConnections', () => {
  it('tells protocols and ports apart', () => {
    const blocked = new BlockedConnections();
    blocked.add('TCP', 80);
    blocked.add('TCP', 80);
    blocked.add('UDP', 80);
    blocked.add('ICMP', undefined);
    deepEqual(
      blocked.all().map(({ protocol, port, count }) => [protocol, port, count]),
      [
        ['tcp', '80', 2],
        ['udp', '80', 1],
        ['icmp', '', 1],
      ],
    );
  });

  it('puts together what comes after many of them, and still counts those it knows', () => {
    const blocked = new BlockedConnections();
    for (let port = 1; port <= 65_535; port++) blocked.add('TCP', port);
    blocked.add('TCP', 7);
    const all = blocked.all();
    equal(all.length, 65);
    deepEqual(all.at(-1), { protocol: 'other', port: 'other', count: 65_535 - 64 });
    equal(all.find(({ port }) => port === '7')!.count, 2);
  });
});
