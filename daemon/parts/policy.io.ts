import { formatAddress } from '../../base/address.ts';
import type { Counters } from '../../base/counters.ts';
import { type Range, rangeCidrs } from '../../base/range.ts';
import type { Warning } from '../../base/warning.ts';
import { isHostLinkName } from '../../cni/host-link-name.ts';
import type { PodGate } from '../../cni/needs.ts';
import type { PolicyStatus, PolicyWaitResult } from '../../control/policy-request.ts';
import type { RulesetWatcher } from '../../ground/ground-keeper.io.ts';
import { clock } from '../../host/clock.io.ts';
import type { Readiness } from '../../host/health-server.io.ts';
import type { Log } from '../../host/log.ts';
import { osRandom } from '../../host/os-random.io.ts';
import type { RouteClient } from '../../linux/rtnetlink/route-client.io.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import type { GateAttachment } from '../../npc/gate/attachment-file.ts';
import type { PolicyHandlers } from '../control-handlers.ts';
import type { NodeLoop } from '../node-loop.io.ts';
import type { AdmissionCounter } from '../policy/admission-counters.ts';
import { NpcPolls } from '../policy/npc-polls.io.ts';
import { NpcPresence } from '../policy/npc-presence.ts';
import { PolicyGate } from '../policy/policy-gate.io.ts';
import type { Config } from '../settings/config.ts';

/** The gate for policies, as a weftd with `--policy` has it. */
export interface Policy {
  readonly gate: PodGate & Pick<PolicyGate, 'keepFiles'>;
  readonly watcher: RulesetWatcher;
  readonly handlers: PolicyHandlers;
  /** Who hangs on this node. */
  attachments(): readonly GateAttachment[];
  /** Lays the gate; before any pod is attached. Rejects as nft does. */
  start(): Promise<void>;
  readiness(): Readiness;
  status(): PolicyStatus;
  warnings(): Warning[];
  /** The control socket is about to vanish: weft-npc cannot reach this weftd any more. */
  retire(): void;
  close(): void;
}

/** After news of other nodes: several come at once. */
const CALM_MS = 100;

/** Joins the gate to the kernel, to weft-npc and to the node, which knows the addresses of the others. */
export function openPolicy(options: {
  readonly config: Pick<Config, 'name' | 'runDir' | 'npcStateDir'>;
  /** The cluster's pod ranges. */
  readonly ranges: readonly Range[];
  readonly node: Pick<WeftNode, 'peer' | 'ownAddresses' | 'gossip' | 'infoOf'>;
  readonly loop: Pick<NodeLoop, 'on'>;
  readonly client: RouteClient;
  readonly log: Log;
  readonly counters: Counters<AdmissionCounter>;
}): Policy {
  const { config, ranges, node, loop, client, log, counters } = options;
  const { runDir, npcStateDir } = config;
  const presence = new NpcPresence(clock());
  const onChange = (): void => polls.changed();
  const now = clock;
  const random = osRandom;
  const gate = new PolicyGate({ runDir, npcStateDir, presence, onChange, log, counters, now, random });
  const polls = new NpcPolls({
    presence,
    attached: gate,
    peers: () => peersOf(node, config.name),
    podRanges: ranges.flatMap(rangeCidrs),
    onPresence: () => gate.presenceChanged(),
    counters,
    now,
  });
  let calm: NodeJS.Timeout | undefined;
  const stirred = (): void => {
    calm ??= setTimeout(() => {
      calm = undefined;
      polls.peersStirred();
    }, CALM_MS).unref();
  };
  loop.on('member', stirred);
  loop.on('ownAddresses', stirred);
  return {
    gate,
    watcher: gate.watcher,
    attachments: () => gate.attachments(),
    handlers: {
      policyWait: (request, { whenGone }) => polls.wait(request, whenGone),
      policyDecided: (request) => ({ known: gate.decided(request) }),
    },
    start: async () => {
      const links = await client.links();
      await gate.start(
        links.filter(({ kind, name }) => kind === 'veth' && isHostLinkName(name)).map(({ name }) => name),
      );
    },
    readiness: () => gate.readiness(),
    status: () => gate.status(),
    warnings: () => gate.warnings(),
    retire: () => {
      gate.retire();
      polls.close();
    },
    close: () => {
      clearTimeout(calm);
      gate.close();
      polls.close();
    },
  };
}

/** This node and all others, by name; without those that have left for good. Nodes that share a name are told as one. */
function peersOf(
  node: Pick<WeftNode, 'peer' | 'ownAddresses' | 'gossip' | 'infoOf'>,
  ownName: string,
): NonNullable<PolicyWaitResult['peers']> {
  const others = node.gossip
    .members()
    .filter(({ peer, state }) => peer !== node.peer && state !== 'left')
    .map(({ peer }) => node.infoOf(peer))
    .filter((info) => info !== undefined);
  const addressesByName = new Map<string, string[]>();
  for (const { name, addresses } of [{ name: ownName, addresses: node.ownAddresses }, ...others]) {
    if (addresses.length === 0) continue;
    addressesByName.set(name, [...(addressesByName.get(name) ?? []), ...addresses.map(formatAddress)]);
  }
  return [...addressesByName]
    .map(([name, addresses]) => ({ name, addresses }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
