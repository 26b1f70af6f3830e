import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PolicyCluster } from './policy-cluster.ts';
import type { OpenFlow } from './prober.ts';

const SOURCE = new URL('./inside/icmp-error.c', import.meta.url).pathname;
/** For what must be answered, however busy the machine is. */
const LONG_MS = 10_000;
/** For what must not be answered; a counter tells that it was dropped, too. */
const SHORT_MS = 150;

/** Two ends of a flow and its ports, and the socket that began it. */
interface UdpFlow {
  readonly from: string;
  readonly to: string;
  /** Which of its addresses the client took. */
  readonly source: string;
  readonly sourcePort: string;
  readonly port: number;
  readonly socket: OpenFlow;
}

const deny = (key: string, policyTypes: readonly string[]): object => {
  const [namespace, name] = key.split('/') as [string, string];
  return { kind: 'NetworkPolicy', metadata: { namespace, name }, spec: { podSelector: {}, policyTypes } };
};

describe('an ICMP error', () => {
  let cluster: PolicyCluster;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weft-icmp-'));
    execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', join(folder, 'icmp-error'), SOURCE]);
    cluster = await PolicyCluster.create();
    // 10.96.0.1 is x/a; port 9999 of the node is x/a, masqueraded; what x/a sends to port 81 is masqueraded.
    await cluster.node.load(`table inet services {
  chain translate {
    type nat hook prerouting priority dstnat;
    ip daddr 10.96.0.1 udp dport 9999 dnat ip to 10.32.0.10
    ip6 daddr fd00:96::1 udp dport 9999 dnat ip6 to fd00:77::a
    ip daddr 192.0.2.1 udp dport 9999 ct mark set 1 dnat ip to 10.32.0.10
    ip6 daddr 2001:db8::1 udp dport 9999 ct mark set 1 dnat ip6 to fd00:77::a
    ip saddr 10.32.0.10 udp dport 81 ct mark set 1
    ip6 saddr fd00:77::a udp dport 81 ct mark set 1
  }
  chain leave {
    type nat hook postrouting priority srcnat;
    ct mark 1 masquerade
  }
}
table inet seen {
  chain out {
    type filter hook postrouting priority 0;
    oifname "un*" meta l4proto { icmp, icmpv6 } ct state related counter
  }
}
`);
  });

  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await cluster?.delete();
  });

  function place(name: string) {
    const { node } = cluster.node;
    return name === 'node' ? node : (cluster.node.pods.get(name) ?? cluster.node.beyond.get(name))!;
  }

  async function open(from: string, to: string, family: 4 | 6, port = 80): Promise<UdpFlow> {
    const socket = await cluster.prober(from).open('udp', cluster.address(to, family), port);
    const address = cluster.address(to, family);
    const peer = family === 4 ? address : `[${address}]`;
    const listing = await place(from).namespace.run('ss', '-Hun', 'dst', peer);
    const [, source, sourcePort] = new RegExp(`(\\S+):(\\d+)\\s+\\S+:${port}\\s*$`, 'm').exec(listing)!;
    return { from, to, source: source!.replace(/[[\]]/g, ''), sourcePort: sourcePort!, port, socket };
  }

  /** `sender` tells one end of a flow that its datagram to the other cannot go on. */
  async function send(
    sender: string,
    kind: 'unreachable' | 'too-big',
    flow: UdpFlow,
    family: 4 | 6,
    toEnd: 'from' | 'to' = 'from',
  ): Promise<void> {
    const to = cluster.address(flow.to, family);
    const sent =
      toEnd === 'from'
        ? [flow.source, flow.sourcePort, to, String(flow.port)]
        : [to, String(flow.port), flow.source, flow.sourcePort];
    await place(sender).namespace.run(join(folder, 'icmp-error'), kind, sent[0]!, ...sent);
  }

  /** What the socket of a flow hears when `sender` sends that. */
  async function heard(patienceMs: number, ...sent: Parameters<typeof send>): Promise<string> {
    const [, , { from, socket }] = sent;
    const hears = socket.hear(patienceMs);
    // Commands are taken in order: when this one is answered, the socket listens.
    await cluster.prober(from).push(9);
    await send(...sent);
    return hears;
  }

  /** Errors that left the node for elsewhere. */
  async function leftNode(): Promise<number> {
    const listing = await cluster.node.node.namespace.run('nft', 'list', 'table', 'inet', 'seen');
    return Number(/packets (\d+)/.exec(listing)![1]);
  }

  for (const family of [4, 6] as const) {
    describe(`over IPv${family}`, () => {
      for (const [sender, which] of [
        ['y/b', 'that may send nothing'],
        ['z/a', 'that no policy selects'],
      ] as const) {
        it(`about the flow of others does not pass from a pod ${which}`, async () => {
          await cluster.apply(deny('x/deny', ['Ingress']), deny('y/deny', ['Egress']));
          for (const kind of ['unreachable', 'too-big'] as const) {
            const flow = await open('x/a', 'world', family);
            const before = (await cluster.dropped()).egress;
            const left = await leftNode();
            assert.equal(await heard(SHORT_MS, sender, kind, flow, family), 'silent');
            assert.equal((await cluster.dropped()).egress, before + 1);
            await send(sender, kind, flow, family, 'to');
            assert.deepEqual([(await cluster.dropped()).egress, await leftNode()], [before + 2, left]);
            await flow.socket.close();
          }
        });

        it(`about a flow that its node has with others does not pass from a pod ${which}`, async () => {
          await cluster.apply(deny('y/deny', ['Egress']));
          for (const to of ['x/a', 'world']) {
            const flow = await open('node', to, family);
            const before = (await cluster.dropped()).egress;
            assert.equal(await heard(SHORT_MS, sender, 'unreachable', flow, family), 'silent');
            assert.equal((await cluster.dropped()).egress, before + 1);
            await flow.socket.close();
          }
        });
      }

      it('about its own flow passes from a pod, whichever end it is', async () => {
        await cluster.apply(deny('z/deny', ['Egress']));
        const before = await cluster.dropped();
        for (const client of ['y/a', 'y/r', 'world', 'node'])
          assert.equal(
            await cluster.prober(client).udp(cluster.address('x/a', family), 9999, LONG_MS),
            'refused',
            client,
          );
        const flow = await open('x/a', 'world', family);
        const left = await leftNode();
        await send('x/a', 'unreachable', flow, family, 'to');
        assert.equal(await leftNode(), left + 1);
        await flow.socket.close();
        assert.deepEqual(await cluster.dropped(), before);
      });

      it('about its own flow passes from a pod where addresses are translated', async () => {
        await cluster.apply(deny('z/deny', ['Egress']));
        const before = await cluster.dropped();
        const service = family === 4 ? '10.96.0.1' : 'fd00:96::1';
        assert.equal(await cluster.prober('y/a').udp(service, 9999, LONG_MS), 'refused', 'a Service');
        const node = cluster.address('node-internal', family);
        assert.equal(await cluster.prober('world').udp(node, 9999, LONG_MS), 'refused', 'masqueraded, to it');
        const flow = await open('x/a', 'world', family, 81);
        const left = await leftNode();
        await send('x/a', 'unreachable', flow, family, 'to');
        assert.equal(await leftNode(), left + 1, 'masqueraded, from it');
        await flow.socket.close();
        assert.deepEqual(await cluster.dropped(), before);
      });

      it('passes from a router', async () => {
        await cluster.apply(deny('x/deny', ['Ingress']));
        for (const [kind, said] of [
          ['unreachable', 'refused'],
          ['too-big', 'too-big'],
        ] as const) {
          const flow = await open('x/a', 'world', family);
          assert.equal(await heard(LONG_MS, 'there', kind, flow, family), said);
        }
      });

      it('about its own flow passes from a pod of which weft-npc does not know yet', async () => {
        const { link } = cluster.node.pods.get('z/a')!;
        const putBack = await cluster.withoutAttachment('z/a');
        // weftd opens it by itself while weft-npc is away.
        await cluster.node.load(`add element inet weft-npc decided { "${link}" }\n`);
        assert.equal(
          await cluster.prober('y/a').udp(cluster.address('z/a', family), 9999, LONG_MS),
          'refused',
        );
        await putBack();
      });
    });
  }
});
