import { assert, InvariantError, unreachable } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { WeftError } from '../base/weft-error.ts';
import { type Attachment, planAttachment } from './attachment.ts';
import type { CniCounter } from './cni-counters.ts';
import { atLeast, type CniVersion, configVersion, isObject } from './config.ts';
import { CNI_CODE, CniFault, errorDocument } from './fault.ts';
import { type AttachmentKey, keyText } from './key.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { AddressPool, DeletionSpool, Pod, PodNetwork } from './needs.ts';
import { CNI_COMMANDS, type CniAnswer, type CniCommand, type CniRequest, parseRequest } from './protocol.ts';
import { reconcile } from './reconcile.ts';
import { attachmentResult, missingFromResult } from './result.ts';

/** What a {@link CniPlugin} is made of. */
export interface CniPluginOptions {
  readonly pool: AddressPool;
  readonly network: PodNetwork;
  readonly spool: DeletionSpool;
  /** MTU for new pods: the overlay's as it is now. */
  readonly mtu: () => number;
  readonly counters: Counters<CniCounter>;
  /** A signal that aborts in `ms` milliseconds; the shell passes `AbortSignal.timeout`. */
  readonly timeout: (ms: number) => AbortSignal;
}

/** Calls under way or waiting; more are told to try later. Runtimes start pods in parallel without limit. */
export const MAX_CALLS = 1024;

/** Time for an ADD to get its address. Under the shim's 60 s, so that the answer still arrives. */
export const ADD_TIMEOUT_MS = 45_000;

/** What {@link CniPlugin.start} found and did. */
export interface StartReport {
  readonly deletions: number;
  readonly released: readonly AttachmentKey[];
  readonly removedLinks: readonly string[];
  readonly repaired: readonly AttachmentKey[];
  readonly intact: number;
  /** What could not be put right, in words for people. */
  readonly faults: readonly string[];
}

/**
 * The daemon's side of CNI: carries out what the shim hands over.
 *
 * - Calls of one (container, interface) run one after the other; an ADD that fails at any step takes back the
 *   pair and the address. So nothing is left of an ADD whose shim was killed once its DEL has come.
 * - Order of undoing: first the pair, then the address, so that no address is dealt out again while a pod uses it.
 * - Nothing runs before {@link start} has worked off old deletions and compared the pool with the kernel.
 */
export class CniPlugin {
  readonly #options: CniPluginOptions;
  readonly #lock = new KeyedLock();
  readonly #started = Promise.withResolvers<void>();
  #ready = false;
  #calls = 0;
  readonly #waitingForSilence: (() => void)[] = [];

  constructor(options: CniPluginOptions) {
    this.#options = options;
  }

  /** {@link start} has ended. */
  get ready(): boolean {
    return this.#ready;
  }

