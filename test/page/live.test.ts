import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { pageFiles } from '../../ui/page-files.io.ts';
import { UiServer } from '../../ui/ui-server.io.ts';
import { holdsText, mapHolds, openBrowser, openPage } from './page-in-browser.ts';
import { PretendedCluster } from './pretended-cluster.ts';

/** The real server, asked by a real browser; only weftd is pretended. */
describe('the page of weft ui', function () {
  this.timeout(90_000);
  let browser: Browser;
  let cluster: PretendedCluster;
  let server: UiServer;
  let page: Page;
  let faults: readonly string[];

  before(async () => {
    browser = await openBrowser();
  });

  after(() => browser?.close());

  beforeEach(async () => {
    cluster = new PretendedCluster({ nodes: 5, workloads: 0, namespaces: 0 });
    server = await UiServer.listen({
      ...{ port: 0, files: pageFiles(), asked: cluster.asked, cluster: true, version: '0.1.0' },
      ...{
        reasons: { 'datapath.inForged': 'Packets that nobody of the cluster sealed.' },
        kubernetes: undefined,
      },
    });
    ({ page, faults } = await openPage(browser, server.newLink()));
    await mapHolds(page, 24);
  });

  afterEach(async () => {
    await page.context().close();
    await server.close();
  });

  it('shows who talks to whom, and takes the token out of the address', async () => {
    equal(new URL(page.url()).hash, '');
    await holdsText(page, '#list .list-row', /^db/);
    await holdsText(page, '#connection', 'Live');
    await holdsText(page, '#asked', 'node-1');
    await holdsText(page, '#warnings', 'sorts before');
    await holdsText(page, '#warnings', 'What to do: take it away');
    deepEqual(faults, []);
  });

  it('shows a workload as soon as it talks', async () => {
    cluster.addTalk('shop/newcomer', 'shop/web');
    await holdsText(page, '#list .list-row', 'newcomer');
    await mapHolds(page, 25);
  });

  it('says who denied a packet, in the table and in the details of the pair', async () => {
    await holdsText(page, '#denied tr', 'NetworkPolicy shop/db-clients');
    await page.locator('#denied button', { hasText: 'analytics/spark' }).first().click();
    await holdsText(page, '#details-title', 'analytics/spark → shop/db');
    await holdsText(page, '#details', 'NetworkPolicy shop/db-clients');
  });

  it('says which policies decide, and which would', async () => {
    await page.locator('#denied button', { hasText: 'analytics/spark' }).first().click();
    await page.locator('#details button', { hasText: 'Ask' }).click();
    await holdsText(page, '#details .verdict', 'A new connection ✕ is denied.');
    await page.locator('#details summary').click();
    await page.locator('#explain-with').fill('kind: NetworkPolicy');
    await page.locator('#details button', { hasText: 'Ask' }).click();
    await holdsText(page, '#details .verdict', 'A new connection would pass.');
  });

  it('shows a tunnel with its way, its round trip, its cipher and its size', async () => {
    await page.locator('.switch span', { hasText: 'Nodes' }).click();
    await page.locator('.list-row', { hasText: 'node-5' }).click();
    await page.locator('#details').getByRole('button', { name: 'node-5', exact: true }).click();
    await holdsText(page, '#details-title', 'node-1 → node-5');
    const text = (await page.locator('#details').textContent()) ?? '';
    for (const fact of [/relayed by node-2/, /AES-256-GCM/, /1352 bytes/, /sleeve/, /Round trip\s*[\d.]+ ms/])
      match(text, fact);
    await page.locator('#details .u-wrap canvas').first().waitFor();
  });

  it('shows a tunnel between two other nodes, as the one that has it tells', async () => {
    await page.locator('.switch span', { hasText: 'Nodes' }).click();
    await page.locator('.list-row', { hasText: 'node-5' }).click();
    await page.locator('#details button', { hasText: 'node-3 → node-5' }).click();
    await holdsText(page, '#details-title', 'node-3 → node-5');
    match((await page.locator('#details').textContent()) ?? '', /relayed by node-1/);
    equal(await page.locator('#details canvas').count(), 0);
    deepEqual(faults, []);
  });

  it('shows only what the filter asks for', async () => {
    await page.locator('#filter-namespace').selectOption('monitoring');
    await holdsText(page, '#shown', ' of 24');
    equal(await page.locator('.list-row', { hasText: 'ldap' }).count(), 0);
    equal(await page.locator('.list-row', { hasText: 'grafana' }).count(), 1);
    await page.locator('#filter-clear').click();
    await page.locator('#filter-verdict').selectOption('dropped');
    await page.waitForFunction(() => document.querySelectorAll('.list-row').length === 4);
    await page.locator('#filter-clear').click();
    await page.locator('#filter-text').fill('no such thing');
    await holdsText(page, '#map-empty', 'Nothing to which the filter applies');
  });

  it('says so while weftd does not answer, and when it is back', async () => {
    cluster.away = 'weftd does not run';
    await holdsText(page, '.notice', 'weftd does not answer, so all of this is old: weftd does not run');
    ok((await page.locator('.list-row').count()) > 20);
    cluster.away = undefined;
    await page.waitForFunction(() => document.querySelectorAll('.notice.bad').length === 0);
  });

  it('stays signed in when it is loaded again, and not in another tab', async () => {
    const used = server.newLink();
    await page.reload();
    await mapHolds(page, 24);
    const other = await openPage(browser, used);
    await mapHolds(other.page, 24);
    const third = await openPage(browser, used);
    await holdsText(third.page, '#sign-in', 'Run weft ui');
    equal(await third.page.locator('#page').isVisible(), false);
    await Promise.all([other.page.context().close(), third.page.context().close()]);
  });

  it('says that it is over when weft ui ends, and does not come again', async () => {
    await server.close();
    await holdsText(page, '#connection', 'Ended');
    await holdsText(page, '.notice', 'What is shown is of');
  });

  it('signs out', async () => {
    await page.locator('#sign-out').click();
    await holdsText(page, '#sign-in', 'A link is needed');
    equal(await page.evaluate(() => sessionStorage.length), 0);
  });
});
