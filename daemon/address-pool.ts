import type { Address } from '../base/address.ts';
import type { WeftError } from '../base/weft-error.ts';
import type { PodAddresses } from '../cni/attachment.ts';
import { CNI_CODE, CniFault } from '../cni/fault.ts';
import type { AttachmentKey } from '../cni/key.ts';
import type { AddressPool, PoolState } from '../cni/needs.ts';
import type { AllocateFailure, AllocationKey, IpamStatus, RequestId } from '../ipam/model/types.ts';
import { NODE_KEY } from '../ipam/model/types.ts';
import type { NodeOutput } from '../node/node-types.ts';

/** What the pool needs of the node's ipam and of the shell's loop. */
export interface PoolSource {
  /** Begins an allocation; its answer comes through {@link RingAddressPool.answer}. */
  allocate(key: AllocationKey): RequestId;
  /** Releases and makes it durable. */
  release(key: AllocationKey): void;
  allocations(): readonly { readonly key: AllocationKey; readonly addresses: readonly Address[] }[];
  addressesOf(key: AllocationKey): readonly Address[] | undefined;
  status(): IpamStatus;
  /** What the ring waits for, or what is wrong with it. */
  ringDetail(): string;
  /** Why nothing can be written to disk at present. */
  diskFault(): WeftError | undefined;
}

/** The ring as CNI sees it: a pool of pod addresses, asked by promises. */
export class RingAddressPool implements AddressPool {
  readonly #source: PoolSource;
  readonly #waitingByRequest = new Map<RequestId, PromiseWithResolvers<PodAddresses>>();

  constructor(source: PoolSource) {
    this.#source = source;
  }

  async allocate(key: AttachmentKey, signal: AbortSignal): Promise<PodAddresses> {
    const fault = this.#source.diskFault();
    if (fault !== undefined) throw fault;
    const waiting = Promise.withResolvers<PodAddresses>();
    const request = this.#source.allocate(key);
    this.#waitingByRequest.set(request, waiting);
    const abort = (): void =>
      waiting.reject(new CniFault(CNI_CODE.tryLater, 'no address came in time; try again later'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await waiting.promise;
    } finally {
      this.#waitingByRequest.delete(request);
      signal.removeEventListener('abort', abort);
    }
  }

  async release(key: AttachmentKey): Promise<void> {
    this.#source.release(key);
  }

  keys(): readonly AttachmentKey[] {
    return this.#source
      .allocations()
      .map(({ key }) => key)
      .filter((key) => key.containerId !== NODE_KEY.containerId);
  }

  addressesOf(key: AttachmentKey): PodAddresses | undefined {
    const addresses = this.#source.addressesOf(key);
    return addresses === undefined ? undefined : byFamily(addresses);
  }

  state(): PoolState {
    const fault = this.#source.diskFault();
    if (fault !== undefined) return { ready: false, reason: fault.line };
    const { state, owned } = this.#source.status();
    if (state !== 'ready') return { ready: false, reason: this.#source.ringDetail() };
    const used = this.shortage();
    if (used !== undefined) return { ready: false, reason: used };
    if (owned[4] === 0n && owned[6] === 0n) {
      return { ready: false, reason: 'this node has no range of addresses yet' };
    }
    return { ready: true };
  }

  /** What no pod can be given at present though the ring is in order; undefined where there is something for each. */
  shortage(): string | undefined {
    const { owned, free } = this.#source.status();
    const family = ([4, 6] as const).find((each) => owned[each] > 0n && free[each] === 0n);
    return family === undefined ? undefined : `all IPv${family} addresses of this node are in use`;
  }

  /** The disk is full: whoever waits is told so now, and what was set apart for it is released by its caller. */
  refuse(fault: WeftError): void {
    for (const waiting of this.#waitingByRequest.values()) waiting.reject(fault);
  }

  /** Takes the node's answer to an allocation; others are left alone. */
  answer(out: Extract<NodeOutput, { type: 'allocated' | 'allocateFailed' }>): void {
    const waiting = this.#waitingByRequest.get(out.request);
    if (out.type === 'allocated') waiting?.resolve(byFamily(out.allocation.addresses));
    else waiting?.reject(faultOf(out.reason));
  }
}

function byFamily(addresses: readonly Address[]): PodAddresses {
  const v4 = addresses.find(({ family }) => family === 4);
  const v6 = addresses.find(({ family }) => family === 6);
  return { ...(v4 === undefined ? {} : { v4 }), ...(v6 === undefined ? {} : { v6 }) };
}

function faultOf(reason: AllocateFailure): CniFault {
  switch (reason) {
    case 'no-ring':
      return new CniFault(CNI_CODE.tryLater, 'there is no ring of addresses yet', SEE_STATUS);
    case 'pool-full':
      return new CniFault(CNI_CODE.tryLater, "the cluster's range has no free address", SEE_STATUS);
    case 'no-answer':
      return new CniFault(CNI_CODE.tryLater, 'no peer with free addresses answered', SEE_STATUS);
    case 'busy':
      return new CniFault(CNI_CODE.tryLater, 'too many allocations wait for addresses');
    case 'removed':
      return new CniFault(CNI_CODE.tryLater, 'this node was removed from the ring', SEE_STATUS);
    case 'fault':
      return new CniFault(CNI_CODE.tryLater, 'the ring of addresses is at fault', SEE_STATUS);
    case 'bad-key':
      return new CniFault(CNI_CODE.environment, 'the container id or interface name is too long');
  }
}

const SEE_STATUS = { details: "'weft status' on this node says more" };
