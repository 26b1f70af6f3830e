import { deepEqual, equal, ok } from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { askDaemon } from '../../../control/control-client.io.ts';
import type { ReportResult } from '../../../control/control-protocol.ts';
import { connect, Namespace } from '../namespaces.ts';
import { WeftdHost } from '../weftd-host.ts';

const DATAGRAM = fileURLToPath(new URL('../inside/datagram.ts', import.meta.url));

describe('the report of a weftd', function () {
  this.timeout(180_000);
  let host: WeftdHost;
  let outside: Namespace;

  before(async () => {
    [host, outside] = await Promise.all([WeftdHost.create(), Namespace.create('wr')]);
    await connect(
      { namespace: host.namespace, link: 'eth1', addresses: ['198.51.100.1/24'] },
      { namespace: outside, link: 'eth0', addresses: ['198.51.100.2/24'] },
    );
    await outside.run('ip', 'route', 'add', '10.32.0.0/12', 'via', '198.51.100.1');
    await host.serve(host.args({ '--ipalloc-range': '10.32.0.0/12' }));
  });

  after(async () => {
    await outside?.delete();
    await host?.destroy();
  });

  const report = async (): Promise<ReportResult> => askDaemon(host.path('run'), { op: 'report' });

  it('shows what the packet rules dropped, beside what weftd counted itself', async () => {
    equal((await report()).counters['rules.dropForeign'], undefined, 'what never happened is left out');
    await outside.program(DATAGRAM, 'send', '10.32.0.9');
    await outside.program(DATAGRAM, 'send', '10.32.0.9');
    const { counters } = await report();
    equal(counters['rules.dropForeign'], 2);
    // Nobody is there to talk to: weftd's own counts are few, but all are of declared names with a dot.
    deepEqual(
      Object.keys(counters).filter((name) => !/^[a-z]+\.[a-zA-Z0-9]+$/.test(name)),
      [],
    );
  });

  it('shows how things stand', async () => {
    const { gauges, status } = await report();
    deepEqual(gauges['gossip.peers'], { alive: 0, suspect: 0, dead: 0, left: 0, unknown: 0 });
    deepEqual(gauges['tunnel.tunnels'], { direct: 0, relayed: 0, handshaking: 0, unreachable: 0, idle: 0 });
    // Alone, the node owns the whole range; that of IPv6 is the cluster's own /64, and it has an address of each.
    deepEqual(gauges['ipam.addressesOwned'], { 4: 2 ** 20, 6: 2 ** 64 });
    deepEqual(gauges['ipam.addressesUsed'], { 4: status.addresses.length - 1, 6: 1 });
    ok((gauges['process.residentBytes'] as number) > 20_000_000);
    ok((gauges['process.openFiles'] as number) > 5);
    ok((gauges['ipam.ringLogBytes'] as number) > 0);
    deepEqual(Object.keys(gauges['process.eventLoopDelay'] as object), ['p50', 'p99', 'max']);
  });

  it('comes without them, and whole, where somebody has removed the rules', async () => {
    await host.namespace.run('nft', 'delete', 'table', 'inet', 'weft');
    const { counters, status, ...rest } = await report();
    equal(counters['rules.dropForeign'], undefined);
    equal(rest.countersMissing, undefined);
    ok(status.peerId.length > 0);
  });
});
