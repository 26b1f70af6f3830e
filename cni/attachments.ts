import type { Counters } from '../base/counters.ts';
import { type PodAddresses, planAttachment } from './attachment.ts';
import { CarrierLosses } from './carrier-losses.ts';
import type { CniCounter } from './cni-counters.ts';
import type { NetworkConfig } from './config.ts';
import { CNI_CODE, CniFault, describeFault, faultOf } from './fault.ts';
import type { HandedPod } from './handed-pod.ts';
import { HostEndMtus } from './host-end-mtus.ts';
import { hostLinkName } from './host-link-name.ts';
import { type AttachmentKey, keyText } from './key.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { AddressPool, DeletionSpool, Pod, PodGate, PodHolder, PodNetwork } from './needs.ts';
import { ownerText } from './pod-args.ts';
import { reconcile } from './reconcile.ts';
import type { CniRequest } from './request.ts';
import { attachmentResult, missingFromResult } from './result.ts';

/** What {@link Attachments} are made with. */
export interface AttachmentsOptions {
  readonly pool: AddressPool;
  readonly network: PodNetwork;
  readonly spool: DeletionSpool;
  /** Undefined: pods are open at once. */
  readonly gate?: PodGate | undefined;
  /** Undefined: nobody keeps the pods' ends. */
  readonly holder?: PodHolder | undefined;
  /** MTU for new pods: the overlay's as it is now. */
  readonly mtu: () => number;
  readonly counters: Counters<CniCounter>;
}

/** Attachments that are named one by one when something of them could not be removed or put right. */
const MAX_NAMED_FAULTS = 8;

/**
 * The attachments of this node: a pair in the kernel and an address in the pool for each.
 *
 * - Calls for one key run one after another. An ADD that fails at any step removes the pair and releases the address
 *   again, so nothing is left of an ADD whose shim was killed once its DEL has come.
 * - The pair is removed before the address is released: no address is dealt out again while a pod uses it.
 */
export class Attachments {
  readonly #options: AttachmentsOptions;
  readonly #lock = new KeyedLock();
  readonly #losses = new CarrierLosses();
  readonly #mtus = new HostEndMtus();

  constructor(options: AttachmentsOptions) {
    this.#options = options;
  }

  /** ADD. Answers the result for the runtime; `signal` bounds the wait for an address. Rejects with a {@link CniFault}. */
  async add(
    request: CniRequest,
    key: AttachmentKey,
    pod: Pod,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    return this.#lock.run(key, () => this.#add(request, key, pod, signal));
  }

  /** DEL. Removes what is there of the attachment; nothing where there is none. */
  async delete(key: AttachmentKey): Promise<void> {
    await this.#lock.run(key, () => this.#delete(key));
  }

  /** CHECK. Rejects with a {@link CniFault} of code 101 that names what is not as ADD left it. */
  async check(config: NetworkConfig, key: AttachmentKey, pod: Pod): Promise<void> {
    await this.#lock.run(key, () => this.#check(config, key, pod));
  }

