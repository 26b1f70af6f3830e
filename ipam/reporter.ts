import type { FreeHints, IpamFault, IpamOutput } from './model/types.ts';

/** Turns what is so into what is new: an output for each change since the last report. */
export class Reporter {
  #revision = 0;
  #free = '';
  #faultCodes = new Set<string>();
  #selfRemoved = false;

  report(now: {
    readonly revision: number;
    readonly free: FreeHints;
    readonly faults: readonly IpamFault[];
    readonly selfRemoved: boolean;
  }): IpamOutput[] {
    const out: IpamOutput[] = [];
    if (now.revision !== this.#revision) out.push({ type: 'ringChanged', revision: now.revision });
    this.#revision = now.revision;
    const free = `${now.free[4]} ${now.free[6]}`;
    if (free !== this.#free) out.push({ type: 'freeChanged' });
    this.#free = free;
    for (const fault of now.faults) if (!this.#faultCodes.has(fault.code)) out.push({ type: 'fault', fault });
    this.#faultCodes = new Set(now.faults.map(({ code }) => code));
    if (now.selfRemoved && !this.#selfRemoved) out.push({ type: 'selfRemoved' });
    this.#selfRemoved ||= now.selfRemoved;
    return out;
  }
}
