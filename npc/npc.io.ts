import { Counters } from '../base/counters.ts';
import type { Endpoint } from '../base/endpoint.ts';
import { Histograms } from '../base/histograms.ts';
import type { Instant } from '../base/instant.ts';
import type { Warning } from '../base/warning.ts';
import { WeftError } from '../base/weft-error.ts';
import { answerOf, type ControlClient, serveControl } from '../control/control-server.io.ts';
import { decodeNpcRequest, type NpcRequest, type PolicyStatusResult } from '../control/npc-request.ts';
import { clock } from '../host/clock.io.ts';
import { HealthServer } from '../host/health-server.io.ts';
import type { Log } from '../host/log.ts';
import { osRandom } from '../host/os-random.io.ts';
import { ownProcess } from '../host/own-process.io.ts';
import { openRunFolder } from '../host/run-folder.io.ts';
import { ownVersion } from '../host/version.io.ts';
import type { ApiAccess } from '../kube/access/api-access.ts';
import { inClusterAccess } from '../kube/access/in-cluster.io.ts';
import { ApiClient } from '../kube/api-client.io.ts';
import type { ApiError } from '../kube/api-error.ts';
import { ApiFaults } from '../kube/api-faults.ts';
import type { Delta } from '../kube/object-store.ts';
import type { FileLock } from '../native/file-lock.ts';
import { speakers } from './chosen-node.ts';
import { PolicyCompiler } from './compiler/policy-compiler.ts';
import { DeniedPolls } from './denied-polls.io.ts';
import { canLogDrops, DROP_LOG, DropLog } from './drop-log.io.ts';
import { Enforcer } from './enforcer.io.ts';
import { explain } from './explain.ts';
import { BlockedConnections } from './metrics/blocked-connections.ts';
import { OWN_NPC_COUNTERS } from './metrics/npc-counters.ts';
import { NPC_HISTOGRAMS } from './metrics/npc-histograms.ts';
import { namedPods } from './named-pods.ts';
import { succeed, takeBack, takeNodeLock } from './node-lock.io.ts';
import { PolicyEvents } from './policy-events.io.ts';
import { policyStatus } from './policy-status.ts';
import { PortComplaints } from './port-complaints.ts';
import type { NpcConfig } from './settings/npc-config.ts';
import { addsWaited, type KernelCounts, kernelCounters } from './status-sources.io.ts';
import { ClusterWatch } from './watch/cluster-watch.io.ts';

/** Five watches, and what is asked beside them. */
const CONNECTIONS = 12;
/** One that took the node back from a successor that failed keeps it for so long. */
const KEEP_AFTER_RETURN_MS = 60_000;
/** Between two looks for policies to tell of. */
const TELL_EVERY_MS = 5_000;
/** Between two looks for ports that no pod has: all pods are asked, and they have this long to come. */
const PORTS_EVERY_MS = 60_000;

/**
 * One running weft-npc: the copy of the API, which it always follows, and, while it holds the lock of the node, what
 * serves the node: rules, control socket, health port. One that finds the lock taken is a successor: it asks for the node
 * once its copy is complete. Nothing is taken out of the kernel at the end.
 */
export class Npc {
  readonly #config: NpcConfig;
  readonly #log: Log;
  readonly #onFault: (error: unknown) => void;
  readonly #counters = new Counters(OWN_NPC_COUNTERS);
  readonly #histograms = new Histograms(NPC_HISTOGRAMS);
  readonly #blocked = new BlockedConnections();
  readonly #client: ApiClient;
  readonly #logsDrops: boolean;
  readonly #compiler: PolicyCompiler;
  readonly #faults = new ApiFaults();
  readonly #events: Readonly<Record<'NotHonoured' | 'PortNotFound', PolicyEvents>>;
  readonly #ports = new PortComplaints();
  readonly #watch: ClusterWatch;
  readonly #stop = new AbortController();
  readonly #complete = Promise.withResolvers<void>();
  #completeSince: Instant | undefined;
  #serving: Serving | undefined;

