import { readlinkSync } from 'node:fs';
import type { ProcessResult } from './control-protocol.ts';

/** Which process this is, so that others can tell whether it is in their container. */
export function ownProcess(): ProcessResult {
  return { pid: process.pid, pidNamespace: readlinkSync('/proc/self/ns/pid') };
}
