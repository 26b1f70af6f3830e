import { assert } from '../base/assert.ts';
import { WeftError } from '../base/weft-error.ts';
import { Aead, type CreateAead } from './aead.ts';
import type { AeadEngine } from './aead-engine.ts';
import { knownAnswerFault } from './known-answer-fault.ts';
import { SUITES, type Suite } from './suite.ts';

/** One way to have a suite. */
export interface AeadMaker {
  readonly suite: Suite;
  /** Whose code it is, as people read it: `OpenSSL`. */
  readonly by: string;
  /** Why it cannot be had here, as the end of "because …"; undefined where it can. */
  readonly unfit: () => string | undefined;
  /** The engine takes a copy of `key`, 32 bytes. */
  readonly create: (key: Uint8Array) => AeadEngine;
}

/** A way that was looked at. */
interface TriedMaker {
  readonly maker: AeadMaker;
  /** Why it is not used; undefined where it is. */
  readonly fault: string | undefined;
  /** Whether it was to be had, and then did not do what it must. */
  readonly wrong: boolean;
}

/** What this node can seal with. */
export interface ChosenAeads {
  /** The preferred first; at least one. */
  readonly suites: readonly Suite[];
  /** Requires one of {@link suites}. */
  readonly create: CreateAead;
  /** What was looked at, in the order given; a maker that was not needed is left out. */
  readonly tried: readonly TriedMaker[];
}

/**
 * The first of `makers` for each suite that can be had here and gives the known answers (`known-answer-fault.ts`).
 * @throws WeftError E_CIPHER where none does.
 */
export function chooseAeads(makers: readonly AeadMaker[]): ChosenAeads {
  const makerBySuite = new Map<Suite, AeadMaker>();
  const tried: TriedMaker[] = [];
  for (const maker of makers) {
    if (makerBySuite.has(maker.suite)) continue;
    const unfit = maker.unfit();
    const fault = unfit ?? faultOf(maker);
    tried.push({ maker, fault, wrong: unfit === undefined && fault !== undefined });
    if (fault === undefined) makerBySuite.set(maker.suite, maker);
  }
  if (makerBySuite.size === 0) {
    const faults = tried.map(({ maker, fault }) => `${maker.suite} by ${maker.by}: ${fault}`).join('; ');
    throw new WeftError('E_CIPHER', `no cipher works here (${faults})`, 'run weftd on another machine');
  }
  return {
    suites: SUITES.filter((suite) => makerBySuite.has(suite)),
    create: (suite, key) => {
      const maker = makerBySuite.get(suite);
      assert(maker !== undefined, `a suite that was chosen, not ${suite}`);
      return new Aead(suite, maker.create(key));
    },
    tried,
  };
}

/** An engine that throws is as wrong as one that gives other answers. */
function faultOf(maker: AeadMaker): string | undefined {
  try {
    return knownAnswerFault(maker.suite, (key) => new Aead(maker.suite, maker.create(key)));
  } catch (error) {
    return `it fails (${(error as Error).message})`;
  }
}
