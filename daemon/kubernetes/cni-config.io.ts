import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileFault, TEMPORARY_SUFFIX } from '../../host/durable-file.io.ts';
import { CHAINED, cniConfigList } from './cni-config.ts';

/** What {@link writeCniConfig} found: the file was as it should be, missing, somebody's text, or ours for other plugins. */
type CniConfigChange = 'none' | 'removed' | 'changed' | 'adapted';

/**
 * Writes the runtime's network configuration, unless it is there as it should be: beside it, under a name that no
 * runtime reads, and renamed over it, for runtimes look at the folder whenever a name in it changes. It is never
 * removed when we end: pods that come meanwhile wait for the next weftd, instead of getting no network.
 *
 * Throws E_CNI_CONFIG, E_DISK_FULL.
 *
 * @param path of the file: `/etc/cni/net.d/10-weft.conflist`.
 * @param binDir where the runtime looks for plugins, as we see it.
 * @param latest those of them that speak the latest version of CNI.
 */
export function writeCniConfig(
  path: string,
  options: { readonly runDir: string; readonly binDir: string; readonly latest: ReadonlySet<string> },
): CniConfigChange {
  const { runDir, binDir, latest } = options;
  const text = cniConfigList({ runDir, present: new Set(namesIn(binDir)), latest });
  const temporary = path + TEMPORARY_SUFFIX;
  try {
    const before = readOrNothing(path);
    if (before === text) return 'none';
    writeFileSync(temporary, text, { mode: 0o644 });
    renameSync(temporary, path);
    if (before === undefined) return 'removed';
    return isOfOtherPlugins(before, runDir) ? 'adapted' : 'changed';
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw fileFault(path, 'cannot be written', cause, 'E_CNI_CONFIG');
  }
}

/** The text is ours, as it is for some other plugins on the host. */
function isOfOtherPlugins(text: string, runDir: string): boolean {
  const types = CHAINED.map(({ type }) => type);
  const present = new Set(types.filter((type) => text.includes(`"${type}"`)));
  return [present, new Set<string>()].some((latest) => text === cniConfigList({ runDir, present, latest }));
}

/** Names in a folder; none where it cannot be read. */
export function namesIn(folder: string): string[] {
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
