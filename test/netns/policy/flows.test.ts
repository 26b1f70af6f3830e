import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Fate, PolicyCluster } from './policy-cluster.ts';
import type { OpenFlow, Probe } from './prober.ts';

const SEGMENT = new URL('./inside/tcp-segment.c', import.meta.url).pathname;
/** For what must be answered, however busy the machine is. */
const LONG_MS = 10_000;
/** For what must not be answered; a counter tells that it was dropped, too. */
const SHORT_MS = 150;
const SYN = 2;
const ACK = 16;
const SYN_ACK = 18;

const np = (key: string, spec: object): object => {
  const [namespace, name] = key.split('/') as [string, string];
  return { kind: 'NetworkPolicy', metadata: { namespace, name }, spec: { podSelector: {}, ...spec } };
};
const DENY_IN = np('x/deny', { policyTypes: ['Ingress'] });
const DENY_OUT_Y = np('y/deny', { policyTypes: ['Egress'] });
const OPEN_X = np('x/open', { policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [{}] });
const FROM_Y_80 = np('x/p', {
  ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'blue' } } }], ports: [{ port: 80 }] }],
});

describe('a flow that policies judge', () => {
  let cluster: PolicyCluster;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weft-segment-'));
    execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', join(folder, 'tcp-segment'), SEGMENT]);
    cluster = await PolicyCluster.create();
  });

  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await cluster?.delete();
  });

  /** Neither end hears the other. */
  async function isCut(flow: OpenFlow, server: string, port: number): Promise<void> {
    const before = await cluster.dropped();
    assert.equal(await flow.again(SHORT_MS), 'silent');
    assert.equal(await pushed(flow, server, port, SHORT_MS), 'silent');
    const after = await cluster.dropped();
    assert.ok(after.egress + after.ingress > before.egress + before.ingress, 'its packets were dropped');
  }

  /** What the client hears of what the server sends by itself. */
  async function pushed(flow: OpenFlow, server: string, port: number, patienceMs: number): Promise<string> {
    const heard = flow.hear(patienceMs);
    await cluster.prober(server).push(port);
    return heard;
  }

  for (const family of [4, 6] as const) {
    for (const protocol of ['tcp', 'udp'] as const) {
      for (const [where, policy] of [
        ['ingress of the server', DENY_IN],
        ['egress of the client', DENY_OUT_Y],
      ] as const) {
        it(`is cut in both directions when ${where} is tightened, and goes on when it is loosened: ${protocol} v${family}`, async () => {
          await cluster.apply();
          const flow = await cluster.prober('y/a').open(protocol, cluster.address('x/a', family), 80);
          assert.equal(await flow.again(LONG_MS), 'ok');
          await cluster.apply(policy);
          await isCut(flow, 'x/a', 80);
          await cluster.apply();
          assert.equal(await flow.again(LONG_MS), 'ok');
          await flow.close();
        });
      }
    }

    for (const protocol of ['tcp', 'udp'] as const) {
      it(`from a pod to its own node is cut, too: ${protocol} v${family}`, async () => {
        await cluster.apply();
        const flow = await cluster.prober('x/a').open(protocol, cluster.address('node', family), 80);
        await cluster.apply(np('x/deny', { policyTypes: ['Egress'] }));
        const before = await cluster.dropped();
        assert.equal(await flow.again(SHORT_MS), 'silent');
        assert.ok((await cluster.dropped()).egress > before.egress);
        await cluster.apply();
        assert.equal(await flow.again(LONG_MS), 'ok');
        await flow.close();
      });
    }

    it(`is cut though its server speaks first and connection tracking knows nothing of it: v${family}`, async () => {
      await cluster.unload();
      const flow = await cluster.prober('y/a').open('tcp', cluster.address('x/a', family), 80);
      await cluster.apply(DENY_IN);
      const before = await cluster.dropped();
      // That makes an entry with the roles exchanged, and x/a may send what it wants.
      assert.equal(await pushed(flow, 'x/a', 80, SHORT_MS), 'silent');
      assert.ok((await cluster.dropped()).ingress > before.ingress);
      await cluster.apply();
      assert.equal(await pushed(flow, 'x/a', 80, LONG_MS), 'ok');
      await cluster.apply(DENY_IN);
      await isCut(flow, 'x/a', 80);
      await flow.close();
    });

    it(`that began before connection tracking goes on where both readings are allowed: v${family}`, async function () {
      this.retries(2); // the kernel ends connection tracking some time after the last rule that needs it has gone
      for (const first of ['client', 'server'] as const) {
        await cluster.unload();
        const flow = await cluster.prober('y/a').open('tcp', cluster.address('x/a', family), 80);
        await cluster.apply(OPEN_X);
        if (first === 'server') {
          assert.equal(await pushed(flow, 'x/a', 80, LONG_MS), 'ok');
        }
        assert.equal(await flow.again(LONG_MS), 'ok');
        const onlyIn = np('x/open', { policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [] });
        await cluster.apply(onlyIn);
        await isCut(flow, 'x/a', 80);
        await flow.close();
      }
    });

    it(`with its own node, of an entry that began without SYN, is judged as if the pod had begun it: v${family}`, async () => {
      await cluster.unload();
      const flow = await cluster.prober('node').open('tcp', cluster.address('x/a', family), 80);
      await cluster.apply(np('x/deny', { policyTypes: ['Egress'] }));
      assert.equal(await flow.again(SHORT_MS), 'silent');
      await cluster.apply();
      assert.equal(await flow.again(LONG_MS), 'ok');
      await flow.close();
      const fresh = await cluster.prober('node').open('tcp', cluster.address('x/a', family), 80);
      await cluster.apply(np('x/deny', { policyTypes: ['Egress'] }));
      assert.equal(await fresh.again(LONG_MS), 'ok', 'one that began with SYN is never judged');
      await fresh.close();
    });

    it(`without an entry is dropped at a judged pod, and at no other: v${family}`, async () => {
      await cluster.apply(OPEN_X);
      await cluster.node.load(
        'table inet seen { chain out { type filter hook postrouting priority 0; tcp sport 4242 counter\n }\n}\n',
      );
      const seen = async (): Promise<number> => {
        const listing = await cluster.node.node.namespace.run('nft', 'list', 'table', 'inet', 'seen');
        return [...listing.matchAll(/packets (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
      };
      const send = async (from: string, to: string, flags: number): Promise<void> => {
        const place = cluster.node.pods.get(from)!;
        const [source, destination] = [cluster.address(from, family), cluster.address(to, family)];
        await place.namespace.run(
          join(folder, 'tcp-segment'),
          source,
          '4242',
          destination,
          '4243',
          String(flags),
        );
      };
      const start = (await cluster.dropped()).invalid;
      await send('y/a', 'x/a', SYN_ACK);
      await send('x/a', 'y/a', SYN_ACK);
      assert.deepEqual([(await cluster.dropped()).invalid - start, await seen()], [2, 0]);
      await send('y/a', 'y/b', SYN_ACK);
      assert.deepEqual([(await cluster.dropped()).invalid - start, await seen()], [2, 1]);
      await send('y/a', 'x/a', ACK);
      assert.deepEqual(
        [(await cluster.dropped()).invalid - start, await seen()],
        [2, 2],
        'both readings are allowed',
      );
      await cluster.node.load(
        'table inet untracked { chain in { type filter hook prerouting priority raw; tcp sport 4242 notrack\n }\n}\n',
      );
      await send('y/a', 'x/a', 2);
      assert.deepEqual([(await cluster.dropped()).invalid - start, await seen()], [3, 2]);
      await send('y/a', 'y/b', 2);
      assert.deepEqual([(await cluster.dropped()).invalid - start, await seen()], [3, 3]);
      await cluster.node.load('delete table inet untracked\ndelete table inet seen\n');
    });

    it(`that the node sends on for somebody else is kept from an isolated pod, and its own is not: v${family}`, async () => {
      await cluster.node.load(
        'table inet seen { chain out { type filter hook postrouting priority 0; tcp sport 4244 counter\n }\n}\n',
      );
      const { namespace } = cluster.node.node;
      const isSentOn = async (from: string): Promise<boolean> => {
        const seen = async (): Promise<string> =>
          /packets \d+/.exec(await namespace.run('nft', 'list', 'table', 'inet', 'seen'))![0];
        const before = await seen();
        const [source, destination] = [cluster.address(from, family), cluster.address('x/a', family)];
        // The sender is told of a packet that is dropped as it leaves.
        await namespace.attempt(join(folder, 'tcp-segment'), [
          source,
          '4244',
          destination,
          '80',
          String(SYN),
        ]);
        return (await seen()) !== before;
      };
      await cluster.apply(DENY_IN);
      assert.deepEqual([await isSentOn('node'), await isSentOn('world')], [true, false]);
      await cluster.apply(np('x/out', { policyTypes: ['Egress'] }));
      assert.equal(await isSentOn('world'), true, 'only where ingress is isolated');
      await cluster.node.load('delete table inet seen\n');
    });

    it(`has its ICMP errors, and a flow that is denied has none: v${family}`, async () => {
      const ports = [{ protocol: 'UDP', port: 9999 }];
      await cluster.apply(np('x/p', { policyTypes: ['Ingress', 'Egress'], ingress: [{ ports }] }));
      const address = cluster.address('x/a', family);
      assert.equal(await cluster.prober('y/a').udp(address, 9999, LONG_MS), 'refused');
      assert.equal(await cluster.prober('y/r').udp(address, 9999, LONG_MS), 'refused');
      const before = await cluster.dropped();
      assert.equal(await cluster.prober('y/a').udp(address, 9998, SHORT_MS), 'silent');
      assert.ok((await cluster.dropped()).ingress > before.ingress);
    });
  }

  it('passes while the whole table is loaded again and again, and a denied one never does', async () => {
    await cluster.apply(FROM_Y_80);
    const address = cluster.address('x/a', 4);
    const flow = await cluster.prober('y/a').open('tcp', address, 80);
    let loads = 0;
    const loading = (async () => {
      for (; loads < 15; loads++) await cluster.loadWhole();
    })();
    const denied: string[] = [];
    while (loads < 15) {
      const results = await Promise.all(
        [80, 81, 8080].map((port) => cluster.prober('z/a').udp(address, port, 20)),
      );
      denied.push(...results);
      assert.equal(await flow.again(LONG_MS), 'ok');
    }
    await loading;
    assert.ok(denied.length > 30 && denied.every((result) => result === 'silent'), 'nothing passed');
    await flow.close();
  });

  it('needs no neighbour discovery', async () => {
    await cluster.apply(FROM_Y_80);
    const { namespace } = cluster.node.node;
    await cluster.node.load(
      'table inet seen { chain in { type filter hook prerouting priority -500; iifname "wv*" icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } counter\n }\n}\n',
    );
    for (const link of [...cluster.node.pods.values()].map((each) => each.link))
      await namespace.run('ip', 'neighbour', 'flush', 'dev', link, 'nud', 'reachable');
    await cluster.check({ 'y/a > x/a TCP 80': 'passes', 'y/b > x/a TCP 81': 'ingress' });
    assert.match(await namespace.run('nft', 'list', 'table', 'inet', 'seen'), /counter packets 0/);
    await cluster.node.load('delete table inet seen\n');
  });
});

describe('a flow to a Service, as kube-proxy translates it,', () => {
  let cluster: PolicyCluster;

  before(async () => {
    cluster = await PolicyCluster.create();
    // 10.96.0.1 is x/a at 8080, 10.96.0.2 is y/a at 8080; port 30080 of the node is x/a at 80, 30081 is y/r at 80.
    await cluster.node.load(`table inet services {
  chain translate {
    type nat hook prerouting priority dstnat;
    ip daddr 10.96.0.1 tcp dport 80 dnat ip to 10.32.0.10:8080
    ip6 daddr fd00:96::1 tcp dport 80 dnat ip6 to [fd00:77::a]:8080
    ip daddr 10.96.0.2 tcp dport 80 dnat ip to 10.32.0.20:8080
    ip6 daddr fd00:96::2 tcp dport 80 dnat ip6 to [fd00:77::14]:8080
    ip daddr { 192.0.2.1, 10.32.0.1 } tcp dport 30080 dnat ip to 10.32.0.10:80
    ip6 daddr { 2001:db8::1, fd00:77::1 } tcp dport 30080 dnat ip6 to [fd00:77::a]:80
    ip daddr 192.0.2.1 tcp dport 30081 ct mark set 1 dnat ip to 10.32.0.60:80
    ip6 daddr 2001:db8::1 tcp dport 30081 ct mark set 1 dnat ip6 to [fd00:77::60]:80
  }
  chain leave {
    type nat hook postrouting priority srcnat;
    ct original ip saddr 10.32.0.10 ct reply ip saddr 10.32.0.10 masquerade
    ct original ip6 saddr fd00:77::a ct reply ip6 saddr fd00:77::a masquerade
    ct mark 1 masquerade
  }
}
`);
  });

  after(() => cluster?.delete());

  /** Checks what becomes of a connection over each family: it is answered, or dropped in that direction. */
  async function check(
    from: string,
    addresses: readonly [string, string],
    port: number,
    fate: Fate,
  ): Promise<void> {
    for (const address of addresses) {
      const before = await cluster.dropped();
      const result = await cluster.prober(from).tcp(address, port, fate === 'passes' ? LONG_MS : SHORT_MS);
      const after = await cluster.dropped();
      const told = `${from} to ${address} ${port}`;
      assert.equal(result, fate === 'passes' ? 'ok' : 'silent', told);
      if (fate !== 'passes') assert.ok(after[fate] > before[fate], told);
    }
  }

  const OWN = ['10.96.0.1', 'fd00:96::1'] as const;
  const OTHER = ['10.96.0.2', 'fd00:96::2'] as const;
  const NODE = ['192.0.2.1', '2001:db8::1'] as const;
  const BLUE = { namespaceSelector: { matchLabels: { team: 'blue' } } };
  const denyAll = (more: object): object => ({
    kind: 'ClusterNetworkPolicy',
    metadata: { name: 'c' },
    spec: { tier: 'Admin', priority: 1, subject: { namespaces: { matchLabels: { team: 'red' } } }, ...more },
  });
  const EVERY = [{ namespaces: {} }];

  it('is judged on its endpoint', async () => {
    await cluster.apply(
      np('x/p', { policyTypes: ['Egress'], egress: [{ to: [BLUE], ports: [{ port: 8080 }] }] }),
    );
    await check('x/a', OTHER, 80, 'passes');
    await cluster.apply(
      np('x/p', { policyTypes: ['Egress'], egress: [{ to: [BLUE], ports: [{ port: 80 }] }] }),
    );
    await check('x/a', OTHER, 80, 'egress');
    await cluster.apply(np('y/p', { ingress: [{ from: [{ podSelector: {} }] }] }));
    await check('x/a', OTHER, 80, 'ingress');
    await check('y/b', OTHER, 80, 'passes');
  });

  it('and back to the pod itself is kept from nobody by a NetworkPolicy', async () => {
    await cluster.apply(np('x/deny', { policyTypes: ['Ingress', 'Egress'] }));
    await check('x/a', OWN, 80, 'passes');
    await check('x/b', OWN, 80, 'egress');
  });

  it('and back to the pod itself is judged by ClusterNetworkPolicy', async () => {
    await cluster.apply(denyAll({ egress: [{ action: 'Deny', to: EVERY }] }));
    await check('x/a', OWN, 80, 'egress');
    await cluster.apply(denyAll({ ingress: [{ action: 'Deny', from: EVERY }] }));
    await check('x/a', OWN, 80, 'ingress');
    await cluster.apply(denyAll({ tier: 'Baseline', ingress: [{ action: 'Deny', from: EVERY }] }));
    await check('x/a', OWN, 80, 'ingress');
  });

  it('by a port of the node, local to it, is judged by the client’s own address', async () => {
    const world = ['198.51.100.9/32', '2001:db8:f::9/128'].map((cidr) => ({ ipBlock: { cidr } }));
    await cluster.apply(np('x/p', { ingress: [{ from: world, ports: [{ port: 80 }] }] }));
    await check('world', NODE, 30080, 'passes');
    await check('there', NODE, 30080, 'ingress');
    await cluster.apply(np('x/p', { ingress: [{ from: world, ports: [{ port: 30080 }] }] }));
    await check('world', NODE, 30080, 'ingress');
  });

  it('by a port of the node, from a pod, is judged as one to the endpoint', async () => {
    await cluster.apply(
      np('y/p', { policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: '192.0.2.1/32' } }] }] }),
    );
    await check('y/a', NODE, 30080, 'egress');
    const red = { namespaceSelector: { matchLabels: { team: 'red' } } };
    await cluster.apply(np('y/p', { policyTypes: ['Egress'], egress: [{ to: [red] }] }));
    await check('y/a', NODE, 30080, 'passes');
  });

  it('by a port of the node, on to a pod of another, passes a node that isolates only its own pods', async () => {
    await cluster.apply(np('x/deny', { policyTypes: ['Ingress', 'Egress'] }), np('y/deny', {}));
    await check('world', NODE, 30081, 'passes');
    await check('x/a', NODE, 30081, 'egress');
  });
});