  private constructor(
    config: NpcConfig,
    {
      access,
      log,
      logsDrops,
      onFault,
    }: { access: ApiAccess; log: Log; logsDrops: boolean; onFault: (error: unknown) => void },
  ) {
    this.#config = config;
    this.#log = log;
    this.#onFault = (error) => this.#stop.signal.aborted || onFault(error);
    this.#client = new ApiClient(access, `weft-npc/${ownVersion()}`, { connections: CONNECTIONS });
    this.#logsDrops = logsDrops;
    this.#compiler = new PolicyCompiler(config.nodeName, {
      reject: config.reject,
      log: logsDrops ? DROP_LOG : undefined,
    });
    const compiler = this.#compiler;
    const taking =
      <T>(take: (delta: Delta<T>) => void) =>
      (delta: Delta<T>): void => {
        take(delta);
        this.#serving?.enforcer.stir();
      };
    const telling = {
      client: this.#client,
      nodeName: config.nodeName,
      nodeNames: () => speakers(compiler.judged.cluster.nodes()),
      onOutcome: (error: ApiError | undefined) => {
        if (error === undefined) this.#faults.granted('events');
        else this.#faults.failed('events', error, clock());
      },
    };
    this.#events = {
      NotHonoured: new PolicyEvents({ ...telling, reason: 'NotHonoured' }),
      PortNotFound: new PolicyEvents({ ...telling, reason: 'PortNotFound' }),
    };
    this.#watch = new ClusterWatch({
      client: this.#client,
      random: osRandom,
      now: clock,
      faults: this.#faults,
      takers: {
        namespaces: taking((delta) => compiler.changeNamespaces(delta)),
        nodes: taking((delta) => compiler.changeNodes(delta)),
        pods: taking((delta) => compiler.changePods(delta)),
        networkpolicies: taking((delta) => compiler.changePolicies(delta)),
        clusternetworkpolicies: taking((delta) => compiler.changePolicies(delta)),
      },
      onComplete: () => {
        this.#completeSince = clock();
        this.#complete.resolve();
        log.info('the copy of the API is complete');
        this.#serving?.enforcer.copyChanged();
      },
      onFault: (kind, error, remedy) =>
        log.warn('the API does not serve', { kind, fault: `${error.message}; ${remedy}` }, `api ${kind}`),
      onServed: () => this.#serving?.enforcer.copyChanged(),
    });
  }

  /**
   * Begins to follow the API. `onFault` is told what ends it later. Rejects with a WeftError that says what is wrong:
   * E_NO_KUBERNETES, E_KUBECONFIG, E_RUN_DIR, E_STATE_DIR.
   */
  static async open(config: NpcConfig, log: Log, onFault: (error: unknown) => void): Promise<Npc> {
    const { kubeconfig } = config;
    // Loaded where it is asked for: a pod needs no reader of YAML for its access.
    const access =
      kubeconfig === undefined
        ? inClusterAccess(process.env, { remedy: 'run it in a pod of Kubernetes, or give --kubeconfig' })
        : (await import('../kube/access/kubeconfig.io.ts')).kubeconfigAccess(kubeconfig);
    openRunFolder(config.runDir);
    const logsDrops = config.dropLog && (await canLogDrops());
    if (config.dropLog && !logsDrops) log.warn('this kernel cannot log denied packets');
    const npc = new Npc(config, { access, log, logsDrops, onFault });
    npc.#watch.start();
    return npc;
  }

  /** Serves the node whenever it may; resolves once it was closed. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    const { stateDir } = this.#config;
    let lock = takeNodeLock(stateDir);
    let returnedAt: Instant | undefined;
    if (lock === undefined) {
      this.#log.info('another weft-npc serves this node; taking over once the copy of the API is complete');
      await Promise.race([this.#complete.promise, aborted(signal)]);
      lock = await succeed(this.#config, { log: this.#log, signal });
    }
    while (lock !== undefined && !signal.aborted) {
      const yielded = await this.#serve(lock, returnedAt);
      await Promise.race([yielded, aborted(signal)]);
      await this.#endServing();
      if (signal.aborted) return;
      this.#log.info('another weft-npc serves this node now; standing by');
      lock = await takeBack(stateDir, signal);
      returnedAt = clock();
      if (lock !== undefined) this.#log.warn('nobody served this node any more; serving it again');
    }
  }

  /** Ends; what is loaded stays. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#watch.stop();
    for (const events of Object.values(this.#events)) events.close();
    await this.#endServing();
    this.#client.close();
  }

  /** Resolves when the node is served, with what resolves when room is to be made for another one. */
  async #serve(lock: FileLock, returnedAt: Instant | undefined): Promise<Promise<void>> {
    const { runDir, stateDir, healthListen, metricsListen } = this.#config;
    const opened = new AsyncDisposableStack();
    const yielded = Promise.withResolvers<void>();
    opened.defer(() => lock.release());
    try {
      const enforcer = new Enforcer({
        runDir,
        stateDir,
        version: ownVersion(),
        compiler: this.#compiler,
        isComplete: () => this.#watch.isComplete,
        isCurrent: () => this.#watch.isCurrent,
        now: clock,
        log: this.#log,
        counters: this.#counters,
        histograms: this.#histograms,
        onFault: this.#onFault,
      });
      opened.defer(() => enforcer.close());
      this.#serving = { enforcer, opened, metrics: undefined };
      enforcer.start();
      const denied = new DeniedPolls(osRandom, this.#logsDrops);
      opened.defer(() => denied.close());
      if (this.#logsDrops) {
        const dropLog = new DropLog(this.#compiler, this.#log, { polls: denied, blocked: this.#blocked });
        opened.defer(() => dropLog.close());
      }
      const telling = setInterval(() => this.#tellEvents(), TELL_EVERY_MS).unref();
      opened.defer(() => clearInterval(telling));
      const tellingPorts = setInterval(() => this.#tellPorts(), PORTS_EVERY_MS).unref();
      opened.defer(() => clearInterval(tellingPorts));
      const room = { returnedAt, yield: yielded.resolve };
      const answer = (request: NpcRequest, _: readonly number[], client: ControlClient): Promise<unknown> =>
        answerOf(() => this.#answer(request, { enforcer, denied, client, room }));
      const control = serveControl(`${runDir}/weft-npc.sock`, {
        program: 'weft-npc',
        decode: decodeNpcRequest,
        answer,
      });
      opened.defer(() => control.close());
      if (healthListen !== undefined) {
        const readiness = () => this.#readiness(enforcer);
        const health = await HealthServer.listen(healthListen, { readiness, counters: this.#counters });
        opened.defer(() => health.close());
      }
      if (metricsListen !== undefined) await this.#openMetrics(metricsListen, enforcer, opened);
    } catch (error) {
      await opened.disposeAsync();
      throw error;
    }
    return yielded.promise;
  }

  async #openMetrics(at: Endpoint, enforcer: Enforcer, opened: AsyncDisposableStack): Promise<void> {
    const { NpcMetricsPort } = await import('./metrics/npc-metrics-port.io.ts');
    const metrics = new NpcMetricsPort(at, {
      status: async () => {
        const kernel = await kernelCounters();
        return { status: this.#statusOf(enforcer, kernel, null), kernel: kernel.counts };
      },
      blocked: this.#blocked,
      histograms: this.#histograms,
      counters: this.#counters,
      log: this.#log,
    });
    opened.adopt(metrics, (it) => it.close());
    this.#serving = { enforcer, opened, metrics };
    await metrics.start();
  }

  async #endServing(): Promise<void> {
    const serving = this.#serving;
    this.#serving = undefined;
    await serving?.opened.disposeAsync();
  }

  /** Policies that cannot be honoured are told of by events, but not before all nodes are known. */
  #tellEvents(): void {
    if (this.#watch.isComplete) this.#events.NotHonoured.look(this.#compiler.judged.policies.all());
  }

  #tellPorts(): void {
    if (this.#watch.isComplete) this.#events.PortNotFound.look(this.#ports.look(this.#compiler.judged));
  }

  #readiness(
    enforcer: Enforcer,
  ): { readonly ready: true } | { readonly ready: false; readonly reason: string } {
    if (this.#completeSince === undefined) {
      const missing = this.#watch.kinds().filter(({ complete }) => !complete);
      const reason = `the copy of the API is not complete: ${missing.map(({ kind }) => kind).join(', ')}`;
      return { ready: false, reason };
    }
    const gate = enforcer.warnings().find(({ code }) => code === 'E_NPC_NO_GATE');
    if (gate !== undefined) return { ready: false, reason: gate.message };
    if (enforcer.loaded === undefined) return { ready: false, reason: 'no rules are loaded yet' };
    return { ready: true };
  }

  #answer(
    request: NpcRequest,
    {
      enforcer,
      denied,
      client,
      room,
    }: {
      readonly enforcer: Enforcer;
      readonly denied: DeniedPolls;
      readonly client: ControlClient;
      readonly room: { readonly returnedAt: Instant | undefined; readonly yield: () => void };
    },
  ): unknown {
    switch (request.op) {
      case 'policyStatus':
        return this.#status(enforcer);
      case 'policyExplain':
        if (!this.#watch.isComplete) throw noCopy();
        return explain(this.#compiler.judged, request);
      case 'podNames':
        return { pods: namedPods(this.#compiler.judged.cluster, request.addresses) };
      case 'policyDenied':
        return denied.wait(request.cursor, (act) => client.whenGone(act));
      case 'process':
        return ownProcess();
      case 'yield':
        if (room.returnedAt !== undefined && clock() - room.returnedAt < KEEP_AFTER_RETURN_MS)
          throw tooSoon();
        room.yield();
        return { yielded: true };
    }
  }

  /** What cannot be asked of the kernel or of weftd is left out, and told. */
  async #status(enforcer: Enforcer): Promise<PolicyStatusResult> {
    const [kernel, addsWaitedMs] = await Promise.all([kernelCounters(), addsWaited(this.#config.runDir)]);
    return this.#statusOf(enforcer, kernel, addsWaitedMs);
  }

  #statusOf(enforcer: Enforcer, kernel: KernelCounts, addsWaitedMs: number | null): PolicyStatusResult {
    return policyStatus({
      nodeName: this.#config.nodeName,
      version: ownVersion(),
      now: clock(),
      compiler: this.#compiler,
      completeSince: this.#completeSince,
      kinds: this.#watch.kinds(),
      rules: enforcer.rules,
      lastApplyMs: enforcer.loaded?.lastApplyMs ?? 0,
      applyP99Ms: enforcer.loaded?.applyP99Ms ?? 0,
      attached: enforcer.attachments.length,
      addsWaitedMs,
      counters: { ...this.#counters.snapshot(), ...kernel.counts },
      warnings: [
        ...this.#faults.warnings(clock()),
        ...enforcer.warnings(),
        ...kernel.warnings,
        ...(this.#serving?.metrics?.warnings() ?? []),
      ],
    });
  }
}

interface Serving {
  readonly enforcer: Enforcer;
  readonly opened: AsyncDisposableStack;
  readonly metrics: { warnings(): Warning[] } | undefined;
}

function noCopy(): WeftError {
  const message = 'weft-npc has no complete copy of the API yet';
  return new WeftError('E_NPC_NO_COPY', message, "see 'weft policy status' for what is missing");
}

function tooSoon(): WeftError {
  const message = 'the weft-npc that serves this node has just taken it back, for its successor failed';
  return new WeftError('E_TOO_SOON', message, 'see the log of that successor (kubectl logs --previous)');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
