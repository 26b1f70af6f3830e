import { run } from '../../test/cluster/command.ts';
import type { Host, Underlay } from '../../test/cluster/underlay.ts';

/** Two hosts joined by the kernel's VXLAN, which encrypts nothing, to compare with. It ends with the underlay. */
export class VxlanPair {
  readonly hosts: readonly [Host, Host];
  /** Overlay addresses of the two. */
  readonly addresses = ['192.168.101.1', '192.168.101.2'] as const;

  private constructor(hosts: readonly [Host, Host]) {
    this.hosts = hosts;
  }

  static async start(underlay: Underlay): Promise<VxlanPair> {
    const hosts = [await underlay.addHost('vx1', 111), await underlay.addHost('vx2', 112)] as const;
    const pair = new VxlanPair(hosts);
    for (const [i, { namespace }] of hosts.entries()) {
      const vxlan = ['type', 'vxlan', 'id', '7', 'dev', 'eth0', 'dstport', '4789'];
      await run(['ip', 'link', 'add', 'vx0', ...vxlan, 'remote', hosts[1 - i]!.v4], { namespace });
      await run(['ip', 'addr', 'add', `${pair.addresses[i]}/24`, 'dev', 'vx0'], { namespace });
      await run(['ip', 'link', 'set', 'vx0', 'up'], { namespace });
    }
    return pair;
  }
}
