import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeMessage, parseMessages } from '../../../linux/netlink-message.ts';
import { getLink } from '../../../linux/rtnetlink/link.ts';
import { addon, type SystemError } from '../../../native/addon.ts';
import { NETLINK_ROUTE, type NetlinkEventListener, NetlinkEvents } from '../../../native/netlink-events.ts';

const RTNLGRP_LINK = 1;
const EBADF = -9;
const code = (expected: string) => (error: unknown) => (error as SystemError).code === expected;
const { type, flags, body } = getLink('lo');
const question = (sequence: number): Uint8Array => encodeMessage(type, flags, sequence, body);

describe('a netlink socket for events', () => {
  const opened: NetlinkEvents[] = [];
  const open = (listener: Partial<NetlinkEventListener>, groups = [RTNLGRP_LINK]): NetlinkEvents => {
    const events = NetlinkEvents.open(NETLINK_ROUTE, groups, {
      onDatagrams: () => {},
      onLost: () => assert.fail('nothing is lost'),
      onError: (error) => assert.fail(error),
      ...listener,
    });
    opened.push(events);
    return events;
  };
  afterEach(() => {
    for (const events of opened.splice(0)) events.close();
  });

  it('hands over datagrams in order, each whole, and answers to what was sent too', async () => {
    const sequences: number[] = [];
    let batches = 0;
    await new Promise<void>((resolve) => {
      const events = open({
        onDatagrams: (datagrams) => {
          batches++;
          for (const datagram of datagrams) {
            const messages = parseMessages(datagram);
            assert.ok(messages.ok);
            // An answer is the link, then the acknowledgement; only the link's is longer than an empty one.
            for (const message of messages.value) if (message.type === 16) sequences.push(message.sequence);
          }
          if (sequences.length === 100) resolve();
        },
      });
      for (let i = 1; i <= 100; i++) assert.equal(events.send(question(i)), question(i).length);
    });
    assert.deepEqual(
      sequences,
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    assert.ok(batches < 100, 'several come at once');
  });

  it('may be closed from within a call, and twice', async () => {
    let calls = 0;
    await new Promise<void>((resolve) => {
      const events = open({
        onDatagrams: () => {
          calls++;
          events.close();
          resolve();
        },
      });
      for (let i = 1; i <= 100; i++) events.send(question(i));
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(calls, 1);
    opened[0]!.close();
    assert.equal(opened[0]!.send(question(1)), EBADF);
    assert.throws(() => opened[0]!.join(RTNLGRP_LINK), code('EBADF'));
  });

  it('says why it cannot be opened, and leaves no socket behind', () => {
    assert.throws(() => open({}, [1_000_000]), code('EINVAL'));
    assert.throws(() => open({}, [0]), TypeError);
    const silent: NetlinkEventListener = { onDatagrams: () => {}, onLost: () => {}, onError: () => {} };
    // 31 is the last number that a protocol may have, and belongs to nobody.
    assert.throws(() => NetlinkEvents.open(31, [], silent), code('EPROTONOSUPPORT'));
    assert.throws(() => NetlinkEvents.open(32, [], silent), TypeError);
    assert.throws(() => NetlinkEvents.open(0, [], silent, { receiveBufferBytes: 0 }), TypeError);
  });

  it('starts once', () => {
    const handle = addon().netlinkEventsOpen(NETLINK_ROUTE, 65_536);
    const start = (): void =>
      addon().netlinkEventsStart(
        handle,
        () => {},
        () => {},
        () => {},
      );
    assert.throws(() => (addon().netlinkEventsStart as unknown as (h: unknown) => void)(handle), TypeError);
    start();
    assert.throws(start, code('EALREADY'));
    addon().netlinkEventsClose(handle);
    assert.throws(start, code('EALREADY'));
  });

  it('makes what a listener throws an uncaught exception, and dies with a worker that has it open', () => {
    const source = `
      import { NetlinkEvents } from './native/netlink-events.ts';
      import { Worker } from 'node:worker_threads';
      import { readdirSync } from 'node:fs';
      const listener = { onDatagrams: () => { throw new Error('thrown'); }, onLost() {}, onError() {} };
      const count = () => readdirSync('/proc/self/fd').length;
      const code = \`import('\${new URL('./native/netlink-events.ts', 'file://' + process.cwd() + '/').href}').then(
        ({ NetlinkEvents }) => {
          NetlinkEvents.open(0, [1], { onDatagrams() {}, onLost() {}, onError() {} });
          process.exit(0);
        })\`;
      const run = () => new Promise((resolve) => new Worker(code, { eval: true }).on('exit', resolve));
      await run();
      const before = count();
      for (let i = 0; i < 5; i++) await run();
      if (count() > before + 2) throw new Error('sockets stay open');
      for (let i = 0; i < 100; i++) NetlinkEvents.open(0, [1], listener).close();
      const events = NetlinkEvents.open(0, [1], listener);
      process.on('uncaughtException', (error) => { console.log(error.message); events.close(); });
      events.send(Uint8Array.from(JSON.parse(process.argv[1])));`;
    const root = fileURLToPath(new URL('../../../', import.meta.url));
    const args = ['--input-type=module', '--eval', source, JSON.stringify([...question(1)])];
    const outcome = spawnSync(join(root, 'bin/weft-node'), args, {
      cwd: root,
      encoding: 'utf8',
      timeout: 15_000,
    });
    assert.equal(outcome.stdout, 'thrown\n', outcome.stderr);
    assert.equal(outcome.status, 0);
  });
});
