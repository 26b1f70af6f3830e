import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Browser } from 'playwright-core';
import type { Picture } from '../../ui/picture/picture.ts';
import { mapHolds, openBrowser, openPage } from './page-in-browser.ts';
import { PictureHistory } from './picture-history.ts';
import { PictureServer } from './picture-server.ts';
import { PretendedCluster } from './pretended-cluster.ts';

/** What runs, or loads something, wherever it is taken for HTML. */
const HOSTILE = `"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script><svg onload=window.hacked=1>`;

/** The picture with HTML in every text that comes from somebody else. */
function hostile(picture: Picture): Picture {
  const name = (text: string): string => `${text}${HOSTILE}`;
  return {
    ...picture,
    node: name(picture.node),
    version: name(picture.version),
    silent: [{ node: name('n'), reason: name('r') }],
    notes: [name('note')],
    away: name('away'),
    warnings: [{ code: 'W_X', severity: 'warning', message: name('m'), remedy: name('r') }],
    policy: {
      complete: true,
      selected: 1,
      waiting: [name('p')],
      unhonoured: [{ policy: name('p'), reasons: [name('r')] }],
    },
    nodes: picture.nodes.map((node) => ({
      ...node,
      ...{ name: name(node.name), version: name('v'), addresses: [name('a')], endpoints: [name('e')] },
    })),
    tunnels: picture.tunnels.map((tunnel) => ({
      ...tunnel,
      via: name('v'),
      suite: name('s'),
      datapath: name('d'),
    })),
    workloads: picture.workloads.map((row) => ({
      ...row,
      ...{ name: name(row.name), namespace: row.namespace === null ? null : name(row.namespace) },
      pods: row.pods.map((pod) => ({ name: name(pod.name), node: name('n'), address: name('a') })),
      nodes: row.nodes.map(name),
    })),
    edges: picture.edges.map((edge) => ({
      ...edge,
      policies: edge.policies.map(name),
      ports: edge.ports.map((port) => ({ ...port, protocol: name('TCP'), service: name('s') })),
      ways: [{ from: name('f'), to: name('t') }],
    })),
    denied: picture.denied.map((row) => ({
      ...row,
      policies: row.policies.map(name),
      protocol: name('TCP'),
      source: { ...row.source, pod: name('pod') },
      target: { ...row.target, pod: name('pod') },
    })),
    series: {
      ...picture.series,
      lines: picture.series.lines.map((line) => ({ ...line, name: name(line.name), help: name('h') })),
    },
  };
}

describe('names with HTML in them', function () {
  this.timeout(90_000);
  let browser: Browser;
  let server: PictureServer;

  before(async () => {
    const cluster = new PretendedCluster({ nodes: 5, workloads: 0, namespaces: 0 });
    server = await PictureServer.listen(hostile(new PictureHistory(cluster, Date.now()).next()), {
      tunnel: () => ({ at: [], rttMs: [], sentBytesPerS: [], receivedBytesPerS: [] }),
    });
    browser = await openBrowser();
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  it('are shown as text, wherever they stand', async () => {
    const { page, faults } = await openPage(browser, server.link);
    await mapHolds(page, 24);
    for (const row of ['db', 'spark']) await page.locator('.list-row', { hasText: row }).first().click();
    await page.locator('#details button.link').first().click();
    await page.locator('.switch span', { hasText: 'Nodes' }).click();
    await page.locator('.list-row').nth(1).click();
    // A tunnel of the node that was asked, whose id is of zeros.
    await page
      .locator(`#details button.link[data-key^="${'0'.repeat(64)}>"]`)
      .first()
      .click();
    await page.locator('#details figure').first().waitFor();
    for (const summary of await page.locator('.chart summary').all()) await summary.click();
    const seen = await page.evaluate(() => ({
      hacked: 'hacked' in window,
      images: [...document.images].map((image) => new URL(image.src).pathname),
      scripts: [...document.scripts].map((script) => new URL(script.src).pathname),
      text: document.body.textContent ?? '',
    }));
    equal(seen.hacked, false);
    deepEqual(seen.images, ['/page/icon.svg']);
    deepEqual(seen.scripts, ['/vendor/uplot.js', '/page/main.js']);
    for (const name of ['away', 'note', 'm']) ok(seen.text.includes(`${name}${HOSTILE}`), name);
    deepEqual(faults, []);
    await page.context().close();
  });
});
