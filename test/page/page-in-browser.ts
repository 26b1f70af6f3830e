import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Where Debian's package puts it; `tools/setup page` installs that. */
export const CHROMIUM = '/usr/bin/chromium';
/** How long anything may take that a test waits for: the machine may be busy with other tests. */
const PATIENCE_MS = 45_000;

/**
 * Starts the browser. Throws where there is none: a page that was not looked at has not been tested.
 *
 * @param program what starts it instead, with its arguments.
 */
export async function openBrowser(program = CHROMIUM): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`there is no ${CHROMIUM}; run tools/setup page`);
  return chromium.launch({
    executablePath: program,
    chromiumSandbox: process.getuid?.() !== 0,
    args: ['--disable-gpu'],
  });
}

/** A tab, and what went wrong in it. */
export interface OpenPage {
  readonly page: Page;
  /** Errors of scripts and of the console, among them what the Content-Security-Policy refused. */
  readonly faults: readonly string[];
}

/** Opens `link` in a browser of its own, as it were, and waits until it shows what the server knows. */
export async function openPage(
  browser: Browser,
  link: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
  });
  await page.goto(link, { waitUntil: 'commit' });
  return { page, faults };
}

/** Waits until the map has drawn at least `count` items. */
export async function mapHolds(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    (least) => Number(document.getElementById('map')?.dataset.drawn ?? 0) >= least,
    count,
  );
}

/** Waits until an element holds the text. */
export async function holdsText(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}
