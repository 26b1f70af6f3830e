// Writes every TypeScript file of the product into a folder as JavaScript, for the image: `node tools/strip-types.ts FOLDER`.
// Types become spaces, as when Node.js runs the sources itself, so that lines and columns in stack traces stay true. What
// differs is that it is done once and not at each start. Imports name the new files, of which each must be there.
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Folders of the checkout that are no part of the product. */
const LEFT_OUT = ['.*', 'node_modules', 'test', 'bench', 'tools', 'docs', '**/build'];
/** An import of ours, by `from '…'`, `import '…'` or `import('…')`. */
const RELATIVE_IMPORT = /((?:\bfrom|\bimport)\s*\(?\s*)'(\.[^']*)\.ts'/g;

const [folder, ...more] = process.argv.slice(2);
if (folder === undefined || folder.startsWith('-') || more.length > 0) {
  console.error('usage: node tools/strip-types.ts FOLDER');
  process.exit(2);
}
const files = globSync('*/**/*.ts', { cwd: ROOT, exclude: LEFT_OUT });
const missing: string[] = [];
for (const file of files) {
  const code = stripTypeScriptTypes(readFileSync(join(ROOT, file), 'utf8'));
  const script = code.replace(RELATIVE_IMPORT, (_, before: string, name: string) => {
    if (!existsSync(resolve(ROOT, dirname(file), `${name}.ts`))) missing.push(`${file} imports ${name}.ts`);
    return `${before}'${name}.js'`;
  });
  const target = join(folder, file.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, script);
}
if (missing.length > 0) {
  console.error(`strip-types: ${missing.join('\n')}`);
  process.exit(1);
}
console.log(`strip-types: ${files.length} files`);
