import { equal, match, ok } from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { LiveViewers } from '../../../ui/live-viewers.io.ts';
import type { Viewer } from '../../../ui/picture/picture.ts';
import { PictureMaker } from '../../../ui/picture/picture-maker.ts';
import { pair, pod, reportOf, totals } from './ui-fixtures.ts';

const ALL: Viewer = { user: null, namespaces: null, seesNodes: true };
const RED: Viewer = { user: 'alice', namespaces: ['red'], seesNodes: false };

describe('those who look', () => {
  let viewers: LiveViewers;
  let server: Server;
  let maker: PictureMaker;
  let begun: Promise<void>;
  let at = 0;
  let emptied = 0;
  let next: { session: string; viewer: Viewer };
  const sockets: Socket[] = [];

  beforeEach(async () => {
    emptied = 0;
    viewers = new LiveViewers(() => emptied++);
    maker = new PictureMaker({});
    maker.takeReport(reportOf(), 0);
    let onBegun = (): void => {};
    server = createServer((_, response) => {
      viewers.begin(response, next);
      onBegun();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    server.on('connection', () => {
      begun = new Promise((resolve) => {
        onBegun = resolve;
      });
    });
  });
  afterEach(() => {
    viewers.close('E_UI_OVER');
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
    server.closeAllConnections();
  });

  /** A stream; `text` grows while it reads. */
  const look = async (session: string, viewer = ALL): Promise<{ socket: Socket; text: () => string }> => {
    next = { session, viewer };
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    sockets.push(socket);
    let text = '';
    socket.setEncoding('utf8').on('data', (part: unknown) => {
      text += part as string;
    });
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => server.once('request', resolve));
    await begun;
    return { socket, text: () => text };
  };
  /** Some two megabytes of workloads, other ones each time. */
  const showMuch = (): void => {
    at += 2_000;
    const rows = Array.from({ length: 1_000 }, (_, i) =>
      pair(pod(`ns-${at}/a${i}-${'x'.repeat(60)}`, '10.32.0.2'), pod(`ns-${at}/b${i}`, '10.32.0.3')),
    );
    maker.takeTotals(totals(rows), at * 1_000);
    viewers.show(maker.picture(at));
  };
  const until = async (what: string, is: () => boolean): Promise<void> => {
    for (let i = 0; i < 400; i++) {
      if (is()) return;
      await delay(25);
    }
    throw new Error(`${what} did not come`);
  };

  it('and do not read hold one message each, however much there is to tell, and hold up nobody', async () => {
    const slow = await Promise.all(
      Array.from({ length: 5 }, async (_, i) => {
        const stream = await look(`slow-${i}`);
        stream.socket.pause();
        return stream;
      }),
    );
    const quick = await look('quick');
    const before = process.memoryUsage().external + process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 15; i++) {
      showMuch();
      const told = quick.text().length;
      await until('what is new, to who reads', () => quick.text().length > told);
    }
    const mb = (process.memoryUsage().external + process.memoryUsage().arrayBuffers - before) / 2 ** 20;
    ok(mb < 40, `${mb.toFixed()} MB more for five readers that were sent 15 pictures`);
    const [first] = slow;
    first!.socket.resume();
    await until('the whole picture, to who reads again', () => first!.text().includes(`"at":${at}`));
    const last = first!
      .text()
      .split('event: ')
      .findLast((event) => event.includes(`"at":${at}`));
    match(last!, /^picture\n/);
    ok((first!.text().match(/event: /g) ?? []).length < 10, 'what was missed is not sent one by one');
  }).timeout(60_000);

  it('and take nothing are let go, and find the reason behind what they had not read', async () => {
    viewers.close('E_UI_OVER');
    viewers = new LiveViewers(() => emptied++, { slowMs: 2_000 });
    const slow = await look('slow');
    slow.socket.pause();
    const quick = await look('quick');
    // As much as the kernel takes for a reader who does not read, and some more.
    for (let i = 0; i < 8; i++) {
      showMuch();
      await delay(10);
    }
    await until('the slow one to be let go', () => viewers.count === 1);
    slow.socket.resume();
    await until('the reason', () => slow.text().includes('event: end'));
    match(
      slow.text().split('event: ').at(-1)!,
      /^end\ndata: \{"code":"E_UI_SLOW","message":"the page did not keep up"/,
    );
    const told = quick.text().length;
    showMuch();
    await until('what is new, to who reads', () => quick.text().length > told);
  }).timeout(60_000);

  it('and see the same are told so by the same bytes; others see what is theirs', async () => {
    const [all, red] = [await look('a'), await look('b', RED)];
    maker.takeTotals(totals([pair(pod('red/a', '10.32.0.2'), pod('blue/b', '10.32.0.3'))]), 1);
    viewers.show(maker.picture(1));
    await until(
      'the picture',
      () => all.text().includes('event: picture') && red.text().includes('event: picture'),
    );
    ok(all.text().includes('blue/b') && !red.text().includes('blue/b'));
    maker.takeTotals(totals([pair(pod('red/a', '10.32.0.2'), pod('blue/c', '10.32.0.4'))]), 2);
    viewers.show(maker.picture(2));
    await until(
      'the change',
      () => all.text().includes('event: change') && red.text().includes('event: change'),
    );
    ok(all.text().includes('blue/c') && !red.text().includes('blue/c'));
  });

  it('and lose a right are shown the whole of what is left, and no change of what was', async () => {
    const stream = await look('b', { ...RED, namespaces: ['blue', 'red'] });
    maker.takeTotals(totals([pair(pod('red/a', '10.32.0.2'), pod('blue/b', '10.32.0.3'))]), 1);
    viewers.show(maker.picture(1));
    await until('the picture', () => stream.text().includes('blue/b'));
    viewers.changeViewer('b', RED);
    const told = stream.text().length;
    viewers.show(maker.picture(2));
    await until('the rest', () => stream.text().length > told);
    match(stream.text().slice(told), /event: picture/);
    ok(!stream.text().slice(told).includes('blue'));
  });

  it('and go are forgotten, the last one with the picture', async () => {
    const [a, b] = [await look('a'), await look('b')];
    a.socket.destroy();
    await until('one to be gone', () => viewers.count === 1);
    equal(emptied, 0);
    b.socket.destroy();
    await until('both to be gone', () => viewers.count === 0);
    equal(emptied, 1);
  });
});
