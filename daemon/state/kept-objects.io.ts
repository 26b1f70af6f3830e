import { readFileSync } from 'node:fs';
import { utf8 } from '../../base/bytes.ts';
import { replaceFile } from '../../host/durable-file.io.ts';

/**
 * What a node keeps of the API of Kubernetes beside its own state, to put it back where somebody deleted it: the
 * namespace takes the Secret along when the manifest is deleted, and the state folders of the nodes stay.
 */
interface KeptObjects {
  /** Where they lay. Nothing is put back anywhere else: a second DaemonSet by mistake stays a cluster of its own. */
  readonly namespace: string;
  /** The text of the cluster's secret. */
  readonly secret: string;
  /** The genesis of the ring that this node has a part in, in Base64. */
  readonly genesis: string;
}

/** In the state folder: JSON, 0600. It is there only while the node has a part in a ring. */
export const KEPT_FILE = 'kubernetes.json';
/** Characters of the file that are read. */
const MAX_LENGTH = 16_384;

/** Writes them, unless they are there already. Throws E_DISK_FULL, E_WRITE; what was kept before is kept then. */
export function keepObjects(stateDir: string, objects: KeptObjects): void {
  const { namespace, secret, genesis } = objects;
  const text = `${JSON.stringify({ namespace, secret, genesis })}\n`;
  if (readText(stateDir) !== text) replaceFile(`${stateDir}/${KEPT_FILE}`, utf8(text));
}

/** What was kept; undefined where nothing was, or where the file is damaged. */
export function keptObjects(stateDir: string): KeptObjects | undefined {
  try {
    const { namespace, secret, genesis } = JSON.parse(readText(stateDir) ?? '') as Partial<KeptObjects>;
    const isWhole = [namespace, secret, genesis].every((text) => typeof text === 'string');
    return isWhole ? { namespace: namespace!, secret: secret!, genesis: genesis! } : undefined;
  } catch {
    return undefined;
  }
}

function readText(stateDir: string): string | undefined {
  try {
    return readFileSync(`${stateDir}/${KEPT_FILE}`, 'utf8').slice(0, MAX_LENGTH);
  } catch {
    return undefined;
  }
}
