import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { CniFacts } from './cni-findings.ts';
import type { FolderFacts } from './disk-findings.ts';
import type { HostSettings } from './host-facts.ts';

/** Looks at the file system beneath a folder; where there is no such folder yet, at the one it would be made in. */
export function readFolder(path: string): FolderFacts {
  let existing = path;
  while (!existsSync(existing) && existing !== '/') existing = dirname(existing);
  const nothing = { path, freeBytes: undefined, freeInodes: undefined, readOnly: false };
  try {
    const readOnly = accessError(existing) === 'EROFS';
    const { bsize, bavail, files, ffree } = statfsSync(existing);
    // Some file systems make inodes as they need them, and count none.
    return {
      ...nothing,
      readOnly,
      freeBytes: bavail * bsize,
      freeInodes: files > 0 ? ffree : undefined,
      problem: undefined,
    };
  } catch (error) {
    return { ...nothing, problem: (error as NodeJS.ErrnoException).code };
  }
}

function accessError(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

/** Files that a runtime takes for configurations (libcni's ConfFiles). */
const CONFIG_FILE = /\.(conf|conflist|json)$/;
const MAX_CONFIG_BYTES = 1024 * 1024;

/** Looks into the folders of a container runtime. */
export function readCniFolders(
  settings: Pick<HostSettings, 'cniConfigFolder' | 'cniBinDir' | 'writesCniConfig'>,
): CniFacts {
  const { cniConfigFolder: configFolder, cniBinDir: pluginFolder, writesCniConfig: expected } = settings;
  const files = namesIn(configFolder)
    ?.filter((name) => CONFIG_FILE.test(name))
    .sort();
  return {
    configFolder,
    pluginFolder,
    expected,
    configs: files?.map((file) => ({ file, types: typesOf(`${configFolder}/${file}`) })),
    plugins: namesIn(pluginFolder) ?? [],
  };
}

/** The plugins that a configuration names; undefined where it is none that a runtime takes. */
function typesOf(path: string): string[] | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > MAX_CONFIG_BYTES) return undefined;
    const config = JSON.parse(text) as {
      readonly type?: unknown;
      readonly plugins?: readonly { type?: unknown }[];
    };
    const types = (config.plugins ?? [config])
      .map(({ type }) => type)
      .filter((type) => typeof type === 'string');
    return types.length > 0 ? types : undefined;
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] | undefined {
  try {
    return readdirSync(folder);
  } catch {
    return undefined;
  }
}
