import type { RulesetChange, TouchedTable } from '../linux/nftables-event.ts';
import { DECIDED_SET, POLICY_TABLE } from '../linux/policy-gate.ts';

/**
 * A chain that nothing jumps to. Every transaction that nft carries out for weft-npc touches it, so that its event is known
 * as one of ours.
 */
export const MARKER = 'loaded';

/** Whose a change of nftables is, as far as it touches the table of policies: `decided` is another's change of that set alone. */
type Author = 'nobody' | 'ours' | 'decided' | 'another';

/**
 * Tells the events of our own transactions from those of others. Those that change elements alone come by our own socket,
 * and the kernel says so. Each that nft carries out for us has one event, in the order in which the kernel carried them
 * out; so where another's is taken for ours, ours is taken for another's, and the table is loaded anew.
 */
export class TableChanges {
  readonly #ownPort: number;
  /** Transactions of ours whose events have not come yet. */
  #awaited = 0;

  /** `ownPort` is that of the socket by which we change elements. */
  constructor(ownPort: number) {
    this.#ownPort = ownPort;
  }

  /** nft begins a transaction of ours. */
  begun(): void {
    this.#awaited++;
  }

  /** It failed, so no event of it comes. */
  failed(): void {
    this.#awaited = Math.max(0, this.#awaited - 1);
  }

  /** Events were lost, perhaps ours: those that still come are taken for another's. */
  lost(): void {
    this.#awaited = 0;
  }

  authorOf({ tables, whole, port }: RulesetChange): Author {
    const table = tables.find(({ family, name }) => `${family} ${name}` === POLICY_TABLE);
    if (table === undefined) return whole ? 'nobody' : 'another';
    if (!whole) return 'another';
    if (port === this.#ownPort) return 'ours';
    // Our own transactions never leave the node without the table.
    const isGone = table.deleted && !table.set;
    if (this.#awaited > 0 && table.names.has(MARKER) && !isGone) {
      this.#awaited--;
      return 'ours';
    }
    return touchesDecidedAlone(table) ? 'decided' : 'another';
  }
}

/** weftd opens pods by this set, where it may. */
function touchesDecidedAlone({ deleted, set, objects, names }: TouchedTable): boolean {
  return !deleted && !set && objects.size === 1 && objects.has('element') && names.has(DECIDED_SET);
}
