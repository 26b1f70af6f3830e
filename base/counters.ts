import { assert } from './assert.ts';

/** What Weft dropped or refused, where a counter counts that: `packet` is an IP packet of a pod or a host. */
type DroppedThing = 'packet' | 'datagram' | 'handshake' | 'message' | 'record' | 'link' | 'call';

/** What one counter counts, in words for whoever operates the node. */
export interface CounterDeclaration {
  /** One or two sentences: what happened as often as the counter says, and what that means where it is not plain. */
  readonly help: string;
  /** Present where each count is a thing that was dropped or refused; the counter's name is then the reason. */
  readonly drops?: DroppedThing;
}

/**
 * The counters that a room declares, by name. A name is a subject, a dot and what happened, both in camelCase
 * (`sleeve.inReplay`). A subject is declared by one room only: the room's name, or a part of what the room does.
 */
export type CounterTable<Name extends string = string> = Readonly<Record<Name, CounterDeclaration>>;

/** The names in a table; of a union of tables, the names in any of them. */
export type CounterName<Table> = Table extends unknown ? keyof Table & string : never;

/** Declares a counter of something that happened. */
export function counts(help: string): CounterDeclaration {
  return { help };
}

/** Declares a counter of things that were dropped or refused. */
export function drops(thing: DroppedThing, help: string): CounterDeclaration {
  return { help, drops: thing };
}

/** The tables of several rooms as one, for a process. Asserts that no two declare the same name. */
export function joinCounters<Tables extends readonly CounterTable[]>(
  ...tables: Tables
): CounterTable<CounterName<Tables[number]>> {
  const joined: Record<string, CounterDeclaration> = {};
  for (const [name, declaration] of tables.flatMap((table) => Object.entries(table))) {
    assert(joined[name] === undefined, `the counter ${name} is declared once`);
    joined[name] = declaration;
  }
  return joined as CounterTable<CounterName<Tables[number]>>;
}

/**
 * Named event counts: how often something was dropped, refused or retried, and why.
 *
 * Only names that a {@link CounterTable} declares can be counted, so hostile input cannot make the set grow. A room
 * takes `Counters` of its own names; the set of a process, which has more, can be passed to each room.
 */
export class Counters<in Name extends string> {
  readonly #countByName = new Map<string, number>();
  readonly #table: CounterTable<Name>;

  constructor(table: CounterTable<Name>) {
    this.#table = table;
  }

  /** Asserts that `name` is declared. */
  add(name: Name, amount = 1): void {
    assert(this.#table[name] !== undefined, `the counter ${name} is declared`);
    this.#countByName.set(name, (this.#countByName.get(name) ?? 0) + amount);
  }

  get(name: Name): number {
    return this.#countByName.get(name) ?? 0;
  }

  /** What was counted so far, sorted by name; without what never happened. */
  snapshot(): Record<string, number> {
    return Object.fromEntries([...this.#countByName].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
