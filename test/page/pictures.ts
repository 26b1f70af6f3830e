import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { SERIES_POINTS } from '../../ui/picture/picture.ts';
import { mapHolds, openPage } from './page-in-browser.ts';
import { PictureHistory } from './picture-history.ts';
import { PictureServer } from './picture-server.ts';
import { type ClusterSize, PretendedCluster } from './pretended-cluster.ts';

/** One picture of the page. */
interface PictureOf {
  readonly cluster: ClusterSize;
  /** Items on the map that is shown. */
  readonly items: number;
  readonly options: BrowserContextOptions;
  /** What is done before it is taken. */
  readonly prepare?: (page: Page) => Promise<void>;
}

const SHOP = { nodes: 5, workloads: 0, namespaces: 0 };
const LARGE = { nodes: 1000, workloads: 500, namespaces: 20 };
const DESK = { viewport: { width: 1360, height: 880 } };
const PHONE = { viewport: { width: 360, height: 780 }, hasTouch: true, isMobile: true };
/** So that the same is drawn each time. */
const SETTLED: BrowserContextOptions = { reducedMotion: 'reduce', timezoneId: 'UTC', locale: 'en' };
const AT_MS = Date.UTC(2026, 10, 30, 12, 0, 0);

const pair = async (page: Page): Promise<void> => {
  await page.locator('.list-row', { hasText: 'spark' }).click();
  await page.locator('#details button', { hasText: 'shop/db' }).click();
};
const nodes = (page: Page): Promise<void> => page.locator('.switch span', { hasText: 'Nodes' }).click();

/** The pictures by their names; `ui` is that of the README. */
export const PICTURES: Readonly<Record<string, PictureOf>> = {
  ui: {
    cluster: SHOP,
    items: 24,
    options: { viewport: { width: 1280, height: 1030 }, colorScheme: 'light' },
  },
  pair: { cluster: SHOP, items: 24, options: { ...DESK, colorScheme: 'light' }, prepare: pair },
  dark: { cluster: SHOP, items: 24, options: { ...DESK, colorScheme: 'dark' } },
  nodes: { cluster: { ...SHOP, nodes: 12 }, items: 12, options: DESK, prepare: nodes },
  phone: { cluster: SHOP, items: 24, options: { ...PHONE, colorScheme: 'light' }, prepare: pair },
  large: { cluster: LARGE, items: 500, options: DESK },
  'large-nodes': { cluster: LARGE, items: 1000, options: { ...DESK, colorScheme: 'dark' }, prepare: nodes },
};

/** Takes a picture, and lets `look` see the page as it then is. The bytes are a PNG. */
export async function takePicture(
  browser: Browser,
  name: string,
  look: (page: Page) => Promise<void> = async () => {},
): Promise<Buffer> {
  const { cluster, items, options, prepare } = PICTURES[name]!;
  // Ten minutes of a large cluster take longer to make up than to draw.
  const history = new PictureHistory(
    new PretendedCluster(cluster),
    AT_MS,
    cluster === LARGE ? 30 : SERIES_POINTS,
  );
  const server = await PictureServer.listen(history.next(), { tunnel: (id) => history.tunnel(id) });
  try {
    const { page } = await openPage(browser, server.link, { ...SETTLED, ...options });
    await mapHolds(page, Math.min(items, 24));
    await prepare?.(page);
    await mapHolds(page, items);
    // One more frame, in which all that was asked for is drawn.
    await page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
    );
    await look(page);
    const picture = await page.screenshot({ animations: 'disabled' });
    await page.context().close();
    return picture;
  } finally {
    await server.close();
  }
}