  /**
   * Works off deletions that came while no daemon was there, then makes pool and kernel agree. To be called once,
   * after the control socket listens (see the shim's spool.h for why in this order); requests wait for it.
   * What fails here is reported and left to the runtime's DEL and GC.
   */
  async start(): Promise<StartReport> {
    assert(!this.#ready, 'the plugin is started once');
    const faults: string[] = [];
    const deletions = await this.#drain(faults).catch((error: unknown) => {
      faults.push(describe(error));
      return 0;
    });
    const reconciled = await this.#reconcile(faults).catch((error: unknown) => {
      faults.push(describe(error));
      return { released: [], removedLinks: [], repaired: [], intact: 0 };
    });
    this.#ready = true;
    this.#started.resolve();
    return { deletions, ...reconciled, faults };
  }

  /**
   * Carries out one request. Rejects for nothing but a broken invariant.
   *
   * @param value the parsed frame, not trusted.
   * @param fds descriptors that came with it. Taken over (by duplication) before the first await, so the caller
   * may close them when this returns its promise.
   */
  async handle(value: unknown, fds: readonly number[]): Promise<CniAnswer> {
    const { counters } = this.#options;
    let pod: Pod | undefined;
    this.#calls++;
    try {
      if (this.#calls > MAX_CALLS)
        throw new CniFault(CNI_CODE.tryLater, 'too many calls at once; try again later');
      const request = parseRequest(value);
      if (fds[0] !== undefined) pod = this.#options.network.enter(fds[0]);
      const result = await this.#carryOut(request, pod);
      counters.add(DONE_COUNTER[request.command]);
      return { ok: true, result };
    } catch (error) {
      const fault = asFault(error);
      counters.add(FAILED_COUNTER[askedCommand(value)]);
      return { ok: false, error: errorDocument(askedVersion(value), fault) };
    } finally {
      this.#calls--;
      pod?.close();
      if (this.#calls === 0) for (const resolve of this.#waitingForSilence.splice(0)) resolve();
    }
  }

  /**
   * Resolves when no call is under way. A daemon that ends removes its socket's name, waits for this (bounded by
   * its own patience), and goes: so an upgrade cuts no ADD short.
   */
  async settled(): Promise<void> {
    if (this.#calls > 0) await new Promise<void>((resolve) => this.#waitingForSilence.push(resolve));
  }

  async #carryOut(request: CniRequest, pod: Pod | undefined): Promise<Record<string, unknown> | null> {
    const { command, config, key } = request;
    needVersion(command, config.cniVersion);
    if (command === 'STATUS') {
      this.#status();
      return null;
    }
    await this.#started.promise;
    switch (command) {
      case 'ADD': {
        const signal = this.#options.timeout(ADD_TIMEOUT_MS);
        return this.#lock.run(keyOf(key), () => this.#add(request, keyOf(key), podOf(pod), signal));
      }
      case 'DEL':
        await this.#lock.run(keyOf(key), () => this.#delete(keyOf(key)));
        return null;
      case 'CHECK':
        await this.#lock.run(keyOf(key), () => this.#check(request, keyOf(key), podOf(pod)));
        return null;
      case 'GC':
        await this.#collect(request);
        return null;
      default:
        return unreachable(command);
    }
  }

  async #add(
    request: CniRequest,
    key: AttachmentKey,
    pod: Pod,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    const { pool, network, spool } = this.#options;
    const { config, netns } = request;
    if (signal.aborted)
      throw new CniFault(CNI_CODE.tryLater, 'earlier calls for this container took too long');
    // Before anything is made or taken: what follows a refusal must not touch an attachment that exists.
    if (await pod.hasInterface(key.ifname)) {
      throw new CniFault(CNI_CODE.exists, `the pod already has an interface ${key.ifname}`);
    }
    if (await network.hostLink(key)) {
      throw new CniFault(CNI_CODE.exists, `${keyText(key)} is attached already; a DEL must come first`);
    }
    await spool.forget(key);
    try {
      const addresses = await pool.allocate(key, signal);
      if (signal.aborted) throw new CniFault(CNI_CODE.tryLater, 'no address came in time; try again later');
      const attachment = planAttachment(key, config.name, addresses, this.#options.mtu());
      const result = attachmentResult(config.cniVersion, attachment, netns, config.dns, config.prevResult);
      await network.attach(pod, attachment);
      return result;
    } catch (error) {
      throw await this.#undo(key, signal, error);
    }
  }

  /** Takes back a failed ADD. Answers what the runtime shall be told. */
  async #undo(key: AttachmentKey, signal: AbortSignal, cause: unknown): Promise<CniFault> {
    const fault = signal.aborted
      ? new CniFault(CNI_CODE.tryLater, 'no address came in time; try again later', { cause })
      : asFault(cause);
    try {
      await this.#delete(key);
      return fault;
    } catch (error) {
      this.#options.counters.add('cni.undoFailed');
      const details = `and what was made could not be taken back: ${describe(error)}`;
      return new CniFault(fault.code, fault.message, { details, cause });
    }
  }

  async #delete(key: AttachmentKey): Promise<void> {
    await this.#options.network.detach(key);
    await this.#options.pool.release(key);
  }

  async #check(request: CniRequest, key: AttachmentKey, pod: Pod): Promise<void> {
    const addresses = this.#options.pool.addressesOf(key);
    if (!addresses) throw new CniFault(CNI_CODE.notAsAttached, `${keyText(key)} has no address`);
    const attachment = planAttachment(key, request.config.name, addresses, this.#options.mtu());
    const missing = [
      ...missingFromResult(request.config.prevResult, attachment).map(
        (address) => `${address} in prevResult`,
      ),
      ...(await this.#options.network.inspect(pod, attachment)),
    ];
    if (missing.length === 0) return;
    throw new CniFault(CNI_CODE.notAsAttached, `${keyText(key)} is not as ADD left it`, {
      details: `missing: ${missing.join('; ')}`,
    });
  }

  #status(): void {
    const state = this.#options.pool.state();
    if (!this.#ready) throw new CniFault(CNI_CODE.notAvailable, 'weftd is starting');
    if (!state.ready) throw new CniFault(CNI_CODE.notAvailable, state.reason);
  }

  /**
   * Removes every attachment of the network that the runtime does not list. An allocation without a pair has no
   * pod and so no network any more; it goes with any GC. Without a list (cnitool sends none, having deleted by
   * itself what it knows) nothing else goes: an omission must not cost running pods their network.
   */
  async #collect({ config }: CniRequest): Promise<void> {
    const { pool, network, counters } = this.#options;
    const valid = config.validAttachments && new Set(config.validAttachments.map(keyText));
    const found = new Map<string, AttachmentKey>();
    for (const key of pool.keys()) found.set(keyText(key), key);
    for (const { owner } of await network.hostLinks()) if (owner) found.set(keyText(owner.key), owner.key);
    const faults: string[] = [];
    for (const [text, key] of found) {
      if (valid?.has(text)) continue;
      try {
        await this.#lock.run(key, async () => {
          const owner = (await network.hostLink(key))?.owner;
          if (owner && (!valid || owner.network !== config.name)) return;
          await this.#delete(key);
          counters.add('cni.collected');
        });
      } catch (error) {
        faults.push(`${text}: ${describe(error)}`);
      }
    }
    if (faults.length > 0) {
      const details = faults.slice(0, 8).join('; ');
      throw new CniFault(CNI_CODE.io, `${faults.length} attachments could not be removed`, { details });
    }
  }

  /** One that failed stays in the spool for the next start; one that is no deletion never becomes one, and goes. */
  async #drain(faults: string[]): Promise<number> {
    const { spool, counters } = this.#options;
    const done = await each(await spool.pending(), faults, async (name) => {
      const key = deletionKey(await spool.read(name));
      if (key) await this.#delete(key);
      else counters.add('cni.spoolUnreadable');
      await spool.discard(name);
    });
    return done.length;
  }

  async #reconcile(faults: string[]): Promise<Omit<StartReport, 'deletions' | 'faults'>> {
    const { pool, network } = this.#options;
    const allocations = pool.keys().map((key) => ({ key, addresses: pool.addressesOf(key) ?? {} }));
    const { stale, orphans, broken, intact } = reconcile(allocations, await network.hostLinks());
    const removedLinks = await each(orphans, faults, (name) => network.removeLink(name));
    const released = await each(stale, faults, (key) => this.#delete(key));
    const mended = await each(broken, faults, ({ key, addresses, network: name }) => {
      const attachment: Attachment = planAttachment(key, name, addresses, this.#options.mtu());
      return network.repair(attachment);
    });
    return { released, removedLinks, repaired: mended.map(({ key }) => key), intact };
  }
}

