import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const pathByName = new Map<string, string>();
let folder: string | undefined;

/** The program that `inside/NAME.c` is, built the first time it is asked for; gone with this process. */
export function compiled(name: string): string {
  const known = pathByName.get(name);
  if (known !== undefined) return known;
  folder ??= newFolder();
  const path = join(folder, name);
  const source = fileURLToPath(new URL(`./inside/${name}.c`, import.meta.url));
  execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-o', path, source]);
  pathByName.set(name, path);
  return path;
}

function newFolder(): string {
  const made = mkdtempSync(join(tmpdir(), 'weft-inside-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}
