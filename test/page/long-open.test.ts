import { deepEqual, equal, ok } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { Cluster } from '../cluster/cluster.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { ClusterPod } from '../cluster/cluster-pod.ts';
import { endProcess, inNamespace } from '../cluster/command.ts';
import { shortTimes } from '../cluster/short-times.ts';
import { UiProcess } from '../netns/ui/ui-process.ts';
import { CHROMIUM, holdsText, openBrowser, openPage } from './page-in-browser.ts';

/** A picture each two seconds becomes twenty a second, and the other node is asked each second as it is else. */
const QUICK = shortTimes({
  '/ui/picture/picture.ts': { SERIES_STEP_MS: 50 },
  '/ui/picture-source.io.ts': { CLUSTER_MS: 500 },
});
/** All that is kept of before is of so many pictures. */
const KEPT_PICTURES = 300;
const MORE_PICTURES = 700;
const MB = 1024 * 1024;

/** Real weftds, `weft ui` on one of them, and a real browser on that host. */
describe('a page that stays open', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let near: ClusterNode;
  let far: ClusterNode;
  let client: ClusterPod;
  let ui: UiProcess;
  let browser: Browser;
  let page: Page;
  let faults: readonly string[];
  let thread: CDPSession;
  const children: ChildProcess[] = [];

  before(async function () {
    // Namespaces need root; without it the tests there are left out as well.
    if (process.getuid?.() !== 0) return this.skip();
    cluster = await Cluster.create({ prefix: `lo${process.pid % 10_000}` });
    [near, far] = (await cluster.startNodes(2, { args: ['--take-over'] })) as [ClusterNode, ClusterNode];
    await far.ready();
    await near.connected([far]);
    client = await near.attachPod('c');
    talk(await serverOn(far, 's'));
    ui = await UiProcess.start(near.namespace, near.runDir, [], QUICK);
    const program = join(cluster.folder, 'chromium');
    const argv = inNamespace(near.namespace, [CHROMIUM]).join(' ');
    await writeFile(program, `#!/bin/sh\nexec ${argv} "$@"\n`);
    await chmod(program, 0o755);
    browser = await openBrowser(program);
    ({ page, faults } = await openPage(browser, ui.links[0]!));
    thread = await page.context().newCDPSession(page);
    await thread.send('Performance.enable');
  });
  after(async () => {
    await browser?.close();
    await ui?.stop('SIGKILL');
    for (const child of children) await endProcess(child, 'SIGKILL');
    await cluster?.destroy();
  });

  function start(pod: ClusterPod, ...argv: string[]): void {
    const [program, ...rest] = inNamespace(pod.namespace, argv);
    children.push(spawn(program!, rest, { stdio: 'ignore' }));
  }
  async function serverOn(node: ClusterNode, name: string): Promise<ClusterPod> {
    const pod = await node.attachPod(name);
    start(pod, 'socat', 'TCP4-LISTEN:80,fork,reuseaddr', 'PIPE');
    return pod;
  }
  /** A connection that stays, and whose server is sent a line each second. */
  function talk({ v4 }: ClusterPod): void {
    start(client, 'sh', '-c', `while sleep 1; do echo x; done | socat - TCP4:${v4}:80,retry=20,interval=0.2`);
  }
  const shown = (): Promise<number> =>
    page.evaluate(() => Number(document.getElementById('page')?.dataset.shown));
  const shows = async (number: number): Promise<void> => {
    await page.waitForFunction(
      (least) => Number(document.getElementById('page')?.dataset.shown) >= least,
      number,
      { timeout: 150_000 },
    );
  };
  const listed = (text: string): Promise<void> => holdsText(page, '#list .list-row', text);

  it('is live again after each weftd that was replaced, and shows what begins then', async () => {
    await listed(client.v4!);
    for (const [i, node] of [far, near, near].entries()) {
      const before = await node.succeed();
      await endProcess(before);
      const server = await serverOn(far, `later${i}`);
      talk(server);
      await listed(server.v4!);
      await holdsText(page, '#connection', 'Live');
      await page.waitForFunction(() => document.querySelectorAll('.notice.bad').length === 0);
    }
    deepEqual(faults, []);
  });

  it('takes no more memory once it holds all that it keeps, nor do weft ui and weftd', async () => {
    await shows(KEPT_PICTURES + 50);
    const before = await memory();
    const first = await shown();
    await shows(first + MORE_PICTURES);
    const after = await memory();
    const grown = Object.entries(after).map(([what, amount]) => {
      const more = amount - before[what as keyof typeof before];
      return `${what} ${amount.toFixed(1)} (${more < 0 ? '' : '+'}${more.toFixed(1)})`;
    });
    console.log(`      ${(await shown()) - first} pictures: ${grown.join(', ')}`);
    ok(after.pageMb - before.pageMb < 4, grown.join());
    ok(after.elements - before.elements < 500, grown.join());
    for (const each of ['uiMb', 'weftdMb', 'peerMb'] as const)
      ok(after[each] - before[each] < 40, grown.join());
    equal(await page.locator('.notice.bad').count(), 0);
    deepEqual(faults, []);
  });

  async function memory() {
    await thread.send('HeapProfiler.collectGarbage');
    const { metrics } = await thread.send('Performance.getMetrics');
    const metric = (name: string): number => metrics.find((each) => each.name === name)!.value;
    const [weftd, peer] = await Promise.all([near, far].map(async (node) => (await node.ask('process')).pid));
    return {
      pageMb: metric('JSHeapUsedSize') / MB,
      elements: metric('Nodes'),
      uiMb: residentMb(ui.child.pid!),
      weftdMb: residentMb(weftd!),
      peerMb: residentMb(peer!),
    };
  }
});

function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}
