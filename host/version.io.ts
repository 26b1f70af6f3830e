import { readFileSync } from 'node:fs';

/** Version of this software, from its package.json. */
export function ownVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
  return manifest.version;
}
