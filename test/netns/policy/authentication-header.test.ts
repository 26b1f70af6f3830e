import { deepEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PolicyCluster } from './policy-cluster.ts';

const SOURCE = new URL('./inside/authenticated-syn.c', import.meta.url).pathname;
const tcp = (number: number): object => ({ tcp: { destinationPort: { number } } });

/** What x/a sends over IPv6 behind an authentication header: connection tracking sees the TCP behind it, nft the header. */
describe('a packet with an authentication header', () => {
  let cluster: PolicyCluster;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weft-ah-'));
    execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', join(folder, 'send'), SOURCE]);
    cluster = await PolicyCluster.create();
    await cluster.node.load(`table inet seen {
  chain out {
    type filter hook postrouting priority 0;
    ip6 daddr fd00:77::14 meta l4proto 51 counter
  }
}
`);
  });

  after(async () => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    await cluster?.delete();
  });

  /** Sends one from x/a to y/a; how many reached y/a, and how many were dropped as no egress, of that one. */
  async function sent(port: number): Promise<readonly [reached: number, dropped: number]> {
    const [reached, { egress }] = [await passed(), await cluster.dropped()];
    const [from, to] = ['x/a', 'y/a'].map((name) => cluster.address(name, 6)) as [string, string];
    await cluster.node.pods.get('x/a')!.namespace.run(join(folder, 'send'), from, to, String(port));
    return [(await passed()) - reached, (await cluster.dropped()).egress - egress];
  }

  async function passed(): Promise<number> {
    const listing = await cluster.node.node.namespace.run('nft', 'list', 'table', 'inet', 'seen');
    return Number(/packets (\d+)/.exec(listing)![1]);
  }

  it('is denied at a port that is denied, and at no other', async () => {
    await cluster.apply({
      kind: 'ClusterNetworkPolicy',
      metadata: { name: 'a' },
      spec: {
        tier: 'Admin',
        priority: 1,
        subject: { namespaces: { matchLabels: { team: 'red' } } },
        egress: [{ action: 'Deny', to: [{ namespaces: {} }], protocols: [tcp(80)] }],
      },
    });
    deepEqual(
      [await sent(80), await sent(81)],
      [
        [0, 1],
        [1, 0],
      ],
    );
  });

  it('is let through at a port that is allowed, and at no other', async () => {
    await cluster.apply({
      kind: 'NetworkPolicy',
      metadata: { namespace: 'x', name: 'p' },
      spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 80 }] }] },
    });
    deepEqual(
      [await sent(80), await sent(81)],
      [
        [1, 0],
        [0, 1],
      ],
    );
  });
});
