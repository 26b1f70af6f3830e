import type { Address } from '../../base/address.ts';
import type { Counters } from '../../base/counters.ts';
import { type Warning, warningLine } from '../../base/warning.ts';
import type { CniPlugin } from '../../cni/plugin.ts';
import type { GroundCounter } from '../../ground/ground-counters.ts';
import { GroundKeeper, type RulesetWatcher } from '../../ground/ground-keeper.io.ts';
import type { HostGround } from '../../ground/host-ground.ts';
import { removeGround } from '../../ground/host-kernel.io.ts';
import { RulesMemory } from '../../ground/rules-memory.io.ts';
import { clock } from '../../host/clock.io.ts';
import type { Log } from '../../host/log.ts';
import type { OwnLinks } from '../../linux/host-survey.ts';
import { removePolicyTable } from '../../linux/policy-gate.io.ts';
import { RouteClient } from '../../linux/rtnetlink/route-client.io.ts';
import type { Sysctl } from '../../linux/sysctl.io.ts';
import type { NodeLoop } from '../node-loop.io.ts';
import { PeerPorts } from './peer-ports.io.ts';

/** What {@link HostNetwork} is made of. */
interface HostNetworkOptions {
  readonly client: RouteClient;
  readonly sysctl: Sysctl;
  /** Tells of tunnels and members. */
  readonly loop: Pick<NodeLoop, 'on'>;
  /** With the addresses that the node had when it last ended. */
  readonly ground: HostGround;
  readonly masquerade: boolean;
  /** Of this node, TCP and UDP. */
  readonly port: number;
  /** Addresses, links or default routes of the underlay may be others now. */
  readonly underlayStirred: () => void;
  /** What only another weftd can put right. */
  readonly onFault: (error: unknown) => void;
  /** Who keeps other rules of ours. */
  readonly rulesetWatcher: RulesetWatcher | undefined;
  /** Where it is remembered what the packet rules were set to. */
  readonly runDir: string;
  readonly log: Log;
  readonly counters: Counters<GroundCounter>;
}

/**
 * The part of the host's network that is this node's: packet rules, routes, the addresses of the TUN interface, and the
 * host's ends of pods. It is kept as it should be for as long as weftd runs, and stays in the kernel afterwards.
 */
export class HostNetwork {
  readonly #keeper: GroundKeeper;
  readonly #peerPorts: PeerPorts;

  constructor({
    client,
    sysctl,
    loop,
    ground,
    masquerade,
    port,
    underlayStirred,
    onFault,
    rulesetWatcher,
    runDir,
    log,
    counters,
  }: HostNetworkOptions) {
    const { tun, podPrefix, ranges } = ground;
    this.#keeper = new GroundKeeper({
      kernel: { client, sysctl },
      ground,
      rules: { tun, podPrefix, ranges, masquerade, port },
      counters,
      memory: rulesMemory(runDir),
      watcher: rulesetWatcher,
      clock,
      listener: {
        repaired: ({ kind, found, by }) =>
          log.warn(
            "the host's network was changed by another program and put right",
            { found, by },
            `repair ${kind}`,
          ),
        hindered: (what) => log.warn('another program hinders pods', { what: warningLine(what) }),
        failed: (error) => log.warn("the host's network cannot be put right", { fault: String(error) }),
        tunGone: onFault,
        underlayStirred,
      },
    });
    this.#peerPorts = new PeerPorts(loop, (endpoints) => void this.#keeper.setPeers(endpoints));
  }

  /** Makes all of it as it should be, and keeps it so from then on. Rejects as {@link GroundKeeper.start} does. */
  async start(): Promise<void> {
    await this.#keeper.start();
  }

  /** The ring has dealt the node these overlay addresses, IPv4 first. */
  async setAddresses(addresses: readonly Address[]): Promise<void> {
    await this.#keeper.setAddresses(addresses);
  }

  /** The largest packet of the overlay is another one now, bytes. Rejects where the interface cannot be set. */
  async setMtu(mtu: number): Promise<void> {
    await this.#keeper.setMtu(mtu);
  }

  /** The pods of `plugin` are kept from now on, once it has started. */
  holdPods(plugin: CniPlugin): void {
    this.#keeper.holdPods({
      mend: async () => (await plugin.mend()).map((found) => ({ kind: 'pod', found })),
    });
  }

  /** What of it is not as it should be. */
  warnings(): Warning[] {
    return this.#keeper.warnings();
  }

  /** Nothing is taken out of the kernel. */
  close(): void {
    this.#peerPorts.close();
    this.#keeper.close();
  }
}

/** Takes all of it out after a start that failed. Best effort: what made the start fail is what the user is to read. */
export async function undoHostNetwork(own: OwnLinks, runDir: string): Promise<void> {
  rulesMemory(runDir).forget();
  try {
    const client = RouteClient.open();
    await removeGround(client, own, { pods: () => false }).finally(() => client.close());
    await removePolicyTable();
  } catch {
    // No nft, no privileges: then there is little of ours either.
  }
}

function rulesMemory(runDir: string): RulesMemory {
  return new RulesMemory(`${runDir}/rules`);
}
