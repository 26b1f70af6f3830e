import { deepEqual, equal, rejects } from 'node:assert/strict';
import { type Address, parseAddress } from '../../../base/address.ts';
import { WeftError } from '../../../base/weft-error.ts';
import { CNI_CODE } from '../../../cni/fault.ts';
import { type PoolSource, RingAddressPool } from '../../../daemon/address-pool.ts';
import {
  type AllocateFailure,
  type AllocationKey,
  type IpamStatus,
  NODE_KEY,
} from '../../../ipam/model/types.ts';

const v4 = parseAddress('10.32.0.7')!;
const v6 = parseAddress('fd00::7')!;
const key = { containerId: 'pod', ifname: 'eth0' };
const never = new AbortController().signal;

const READY: IpamStatus = {
  state: 'ready',
  detail: '',
  faults: [],
  ring: 'aa',
  ringRanges: [],
  revision: 1,
  ranges: [],
  owned: { 4: 4n, 6: 4n },
  used: { 4: 1, 6: 1 },
  free: { 4: 1n, 6: 3n },
  orphaned: [],
  pending: { allocations: 0, removals: [] },
  removed: [],
  logBytes: 0,
};

/** A node that hands out numbers for requests and answers when told. */
function source(
  status: Partial<IpamStatus> = {},
  diskFault: () => WeftError | undefined = () => undefined,
): PoolSource & { readonly asked: AllocationKey[] } {
  const asked: AllocationKey[] = [];
  const allocations: { key: AllocationKey; addresses: readonly Address[] }[] = [
    { key: NODE_KEY, addresses: [parseAddress('10.32.0.1')!] },
    { key, addresses: [v4, v6] },
  ];
  return {
    asked,
    allocate: (wanted) => asked.push(wanted),
    release: () => {},
    allocations: () => allocations,
    addressesOf: (wanted) => (wanted.containerId === 'pod' ? [v4, v6] : undefined),
    status: () => ({ ...READY, ...status }),
    ringDetail: () => status.detail ?? '',
    diskFault: () => diskFault(),
  };
}

describe('RingAddressPool', () => {
  it('resolves with the addresses the node answers, by family', async () => {
    const pool = new RingAddressPool(source());
    const waiting = pool.allocate(key, never);
    pool.answer({ type: 'allocated', request: 1, allocation: { key, addresses: [v4, v6], bootId: 'b' } });
    deepEqual(await waiting, { v4, v6 });
  });

  it('leaves an answer to somebody else alone', async () => {
    const pool = new RingAddressPool(source());
    const [first, second] = [pool.allocate(key, never), pool.allocate(key, never)];
    pool.answer({ type: 'allocated', request: 2, allocation: { key, addresses: [v6], bootId: 'b' } });
    deepEqual(await second, { v6 });
    pool.answer({ type: 'allocated', request: 1, allocation: { key, addresses: [v4], bootId: 'b' } });
    deepEqual(await first, { v4 });
  });

  const reasons: AllocateFailure[] = ['no-ring', 'pool-full', 'no-answer', 'busy', 'removed', 'fault'];
  for (const reason of reasons) {
    it(`asks the runtime to try later at '${reason}'`, async () => {
      const pool = new RingAddressPool(source());
      const waiting = pool.allocate(key, never);
      pool.answer({ type: 'allocateFailed', request: 1, key, reason });
      await rejects(waiting, { name: 'CniFault', code: CNI_CODE.tryLater });
    });
  }

  it('gives up when its signal aborts, also one that has aborted before', async () => {
    const pool = new RingAddressPool(source());
    const abort = new AbortController();
    const waiting = pool.allocate(key, abort.signal);
    abort.abort();
    await rejects(waiting, { code: CNI_CODE.tryLater });
    await rejects(pool.allocate(key, abort.signal), { code: CNI_CODE.tryLater });
  });

  it("keeps the node's own address out of CNI's sight", () => {
    deepEqual(new RingAddressPool(source()).keys(), [key]);
  });

  it('is ready with a range that has room, and says why when not', () => {
    const state = (status: Partial<IpamStatus>): string => {
      const answer = new RingAddressPool(source(status)).state();
      return answer.ready ? 'ready' : answer.reason;
    };
    equal(state({}), 'ready');
    equal(state({ state: 'waiting', detail: 'no ring yet' }), 'no ring yet');
    equal(state({ free: { 4: 0n, 6: 3n } }), 'all IPv4 addresses of this node are in use');
    equal(state({ owned: { 4: 0n, 6: 4n }, free: { 4: 0n, 6: 3n } }), 'ready');
    equal(state({ owned: { 4: 0n, 6: 0n } }), 'this node has no range of addresses yet');
  });

  it('refuses at once while the disk is full, whoever waits and whoever comes, and says so in STATUS', async () => {
    let fault: WeftError | undefined;
    const given = source({}, () => fault);
    const pool = new RingAddressPool(given);
    const waiting = pool.allocate(key, never);
    fault = new WeftError('E_DISK_FULL', 'no space left', 'free some');
    pool.refuse(fault);
    await rejects(waiting, { code: 'E_DISK_FULL' });
    await rejects(pool.allocate(key, never), { code: 'E_DISK_FULL' });
    equal(given.asked.length, 1);
    deepEqual(pool.state(), { ready: false, reason: 'no space left; free some' });
  });
});
