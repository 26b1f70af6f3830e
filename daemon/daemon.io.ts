import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { hex } from '../base/bytes.ts';
import { Counters } from '../base/counters.ts';
import { formatRange, type Range } from '../base/range.ts';
import type { CniPlugin } from '../cni/plugin.ts';
import { clock } from '../host/clock.io.ts';
import { EventLoopDelay } from '../host/event-loop-delay.ts';
import { HealthServer, type Readiness } from '../host/health-server.io.ts';
import type { Log } from '../host/log.ts';
import { osRandom } from '../host/os-random.io.ts';
import { ownRuntime } from '../host/own-process.io.ts';
import { openRunFolder } from '../host/run-folder.io.ts';
import { ownVersion } from '../host/version.io.ts';
import { sameUniverses } from '../ipam/model/genesis.ts';
import { NODE_KEY } from '../ipam/model/types.ts';
import { rangesInStore } from '../ipam/ring/own-log.ts';
import { refuseApiOverlap } from '../kube/range-overlaps.ts';
import { refuseOverlap } from '../linux/host-survey.io.ts';
import { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { Sysctl } from '../linux/sysctl.io.ts';
import type { LocalSocket } from '../native/local-socket.ts';
import type { WeftNode } from '../node/weft-node.ts';
import { controlHandlers, controlService } from './control-handlers.ts';
import { DAEMON_COUNTERS } from './daemon-counters.ts';
import type { Left } from './handover/datapath-bequest.io.ts';
import type { Inheritance } from './handover/inheritance.ts';
import { HandoverPolicy } from './handover-policy.ts';
import { CniFiles } from './kubernetes/cni-files.io.ts';
import { answerLastCalls, LAST_CALLS_PATIENCE_MS } from './last-calls.io.ts';
import { logNodeOutput } from './node-log.ts';
import { NodeLoop } from './node-loop.io.ts';
import { OWN_LINKS } from './own-links.ts';
import { readCluster } from './parts/cluster.io.ts';
import { openCni } from './parts/cni.io.ts';
import { DatapathPart } from './parts/datapath.io.ts';
import { openFlows } from './parts/flows.io.ts';
import { HostNetwork, undoHostNetwork } from './parts/host-network.io.ts';
import { guardIdentity } from './parts/identity.ts';
import { KeptControl } from './parts/kept-control.io.ts';
import { makeNode } from './parts/node.ts';
import { openPeerLinks } from './parts/peer-links.io.ts';
import type { Policy } from './parts/policy.io.ts';
import { openProbes } from './parts/probes.io.ts';
import { openState } from './parts/state.io.ts';
import { UnderlayWatch } from './parts/underlay-watch.io.ts';
import { WarningLog } from './parts/warning-log.io.ts';
import { PeerRemovals } from './peer-removals.ts';
import { PeerSeeds } from './peer-seeds.io.ts';
import { adoptableRanges, podRanges, refuseOtherRanges } from './pod-ranges.ts';
import type { Bequest } from './pods/held-pods.io.ts';
import { removeGate } from './policy/gate-removal.io.ts';
import { RefusedPeers } from './refused-peers.ts';
import type { Config } from './settings/config.ts';
import { readDaemonGauges } from './status/daemon-gauges.ts';
import { problemsView } from './status/problems-view.ts';
import { ringDetail } from './status/ring-detail.ts';
import { settingsView } from './status/settings-view.ts';
import { nameOf, type StatusContext } from './status/status-context.ts';
import { readUnderlay, type Underlay } from './underlay.io.ts';

/** At an end: time for the goodbye to reach the peers. */
const GOODBYE_MS = 100;

/**
 * One running weftd: its parts opened one after the other, handed on to those that need them, and closed in reverse
 * order. Whatever {@link Daemon.start} opened is closed again where it fails. Nothing is taken out of the kernel at the
 * end: pods keep their links, routes and addresses.
 *
 * A part that another one needs is opened before it. What the node says reaches the parts through {@link NodeLoop.on}:
 * each part takes the outputs that concern it.
 */
export class Daemon {
  /** What is open, to be closed in reverse order. */
  readonly #opened = new DisposableStack();
  readonly #log: Log;
  /** Whether the kernel held nothing of ours before: a start that fails then leaves nothing there. */
  #firstHere = false;
  #serving: Serving | undefined;
  readonly #outlived = Promise.withResolvers<Outlived>();

  private constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Starts a weftd; resolves when it serves. `onFault` is told what ends it later (a disk that fails, the TUN gone).
   * Rejects with a WeftError that says what is wrong and what to do.
   */
  static async start(config: Config, log: Log, events: StartEvents): Promise<Daemon> {
    const daemon = new Daemon(log);
    // What is under way when it closes may fail on what is closed then.
    const onFault = (error: unknown): unknown => daemon.#opened.disposed || events.onFault(error);
    try {
      await daemon.#start(config, { ...events, onFault });
    } catch (error) {
      daemon.#opened.dispose();
      if (daemon.#firstHere) await undoHostNetwork(OWN_LINKS, config.runDir);
      throw error;
    }
    return daemon;
  }

  /** Resolves when another weftd is to serve in its place, for which it is to be ended by {@link yield}. */
  get outlived(): Promise<Outlived> {
    return this.#outlived.promise;
  }

  /** Ends: shims that come now wait for the next weftd, calls under way get their answers, peers a goodbye. */
  async stop(): Promise<void> {
    await this.#end(LAST_CALLS_PATIENCE_MS.beforeEnd, async ({ node, loop }) => {
      node.gossip.leave(clock());
      loop.settleNow();
      await delay(GOODBYE_MS);
    });
  }

  /**
   * Ends in the same way, but for the goodbye: the node goes on under its successor at once. Resolves with the pods that the
   * successor is to hold, and, where a `version` was agreed on for that, with what carries packets until then.
   */
  async yield(version: number | undefined): Promise<Left> {
    let left: Left = { pods: [], datapath: undefined };
    await this.#end(LAST_CALLS_PATIENCE_MS.beforeSuccessor, async ({ node, loop, datapath, bequeath }) => {
      const pods = bequeath();
      loop.settleNow();
      left = { pods, datapath: version === undefined ? undefined : datapath.bequeath(node, version) };
    });
    return left;
  }

  async #end(patienceMs: number, takeLeave: (serving: Serving) => Promise<void>): Promise<void> {
    const serving = this.#serving!;
    serving.policy?.retire();
    await answerLastCalls(serving.control, serving.plugin, patienceMs);
    await takeLeave(serving);
    await nextTurn();
    this.#opened.dispose();
  }

  async #start(config: Config, { returned, left, ringRanges, onFault }: StartEvents): Promise<void> {
    const log = this.#log;
    const counters = new Counters(DAEMON_COUNTERS);
    const loopDelay = new EventLoopDelay();

    // First what needs no state folder: until we ask for that, the weftd that serves this node goes on.
    const { keys } = await readCluster(config);
    const settledRanges = podRanges(config, keys, ringRanges);
    const client = this.#open(RouteClient.open());
    const sysctl = new Sysctl(config.sysctlDir);
    const surveyHost = async (ranges: readonly Range[]): Promise<Underlay> => {
      await refuseOverlap(client, ranges, OWN_LINKS);
      if (config.kubernetes) refuseApiOverlap(ranges, process.env.KUBERNETES_SERVICE_HOST);
      return readUnderlay(client, config, ranges, OWN_LINKS);
    };
    const firstSurvey = await surveyHost(settledRanges);

    const [{ clusterId }, { runDir }] = [keys, config];
    const state = this.#open(await openState(config, { clusterId, log, returned }));
    const ownRing = rangesInStore(state.store);
    const ranges = podRanges(config, keys, ownRing ?? ringRanges);
    const cluster = { keys, ranges };
    // The ring of this node may have another range than a new one would get.
    const underlay = sameUniverses(ranges, settledRanges) ? firstSurvey : await surveyHost(ranges);
    const { overlayMtu } = underlay;
    this.#firstHere = (await client.link(OWN_LINKS.tun)) === undefined;
    const datapath = this.#open(
      await DatapathPart.open({
        ...{ config, self: state.folder.identity.peer, overlayMtu, counters, log },
        inheritance: left ?? state.inheritance,
      }),
    );
    const node = makeNode({ config, cluster, underlay, state, datapath, counters });
    const loop = this.#open(new NodeLoop({ node, delay: loopDelay, onFault }));

    // All of these take outputs of the node, and are there before anything can cause one.
    loop.onEach((out) => logNodeOutput(log, out));
    if (ownRing === undefined)
      loop.on('fault', ({ fault }) => {
        if (fault.code !== 'E_RANGE_MISMATCH') return;
        const adopted = adoptableRanges(config, keys, node.ipam.status().ringRanges ?? []);
        if (adopted !== undefined) this.#outlived.resolve({ by: 'other-ranges', ranges: adopted });
      });
    loop.on('keepRecord', ({ record }) => state.records.put(record));
    loop.on('dropRecord', (out) => state.records.remove(out));
    guardIdentity({ config, node, loop, folder: state.folder, log, onFault });
    const seeds = this.#open(
      new PeerSeeds({
        onChange: loop.waking((endpoints) => node.setSeeds(endpoints, clock())),
        onFault: (peer, reason) => log.warn('a peer name does not resolve', { peer, reason }, peer),
      }),
    );
    // What only some weftds have is loaded only there, here and below.
    const kubernetes = config.kubernetes
      ? this.#open(
          (await import('./kubernetes/kubernetes-node.io.ts')).linkToKubernetes({
            ...{ config, ranges, node, seeds, log, loop, onFault },
          }),
        )
      : undefined;
    const removals = new PeerRemovals({ node, name: config.name }, loop);
    const policy = config.policy
      ? this.#open(
          (await import('./parts/policy.io.ts')).openPolicy({
            config,
            ranges,
            node,
            loop,
            client,
            log,
            counters,
          }),
        )
      : undefined;
    const { name } = config;
    const looked = { node, name, sought: () => seeds.sought, now: clock };
    const underlayWatch = this.#open(
      new UnderlayWatch({
        first: underlay,
        read: () => readUnderlay(client, config, ranges, OWN_LINKS),
        onEndpoints: loop.waking((endpoints) => node.setEndpoints(endpoints, clock())),
        log,
      }),
    );
    const cni = this.#open(
      openCni({
        ...{ node, loop, sysctl, runDir, mtu: () => underlayWatch.overlayMtu, gate: policy?.gate, counters },
        ringDetail: () => ringDetail(looked),
        log,
      }),
    );
    const probes = this.#open(openProbes({ node, loop, sysctl, counters }));
    const refused = new RefusedPeers(loop, (peer) => nameOf(looked, peer), clock);
    const ready = (): boolean => cni.serves().ready;
    const cniFiles = this.#open(new CniFiles({ config, log, ready, now: clock, random: osRandom }));
    const addresses = node.ipam.allocation(NODE_KEY)?.addresses ?? [];
    const hostNetwork = this.#open(
      new HostNetwork({
        ...{ client, sysctl, loop },
        ground: { ...OWN_LINKS, ranges, addresses, mtu: overlayMtu },
        masquerade: config.masquerade,
        port: config.port,
        underlayStirred: () => underlayWatch.stirred(),
        onFault,
        rulesetWatcher: policy?.watcher,
        runDir,
        log,
        counters,
      }),
    );
    underlayWatch.follow((mtu) => {
      // It is compared with each look, so a failure is tried again and told.
      hostNetwork
        .setMtu(mtu)
        .catch((fault: unknown) => log.warn('weft0 has another MTU', { fault: String(fault) }));
    });
    loop.on('ownAddresses', (out) => {
      void hostNetwork
        .setAddresses(out.addresses)
        .then(() => cniFiles.update())
        .catch(onFault);
    });

    this.#open(await openPeerLinks({ config, node, loop }));
    refuseOtherRanges(node.ipam.status().faults);
    openRunFolder(runDir);
    // From here on the kernel is changed; before, everything that can be refused has been.
    await hostNetwork.start();
    await (policy?.start() ?? removeGate(runDir));
    const startNode = (): void => node.start(state.records.all(), clock());
    await datapath.begin(node, loop, { startNode, onFault });
    loop.wake();

    const readiness = (): Readiness => {
      const serves = cni.serves();
      return serves.ready ? (policy?.readiness() ?? serves) : serves;
    };
    if (config.healthListen !== undefined)
      this.#open(await HealthServer.listen(config.healthListen, { readiness, counters }));
    const metricsParts = config.metricsListen && (await import('./parts/metrics.ts'));
    const context: StatusContext = {
      ...looked,
      version: ownVersion(),
      datapath: datapath.opened,
      overlayMtu,
      counters,
      gauges: () => readDaemonGauges(node, loopDelay),
      policy: policy?.status,
      settings: settingsView(config, ranges),
      runtime: ownRuntime,
      warnings: () => [
        ...hostNetwork.warnings(),
        ...underlayWatch.warnings(),
        ...refused.warnings(clock()),
        ...cni.warnings(),
        ...state.warnings(),
        ...control.warnings(),
        ...(policy?.warnings() ?? []),
        ...cniFiles.warnings(),
        ...(kubernetes?.warnings() ?? []),
        ...(metrics?.warnings() ?? []),
      ],
    };
    const flows = this.#open(
      openFlows({
        ...{ config, node, loop, context, sysctl, log, counters },
        attachments: () => policy?.attachments() ?? [],
      }),
    );
    const metrics = metricsParts && this.#open(metricsParts.metricsPort(config, context, log));
    const handover = new HandoverPolicy({
      shared: config.takeOver,
      clusterId: hex(clusterId),
      returnedAt: returned ? clock() : undefined,
      rehearse: () => state.folder.rehearseStart(),
      agree: (offer) => datapath.agree(offer),
      onYield: (version) => this.#outlived.resolve({ by: 'successor', version }),
    });
    const end = (): void => {
      loop.wake();
      // As by a signal, once the goodbye and the answer are out.
      setTimeout(() => process.kill(process.pid, 'SIGTERM'), GOODBYE_MS);
    };
    const handlers = controlHandlers({
      context,
      seeds,
      removals,
      handover,
      probe: probes.probe,
      policy: policy?.handlers,
      flows: flows.handlers,
      end,
      port: config.port,
      now: clock,
    });
    const { plugin } = cni;
    const service = controlService(handlers, {
      cni: (call, fds) => plugin.handle(call, fds),
      holdPod: (pod, fds) => cni.adopt(pod, fds),
    });
    const onLook = (): unknown => policy?.gate.keepFiles();
    const control = this.#open(new KeptControl({ runDir, service, onLook, log }));
    // These ask for warnings, of which the last part is there now.
    await metrics?.start();
    this.#open(new WarningLog(() => problemsView(context), log));
    const report = await plugin.start();
    hostNetwork.holdPods(plugin);
    this.#serving = { node, loop, datapath, plugin, control, policy, bequeath: () => cni.bequeath() };

    for (const fault of report.faults) log.warn('a pod could not be put right', { fault }, fault);
    log.info('serving', {
      name: config.name,
      peer: node.peer,
      port: config.port,
      mtu: overlayMtu,
      ranges: ranges.map(formatRange).join(' '),
      pods: report.intact + report.repaired.length,
    });
    void seeds.add(config.peers);
    kubernetes?.start({ problems: () => problemsView(context), readiness });
    cniFiles.update();
  }

  /** Notes that `part` is to be closed at the end, before all that were opened before it. */
  #open<Part extends { close(): void }>(part: Part): Part {
    return this.#opened.adopt(part, (it) => it.close());
  }
}

/** How a weftd starts. */
interface StartEvents {
  /** It made room for a successor, and the successor failed. */
  readonly returned: boolean;
  /** What it still has of the time before that. */
  readonly left?: Inheritance | undefined;
  /** Of the ring that it is to join, where its settings name none. */
  readonly ringRanges?: readonly Range[];
  /** Told what ends it later. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Why a weftd is to be ended. `successor`: another one waits to serve the node, and the datapath goes to it by `version`, if any.
 * `other-ranges`: the ring that it is to join has these ranges, and its settings name none, so it is to start anew with them.
 */
export type Outlived =
  | { readonly by: 'successor'; readonly version: number | undefined }
  | { readonly by: 'other-ranges'; readonly ranges: readonly Range[] };

/** What the end of a daemon needs of its parts. */
interface Serving {
  readonly node: WeftNode;
  readonly loop: NodeLoop;
  readonly datapath: DatapathPart;
  readonly plugin: CniPlugin;
  readonly control: Pick<LocalSocket, 'hide' | 'unheard'>;
  readonly policy: Policy | undefined;
  readonly bequeath: () => Bequest[];
}
