import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { formatAddress } from '../base/address.ts';
import { hex } from '../base/bytes.ts';
import { Counters } from '../base/counters.ts';
import { formatRange } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import { DeletionFolder } from '../cni/deletion-spool.io.ts';
import type { PoolState } from '../cni/needs.ts';
import { CniPlugin } from '../cni/plugin.ts';
import { KernelPodNetwork } from '../cni/pod-network.io.ts';
import { serveControl } from '../control/control-server.io.ts';
import { parseClusterSecret } from '../crypto/cluster-secret.ts';
import { cryptoReady } from '../crypto/ready.ts';
import { clock } from '../host/clock.io.ts';
import { HealthServer } from '../host/health-server.io.ts';
import type { Log } from '../host/log.ts';
import { osRandom } from '../host/os-random.io.ts';
import { openRunFolder } from '../host/run-folder.io.ts';
import { ownVersion } from '../host/version.io.ts';
import { NODE_KEY } from '../ipam/model/types.ts';
import { SqliteStore } from '../ipam/sqlite-store.io.ts';
import { refuseApiOverlap } from '../kube/range-overlaps.ts';
import { configureHostNetwork, refuseOverlap, removeHostNetwork } from '../linux/host-network.io.ts';
import { applyRules } from '../linux/nftables.io.ts';
import { RouteClient } from '../linux/route-client.io.ts';
import { Sysctl } from '../linux/sysctl.io.ts';
import type { LocalSocket } from '../native/local-socket.ts';
import { WeftNode } from '../node/weft-node.ts';
import { chooseDatapath } from '../router/datapath/choose-datapath.ts';
import { DATAPATHS } from '../router/datapath/datapaths.io.ts';
import { TcpLinks } from '../router/link/tcp-links.io.ts';
import { RingAddressPool } from './address-pool.ts';
import { controlHandlers } from './control-handlers.ts';
import { HandoverPolicy } from './handover-policy.ts';
import { CniConfigPublisher } from './kubernetes/cni-config-publisher.io.ts';
import { linkToKubernetes } from './kubernetes/kubernetes-node.io.ts';
import { answerLastCalls } from './last-calls.io.ts';
import { logOutput } from './node-log.ts';
import { NodeLoop } from './node-loop.io.ts';
import { OWN_LINKS } from './own-links.ts';
import { PeerRemovals } from './peer-removals.ts';
import { PeerSeeds } from './peer-seeds.io.ts';
import { podRanges, refuseOtherRanges } from './pod-ranges.ts';
import type { Config } from './settings/config.ts';
import { EpochRaiser } from './state/epoch-raiser.ts';
import { KeptRecords } from './state/kept-records.ts';
import { readSecretFile } from './state/secret-file.io.ts';
import { nameOf, type StatusContext } from './status.ts';
import { takeStateFolder } from './take-over.io.ts';
import { readUnderlay } from './underlay.io.ts';

/** A seed that knows peers listens this long for a ring of theirs before it starts one. */
const SEED_WAIT_MS = 1_500;

/** What a node of Kubernetes ends with when it was removed from the ring; the kubelet starts it as a new node. */
const RETIRED = new WeftError(
  'E_REMOVED',
  'this node was removed from the ring while it was away',
  'nothing: it starts again as a new node; restart pods that still run on it',
);

/** After SIGTERM: time for calls of the CNI plugin that are under way. Whoever is cut off gets code 11, or is spooled. */
const SETTLE_MS = 2_000;

/** The same before a successor takes over: packets flow meanwhile, and nobody waits for us to end. */
const YIELD_SETTLE_MS = 10_000;

/** After that: time for the goodbye to reach the peers. */
const GOODBYE_MS = 100;

/**
 * One running weftd: everything constructed, wired and started. Whatever {@link Daemon.start} opened is closed again
 * where it fails. Nothing is taken out of the kernel at the end: pods keep their links, routes and addresses.
 */
export class Daemon {
  readonly #closers: (() => void)[] = [];
  readonly #log: Log;
  /** Whether the kernel held nothing of ours before: a start that fails then leaves nothing there. */
  #firstHere = false;
  #node: WeftNode | undefined;
  #loop: NodeLoop | undefined;
  #control: LocalSocket | undefined;
  #plugin: CniPlugin | undefined;
  readonly #succeeded = Promise.withResolvers<void>();
  #closed = false;

