import { deepEqual, equal } from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { holdsText, mapHolds, openBrowser, openPage } from './page-in-browser.ts';
import { PictureHistory } from './picture-history.ts';
import { PictureServer } from './picture-server.ts';
import { PretendedCluster } from './pretended-cluster.ts';

describe('a page that is cut off', function () {
  this.timeout(90_000);
  let browser: Browser;
  let history: PictureHistory;
  let server: PictureServer;
  let page: Page;
  let faults: readonly string[];

  before(async () => {
    browser = await openBrowser();
  });

  after(() => browser?.close());

  beforeEach(async () => {
    history = new PictureHistory(new PretendedCluster({ nodes: 5, workloads: 0, namespaces: 0 }), Date.now());
    server = await PictureServer.listen(history.next());
    ({ page, faults } = await openPage(browser, server.link));
    await mapHolds(page, 24);
  });

  afterEach(async () => {
    await page.context().close();
    await server.close();
  });

  it('says since when, keeps what it knows, and comes back by itself', async () => {
    server.isDown = true;
    server.cut();
    await holdsText(page, '#connection', /Not connected since \d\d:\d\d:\d\d/);
    await holdsText(page, '.notice', 'Not connected: too many look.');
    equal(await page.locator('.list-row').count(), 24);
    server.isDown = false;
    await holdsText(page, '#connection', 'Live');
    await page.waitForFunction(() => document.querySelectorAll('.notice.bad').length === 0);
  });

  it('says how many changes were lost on the way, and takes the picture anew', async () => {
    const before = server.asked;
    server.show(history.next(), { isLost: true });
    server.show(history.next());
    await holdsText(page, '.notice', /^1 change was lost on the way at/);
    await page.waitForFunction(
      (number) => document.getElementById('page')?.dataset.shown === String(number),
      server.picture.number,
    );
    equal(server.asked, before + 1);
    deepEqual(faults, []);
  });

  it('wants a new link where the session is over', async () => {
    server.tell('end', {
      code: 'E_UI_SESSION',
      message: 'this session has ended',
      remedy: 'ask for a new link',
    });
    await holdsText(page, '#sign-in', 'this session has ended. ask for a new link');
    equal(await page.locator('#page').isVisible(), false);
  });
});
