import { Namespace } from '../namespaces.ts';
import { Prober } from './prober.ts';

/** Which ports each pod and host of a {@link PolicyNode} answers on. */
const DEFAULT_PORTS: readonly number[] = [80, 81, 8080];

/** A place in the network: a pod, the node or a host beyond it. */
export interface Place {
  readonly name: string;
  readonly namespace: Namespace;
  readonly prober: Prober;
  /** Its address of each family. */
  readonly addresses: { readonly 4: string; readonly 6: string };
}

/** A pod, on a veth of its own as Weft makes it. */
export interface PlacedPod extends Place {
  /** The host's end, `wv` and 11 hex digits. */
  readonly link: string;
}

/**
 * A node with pods as Weft attaches them, and hosts beyond it, each a namespace with a {@link Prober}:
 *
 *     pod 10.32.0.10, fd00:77::10 ── wv… ┐
 *                                        node 10.32.0.1, fd00:77::1 ── un0 ── beyond, any address
 *     pod 10.32.0.11, fd00:77::11 ── wv… ┘
 *
 * Only what a test loads is in nftables. The node masquerades nothing and routes back and forth, so hosts beyond may
 * stand for pods of other nodes, for other nodes or for the world, as their addresses say.
 */
export class PolicyNode {
  readonly node: Place;
  readonly pods = new Map<string, PlacedPod>();
  readonly beyond = new Map<string, Place>();
  readonly #namespaces: Namespace[];

  private constructor(node: Place) {
    this.node = node;
    this.#namespaces = [node.namespace];
  }

  /** The node has `others` too, none of which it sends from by itself. */
  static async create({
    addresses = { 4: '10.32.0.1', 6: 'fd00:77::1' },
    others = [],
    ports = DEFAULT_PORTS,
  }: {
    readonly addresses?: Place['addresses'];
    readonly others?: readonly string[];
    readonly ports?: readonly number[];
  } = {}): Promise<PolicyNode> {
    const namespace = await Namespace.create('np');
    await allowPings(namespace);
    await namespace.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    for (const address of [addresses[4], addresses[6], ...others])
      await namespace.run(
        'ip',
        'address',
        'add',
        `${address}/${address.includes(':') ? 128 : 32}`,
        'dev',
        'lo',
      );
    const prober = await Prober.start(namespace, ports);
    return new PolicyNode({ name: 'node', namespace, prober, addresses });
  }

  /**
   * Attaches a pod. `number` (10 to 254) is the last part of its addresses, and of its link, unless those are given.
   */
  async addPod(
    name: string,
    number: number,
    {
      ports = DEFAULT_PORTS,
      link = `wv${number.toString(16).padStart(11, '0')}`,
      addresses = { 4: `10.32.0.${number}`, 6: `fd00:77::${number.toString(16)}` },
    } = {},
  ): Promise<PlacedPod> {
    const namespace = await this.#join(link, addresses);
    const pod = { name, namespace, link, addresses, prober: await Prober.start(namespace, ports) };
    this.pods.set(name, pod);
    return pod;
  }

  /** Takes a pod's link and namespace away. */
  async removePod(name: string): Promise<void> {
    const pod = this.pods.get(name);
    if (pod === undefined) throw new Error(`no pod ${name}`);
    this.pods.delete(name);
    this.#namespaces.splice(this.#namespaces.indexOf(pod.namespace), 1);
    await this.node.namespace.run('ip', 'link', 'delete', pod.link);
    await pod.namespace.delete();
  }

  /** Joins a host beyond the node, which has these addresses and reaches everything by way of the node. */
  async addBeyond(
    name: string,
    addresses: { readonly 4: string; readonly 6: string },
    ports = DEFAULT_PORTS,
  ): Promise<Place> {
    const namespace = await this.#join(`un${this.beyond.size}`, addresses);
    const place = { name, namespace, addresses, prober: await Prober.start(namespace, ports) };
    this.beyond.set(name, place);
    return place;
  }

  /** Makes a namespace that hangs on the node by a veth, without any question on the wire. */
  async #join(link: string, addresses: Place['addresses']): Promise<Namespace> {
    const node = this.node.namespace;
    const namespace = await Namespace.create('np');
    this.#namespaces.push(namespace);
    await allowPings(namespace);
    const hex = this.#namespaces.length.toString(16).padStart(2, '0');
    const [farMac, nearMac] = [`02:00:00:00:01:${hex}`, `02:00:00:00:02:${hex}`];
    const far = ['peer', 'name', 'eth0', 'address', farMac, 'netns', namespace.name];
    await node.run('ip', 'link', 'add', link, 'address', nearMac, 'type', 'veth', ...far);
    await batch(namespace, [
      'link set eth0 addrgenmode none',
      'link set eth0 up',
      `address add ${addresses[4]}/32 dev eth0`,
      `address add ${addresses[6]}/128 dev eth0 nodad`,
      `neighbour replace 169.254.1.1 lladdr ${nearMac} dev eth0 nud permanent`,
      `neighbour replace fe80::1 lladdr ${nearMac} dev eth0 nud permanent`,
      'route add default via 169.254.1.1 dev eth0 onlink',
      'route add default via fe80::1 dev eth0 onlink',
    ]);
    await batch(node, [
      `link set ${link} addrgenmode none`,
      `link set ${link} up`,
      ...[addresses[4], addresses[6]].flatMap((address) => [
        `route add ${address} dev ${link}`,
        `neighbour replace ${address} lladdr ${farMac} dev ${link} nud permanent`,
      ]),
    ]);
    return namespace;
  }

  /** Has nft carry out a batch on the node. Rejects with what nft said. */
  async load(text: string): Promise<void> {
    const { code, stderr } = await this.node.namespace.attempt('nft', ['-f', '-'], text);
    if (code !== 0) throw new Error(`nft: ${stderr}`);
  }

  async delete(): Promise<void> {
    for (const namespace of this.#namespaces.reverse()) await namespace.delete();
  }
}

/** Lets the prober send echo requests without a raw socket. */
async function allowPings(namespace: Namespace): Promise<void> {
  await namespace.run('sysctl', '-qw', 'net.ipv4.ping_group_range=0 2147483647');
}

async function batch(namespace: Namespace, lines: readonly string[]): Promise<void> {
  const { code, stderr } = await namespace.attempt('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
  if (code !== 0) throw new Error(`ip: ${stderr}`);
}
