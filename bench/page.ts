/**
 * How fluid the page of `weft ui` is with 500 workloads and 1,000 nodes, in Debian's Chromium without a graphics card: the real
 * server, asked by the browser; only weftd is pretended. Prints one JSON line: milliseconds until the first picture (from the
 * beginning of the navigation until the map is drawn), frames a second while the map is laid out and moved, with the page's
 * own time for one of them, and for one live change. The baseline of the same run is an empty page in the same browser.
 *
 * `bin/weft-node bench/page.ts [rounds, default 5]`; needs `tools/setup page`
 */
import { loadavg } from 'node:os';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { openBrowser, openPage } from '../test/page/page-in-browser.ts';
import { PretendedCluster } from '../test/page/pretended-cluster.ts';
import { pageFiles } from '../ui/page-files.io.ts';
import { UiServer } from '../ui/ui-server.io.ts';
import { report, rounded, spread } from './report.ts';

const SIZE = { nodes: 1000, workloads: 500, namespaces: 20 };
const MOVE_MS = 3_000;
const WATCH_MS = 6_000;
const TARGETS = { framesPerS: 30, firstMs: 1_000 } as const;
const rounds = Number(process.argv[2] ?? 5);

/** What a round saw. */
interface Figures {
  readonly firstMs: number;
  readonly workloadFramesPerS: number;
  readonly workloadFrameCpuMs: number;
  readonly nodeFramesPerS: number;
  readonly nodeFrameCpuMs: number;
  readonly emptyFramesPerS: number;
  readonly watchedCpuPercent: number;
}

const browser = await openBrowser();
const all: Figures[] = [];
const load = loadavg()[0]!;
for (let i = 0; i < rounds; i++) all.push(await round(browser));
await browser.close();
const each = (name: keyof Figures) => spread(all.map((figures) => figures[name]));
const [firstMs, workloadFramesPerS, nodeFramesPerS] = [
  each('firstMs'),
  each('workloadFramesPerS'),
  each('nodeFramesPerS'),
];
report('page', {
  rounds,
  loadBefore: rounded(load),
  firstMs,
  workloadFramesPerS,
  workloadFrameCpuMs: each('workloadFrameCpuMs'),
  nodeFramesPerS,
  nodeFrameCpuMs: each('nodeFrameCpuMs'),
  emptyFramesPerS: each('emptyFramesPerS'),
  watchedCpuPercent: each('watchedCpuPercent'),
  bytes: [...pageFiles().values()].reduce((sum, { bytes }) => sum + bytes.length, 0),
  targets: TARGETS,
  ratioToTarget: rounded(Math.min(workloadFramesPerS.median, nodeFramesPerS.median) / TARGETS.framesPerS),
});

async function round(browser: Browser): Promise<Figures> {
  const server = await UiServer.listen({
    ...{ port: 0, files: pageFiles(), asked: new PretendedCluster(SIZE).asked, cluster: true },
    ...{ version: '0.1.0', reasons: {}, kubernetes: undefined },
  });
  try {
    const { page } = await openPage(browser, server.newLink());
    const firstMs = await firstPicture(page);
    await page.waitForFunction(() => Number(document.getElementById('map')?.dataset.drawn) >= 500);
    const thread = await page.context().newCDPSession(page);
    await thread.send('Performance.enable');
    const workloads = await moved(page, thread);
    await page.locator('.switch span', { hasText: 'Nodes' }).click();
    await page.waitForFunction(() => Number(document.getElementById('map')?.dataset.drawn) >= 1000);
    const nodes = await moved(page, thread);
    await page.waitForTimeout(1_000);
    const before = await cpuMs(thread);
    await page.waitForTimeout(WATCH_MS);
    const watchedCpuPercent = rounded(((await cpuMs(thread)) - before) / (WATCH_MS / 100));
    await page.context().close();
    return {
      firstMs,
      ...{ workloadFramesPerS: workloads.perS, workloadFrameCpuMs: workloads.cpuMs },
      ...{ nodeFramesPerS: nodes.perS, nodeFrameCpuMs: nodes.cpuMs },
      emptyFramesPerS: await emptyFrames(browser),
      watchedCpuPercent,
    };
  } finally {
    await server.close();
  }
}

/** Milliseconds from the beginning of the navigation until something was on the map. */
async function firstPicture(page: Page): Promise<number> {
  const drawn = await page.waitForFunction(() => {
    const [mark] = performance.getEntriesByName('weft:first-picture');
    return mark?.startTime;
  });
  return Math.round((await drawn.jsonValue())!);
}

/** Frames a second while the map changes its size with each, and the time of the page's thread for one. */
async function moved(page: Page, thread: CDPSession): Promise<{ perS: number; cpuMs: number }> {
  const before = await cpuMs(thread);
  const frames = await page.evaluate(
    (ms) =>
      new Promise<number>((done) => {
        const until = performance.now() + ms;
        let count = 0;
        const next = (): void => {
          document.getElementById(count % 2 === 0 ? 'zoom-in' : 'zoom-out')?.click();
          count++;
          if (performance.now() < until) requestAnimationFrame(next);
          else done(count);
        };
        requestAnimationFrame(next);
      }),
    MOVE_MS,
  );
  const perFrame = ((await cpuMs(thread)) - before) / frames;
  return { perS: rounded((frames * 1000) / MOVE_MS), cpuMs: rounded(perFrame) };
}

/** Frames a second of a page that holds nothing: what the machine gives at present. */
async function emptyFrames(browser: Browser): Promise<number> {
  const page = await browser.newPage();
  const frames = await page.evaluate(
    (ms) =>
      new Promise<number>((done) => {
        const until = performance.now() + ms;
        let count = 0;
        const next = (): void => {
          count++;
          if (performance.now() < until) requestAnimationFrame(next);
          else done(count);
        };
        requestAnimationFrame(next);
      }),
    MOVE_MS,
  );
  await page.close();
  return rounded((frames * 1000) / MOVE_MS);
}

/** CPU of the page's thread, milliseconds. */
async function cpuMs(thread: CDPSession): Promise<number> {
  const { metrics } = await thread.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'ThreadTime')!.value * 1000;
}
