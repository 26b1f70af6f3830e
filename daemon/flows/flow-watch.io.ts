import { formatAddress } from '../../base/address.ts';
import type { Counters } from '../../base/counters.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { WeftError } from '../../base/weft-error.ts';
import type { AddressOwners } from '../../flows/address-owners.ts';
import type { FlowCounter } from '../../flows/flow-counters.ts';
import { clock } from '../../host/clock.io.ts';
import type { Log } from '../../host/log.ts';
import { osRandom } from '../../host/os-random.io.ts';
import type { Sysctl } from '../../linux/sysctl.io.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import type { GateAttachment } from '../../npc/gate/attachment-file.ts';
import { RouteTable } from '../../router/datapath/route-table.ts';
import type { NodeLoop } from '../node-loop.io.ts';
import type { Config } from '../settings/config.ts';
import { nameOf, type StatusContext } from '../status/status-context.ts';
import { tunnelsView } from '../status/tunnels-view.ts';
import { ClusterFlows } from './cluster-flows.io.ts';
import { DeniedFeed } from './denied-feed.io.ts';
import { FlowAnswers } from './flow-answers.io.ts';
import { FlowCollector } from './flow-collector.io.ts';
import { FlowNames } from './flow-names.io.ts';
import { FlowPeers } from './flow-peers.io.ts';
import type { KnownNames } from './flow-rows.ts';

/** Whoever records always tries again after this, where the kernel did not tell. */
const RETRY_MS = 30_000;
const ACCOUNTING = 'net/netfilter/nf_conntrack_acct';
const TIMESTAMPS = 'net/netfilter/nf_conntrack_timestamp';

/** What answers those who ask for flows. */
export interface FlowWatch {
  /** This node's, and those of the cluster. */
  readonly answers: FlowAnswers;
  readonly cluster: ClusterFlows;
  readonly peers: FlowPeers;
  close(): void;
}

/** What flows are made of. */
export interface FlowWatchOptions {
  readonly config: Pick<Config, 'name' | 'runDir' | 'flows' | 'flowBytes' | 'policy'>;
  readonly node: Pick<WeftNode, 'peer' | 'ipam' | 'gossip' | 'infoOf' | 'ownAddresses' | 'questions'>;
  readonly loop: Pick<NodeLoop, 'on' | 'wake'>;
  /** What the views of this node's state look at. */
  readonly context: StatusContext;
  /** Who hangs on this node, where a gate is kept. */
  readonly attachments: () => readonly GateAttachment[];
  readonly sysctl: Sysctl;
  readonly log: Log;
  readonly counters: Counters<FlowCounter>;
}

/**
 * Joins connection tracking, weft-npc and the node for those who watch flows. Nothing is opened before somebody does, or
 * `--flows` wants it.
 */
export function openFlowWatch(options: FlowWatchOptions): FlowWatch {
  const { config, node, loop, context, sysctl, log, counters } = options;
  const nodeName = (peer: PeerId): string => nameOf(context, peer);
  const owners = ringOwners(node);
  const denied = new DeniedFeed({
    runDir: config.runDir,
    owners,
    onDenied: (drops, lost) => collector.dropped(drops, lost),
  });
  const collector = new FlowCollector({
    always: config.flows,
    owners,
    counters,
    log,
    now: clock,
    wallMs: Date.now,
    onWatching: (isWatching) => {
      if (isWatching && config.policy) denied.start();
      else denied.stop();
    },
  });
  const names = new FlowNames({ runDir: config.runDir, ownPods: () => ownPods(options), now: clock });
  const answers = new FlowAnswers({
    collector,
    names,
    nodes: () => nodeNames(node, nodeName),
    nodeName: config.name,
    isCounted: () => sysctl.read(ACCOUNTING) === '1',
    isRecording: config.flows,
    notes: () => [
      ...(sysctl.read(ACCOUNTING) === '1' ? [] : [NOT_COUNTED]),
      ...(config.policy
        ? []
        : ['pods have no names, and denied packets are not shown: no weft-npc is used (--policy)']),
      ...(config.policy && names.isAway
        ? ['pods of other nodes have no names: weft-npc does not answer']
        : []),
      ...(denied.fault === undefined ? [] : [denied.fault]),
    ],
    random: osRandom,
    wallMs: Date.now,
    counters,
  });
  if (config.flowBytes) switchOnCounting(sysctl, log);
  const retry = config.flows ? recordAlways(collector, log) : undefined;
  const peers = new FlowPeers({
    ...{ node, loop, nodeName, counters, now: clock },
    answer: async (request) => {
      if (request.op === 'tunnels') return tunnelsView(options.context, request.limit);
      if (request.op === 'flowTotals') return answers.totals(request);
      return answers.flows(request, NEVER, { waits: false });
    },
  });
  return {
    answers,
    cluster: new ClusterFlows(answers, peers),
    peers,
    close: () => {
      clearInterval(retry);
      denied.stop();
      collector.close();
    },
  };
}

/** Another node that asks is not seen to go: it waits for a moment only. */
const NEVER = new Promise<void>(() => {});

const NOT_COUNTED =
  'bytes are not counted here: weftd --flow-bytes, or sysctl -w net.netfilter.nf_conntrack_acct=1, switches that on for new connections';

/** The owners of the ring, made anew where they are others. */
function ringOwners({ ipam, peer }: Pick<WeftNode, 'ipam' | 'peer'>): () => AddressOwners {
  let routes = ipam.owners();
  let made = ownersOf(routes, peer);
  return () => {
    const now = ipam.owners();
    if (now !== routes) {
      routes = now;
      made = ownersOf(now, peer);
    }
    return made;
  };
}

function ownersOf(routes: ReturnType<WeftNode['ipam']['owners']>, self: PeerId): AddressOwners {
  const table = new RouteTable(routes);
  return {
    self,
    owners: table.owners,
    ownerIndex: (family, bytes, at) => table.ownerIndex(family, bytes, at),
  };
}

function ownPods({ attachments }: FlowWatchOptions): ReadonlyMap<string, string> {
  return new Map(
    attachments().flatMap(({ addresses, pod }) =>
      pod === null
        ? []
        : addresses.map((address) => [formatAddress(address), `${pod.namespace}/${pod.name}`]),
    ),
  );
}

function nodeNames(
  node: FlowWatchOptions['node'],
  nodeName: (peer: PeerId) => string,
): Omit<KnownNames, 'podName'> {
  const others = node.gossip.members().flatMap(({ peer }) => node.infoOf(peer)?.addresses ?? []);
  const addresses = new Set([...node.ownAddresses, ...others].map(formatAddress));
  return { nodeName, isNodeAddress: (address) => addresses.has(address) };
}

/** Has the kernel count and time new connections; that it may not is told, and no hindrance. */
function switchOnCounting(sysctl: Sysctl, log: Log): void {
  for (const path of [ACCOUNTING, TIMESTAMPS]) {
    try {
      sysctl.ensure(path, '1');
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      log.warn('bytes of connections are not counted', { fault: `${error.message}; ${error.remedy}` }, path);
    }
  }
}

function recordAlways(collector: FlowCollector, log: Log): NodeJS.Timeout {
  const attempt = (): void => {
    if (collector.watchingSinceMs !== undefined) return;
    collector
      .want()
      .catch((error: unknown) => log.warn('connections are not recorded', { fault: String(error) }));
  };
  attempt();
  return setInterval(attempt, RETRY_MS).unref();
}
