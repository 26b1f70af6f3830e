import { run } from './command.ts';

/**
 * The underlay of a test cluster: a bridge in a network namespace of its own, which nothing connects to the
 * machine's own network. Hosts plug into it by a veth. All names start with `prefix`.
 */
export class Underlay {
  readonly namespace: string;
  readonly mtu: number;
  readonly #prefix: string;
  readonly #hosts: string[] = [];

  private constructor(prefix: string, mtu: number) {
    this.#prefix = prefix;
    this.namespace = `${prefix}-net`;
    this.mtu = mtu;
  }

  static async create(prefix: string, options: { readonly mtu?: number } = {}): Promise<Underlay> {
    const underlay = new Underlay(prefix, options.mtu ?? 1500);
    const { namespace } = underlay;
    await run(['ip', 'netns', 'add', namespace]);
    await run(['ip', 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0'], { namespace });
    await run(['ip', 'link', 'set', 'br0', 'mtu', String(underlay.mtu), 'up'], { namespace });
    return underlay;
  }

  /** A new host: a namespace with `eth0` on the bridge, addresses 192.168.77.N/24 and fd77::N/64. */
  async addHost(name: string, number: number): Promise<Host> {
    const namespace = `${this.#prefix}-${name}`;
    const port = `p${number}`;
    await run(['ip', 'netns', 'add', namespace]);
    this.#hosts.push(namespace);
    const mtu = String(this.mtu);
    const veth = ['ip', 'link', 'add', port, 'mtu', mtu, 'type', 'veth'];
    await run([...veth, 'peer', 'name', 'eth0', 'mtu', mtu, 'netns', namespace], {
      namespace: this.namespace,
    });
    await run(['ip', 'link', 'set', port, 'master', 'br0', 'up'], { namespace: this.namespace });
    await run(['ip', 'link', 'set', 'lo', 'up'], { namespace });
    await run(['ip', 'link', 'set', 'eth0', 'up'], { namespace });
    const v4 = `192.168.77.${number}`;
    const v6 = `fd77::${number.toString(16)}`;
    await run(['ip', 'addr', 'add', `${v4}/24`, 'dev', 'eth0'], { namespace });
    await run(['ip', 'addr', 'add', `${v6}/64`, 'dev', 'eth0', 'nodad'], { namespace });
    return { name, namespace, port, v4, v6 };
  }

  /** Takes a host's cable out, or puts it back. */
  async plug(host: Host, connected: boolean): Promise<void> {
    await run(['ip', 'link', 'set', host.port, connected ? 'up' : 'down'], { namespace: this.namespace });
  }

  /** Lets no packet pass between two hosts, or lets them pass again. Relays over a third host stay possible. */
  async separate(a: Host, b: Host, apart: boolean): Promise<void> {
    // Bridge ports can be told apart by their MAC addresses only, so the hosts' own addresses are filtered.
    const table = `cut_${a.port}_${b.port}`;
    const rules = [
      `add table bridge ${table}`,
      `delete table bridge ${table}`,
      ...(apart
        ? [
            `add table bridge ${table}`,
            `add chain bridge ${table} f { type filter hook forward priority 0; }`,
            `add rule bridge ${table} f iifname ${a.port} oifname ${b.port} drop`,
            `add rule bridge ${table} f iifname ${b.port} oifname ${a.port} drop`,
          ]
        : []),
    ];
    await run(['nft', '-f', '-'], { namespace: this.namespace, input: `${rules.join('\n')}\n` });
  }

  async destroy(): Promise<void> {
    for (const namespace of [...this.#hosts, this.namespace]) {
      await run(['ip', 'netns', 'delete', namespace], { mayFail: true });
    }
  }
}

/** A machine on the underlay. */
export interface Host {
  readonly name: string;
  /** Its network namespace. */
  readonly namespace: string;
  /** The bridge's end of its cable. */
  readonly port: string;
  readonly v4: string;
  readonly v6: string;
}
