import { equal, ok } from 'node:assert/strict';
import { renderPolicyTable } from '../../../linux/policy-table.ts';
import type { Cluster, Family, Flow } from '../../oracle/api-objects.ts';
import { familyOf } from '../../oracle/cidr.ts';
import { generateCluster } from '../../oracle/cluster-generator.ts';
import { Dice } from '../../oracle/dice.ts';
import { addressesOf, nameOf } from '../../oracle/ends.ts';
import { othersOf, portsIn } from '../../oracle/flow-generator.ts';
import { judge } from '../../oracle/oracle.ts';
import { CompiledNode } from '../../oracle/rules/compiled-node.ts';
import { attachedPods } from '../../oracle/rules/node-walk.ts';
import { nodesWithPods } from '../../oracle/rules/rule-comparison.ts';
import { type Place, PolicyNode } from './policy-node.ts';

/** WEFT_SAMPLED_CLUSTERS=40 WEFT_SAMPLED_SEED=7 for a longer run. */
const CLUSTERS = Number(process.env.WEFT_SAMPLED_CLUSTERS ?? 4);
const SEED = Number(process.env.WEFT_SAMPLED_SEED ?? 1);
const FAR_PLACES = 8;
const PORTS = 3;
/** Long, since nothing is waited for that long unless a packet is missing. */
const ALLOWED_PATIENCE_MS = 8000;
const DENIED_PATIENCE_MS = 400;
const FAMILIES = [4, 6] as const;

/** Addresses that nobody in a cluster has, for places that have none of a family. */
const filler = (number: number): Record<Family, string> => ({
  4: `198.18.0.${number}`,
  6: `2001:2::${number}`,
});

/** What the kernel routes in a way of its own. */
const SPECIAL = /^(0|127|169\.254|22[4-9]|2[3-5]\d)\.|^f[ef]|^::/;

interface Sample {
  readonly cluster: Cluster;
  readonly node: string;
  readonly dice: Dice;
}

/** Clusters that have policies, and of each the node with the most pods, two at least. */
function* samples(): Generator<Sample> {
  for (let index = 0, found = 0; found < CLUSTERS; index++) {
    const dice = new Dice(SEED, index);
    const cluster = generateCluster(dice);
    const [node] = nodesWithPods(cluster).sort((a, b) => count(cluster, b) - count(cluster, a));
    if (node === undefined || count(cluster, node) < 2) continue;
    if (cluster.networkPolicies.length === 0 && cluster.clusterNetworkPolicies.length === 0) continue;
    found++;
    yield { cluster, node, dice };
  }
}

function count(cluster: Cluster, node: string): number {
  return attachedPods(cluster, node).length;
}

/** One place in the real network, with the addresses at which flows end. */
interface End {
  readonly place: Place;
  readonly addresses: Partial<Record<Family, readonly string[]>>;
  readonly isNode: boolean;
}

describe('random clusters, loaded into nftables,', function () {
  this.timeout(120_000);

  for (const [number, { cluster, node, dice }] of [...samples()].entries()) {
    it(`treat real packets as the oracle says (${number}: ${node})`, async () => {
      const ports = [...new Set(dice.shuffled(portsIn(cluster)))].slice(0, PORTS);
      const own = ownAddresses(cluster, node);
      const primary = { ...filler(1), ...firstOfEach(own) };
      const network = await PolicyNode.create({
        addresses: primary,
        others: own.filter((address) => address !== primary[4] && address !== primary[6]),
        ports,
      });
      try {
        const ends: End[] = [{ place: network.node, addresses: byFamily(own), isNode: true }];
        const compiled = new CompiledNode(node);
        const rules = compiled.become(cluster, dice);
        const { linkByPod } = compiled.ruled();
        for (const [i, pod] of attachedPods(cluster, node).entries()) {
          const addresses = firstOfEach(addressesOf(pod));
          const place = await network.addPod(nameOf(pod), 10 + i, {
            link: linkByPod.get(nameOf(pod))!,
            addresses: { ...filler(10 + i), ...addresses },
            ports,
          });
          ends.push({ place, addresses: byFamily(Object.values(addresses)), isNode: false });
        }
        for (const [i, addresses] of farAddresses(dice, cluster, node, own).entries()) {
          const place = await network.addBeyond(`far${i}`, { ...filler(100 + i), ...addresses }, ports);
          ends.push({ place, addresses: byFamily(Object.values(addresses)), isNode: false });
        }
        await network.load(renderPolicyTable(rules));
        await probeAll(cluster, ends, ports, network);
      } finally {
        await network.delete();
      }
    });
  }
});

