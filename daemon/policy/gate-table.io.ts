import { WeftError } from '../../base/weft-error.ts';
import {
  changeDecided,
  layGate,
  layGateAlone,
  readDecided,
  readGateChains,
  readTableAddresses,
} from '../../linux/policy-gate.io.ts';
import type { GateChange, TableAddresses } from '../../linux/policy-gate.ts';

/** Who is told how runs of nft end. */
interface GateTableListener {
  /** A batch of {@link GateTable.open} and {@link GateTable.remove} was carried out. */
  changed(change: Required<GateChange>): void;
  /** These were not opened: sets of the table hold an address of theirs. */
  barred(links: readonly string[]): void;
  failed(fault: WeftError): void;
}

/** Whose link is to be put into the set. */
interface Opening {
  readonly addresses: readonly string[];
  readonly isPod: boolean;
}

/** What nft says where something else has one of the gate's names. */
const CONFLICT = /File exists|not supported|mismatch|Invalid argument/;

/**
 * The gate in the kernel, as weftd writes it. All runs of nft come one after the other: a look never sees half of a
 * change, and changes that come while one is carried out are the next one together.
 */
export class GateTable {
  readonly #listener: GateTableListener;
  /** By link. */
  readonly #adds = new Map<string, Opening>();
  readonly #removes = new Set<string>();
  #nextChange: Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** The chains as nft wrote them just after they were laid. */
  #chains: string | undefined;
  #fault: WeftError | undefined;

  constructor(listener: GateTableListener) {
    this.#listener = listener;
  }

  /** Why the last run of nft failed; undefined where it did not. */
  get fault(): WeftError | undefined {
    return this.#fault;
  }

  /** Runs `work` when all that was begun before it has ended. Rejects as nft does; the listener hears of it first. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(() => this.#guarded(work));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** Puts a link into the set, with others that wait for the same, unless a set of the table holds one of its addresses. */
  async open(link: string, opening: Opening): Promise<void> {
    this.#removes.delete(link);
    this.#adds.set(link, opening);
    return this.#changeSoon();
  }

  /** Takes links out of the set, where they are. */
  async remove(links: readonly string[]): Promise<void> {
    for (const link of links) {
      this.#adds.delete(link);
      this.#removes.add(link);
    }
    return this.#changeSoon();
  }

  // Those below are for use within inTurn alone.

  /** The links in the set; undefined where there is no such set. */
  async read(): Promise<Set<string> | undefined> {
    return readDecided();
  }

  /** Whether the chains are as they were laid. */
  async isIntact(): Promise<boolean> {
    return this.#chains !== undefined && (await readGateChains()) === this.#chains;
  }

  async change(change: GateChange): Promise<void> {
    await changeDecided(change);
  }

  /**
   * Lays the gate beside what else is in the table. Where something else has one of its names, the gate alone takes the
   * place of the table, with those in the set that `alone` then tells.
   */
  async lay(change: GateChange, alone: () => readonly string[]): Promise<void> {
    try {
      await layGate(change);
    } catch (error) {
      const isConflict = error instanceof WeftError && error.code === 'E_NFT' && CONFLICT.test(error.message);
      if (!isConflict) throw error;
      await layGateAlone(alone());
    }
    this.#chains = await readGateChains();
  }

  #changeSoon(): Promise<void> {
    this.#nextChange ??= this.inTurn(async () => {
      this.#nextChange = undefined;
      const adds = [...this.#adds];
      const remove = [...this.#removes];
      this.#adds.clear();
      this.#removes.clear();
      const table = adds.length > 0 ? await readTableAddresses() : undefined;
      const [add, barred] = [[], []] as [string[], string[]];
      for (const [link, opening] of adds) (isHeld(opening, table!) ? barred : add).push(link);
      await changeDecided({ add, remove });
      this.#listener.changed({ add, remove });
      if (barred.length > 0) this.#listener.barred(barred);
    });
    return this.#nextChange;
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.#fault = undefined;
      return result;
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      this.#fault = error;
      this.#listener.failed(error);
      throw error;
    }
  }
}

/** What is no pod may be known by its address, but no rule may take it for a pod. */
function isHeld({ addresses, isPod }: Opening, { peers, known }: TableAddresses): boolean {
  return addresses.some((each) => peers.has(each) || (isPod && known.has(each)));
}
