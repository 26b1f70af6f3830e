import type { Address } from '../../base/address.ts';
import { configureHostNetwork, type HostNetworkSettings } from '../../linux/host-network.io.ts';
import { applyRules } from '../../linux/nftables.io.ts';
import type { RouteClient } from '../../linux/route-client.io.ts';

/** What {@link HostNetwork} is made of. */
export interface HostNetworkOptions {
  readonly client: RouteClient;
  /** With the addresses that the node had when it last ended. */
  readonly settings: HostNetworkSettings;
  readonly masquerade: boolean;
  /** Of this node, TCP and UDP. */
  readonly port: number;
}

/** The part of the host's network that is this node's: packet rules, routes, and the addresses of the TUN device. */
export class HostNetwork {
  readonly #options: HostNetworkOptions;

  constructor(options: HostNetworkOptions) {
    this.#options = options;
  }

  /** Makes all of it as it should be. Rejects as {@link applyRules} and {@link configureHostNetwork} do. */
  async apply(): Promise<void> {
    const { client, settings, masquerade, port } = this.#options;
    const { tun, podPrefix, ranges } = settings;
    await applyRules({ tun, podPrefix, ranges, masquerade, port });
    await configureHostNetwork(client, settings);
  }

  /** The ring has dealt the node these overlay addresses, IPv4 first. */
  async setAddresses(addresses: readonly Address[]): Promise<void> {
    const { client, settings } = this.#options;
    await configureHostNetwork(client, { ...settings, addresses });
  }
}
