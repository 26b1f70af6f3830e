import { type Finding, fault, fine, warning } from './finding.ts';

/** What was seen of a folder and the file system beneath it. */
export interface FolderFacts {
  readonly path: string;
  /** Bytes that root may still write; undefined where the folder, or one above it, could not be looked at. */
  readonly freeBytes: number | undefined;
  readonly freeInodes: number | undefined;
  readonly readOnly: boolean;
  /** Why it could not be looked at, in words of the system. */
  readonly problem: string | undefined;
}

/** A weftd keeps a few megabytes; beneath this, other programs fill the disk before anybody looks. */
const LOW_BYTES = 64 * 1024 * 1024;
/** Less than a start and its database's journal want. */
const LEAST_BYTES = 1024 * 1024;
const LEAST_INODES = 16;

/** Whether weftd can keep what it must not forget. */
export function diskFindings(folders: readonly FolderFacts[]): Finding[] {
  return folders.map((folder) => {
    const { path, freeBytes, freeInodes, readOnly, problem } = folder;
    const check = `disk ${path}`;
    if (problem !== undefined || freeBytes === undefined)
      return fault(check, `cannot be looked at: ${problem}`, 'mend that, or give another folder to weftd');
    if (readOnly) return fault(check, 'the file system is read-only', 'give weftd a folder on another one');
    const free = `${Math.floor(freeBytes / 1024 / 1024)} MiB free`;
    if (freeBytes < LEAST_BYTES || (freeInodes !== undefined && freeInodes < LEAST_INODES))
      return fault(check, `the disk is full (${free})`, 'free some space there');
    if (freeBytes < LOW_BYTES)
      return warning(check, `the disk is nearly full (${free})`, 'free some space there');
    return fine(check, free);
  });
}
