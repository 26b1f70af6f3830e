import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileFault, TEMPORARY_SUFFIX } from '../../host/durable-file.io.ts';
import { cniConfigList } from './cni-config.ts';

/**
 * Writes the runtime's network configuration, unless it is there as it should be: beside it, under a name that no
 * runtime reads, and renamed over it, for runtimes look at the folder whenever a name in it changes. It is never
 * removed when we end: pods that come meanwhile wait for the next weftd, instead of getting no network.
 *
 * Throws E_CNI_CONFIG, E_DISK_FULL.
 *
 * @param path of the file: `/etc/cni/net.d/10-weft.conflist`.
 * @param binDir where the runtime looks for plugins, as we see it.
 */
export function writeCniConfig(path: string, runDir: string, binDir: string): void {
  const text = cniConfigList({ runDir, present: new Set(namesIn(binDir)) });
  const temporary = path + TEMPORARY_SUFFIX;
  try {
    if (readOrNothing(path) === text) return;
    writeFileSync(temporary, text, { mode: 0o644 });
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw fileFault(path, 'cannot be written', cause, 'E_CNI_CONFIG');
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
