/**
 * Takes the pictures of the page: `bin/weft-node test/page/make-pictures.ts FOLDER [NAME…]`. That of the README is made so:
 * `bin/weft-node test/page/make-pictures.ts docs ui`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openBrowser } from './page-in-browser.ts';
import { PICTURES, takePicture } from './pictures.ts';

const [folder, ...names] = process.argv.slice(2);
const unknown = names.filter((name) => PICTURES[name] === undefined);
if (folder === undefined || folder.startsWith('-') || unknown.length > 0) {
  console.error(`usage: make-pictures.ts FOLDER [NAME…]; there are ${Object.keys(PICTURES).join(', ')}`);
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const browser = await openBrowser();
for (const name of names.length > 0 ? names : Object.keys(PICTURES)) {
  writeFileSync(join(folder, `${name}.png`), await takePicture(browser, name));
  console.log(`${name}.png`);
}
await browser.close();
