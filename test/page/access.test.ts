import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { holdsText, mapHolds, openBrowser, openPage } from './page-in-browser.ts';
import { PictureHistory } from './picture-history.ts';
import { PictureServer } from './picture-server.ts';
import { PretendedCluster } from './pretended-cluster.ts';

/** What axe-core makes known to the page that it judges. */
declare const axe: typeof import('axe-core');

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PHONE: BrowserContextOptions = {
  viewport: { width: 360, height: 740 },
  hasTouch: true,
  isMobile: true,
};

/** What axe-core finds wrong, a line each. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await axe.run(document, { resultTypes: ['violations'], preload: false });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
    );
  });
}

describe('the page, for everybody', function () {
  this.timeout(90_000);
  let browser: Browser;
  let server: PictureServer;
  let page: Page;

  before(async () => {
    const history = new PictureHistory(
      new PretendedCluster({ nodes: 5, workloads: 0, namespaces: 0 }),
      Date.now(),
    );
    server = await PictureServer.listen(history.next(), { tunnel: (id) => history.tunnel(id) });
    browser = await openBrowser();
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  afterEach(() => page.context().close());

  async function open(options: BrowserContextOptions): Promise<void> {
    ({ page } = await openPage(browser, server.link, options));
    await mapHolds(page, 24);
  }

  const ways: readonly [string, BrowserContextOptions][] = [
    ['in the light', { colorScheme: 'light' }],
    ['in the dark', { colorScheme: 'dark' }],
    ['on a phone', PHONE],
    ['with forced colours', { forcedColors: 'active' }],
  ];
  for (const [name, options] of ways) {
    it(`gives axe-core nothing to complain of, ${name}`, async () => {
      await open(options);
      await page.locator('.list-row', { hasText: 'spark' }).click();
      await page.locator('#details button', { hasText: 'shop/db' }).click();
      await page.locator('#explain-source').waitFor();
      for (const summary of await page.locator('.chart summary').all()) await summary.click();
      deepEqual(await findings(page), []);
      await page.locator('.switch span', { hasText: 'Nodes' }).click();
      await page.locator('.list-row', { hasText: 'node-5' }).click();
      await page.locator('#details button', { hasText: 'node-5' }).first().click();
      await page.locator('#details figure').first().waitFor();
      deepEqual(await findings(page), []);
    });
  }

  it('gives axe-core nothing to complain of where somebody has to sign in', async () => {
    ({ page } = await openPage(browser, server.link));
    await mapHolds(page, 24);
    await page.locator('#sign-out').click();
    await holdsText(page, '#sign-in', 'A link is needed');
    deepEqual(await findings(page), []);
  });

  it('fits a phone of 360 pixels, with nothing to scroll to the side and nothing too small to touch', async () => {
    await open(PHONE);
    await page.locator('.list-row', { hasText: 'spark' }).click();
    await page.locator('#details button', { hasText: 'shop/db' }).click();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    ok(wide <= 360, `${wide} pixels`);
    const small = await page.evaluate(() =>
      [
        ...document.querySelectorAll(
          'button, select, input:not([type=radio]), .switch span, .list-row, summary',
        ),
      ]
        .map((each) => ({ name: each.id || each.textContent, box: each.getBoundingClientRect() }))
        .filter(({ box }) => box.height > 0 && box.width > 1 && box.height < 24)
        .map(({ name }) => name),
    );
    deepEqual(small, []);
  });

  it('can be used by keys alone: to the list, through it, into the details and on to a peer', async () => {
    await open({});
    await page.keyboard.press('Tab');
    equal(await focused(page), 'Skip to the list');
    await page.keyboard.press('Enter');
    await page.keyboard.press('End');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await holdsText(page, '#details-title', 'spark');
    await holdsText(page, '#spoken', 'analytics/spark');
    equal(
      await page.evaluate(() => document.activeElement?.getAttribute('aria-activedescendant')),
      await page.locator('[aria-selected=true]').getAttribute('id'),
    );
    await page.keyboard.press('Enter');
    equal(await page.evaluate(() => document.activeElement?.id), 'details');
    for (let i = 0; i < 10 && !(await focused(page)).includes('shop/db'); i++)
      await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await holdsText(page, '#details-title', 'analytics/spark → shop/db');
    await page.keyboard.press('Escape');
    await holdsText(page, '#details-title', 'Details');
  });

  it('has a map that arrow keys walk on, and that says where they are', async () => {
    await open({ reducedMotion: 'reduce' });
    await page.locator('#map').focus();
    const seen = new Set<string | null>();
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp']) {
      await page.keyboard.press(key);
      seen.add(await page.locator('#spoken').textContent());
    }
    ok(seen.size >= 3, [...seen].join());
    await page.keyboard.press('+');
    await page.keyboard.press('0');
    await page.keyboard.press('Enter');
    equal(await page.evaluate(() => document.activeElement?.id), 'details');
  });

  it('draws the map at once and holds still where motion is not wanted', async () => {
    await open({ reducedMotion: 'reduce' });
    await page.waitForTimeout(300);
    const first = await page.locator('#canvas').screenshot();
    await page.waitForTimeout(500);
    ok(first.equals(await page.locator('#canvas').screenshot()));
  });
});

function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const { activeElement } = document;
    return activeElement?.matches('a, button') === true ? (activeElement.textContent ?? '') : '';
  });
}
