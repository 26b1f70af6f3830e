import { readFileSync, writeFileSync } from 'node:fs';
import { WeftError } from '../base/weft-error.ts';

/** A kernel setting of this network namespace by its path under /proc/sys: `net/ipv4/ip_forward`. */
export type SysctlPath = string;

/** Kernel settings, read and written below a folder that is /proc/sys, or a mount of it that may be written. */
export class Sysctl {
  readonly #folder: string;

  constructor(folder = '/proc/sys') {
    this.#folder = folder;
  }

  /** Its value; undefined where the kernel does not have it (IPv6 switched off, no such interface). */
  read(path: SysctlPath): string | undefined {
    try {
      return readFileSync(`${this.#folder}/${path}`, 'latin1').trim();
    } catch {
      return undefined;
    }
  }

  /**
   * Makes sure that a setting has `value`. It is written only where it differs, so a read-only /proc/sys is no
   * hindrance on a host that is set up already.
   * @throws WeftError E_SYSCTL where it differs and may not be written, or does not exist.
   */
  ensure(path: SysctlPath, value: string): void {
    const found = this.read(path);
    if (found === value) return;
    try {
      writeFileSync(`${this.#folder}/${path}`, value);
    } catch (cause) {
      const name = path.replaceAll('.', '\0').replaceAll('/', '.').replaceAll('\0', '/');
      const state = found === undefined ? 'does not exist' : `is ${found} and must be ${value}`;
      const remedy = `run sysctl -w ${name}=${value} on the host, or give weftd a writable /proc/sys/net`;
      throw new WeftError('E_SYSCTL', `the kernel setting ${name} ${state}`, remedy, { cause });
    }
  }
}