/** Probes from every place to every other one, where one of the two is a pod of this node. */
async function probeAll(
  cluster: Cluster,
  ends: readonly End[],
  ports: readonly number[],
  network: PolicyNode,
): Promise<void> {
  const isPod = ({ place }: End): boolean => network.pods.has(place.name);
  const pairs = ends.flatMap((source) => ends.map((destination) => [source, destination] as const));
  const probes = pairs
    .filter(([source, destination]) => source !== destination && (isPod(source) || isPod(destination)))
    .flatMap(([source, destination]) =>
      [...flowsBetween(source, destination, ports)].map((flow) => {
        // What a far pod sends and gets is judged by its own node.
        const { egress, ingress } = judge(cluster, flow);
        const allowed = (egress || !isPod(source)) && (ingress || !isPod(destination));
        const ask = flow.protocol === 'TCP' ? 'tcp' : 'udp';
        const patience = allowed ? ALLOWED_PATIENCE_MS : DENIED_PATIENCE_MS;
        const result = source.place.prober[ask](flow.destination.address, flow.port, patience);
        return { flow, allowed, result };
      }),
    );
  const wrong: string[] = [];
  for (const { flow, allowed, result } of probes) {
    const outcome = await result;
    if (outcome === (allowed ? 'ok' : 'silent')) continue;
    const { why } = judge(cluster, flow);
    wrong.push(
      `${allowed ? 'allowed' : 'denied'} and ${outcome}: ${JSON.stringify(flow)}: ${why.join('; ')}`,
    );
  }
  ok(probes.length > 0);
  equal(wrong.length, 0, wrong.slice(0, 8).join('\n'));
}

interface ProbedFlow extends Flow {
  readonly source: { readonly address: string };
  readonly destination: { readonly address: string };
  readonly protocol: 'TCP' | 'UDP';
  readonly port: number;
}

/** Of both families and protocols, from the address by which the source sends to each of the destination. */
function* flowsBetween(source: End, destination: End, ports: readonly number[]): Generator<ProbedFlow> {
  for (const family of FAMILIES) {
    const from = source.addresses[family]?.[0];
    const targets = destination.addresses[family] ?? [];
    if (from === undefined) continue;
    for (const to of targets) {
      for (const port of ports) {
        const flow = { family, source: { address: from }, destination: { address: to }, port };
        yield { ...flow, protocol: 'TCP' };
        // The node answers by UDP from an address of its choice.
        if (!destination.isNode || targets.length === 1) yield { ...flow, protocol: 'UDP' };
      }
    }
  }
}

function ownAddresses(cluster: Cluster, name: string): string[] {
  const node = cluster.nodes.find(({ metadata }) => metadata.name === name);
  const told = (node?.status?.addresses ?? []).map(({ address }) => address);
  return [...told, ...(cluster.overlayAddressesByNode[name] ?? [])].filter(
    (one) => familyOf(one) !== undefined,
  );
}

function firstOfEach(addresses: readonly string[]): Partial<Record<Family, string>> {
  return Object.fromEntries(
    FAMILIES.flatMap((family) => {
      const first = addresses.find((address) => familyOf(address) === family);
      return first === undefined ? [] : [[family, first]];
    }),
  );
}

function byFamily(addresses: readonly string[]): End['addresses'] {
  return Object.fromEntries(
    FAMILIES.map((family) => [family, addresses.filter((address) => familyOf(address) === family)]),
  );
}

/** Addresses of others than the node and its pods, an IPv4 and an IPv6 one for each place. */
function farAddresses(
  dice: Dice,
  cluster: Cluster,
  node: string,
  own: readonly string[],
): Partial<Record<Family, string>>[] {
  const near = new Set([...own, ...attachedPods(cluster, node).flatMap(addressesOf)]);
  const [v4, v6] = FAMILIES.map((family) => {
    const all = othersOf(cluster, family).map((end) => (end as { address: string }).address);
    return dice
      .shuffled(all.filter((address) => !near.has(address) && !SPECIAL.test(address)))
      .slice(0, FAR_PLACES);
  }) as [string[], string[]];
  return Array.from({ length: Math.max(v4.length, v6.length) }, (_, i) => ({
    ...(v4[i] === undefined ? {} : { 4: v4[i] }),
    ...(v6[i] === undefined ? {} : { 6: v6[i] }),
  }));
}
