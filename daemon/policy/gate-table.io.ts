import { WeftError } from '../../base/weft-error.ts';
import {
  changeDecided,
  layGate,
  layGateAlone,
  readDecided,
  readGateChains,
} from '../../linux/policy-gate.io.ts';
import type { GateChange } from '../../linux/policy-gate.ts';

/** Who is told how runs of nft end. */
interface GateTableListener {
  /** A batch of {@link GateTable.open} and {@link GateTable.remove} was carried out. */
  changed(change: Required<GateChange>): void;
  failed(fault: WeftError): void;
}

/** What nft says where something else has one of the gate's names. */
const CONFLICT = /File exists|not supported|mismatch|Invalid argument/;

/**
 * The gate in the kernel, as weftd writes it. All runs of nft come one after the other: a look never sees half of a
 * change, and changes that come while one is carried out are the next one together.
 */
export class GateTable {
  readonly #listener: GateTableListener;
  readonly #adds = new Set<string>();
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

  /** Puts a link into the set, with others that wait for the same. */
  async open(link: string): Promise<void> {
    this.#removes.delete(link);
    this.#adds.add(link);
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
      const change = { add: [...this.#adds], remove: [...this.#removes] };
      this.#adds.clear();
      this.#removes.clear();
      await changeDecided(change);
      this.#listener.changed(change);
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
