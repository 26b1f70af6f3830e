import type { Instant } from '../base/instant.ts';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import { type ControlRequest, type ControlResults, decodeRequest } from '../control/control-protocol.ts';
import { answerOf, type ControlClient, type ControlService } from '../control/control-server.io.ts';
import type { FlowResults } from '../control/flow-request.ts';
import type { PolicyResults } from '../control/policy-request.ts';
import { ownProcess } from '../host/own-process.io.ts';
import { readDatapathOffer } from './handover/datapath-offer.ts';
import type { HandoverPolicy } from './handover-policy.ts';
import { leaveCluster } from './leave.ts';
import type { PeerRemovals } from './peer-removals.ts';
import { formatPeerHint, type PeerHint, parsePeerHint } from './settings/peer-hint.ts';
import { ipamView } from './status/ipam-view.ts';
import { readKernelCounters } from './status/kernel-counters.io.ts';
import { locateView } from './status/locate-view.ts';
import { peersView } from './status/peers-view.ts';
import { reportView } from './status/report-view.ts';
import type { StatusContext } from './status/status-context.ts';
import { statusView } from './status/status-view.ts';

/** Where the node looks for peers. */
interface SeedList {
  add(hints: readonly PeerHint[]): Promise<void>;
  remove(hint: PeerHint): boolean;
}

/** Who answers each request of the `weft` command. May throw or reject; the error is what the user reads. */
type ControlHandlers = {
  readonly [Op in keyof ControlResults]: (
    request: Extract<ControlRequest, { op: Op }>,
    client: ControlClient,
  ) => ControlResults[Op] | Promise<ControlResults[Op]>;
};

/** Who answers weft-npc. */
export type PolicyHandlers = Pick<ControlHandlers, keyof PolicyResults>;

/** Who answers those who watch flows, and what else other nodes are asked for. */
export type FlowHandlers = Pick<ControlHandlers, keyof FlowResults | 'clusterTunnels'>;

/** Without a gate there is nothing to say to weft-npc. */
const NO_POLICY: PolicyHandlers = { policyWait: refusePolicy, policyDecided: refusePolicy };

/** Answers a call of the CNI plugin; never rejects. `fds` are open until the first time it waits. */
type CniHandler = (
  request: Extract<ControlRequest, { op: 'cni' }>,
  fds: readonly number[],
) => Promise<unknown>;

/** Takes a pod over; rejects where it cannot be. `fds` are open until the first time it waits. */
type PodHandler = (pod: object, fds: readonly number[]) => Promise<void>;

/**
 * What weftd answers on its control socket: `handlers` the `weft` command, `cni` the shim, which has a form of its own, and
 * `holdPod` the weftd that served this node before.
 */
export function controlService(
  handlers: ControlHandlers,
  { cni, holdPod }: { readonly cni: CniHandler; readonly holdPod: PodHandler },
): ControlService<ControlRequest> {
  return {
    program: 'weftd',
    decode: decodeRequest,
    answer: (request, fds, client) => {
      if (request.op === 'cni') return cni(request, fds);
      if (request.op === 'holdPod') return answerOf(() => holdPod(request.pod, fds));
      // The handler of an operation takes the request of that operation; TypeScript cannot follow the pairing.
      const handle = handlers[request.op] as (request: ControlRequest, client: ControlClient) => unknown;
      return answerOf(() => handle(request, client));
    },
  };
}

/** Answers to everything that the `weft` command asks. */
export function controlHandlers(options: {
  readonly context: StatusContext;
  readonly seeds: SeedList;
  readonly removals: PeerRemovals;
  readonly handover: HandoverPolicy;
  readonly probe: ControlHandlers['probe'];
  /** Undefined: this weftd keeps no gate. */
  readonly policy: PolicyHandlers | undefined;
  readonly flows: FlowHandlers;
  /** Ends the daemon once the answer is out. */
  readonly end: () => void;
  /** Where a peer is given without a port. */
  readonly port: number;
  readonly now: () => Instant;
}): ControlHandlers {
  const { context, seeds, removals, handover, probe, policy, flows, end, port, now } = options;
  return {
    status: (request) => statusView(context, request),
    peers: (request) => peersView(context, request),
    ipam: () => ipamView(context),
    report: async () => reportView(context, await readKernelCounters()),
    connect: async ({ peers }) => {
      const hints = readHints(peers, port);
      await seeds.add(hints);
      return { connecting: hints.map(formatPeerHint) };
    },
    forget: ({ peers }) => {
      const hints = readHints(peers, port);
      const forgotten = hints.filter((hint) => seeds.remove(hint));
      const unknown = hints.filter((hint) => !forgotten.includes(hint));
      return { forgotten: forgotten.map(formatPeerHint), unknown: unknown.map(formatPeerHint) };
    },
    rmpeer: ({ peer }) => removals.begin(peer, now()),
    leave: () => {
      const left = leaveCluster(context.node, now());
      end();
      return left;
    },
    locate: ({ target }) => locateView(context, target),
    probe,
    process: ownProcess,
    ...(policy ?? NO_POLICY),
    ...flows,
    yield: ({ cluster, datapath }) => {
      const version = handover.yieldTo(cluster, readDatapathOffer(datapath), now());
      return version === undefined ? { yielded: true } : { yielded: true, datapath: version };
    },
  };
}

function refusePolicy(): never {
  const remedy = 'start weftd with --policy, or stop weft-npc';
  throw new WeftError('E_NO_POLICY', 'this weftd keeps no gate for policies', remedy);
}

/** Throws E_BAD_PEER for the first that is no peer; nothing is then done with the others. */
function readHints(texts: readonly string[], port: number): PeerHint[] {
  return texts.map((text) => {
    const hint = parsePeerHint(text, port);
    if (hint !== undefined) return hint;
    const remedy = 'give a host name or an address, with :PORT where it is another';
    throw new WeftError('E_BAD_PEER', `'${printable(text)}' is no peer`, remedy);
  });
}