describe('a flow that is denied, where denials are answered,', () => {
  let cluster: PolicyCluster;

  before(async () => {
    cluster = await PolicyCluster.create({ reject: true, log: { group: 86, packetsPerSecond: 10 } });
  });

  after(() => cluster?.delete());

  for (const family of [4, 6] as const) {
    it(`fails at once, if a pod of this node began it: v${family}`, async () => {
      await cluster.apply(DENY_IN, DENY_OUT_Y);
      const [x, z, world] = ['x/a', 'z/a', 'world'].map((name) => cluster.address(name, family)) as [
        string,
        string,
        string,
      ];
      const node = cluster.address('node', family);
      assert.equal(await cluster.prober('z/a').tcp(x, 80, LONG_MS), 'refused');
      assert.equal(await cluster.prober('z/a').udp(x, 80, LONG_MS), 'prohibited');
      assert.equal(await cluster.prober('y/a').tcp(z, 80, LONG_MS), 'refused');
      assert.equal(await cluster.prober('y/a').udp(world, 80, LONG_MS), 'prohibited');
      assert.equal(await cluster.prober('y/a').ping(z, LONG_MS), 'prohibited');
      assert.equal(await cluster.prober('y/a').tcp(node, 80, LONG_MS), 'refused');
      assert.equal(await cluster.prober('y/a').udp(node, 80, LONG_MS), 'prohibited');
    });

    it(`is dropped without a word, if it comes from elsewhere: v${family}`, async () => {
      const x = cluster.address('x/a', family);
      const fates = async (from: string): Promise<Probe[]> => {
        const prober = cluster.prober(from);
        return [
          await prober.tcp(x, 80, SHORT_MS),
          await prober.udp(x, 80, SHORT_MS),
          await prober.ping(x, SHORT_MS),
        ];
      };
      for (const from of ['there', 'world']) {
        await cluster.apply();
        assert.deepEqual(await fates(from), ['ok', 'ok', 'ok'], from);
        await cluster.apply(DENY_IN);
        const before = await cluster.dropped();
        assert.deepEqual(await fates(from), ['silent', 'silent', 'silent'], from);
        assert.ok((await cluster.dropped()).ingress >= before.ingress + 3, from);
      }
    });

    it(`is reset when it is cut: v${family}`, async () => {
      await cluster.apply();
      const flow = await cluster.prober('z/a').open('tcp', cluster.address('x/a', family), 80);
      await cluster.apply(DENY_IN);
      assert.equal(await flow.again(LONG_MS), 'refused');
    });
  }
});