  /**
   * GC. Removes every attachment of the network that the runtime does not list. An allocation without a pair has no
   * pod, so it belongs to no network any more and goes with any GC. Without a list nothing else goes: cnitool sends
   * none after it has deleted by itself what it knows, and an omission must not cost running pods their network.
   */
  async collect(config: NetworkConfig): Promise<void> {
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
        faults.push(`${text}: ${describeFault(error)}`);
      }
    }
    if (faults.length > 0) {
      const details = faults.slice(0, MAX_NAMED_FAULTS).join('; ');
      throw new CniFault(CNI_CODE.io, `${faults.length} attachments could not be removed`, { details });
    }
  }

  /**
   * Puts right the host ends that somebody changed; where a call is under way for one, when that call has ended.
   * Resolves with what was wrong, in words for people; rejects where something could not be put right, when all has
   * been tried.
   */
  async mend(): Promise<string[]> {
    const { pool, network } = this.#options;
    const allocations = pool.keys().flatMap((key) => {
      const addresses = pool.addressesOf(key);
      return addresses ? [{ key, addresses }] : [];
    });
    const links = await network.hostLinks();
    this.#losses.looked(links);
    this.#mtus.looked(links);
    const suspects = reconcile(allocations, links, this.#mtus).broken;
    const mended: string[] = [];
    const failed: string[] = [];
    for (const { key, network: name, faults } of suspects) {
      try {
        await this.#lock.run(key, async () => {
          // A call may have made it, mended it or taken it away meanwhile.
          const addresses = pool.addressesOf(key);
          if (!addresses) return;
          const [still] = reconcile([{ key, addresses }], await network.hostLinks(), this.#mtus).broken;
          if (!still) return;
          await network.repair(planAttachment(key, name, addresses, still.mtu));
          this.#losses.forget(hostLinkName(key));
          mended.push(...still.faults);
        });
      } catch (error) {
        failed.push(`${faults.join(', ')}: ${describeFault(error)}`);
      }
    }
    if (failed.length > 0) throw new Error(failed.slice(0, MAX_NAMED_FAULTS).join('; '));
    return mended;
  }

  /** Takes over from the weftd before this one a pod that it held; nothing where the pod is gone by now. */
  async adopt({ key, network: name, mtu, ...rest }: HandedPod, pod: Pod): Promise<void> {
    const { pool, network, holder } = this.#options;
    await this.#lock.run(key, async () => {
      const addresses = pool.addressesOf(key);
      // A runtime may have attached it anew meanwhile: what came with that ADD is the later.
      if (!addresses || holder?.holds(key) || !(await network.hostLink(key))) return;
      this.#mtus.made(hostLinkName(key), mtu);
      holder?.hold(pod, { ...rest, attachment: planAttachment(key, name, addresses, mtu) });
    });
  }

  /** Attachments whose pods may have lost their routes, and that nobody holds; as of the last {@link mend}. */
  cutOff(): { readonly key: AttachmentKey; readonly addresses: PodAddresses }[] {
    const { pool, holder } = this.#options;
    return pool
      .keys()
      .filter((key) => this.#losses.has(hostLinkName(key)) && !holder?.holds(key))
      .map((key) => ({ key, addresses: pool.addressesOf(key) ?? {} }));
  }

  async #add(
    { config, netns, pod: owner }: CniRequest,
    key: AttachmentKey,
    pod: Pod,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    const { pool, network, spool, gate, holder } = this.#options;
    if (signal.aborted)
      throw new CniFault(CNI_CODE.tryLater, 'earlier calls for this container took too long');
    // These two refusals stand before the try block: undoing would remove the attachment that exists.
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
      await gate?.announce(attachment, owner);
      this.#mtus.made(attachment.hostName, attachment.mtu);
      const made = await network.attach(pod, attachment);
      await gate?.admitted(key);
      holder?.hold(pod, {
        ...made,
        attachment,
        owner: ownerText(owner, key),
        netnsName: netns.slice(netns.lastIndexOf('/') + 1),
        leftAlone: undefined,
      });
      return result;
    } catch (error) {
      throw await this.#undo(key, signal, error);
    }
  }

  /** Removes what a failed ADD has made. Answers what the runtime is told. */
  async #undo(key: AttachmentKey, signal: AbortSignal, cause: unknown): Promise<CniFault> {
    const fault = signal.aborted
      ? new CniFault(CNI_CODE.tryLater, 'no address came in time; try again later', { cause })
      : faultOf(cause);
    try {
      await this.#delete(key);
      return fault;
    } catch (error) {
      this.#options.counters.add('cni.undoFailed');
      const details = `and what was made could not be removed: ${describeFault(error)}`;
      return new CniFault(fault.code, fault.message, { details, cause });
    }
  }

  async #delete(key: AttachmentKey): Promise<void> {
    const { network, gate, holder, pool } = this.#options;
    // First, or the namespace would not end with its runtime.
    holder?.release(key);
    await network.detach(key);
    gate?.forget(key);
    await pool.release(key);
  }

  async #check(config: NetworkConfig, key: AttachmentKey, pod: Pod): Promise<void> {
    const { pool, network } = this.#options;
    const addresses = pool.addressesOf(key);
    if (!addresses) throw new CniFault(CNI_CODE.notAsAttached, `${keyText(key)} has no address`);
    const attachment = planAttachment(key, config.name, addresses, this.#options.mtu());
    const missing = [
      ...missingFromResult(config.prevResult, attachment).map((address) => `${address} in prevResult`),
      ...(await network.inspect(pod, attachment)),
    ];
    if (missing.length === 0) return;
    throw new CniFault(CNI_CODE.notAsAttached, `${keyText(key)} is not as ADD left it`, {
      details: `missing: ${missing.join('; ')}`,
    });
  }
}
