import { assert, unreachable } from '../base/assert.ts';
import { Attachments, type AttachmentsOptions } from './attachments.ts';
import type { CniCounter } from './cni-counters.ts';
import { CNI_CODE, CniFault, errorDocument, faultOf } from './fault.ts';
import { parseHandedPod } from './handed-pod.ts';
import type { AttachmentKey } from './key.ts';
import type { Pod } from './needs.ts';
import { type RecoveryReport, recover } from './recovery.ts';
import {
  askedCommand,
  askedVersion,
  type CniAnswer,
  type CniCommand,
  type CniRequest,
  needVersion,
  parseRequest,
} from './request.ts';

/** What a {@link CniPlugin} is made with. */
interface CniPluginOptions extends AttachmentsOptions {
  /** A signal that aborts in `ms` milliseconds; the shell passes `AbortSignal.timeout`. */
  readonly timeout: (ms: number) => AbortSignal;
}

/** Calls under way or waiting; more are told to try later. Runtimes start pods in parallel without limit. */
export const MAX_CALLS = 1024;

/** A STATUS waits at most so long for a daemon that starts; the shim waits as long for one that is not there. */
const STATUS_WAIT_MS = 10_000;

/** Time for an ADD to get its address. Under the shim's 60 s, so that the answer still arrives. */
const ADD_TIMEOUT_MS = 45_000;

const DONE_COUNTER: Readonly<Record<CniCommand, CniCounter>> = {
  ADD: 'cni.addDone',
  DEL: 'cni.delDone',
  CHECK: 'cni.checkDone',
  GC: 'cni.gcDone',
  STATUS: 'cni.statusDone',
};
const FAILED_COUNTER: Readonly<Record<CniCommand | 'unknown', CniCounter>> = {
  ADD: 'cni.addFailed',
  DEL: 'cni.delFailed',
  CHECK: 'cni.checkFailed',
  GC: 'cni.gcFailed',
  STATUS: 'cni.statusFailed',
  unknown: 'cni.unknownFailed',
};

/**
 * The daemon's side of CNI: carries out what the shim hands over. Nothing is answered before {@link start}
 * has ended, but a STATUS that has waited long enough: it carries out old deletions and compares the pool with the kernel.
 */
export class CniPlugin {
  readonly #options: CniPluginOptions;
  readonly #attachments: Attachments;
  readonly #started = Promise.withResolvers<void>();
  #ready = false;
  #calls = 0;
  readonly #waitingForSilence: (() => void)[] = [];

  constructor(options: CniPluginOptions) {
    this.#options = options;
    this.#attachments = new Attachments(options);
  }

  /** {@link start} has ended. */
  get ready(): boolean {
    return this.#ready;
  }

  /**
   * Recovers what an earlier daemon left. To be called once, after the control socket listens (the shim's spool.h says
   * why in this order); requests wait for it.
   */
  async start(): Promise<RecoveryReport> {
    assert(!this.#ready, 'the plugin is started once');
    const report = await recover({ ...this.#options, remove: (key) => this.#attachments.delete(key) });
    this.#ready = true;
    this.#started.resolve();
    return report;
  }

  /**
   * Puts right the host ends of running pods that somebody changed; see {@link Attachments.mend}. Nothing before
   * {@link start} has ended, which does the same.
   */
  async mend(): Promise<string[]> {
    return this.#ready ? this.#attachments.mend() : [];
  }

  /** See {@link Attachments.cutOff}. */
  cutOff(): ReturnType<Attachments['cutOff']> {
    return this.#attachments.cutOff();
  }

  /**
   * Carries out one request. Rejects for nothing but a broken invariant.
   *
   * @param value the parsed frame, not trusted.
   * @param fds descriptors that came with it. Taken over (by duplication) before the first await, so the caller
   * may close them when this returns its promise.
   */
  async handle(value: unknown, fds: readonly number[]): Promise<CniAnswer> {
    const { counters, network } = this.#options;
    let pod: Pod | undefined;
    this.#calls++;
    try {
      if (this.#calls > MAX_CALLS)
        throw new CniFault(CNI_CODE.tryLater, 'too many calls at once; try again later');
      const request = parseRequest(value);
      if (fds.length > 0) pod = network.enter(fds);
      const result = await this.#carryOut(request, pod);
      counters.add(DONE_COUNTER[request.command]);
      return { ok: true, result };
    } catch (error) {
      const fault = faultOf(error);
      counters.add(FAILED_COUNTER[askedCommand(value)]);
      return { ok: false, error: errorDocument(askedVersion(value), fault) };
    } finally {
      this.#calls--;
      pod?.close();
      if (this.#calls === 0) for (const resolve of this.#waitingForSilence.splice(0)) resolve();
    }
  }

  /**
   * The weftd before this one hands over a pod that it held. Rejects with a {@link CniFault} where `value` or the
   * descriptors, which are taken over as by {@link handle}, are not of that kind.
   */
  async adopt(value: unknown, fds: readonly number[]): Promise<void> {
    if (fds.length === 0) throw new CniFault(CNI_CODE.io, 'a pod was handed over without its sockets');
    const pod = this.#options.network.enter(fds);
    try {
      const handed = parseHandedPod(value);
      await this.#started.promise;
      await this.#attachments.adopt(handed, pod);
    } finally {
      pod.close();
    }
  }

  /**
   * Resolves when no call is under way. A daemon that ends removes its socket's name, waits for this for a bounded
   * time, and goes: so an upgrade cuts no ADD short.
   */
  async settled(): Promise<void> {
    if (this.#calls > 0) await new Promise<void>((resolve) => this.#waitingForSilence.push(resolve));
  }

  async #carryOut(request: CniRequest, pod: Pod | undefined): Promise<Record<string, unknown> | null> {
    const { command, config, key } = request;
    needVersion(command, config.cniVersion);
    if (command === 'STATUS') {
      await this.#status(config.addWaitSeconds);
      return null;
    }
    await this.#started.promise;
    switch (command) {
      case 'ADD':
        return this.#attachments.add(request, keyOf(key), podOf(pod), this.#options.timeout(ADD_TIMEOUT_MS));
      case 'DEL':
        await this.#attachments.delete(keyOf(key));
        return null;
      case 'CHECK':
        await this.#attachments.check(config, keyOf(key), podOf(pod));
        return null;
      case 'GC':
        await this.#attachments.collect(config);
        return null;
      default:
        return unreachable(command);
    }
  }

  /**
   * Kubernetes takes a node whose STATUS fails out of service, and after some minutes the pods that run there. So a node
   * with pods does not fail for want of addresses: its pods have their network, and `weft status` warns.
   */
  async #status(addWaitSeconds: number): Promise<void> {
    const { pool, timeout } = this.#options;
    const waitMs = Math.min(1000 * addWaitSeconds, STATUS_WAIT_MS);
    if (!this.#ready && waitMs > 0) await Promise.race([this.#started.promise, aborted(timeout(waitMs))]);
    if (!this.#ready) throw new CniFault(CNI_CODE.notAvailable, 'weftd is starting');
    const state = pool.state();
    if (!state.ready && pool.keys().length === 0) throw new CniFault(CNI_CODE.notAvailable, state.reason);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function keyOf(key: AttachmentKey | undefined): AttachmentKey {
  assert(key, 'a request about one attachment has its key');
  return key;
}

function podOf(pod: Pod | undefined): Pod {
  if (!pod) throw new CniFault(CNI_CODE.io, "the request came without the pod's netlink socket");
  return pod;
}
