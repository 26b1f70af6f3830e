import { deepEqual, ok } from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from './page-in-browser.ts';
import { PICTURES, takePicture } from './pictures.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Where they are put for whoever wants to look. */
const FOLDER = join(ROOT, '.cache/page');

/** Width and height of a PNG (RFC 2083, 4.1.1). */
function sizeOf(png: Buffer): [number, number] {
  return [png.readUInt32BE(16), png.readUInt32BE(20)];
}

/** How many colours the canvas has, and which share of it is not as its corner. */
function drawnOn(page: Page): Promise<{ colours: number; share: number }> {
  return page.evaluate(() => {
    const canvas = document.getElementById('canvas') as HTMLCanvasElement;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    const pixels = new Uint32Array(data.buffer);
    return {
      colours: new Set(pixels).size,
      share: pixels.filter((pixel) => pixel !== pixels[0]).length / pixels.length,
    };
  });
}

describe('pictures of the page', function () {
  this.timeout(120_000);
  let browser: Browser;

  before(async () => {
    browser = await openBrowser();
    mkdirSync(FOLDER, { recursive: true });
  });

  after(() => browser?.close());

  for (const name of Object.keys(PICTURES)) {
    it(`can be taken: ${name}, with a map on it and nothing beside the page`, async () => {
      const picture = await takePicture(browser, name, async (page) => {
        const { colours, share } = await drawnOn(page);
        ok(colours > 50 && share > 0.04, `${colours} colours, ${share} of the canvas`);
        const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        ok(wide! <= window!, `${wide} of ${window} pixels`);
      });
      writeFileSync(join(FOLDER, `${name}.png`), picture);
    });
  }

  it('are of the size that the one in the README has', () => {
    const inReadme = readFileSync(join(ROOT, 'docs/ui.png'));
    deepEqual(sizeOf(inReadme), sizeOf(readFileSync(join(FOLDER, 'ui.png'))));
    ok(inReadme.length < 300_000, `${inReadme.length} bytes`);
  });
});
