import type { Counters } from '../base/counters.ts';
import { planAttachment } from './attachment.ts';
import type { CniCounter } from './cni-counters.ts';
import { describeFault } from './fault.ts';
import { HostEndMtus } from './host-end-mtus.ts';
import type { AttachmentKey } from './key.ts';
import type { AddressPool, DeletionSpool, PodGate, PodNetwork } from './needs.ts';
import { reconcile } from './reconcile.ts';
import { parseRequest } from './request.ts';

/** What {@link recover} works with. */
interface RecoveryOptions {
  readonly pool: AddressPool;
  readonly network: PodNetwork;
  readonly spool: DeletionSpool;
  readonly gate?: PodGate | undefined;
  readonly counters: Counters<CniCounter>;
  /** Removes an attachment: its pair, then its address. */
  readonly remove: (key: AttachmentKey) => Promise<void>;
}

/** What {@link recover} found and did. */
export interface RecoveryReport {
  /** Spooled deletions that were carried out. */
  readonly deletions: number;
  /** Attachments whose pods are gone. */
  readonly released: readonly AttachmentKey[];
  /** Host ends that belonged to no attachment. */
  readonly removedLinks: readonly string[];
  /** Attachments whose host end was put right. */
  readonly repaired: readonly AttachmentKey[];
  /** Attachments that were as they should be. */
  readonly intact: number;
  /** What could not be put right, in words for people. */
  readonly faults: readonly string[];
}

/**
 * After a start of the daemon: carries out the deletions that came while no daemon was there, then makes the pool and
 * the kernel agree. What fails is reported and left to the runtime's DEL and GC. Rejects for nothing.
 */
export async function recover(options: RecoveryOptions): Promise<RecoveryReport> {
  const faults: string[] = [];
  const deletions = await carryOutSpooled(options, faults).catch((error: unknown) => {
    faults.push(describeFault(error));
    return 0;
  });
  const reconciled = await reconcileAll(options, faults).catch((error: unknown) => {
    faults.push(describeFault(error));
    return { released: [], removedLinks: [], repaired: [], intact: 0 };
  });
  const { pool, gate } = options;
  gate?.adopt(pool.keys().map((key) => ({ key, addresses: pool.addressesOf(key) ?? {} })));
  return { deletions, ...reconciled, faults };
}

/** Answers how many were carried out. A deletion that failed stays for the next start; what cannot be read is removed. */
async function carryOutSpooled(options: RecoveryOptions, faults: string[]): Promise<number> {
  const { spool, counters, remove } = options;
  const done = await attempt(await spool.pending(), faults, async (name) => {
    const key = deletionKey(await spool.read(name));
    if (key) await remove(key);
    else counters.add('cni.spoolUnreadable');
    await spool.discard(name);
  });
  return done.length;
}

async function reconcileAll(
  { pool, network, remove }: RecoveryOptions,
  faults: string[],
): Promise<Omit<RecoveryReport, 'deletions' | 'faults'>> {
  const allocations = pool.keys().map((key) => ({ key, addresses: pool.addressesOf(key) ?? {} }));
  const { stale, orphans, broken, intact } = reconcile(
    allocations,
    await network.hostLinks(),
    new HostEndMtus(),
  );
  const removedLinks = await attempt(orphans, faults, (name) => network.removeLink(name));
  const released = await attempt(stale, faults, remove);
  const repaired = await attempt(broken, faults, ({ key, addresses, network: name, mtu }) =>
    network.repair(planAttachment(key, name, addresses, mtu)),
  );
  return { released, removedLinks, repaired: repaired.map(({ key }) => key), intact };
}

/** Runs `action` for each item. Answers the items for which it succeeded, and adds to `faults` why the others failed. */
async function attempt<T>(
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
      faults.push(describeFault(error));
    }
  }
  return done;
}

/** The attachment that a spooled request deletes; undefined where it is no deletion. */
function deletionKey(request: unknown): AttachmentKey | undefined {
  try {
    const { command, key } = parseRequest(request);
    return command === 'DEL' ? key : undefined;
  } catch {
    return undefined;
  }
}