  private constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Starts a weftd; resolves when it serves. `onFault` is told what ends it later (a disk that fails, the TUN gone).
   * `returned`: it made room for a successor, and that one failed.
   * Rejects with a WeftError that says what is wrong and what to do.
   */
  static async start(
    config: Config,
    log: Log,
    events: { readonly returned: boolean; readonly onFault: (error: unknown) => void },
  ): Promise<Daemon> {
    const daemon = new Daemon(log);
    // What is under way when it closes may fail on what is closed then.
    const onFault = (error: unknown): unknown => daemon.#closed || events.onFault(error);
    try {
      await daemon.#start(config, { ...events, onFault });
    } catch (error) {
      daemon.#close();
      if (daemon.#firstHere) await undoHostNetwork();
      throw error;
    }
    return daemon;
  }

  /** Resolves when it was told to make room for another weftd, which waits now for {@link yield}. */
  get succeeded(): Promise<void> {
    return this.#succeeded.promise;
  }

  /** Ends: shims that come now wait for the next weftd, calls under way get their answers, peers a goodbye. */
  async stop(): Promise<void> {
    await this.#end(SETTLE_MS, async () => {
      this.#node?.gossip.leave(clock());
      this.#loop?.settleNow();
      await delay(GOODBYE_MS);
    });
  }

  /** Ends in the same way, but for the goodbye: the node goes on under its successor at once. */
  async yield(): Promise<void> {
    await this.#end(YIELD_SETTLE_MS, async () => this.#loop?.settleNow());
  }

  async #end(patienceMs: number, takeLeave: () => Promise<void>): Promise<void> {
    if (this.#control && this.#plugin) await answerLastCalls(this.#control, this.#plugin, patienceMs);
    await takeLeave();
    await nextTurn();
    this.#close();
  }

  async #start(
    config: Config,
    { returned, onFault }: { readonly returned: boolean; readonly onFault: (error: unknown) => void },
  ): Promise<void> {
    const log = this.#log;
    await cryptoReady;
    const keys = parseClusterSecret(readSecretFile(config.secretFile));
    const ranges = podRanges(config, keys);
    const client = this.#open(RouteClient.open(), (it) => it.close());
    const sysctl = new Sysctl(config.sysctlDir);
    await refuseOverlap(client, ranges, OWN_LINKS);
    if (config.kubernetes) refuseApiOverlap(ranges, process.env.KUBERNETES_SERVICE_HOST);
    const underlay = await readUnderlay(client, config, ranges, OWN_LINKS);
    const counters = new Counters();

    const folder = this.#open(
      await takeStateFolder(config, { clusterId: keys.clusterId, random: osRandom, log, returned }),
      (it) => it.close(),
    );
    const store = this.#open(SqliteStore.open(folder.databasePath), (it) => it.close());
    const records = new KeptRecords(store);

    this.#firstHere = (await client.link(OWN_LINKS.tun)) === undefined;
    const opened = this.#open(
      await chooseDatapath(config.datapath, DATAPATHS).open({
        self: folder.identity.peer,
        port: config.port,
        listen: hostsOf(config),
        tunName: OWN_LINKS.tun,
        overlayMtu: underlay.overlayMtu,
        counters,
        clock,
      }),
      (it) => it.close(),
    );

    const node = new WeftNode({
      identity: folder.identity,
      clusterKeys: keys,
      bootEpoch: folder.epoch,
      bootId: folder.bootId,
      name: config.name,
      version: ownVersion(),
      endpoints: underlay.endpoints,
      underlayMtu: underlay.mtu,
      overlayMtu: underlay.overlayMtu,
      suites: opened.suites,
      datapath: opened.datapath,
      store,
      ipam: {
        ranges,
        init: config.genesis,
        seedWaitMs: mayHavePeers(config) ? SEED_WAIT_MS : 0,
        ...(config.safeWaitMs === undefined ? {} : { safeWaitMs: config.safeWaitMs }),
      },
      random: osRandom,
      counters,
    });
    this.#node = node;

    const context: StatusContext = {
      node,
      name: config.name,
      version: ownVersion(),
      datapath: opened,
      counters,
      seeds: () => seeds.hints,
      warnings: () => kubernetes?.warnings() ?? [],
    };
    const removals = new PeerRemovals(context);
    const pool = new RingAddressPool({
      allocate: (key) => {
        loop.wake();
        return node.allocate(key, clock());
      },
      release: (key) => {
        node.ipam.release(key, clock());
        loop.settleNow();
      },
      allocations: () => node.ipam.allocations(),
      addressesOf: (key) => node.ipam.allocation(key)?.addresses,
      status: () => node.ipam.status(),
      diskFault: () => node.diskFault,
    });
    const network = {
      ...OWN_LINKS,
      ranges,
      addresses: node.ipam.allocation(NODE_KEY)?.addresses ?? [],
      mtu: underlay.overlayMtu,
      sysctl,
    };
    const readiness = (): PoolState =>
      this.#plugin?.ready ? pool.state() : { ready: false, reason: 'weftd is starting' };
    const publisher = this.#open(
      new CniConfigPublisher({ config, log, ready: () => readiness().ready }),
      (it) => it.stop(),
    );
    const epochs = new EpochRaiser({
      persist: (epoch) => folder.raiseEpoch(epoch),
      apply: (epoch) => node.raiseEpoch(epoch, clock()),
    });
    const loop = new NodeLoop({
      node,
      onFault,
      onOutput: (out) => {
        logOutput(log, out);
        switch (out.type) {
          case 'keepRecord':
            records.put(out.record);
            return;
          case 'dropRecord':
            records.remove(out);
            return;
          case 'ownAddresses':
            void configureHostNetwork(client, { ...network, addresses: out.addresses })
              .then(() => publisher.update())
              .catch(onFault);
            return;
          case 'allocated':
          case 'allocateFailed':
            pool.answer(out);
            return;
          case 'removed':
          case 'removeFailed':
            removals.answer(out);
            return;
          case 'disk':
            if (out.fault !== undefined) pool.refuse(out.fault);
            return;
          case 'genesisWanted':
            void kubernetes?.proposeGenesis(out.proposal, ranges.map(formatRange)).catch(onFault);
            return;
          case 'removalProposed':
            void kubernetes?.proposeRemoval(out.state, nameOf(context, out.state.subject)).catch(onFault);
            return;
          case 'selfRemoved':
            if (!config.kubernetes) return;
            folder.retire();
            onFault(RETIRED);
            return;
          case 'rolledBack':
            epochs.raiseAbove(out.epoch);
        }
      },
    });
    this.#loop = loop;
    this.#closers.push(() => loop.stop());
    const seeds = new PeerSeeds({
      onChange: (endpoints) => {
        node.setSeeds(endpoints, clock());
        loop.wake();
      },
      onFault: (peer, reason) => log.warn('a peer name does not resolve', { peer, reason }, peer),
    });
    this.#closers.push(() => seeds.stop());

    const kubernetes = config.kubernetes
      ? this.#open(linkToKubernetes({ config, ranges, node, seeds, log, wake: loop.wake }), (it) => it.stop())
      : undefined;

    loop.links = this.#open(
      await TcpLinks.listen(config.listen.length === 0 ? ['::'] : hostsOf(config), config.port, {
        accepted: (remote) => node.linkAccepted(remote, clock()),
        connected: loop.waking((link) => node.linkConnected(link)),
        received: loop.waking((link, bytes) => node.linkReceived(link, bytes, clock())),
        congested: loop.waking((link, congested) => node.linkCongested(link, congested, clock())),
        closed: loop.waking((link) => node.linkLost(link, clock())),
      }),
      (it) => it.closeAll(),
    );

    refuseOtherRanges(node.ipam.status().faults);
    openRunFolder(config.runDir);
    // From here on the kernel is changed; before, everything that can be refused has been.
    await applyRules({ ...OWN_LINKS, ranges, masquerade: config.masquerade, port: config.port });
    await configureHostNetwork(client, network);
    opened.start(loop.watched(node.datapathEvents), onFault);
    node.start(records.all(), clock());
    loop.wake();

    const plugin = new CniPlugin({
      pool,
      network: this.#open(KernelPodNetwork.open(sysctl), (it) => it.close()),
      spool: new DeletionFolder(config.runDir),
      mtu: () => underlay.overlayMtu,
      counters,
      timeout: (ms) => AbortSignal.timeout(ms),
    });
    const handlers = controlHandlers({
      context,
      seeds,
      removals,
      handover: new HandoverPolicy({
        shared: config.takeOver,
        clusterId: hex(keys.clusterId),
        returnedAt: returned ? clock() : undefined,
        rehearse: () => folder.rehearseStart(),
        onYield: this.#succeeded.resolve,
      }),
      port: config.port,
      now: clock,
      wake: loop.wake,
    });
    this.#plugin = plugin;
    if (config.healthListen !== undefined) {
      this.#open(await HealthServer.listen(config.healthListen, readiness), (it) => it.close());
    }
    this.#control = this.#open(
      serveControl(`${config.runDir}/weft.sock`, handlers, (call, fds) => plugin.handle(call, fds)),
      (it) => it.close(),
    );
    const report = await plugin.start();
    for (const fault of report.faults) log.warn('a pod could not be put right', { fault }, fault);
    log.info('serving', {
      name: config.name,
      peer: node.peer,
      port: config.port,
      mtu: underlay.overlayMtu,
      ranges: ranges.map(formatRange).join(' '),
      pods: report.intact + report.repaired.length,
    });
    void seeds.add(config.peers);
    kubernetes?.start();
    publisher.update();
  }

  /** Notes how to close what was just opened. */
  #open<T>(it: T, close: (it: T) => void): T {
    this.#closers.push(() => close(it));
    return it;
  }

  #close(): void {
    this.#closed = true;
    for (const close of this.#closers.splice(0).reverse()) close();
  }
}

/** Best effort: what made the start fail is what the user is to read. */
async function undoHostNetwork(): Promise<void> {
  try {
    const client = RouteClient.open();
    await removeHostNetwork(client, OWN_LINKS, { pods: () => false }).finally(() => client.close());
  } catch {
    // No nft, no privileges: then there is little of ours either.
  }
}

/** Somebody may have a ring already, and is listened for before one is begun. */
function mayHavePeers(config: Config): boolean {
  return config.peers.length > 0 || config.kubernetes;
}

function hostsOf(config: Config): string[] {
  return config.listen.map(formatAddress);
}
