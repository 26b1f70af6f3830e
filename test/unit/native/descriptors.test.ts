import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeftError } from '../../../base/weft-error.ts';
import { encodeMessage } from '../../../linux/netlink-message.ts';
import { dumpLinks, getLink } from '../../../linux/rtnetlink/link.ts';
import { RouteClient } from '../../../linux/rtnetlink/route-client.io.ts';
import { addon, type Handle, type SystemError } from '../../../native/addon.ts';
import { FileLock } from '../../../native/file-lock.ts';
import { RouteSocket } from '../../../native/netlink.ts';
import { setPathMtuDiscovery, setSocketBuffers, udpDescriptor } from '../../../native/socket-options.ts';
import { tunSelfTestFrames } from '../../../native/tun-self-test.ts';

const code = (expected: string) => (error: unknown) => (error as SystemError).code === expected;

describe('a routing socket', () => {
  const request = getLink('lo');
  const bytes = encodeMessage(request.type, request.flags, 9, request.body);

  it('does one transaction at a time and none after it is closed', async () => {
    const socket = RouteSocket.open();
    const first = socket.transact(bytes, 9, 1, 1000);
    await assert.rejects(socket.transact(bytes, 9, 1, 1000), code('EBUSY'));
    socket.close();
    assert.ok((await first).length > 0, 'what is under way ends well');
    await assert.rejects(socket.transact(bytes, 9, 1, 1000), code('EBADF'));
    socket.close();
  });

  it('gives up when the kernel has nothing to say', async () => {
    const socket = RouteSocket.open();
    const other = encodeMessage(request.type, request.flags, 8, request.body);
    await assert.rejects(socket.transact(other, 9, 1, 50), code('ETIMEDOUT'));
    const reply = await socket.transact(bytes, 9, 1, 1000);
    assert.ok(reply.length > 0, 'and works on, without the late answer');
    socket.close();
  });

  it('takes only descriptors of its kind', () => {
    const file = openSync('/dev/null', 'r');
    assert.throws(() => RouteSocket.adopt(file), code('ENOTSOCK'));
    assert.throws(() => RouteSocket.adopt(999_999), code('EBADF'));
    assert.throws(() => RouteSocket.adopt(-1), TypeError);
    closeSync(file);
    assert.throws(
      () => RouteClient.adopt(0),
      (error) => error instanceof WeftError && error.code === 'E_NETLINK_FD',
    );
  });

  it('refuses requests beyond its bounds', async () => {
    const socket = RouteSocket.open();
    await assert.rejects(socket.transact(new Uint8Array(15), 1, 1, 1000), code('EMSGSIZE'));
    await assert.rejects(socket.transact(new Uint8Array(256 * 1024 + 1), 1, 1, 1000), code('EMSGSIZE'));
    await assert.rejects(socket.transact(bytes, 1, 0, 1000), TypeError);
    await assert.rejects(socket.transact(bytes, 1, 1, 0), TypeError);
    socket.close();
  });

  it('serves many callers in order through a client', async () => {
    const client = RouteClient.open();
    const all = await Promise.all(Array.from({ length: 50 }, () => client.link('lo')));
    assert.ok(all.every((link) => link?.loopback === true));
    assert.equal(await client.link('weft-none'), undefined);
    const [fine, failed] = await client.attempt(getLink('lo'), getLink('weft-none'));
    assert.equal(fine, undefined);
    assert.equal(failed?.code, 'ENODEV');
    assert.ok((await client.links()).length > 0 && (await client.addresses()).length > 0);
    assert.ok((await client.routes(4)).length > 0);
    const tooMany = Array.from({ length: 300 }, () => dumpLinks());
    await assert.rejects(client.execute(...tooMany), /too many requests/);
    client.close();
    await assert.rejects(client.links(), (error) => error instanceof WeftError && error.code === 'E_NETLINK');
  });
});

describe('the addon', () => {
  it('takes nothing for a handle that is none of that kind', () => {
    const socket = addon().netlinkOpen(0);
    for (const wrong of [{}, 1, undefined, null, socket]) {
      assert.throws(() => addon().tunWrite(wrong as Handle, new Uint8Array(1)), TypeError);
      assert.throws(() => addon().socketClose(wrong as Handle), TypeError);
    }
    assert.throws(() => (addon().netlinkAdopt as unknown as () => void)(), TypeError);
    addon().netlinkClose(socket);
  });

  it('lets the process end while sockets are open, and collects what is dropped', () => {
    const source = `
      import { RouteSocket } from './native/netlink.ts';
      import { readdirSync } from 'node:fs';
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 50; i++) RouteSocket.open();
        global.gc();
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (readdirSync('/proc/self/fd').length > 500) throw new Error('sockets stay open');
      RouteSocket.open();
      console.log('end');`;
    const root = fileURLToPath(new URL('../../../', import.meta.url));
    const args = ['--expose-gc', '--input-type=module', '--eval', source];
    const outcome = spawnSync(join(root, 'bin/weft-node'), args, {
      cwd: root,
      encoding: 'utf8',
      timeout: 15_000,
    });
    assert.equal(outcome.stdout, 'end\n', outcome.stderr);
    assert.equal(outcome.status, 0);
  });
});

describe('a file lock', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-lock-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('is held by one and free after', () => {
    const path = join(folder, 'lock');
    const lock = FileLock.take(path)!;
    assert.equal(statSync(path).mode & 0o7777, 0o600);
    assert.equal(FileLock.take(path), undefined);
    lock.release();
    lock.release();
    const again = FileLock.take(path);
    assert.ok(again);
    again.release();
  });

  it('follows no link and needs a folder', () => {
    symlinkSync('/etc/hostname', join(folder, 'link'));
    for (const name of ['link', 'no/folder']) {
      assert.throws(
        () => FileLock.take(join(folder, name)),
        (error) => error instanceof WeftError && error.code === 'E_LOCK',
      );
    }
  });
});

describe('socket options', () => {
  it('are set on a UDP socket and refused on a file', async () => {
    const socket = createSocket('udp6');
    await new Promise<void>((resolve) => socket.bind(0, '::1', resolve));
    const fd = udpDescriptor(socket)!;
    assert.ok(fd > 2);
    const granted = setSocketBuffers(fd, 100_000);
    assert.ok(granted.receive! >= 100_000 && granted.send! >= 100_000);
    for (const mode of ['off', 'do', 'probe'] as const) {
      assert.equal(setPathMtuDiscovery(fd, 6, mode), true);
      assert.equal(setPathMtuDiscovery(fd, 4, mode), true);
    }
    await new Promise<void>((resolve) => socket.close(resolve));
    assert.equal(udpDescriptor(socket), undefined);
    const file = openSync('/dev/null', 'r');
    assert.deepEqual(setSocketBuffers(file, 100_000), { receive: undefined, send: undefined });
    assert.equal(setPathMtuDiscovery(file, 4, 'probe'), false);
    closeSync(file);
  });
});

describe('the frames of the offload self-test', () => {
  it('could not be delivered by any host', () => {
    for (const kind of ['tcp', 'udp'] as const) {
      const [v4, v6] = tunSelfTestFrames(kind) as [Uint8Array, Uint8Array];
      let sum = 0;
      for (let at = 10; at < 30; at += 2) sum += (v4[at]! << 8) | v4[at + 1]!;
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
      assert.notEqual(sum, 0xffff, 'the IPv4 header checksum is wrong');
      assert.equal(v6[10 + 8], 0xff, 'the IPv6 source is multicast');
    }
  });
});
