import { fileURLToPath } from 'node:url';
import { Namespace } from '../../test/netns/namespaces.ts';
import { rounded, spread } from '../report.ts';
import {
  type BenchPod,
  benchNamespaces,
  benchPod,
  benchPolicy,
  type ClusterSize,
  NODE,
} from './policy-cluster.ts';
import { PolicyNode } from './policy-node.ts';

const SENDER = fileURLToPath(new URL('../send-datagrams.ts', import.meta.url));
const PACKETS = 100_000;
/** Each of these begins a flow; fewer than the kernel keeps entries for. */
const FLOWS = 20_000;
const GATEWAY = '10.255.0.1';
/** Receives and counts all, before any socket is looked for. */
const COUNTER = `table inet count {
  counter came {}
  chain prerouting {
    type filter hook prerouting priority raw;
    meta l4proto udp counter name came drop
  }
}
`;

/** What every node has where kube-proxy runs: the kernel follows connections. */
const TRACKED = `table inet tracked {
  chain forward {
    type filter hook forward priority filter;
    ct state invalid counter
  }
}
`;

/** How many policies there are, where packets are sent. */
type Case = 'none' | 'one' | 'thousand';
const CASES: readonly Case[] = ['none', 'one', 'thousand'];

interface Figures {
  readonly packetMicroseconds: number[];
  readonly newFlowMicroseconds: number[];
}

/** What a packet costs on its way through a node, in turn without policies, under one, and under as many as `size` says. */
export async function measurePackets(rounds: number, size: ClusterSize): Promise<Record<string, unknown>> {
  const figures: Record<Case, Figures> = { none: empty(), one: empty(), thousand: empty() };
  for (let round = 0; round < rounds; round++) {
    for (const each of CASES) await measure(each, size, figures[each]);
  }
  const ratio = (of: keyof Figures): number =>
    rounded(spread(figures.thousand[of]).median / spread(figures.one[of]).median);
  return {
    packets: PACKETS,
    flows: FLOWS,
    ...Object.fromEntries(
      CASES.map((each) => [
        each,
        {
          packetMicroseconds: spread(figures[each].packetMicroseconds),
          newFlowMicroseconds: spread(figures[each].newFlowMicroseconds),
        },
      ]),
    ),
    ratio: {
      thousandToOnePacket: ratio('packetMicroseconds'),
      thousandToOneNewFlow: ratio('newFlowMicroseconds'),
    },
  };
}

function empty(): Figures {
  return { packetMicroseconds: [], newFlowMicroseconds: [] };
}

async function measure(which: Case, size: ClusterSize, into: Figures): Promise<void> {
  const [client, server] = [size.pods, size.pods + 1].map((number) =>
    benchPod(number, size, { namespace: 'bench', node: NODE }),
  ) as [BenchPod, BenchPod];
  const router = await Namespace.create('bpol');
  const ends = [await attach(router, client), await attach(router, server)] as const;
  try {
    await router.run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
    await load(router, TRACKED);
    await load(ends[1], COUNTER);
    if (which !== 'none') await loadPolicies(router, which, size, [client, server]);
    const to = server.addresses[0];
    await send(ends, { to, count: 1_000, ports: 1 });
    into.packetMicroseconds.push(await send(ends, { to, count: PACKETS, ports: 1 }));
    into.newFlowMicroseconds.push(await send(ends, { to, count: FLOWS, ports: FLOWS }));
  } finally {
    for (const namespace of [...ends, router]) await namespace.delete();
  }
}

async function load(namespace: Namespace, rules: string): Promise<void> {
  const { code, stderr } = await namespace.attempt('nft', ['-f', '-'], rules);
  if (code !== 0) throw new Error(stderr);
}

/** The cluster's policies where they are wanted, and in each case one that the two pods are judged by, in both directions. */
async function loadPolicies(
  router: Namespace,
  which: Case,
  size: ClusterSize,
  ends: readonly BenchPod[],
): Promise<void> {
  const node = new PolicyNode(router);
  const count = which === 'thousand' ? size.policies - 1 : 0;
  const others = which === 'thousand' ? Array.from({ length: size.pods }, (_, i) => benchPod(i, size)) : [];
  node.namespaces([
    ...benchNamespaces(),
    { metadata: { name: 'bench', uid: 'uid-bench', resourceVersion: '1', labels: {} } },
  ]);
  node.pods([...others, ...ends]);
  node.policies([
    ...Array.from({ length: count }, (_, i) => benchPolicy(i)),
    {
      metadata: { namespace: 'bench', name: 'allow', uid: 'uid-allow', resourceVersion: '1' },
      spec: {
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{ podSelector: {} }] }],
        egress: [{ to: [{ podSelector: {} }] }],
      },
    },
  ]);
  node.attach([...others.slice(0, size.local - ends.length), ...ends]);
  await node.load();
}

/** A namespace of the pod's, at the other end of its link. */
async function attach(router: Namespace, { link, addresses }: BenchPod): Promise<Namespace> {
  const pod = await Namespace.create('bpol');
  const [v4] = addresses;
  await router.run(
    'ip',
    'link',
    'add',
    'name',
    link,
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    pod.name,
  );
  await router.run('ip', 'link', 'set', link, 'up');
  await router.run('ip', 'addr', 'add', `${GATEWAY}/32`, 'dev', link);
  await pod.run('ip', 'link', 'set', 'eth0', 'up');
  await pod.run('ip', 'addr', 'add', `${v4}/32`, 'dev', 'eth0');
  await pod.run('ip', 'route', 'add', `${GATEWAY}/32`, 'dev', 'eth0');
  await pod.run('ip', 'route', 'add', 'default', 'via', GATEWAY);
  await router.run('ip', 'route', 'add', `${v4}/32`, 'dev', link);
  return pod;
}

/** Sends, and answers the microseconds of one packet. All have to come: what is dropped on the way costs less. */
async function send(
  [client, server]: readonly [Namespace, Namespace],
  { to, count, ports }: { readonly to: string; readonly count: number; readonly ports: number },
): Promise<number> {
  await server.run('nft', 'reset', 'counter', 'inet', 'count', 'came');
  const said = (await client.program(SENDER, to, String(count), String(ports))) as { microseconds: number };
  const came = /packets (\d+)/.exec(await server.run('nft', 'list', 'counter', 'inet', 'count', 'came'))?.[1];
  if (Number(came) !== count) throw new Error(`${came} of ${count} packets came`);
  return said.microseconds / count;
}
