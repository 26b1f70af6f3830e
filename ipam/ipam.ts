import type { Address } from '../base/address.ts';
import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { Range } from '../base/range.ts';
import { fail, type Result } from '../base/result.ts';
import type { Allocation, AllocationKey, IpamOptions, IpamOutput, IpamStatus, RequestId } from './types.ts';

/**
 * Address management of one node. SHAPE ONLY for now: signatures are meant to stay, bodies follow.
 */
export class Ipam {
  constructor(options: IpamOptions) {
    void options;
  }
  /** Once, before anything else; the shell then feeds the records that gossip restored. */
  start(_now: Instant): void {}
  /** A newer verified record of slot 'ring' or 'paxos', our own (`ownRecordAhead`) included. */
  handleRecord(
    _record: { readonly origin: PeerId; readonly slot: 'ring' | 'paxos'; readonly payload: Uint8Array },
    _now: Instant,
  ): Result<void, string> {
    return fail('not-built');
  }
  /** From a peer's node record: `free` as that peer's {@link freeHints}. */
  handleNode(
    _origin: PeerId,
    _info: { readonly free: { readonly 4?: number; readonly 6?: number } },
    _now: Instant,
  ): void {}
  memberChanged(_peer: PeerId, _state: 'alive' | 'suspect' | 'dead' | 'left', _now: Instant): void {}
  /** `bytes` without the channel byte. */
  handleMessage(_from: PeerId, _bytes: Uint8Array, _now: Instant): Result<void, string> {
    return fail('not-built');
  }
  allocate(_key: AllocationKey, _now: Instant): RequestId {
    return 0;
  }
  /** True where the key had an allocation. Also forgets waiting requests of the key. */
  release(_key: AllocationKey, _now: Instant): boolean {
    return false;
  }
  allocation(_key: AllocationKey): Allocation | undefined {
    return undefined;
  }
  allocations(): Allocation[] {
    return [];
  }
  /** Allocations made in an earlier boot of the host: the shell says which of them still exist. */
  staleAllocations(): Allocation[] {
    return [];
  }
  /** Releases all allocations but the given (and the node's own); the kept count as made in this boot. */
  retain(_keys: Iterable<AllocationKey>, _now: Instant): Allocation[] {
    return [];
  }
  removePeer(_peer: PeerId, _now: Instant): RequestId {
    return 0;
  }
  ownerOf(_address: Address): PeerId | undefined {
    return undefined;
  }
  rangesOf(_peer: PeerId): Range[] {
    return [];
  }
  /** Disjoint, sorted; neighbours have different owners. */
  owners(): { readonly range: Range; readonly owner: PeerId }[] {
    return [];
  }
  get revision(): number {
    return 0;
  }
  /** log2 of the largest free run of addresses, by family; absent where none is free. */
  freeHints(): { 4?: number; 6?: number } {
    return {};
  }
  status(): IpamStatus {
    throw new Error('not built');
  }
  tick(_now: Instant): void {}
  nextTimeout(): Instant | undefined {
    return undefined;
  }
  poll(): IpamOutput | undefined {
    return undefined;
  }
}