/** Runs `action` for each item; answers those for which it succeeded, and puts into words why the others failed. */
async function each<T>(
  items: readonly T[],
  faults: string[],
  action: (item: T) => Promise<unknown>,
): Promise<T[]> {
  const done: T[] = [];
  for (const item of items) {
    try {
      await action(item);
      done.push(item);
    } catch (error) {
      faults.push(describe(error));
    }
  }
  return done;
}

/** CHECK came with 0.4.0, GC and STATUS with 1.1.0. */
function needVersion(command: CniCommand, version: CniVersion): void {
  const least = command === 'CHECK' ? '0.4.0' : command === 'GC' || command === 'STATUS' ? '1.1.0' : '0.3.1';
  if (atLeast(version, least)) return;
  throw new CniFault(
    CNI_CODE.incompatibleVersion,
    `${command} needs cniVersion ${least}; the config says ${version}`,
  );
}

function keyOf(key: AttachmentKey | undefined): AttachmentKey {
  assert(key, 'a request about one attachment has its key');
  return key;
}

function podOf(pod: Pod | undefined): Pod {
  if (!pod) throw new CniFault(CNI_CODE.io, "the request came without the pod's netlink socket");
  return pod;
}

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

/** The command of a request that may be malformed: a failure is counted under it. */
function askedCommand(value: unknown): CniCommand | 'unknown' {
  const env = isObject(value) ? value.env : undefined;
  const command = isObject(env) ? env.CNI_COMMAND : undefined;
  return CNI_COMMANDS.find((known) => known === command) ?? 'unknown';
}

function askedVersion(value: unknown): CniVersion {
  const config = isObject(value) ? value.config : undefined;
  return configVersion(typeof config === 'string' ? config : '');
}

function deletionKey(request: unknown): AttachmentKey | undefined {
  try {
    const { command, key } = parseRequest(request);
    return command === 'DEL' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** A broken invariant is no fault of the call's: it goes on upwards and ends the daemon. */
function asFault(error: unknown): CniFault {
  if (error instanceof InvariantError) throw error;
  if (error instanceof CniFault) return error;
  if (error instanceof WeftError) {
    return new CniFault(CNI_CODE.tryLater, error.message, { details: error.remedy, cause: error });
  }
  return new CniFault(CNI_CODE.internal, describe(error), { cause: error });
}

function describe(error: unknown): string {
  if (error instanceof WeftError) return error.line;
  return error instanceof Error ? error.message : String(error);
}
