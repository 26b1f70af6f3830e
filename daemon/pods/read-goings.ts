import { readU32LE, utf8Text } from '../../base/bytes.ts';

/** What an inotify instance tells of a folder: names that are there no more; `all` where that may be any name. */
type Goings = readonly string[] | 'all';

const IN_MOVED_FROM = 0x40;
const IN_DELETE = 0x200;
const HEADER_LENGTH = 16;

/**
 * Reads inotify events (inotify(7)), of which each has a name only where a file of the folder goes; all others mean that the
 * folder itself went, that nobody watches it any more, or that events were lost.
 *
 * ```
 *   0         4      8        12       16
 *   | watch   | mask | cookie | length | length bytes: name and zeros
 * ```
 */
export function readGoings(bytes: Uint8Array): Goings {
  const names: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < HEADER_LENGTH) return 'all';
    const mask = readU32LE(bytes, at + 4);
    const end = at + HEADER_LENGTH + readU32LE(bytes, at + 12);
    if ((mask & (IN_MOVED_FROM | IN_DELETE)) === 0 || end > bytes.length) return 'all';
    const name = bytes.subarray(at + HEADER_LENGTH, end);
    const zero = name.indexOf(0);
    const text = utf8Text(zero < 0 ? name : name.subarray(0, zero));
    if (text === undefined) return 'all';
    names.push(text);
    at = end;
  }
  return names;
}
