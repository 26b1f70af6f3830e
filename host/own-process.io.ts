import { readlinkSync } from 'node:fs';

/** Where a process runs. */
export interface ProcessPlace {
  readonly pid: number;
  /** The kernel's name of its PID namespace, as `/proc/self/ns/pid` links to it: each container has its own. */
  readonly pidNamespace: string;
}

/** Which process this is, so that others can tell whether it is in their container. */
export function ownProcess(): ProcessPlace {
  return { pid: process.pid, pidNamespace: readlinkSync('/proc/self/ns/pid') };
}

/** What a process runs on, for a report. */
export interface ProcessRuntime {
  /** Version of Node.js. */
  readonly node: string;
  readonly rssBytes: number;
  readonly uptimeS: number;
}

/** What this process runs on now. */
export function ownRuntime(): ProcessRuntime {
  return { node: process.version, rssBytes: process.memoryUsage.rss(), uptimeS: process.uptime() };
}
