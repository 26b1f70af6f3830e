import { readFileSync, statSync } from 'node:fs';
import { utf8 } from '../base/bytes.ts';
import { replaceFile } from '../host/durable-file.io.ts';
import {
  encodeGoverned,
  GOVERNED_FILE,
  type GovernedNamespaces,
  MAX_GOVERNED_BYTES,
  mayBeSelected,
  parseGoverned,
} from './gate/governed-file.ts';

/**
 * Keeps on disk in which namespaces policies may select pods. weftd goes by it where weft-npc cannot be asked, so a
 * namespace is in it before a rule for one of its pods is loaded, and until after the last one is gone.
 */
export class GovernedStore {
  readonly #path: string;
  #kept: GovernedNamespaces | undefined;

  constructor(stateDir: string) {
    this.#path = `${stateDir}/${GOVERNED_FILE}`;
    this.#kept = readGoverned(this.#path);
  }

  /** To be called before rules are loaded: what they need is on disk then. Throws as {@link replaceFile} does. */
  widen(wanted: GovernedNamespaces): void {
    const kept = this.#kept;
    if (kept === undefined) this.#write(wanted);
    else if (!covers(kept, wanted)) this.#write(joined(kept, wanted));
  }

  /** To be called after they were loaded. Throws as {@link replaceFile} does; what is kept covers more then. */
  settle(wanted: GovernedNamespaces): void {
    if (this.#kept === undefined || encodeGoverned(this.#kept) !== encodeGoverned(wanted))
      this.#write(wanted);
  }

  #write(governed: GovernedNamespaces): void {
    replaceFile(this.#path, utf8(encodeGoverned(governed)));
    this.#kept = governed;
  }
}

function readGoverned(path: string): GovernedNamespaces | undefined {
  try {
    if (statSync(path).size > MAX_GOVERNED_BYTES) return undefined;
    return parseGoverned(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Whether each namespace that `wanted` names or means is one that `kept` does. */
function covers(kept: GovernedNamespaces, wanted: GovernedNamespaces): boolean {
  if (kept.all) return true;
  if (wanted.all || ![...wanted.namespaces].every((name) => mayBeSelected(kept, name))) return false;
  const { known } = wanted;
  if (known === undefined) return true;
  return (
    kept.known !== undefined && [...kept.known].every((name) => known.has(name) || kept.namespaces.has(name))
  );
}

/** What names and means the namespaces of both. */
function joined(a: GovernedNamespaces, b: GovernedNamespaces): GovernedNamespaces {
  const [first, second] = [a.known ?? b.known, b.known ?? a.known];
  return {
    all: a.all || b.all,
    namespaces: new Set([...a.namespaces, ...b.namespaces]),
    ...(first === undefined ? {} : { known: new Set([...first].filter((name) => second!.has(name))) }),
  };
}
