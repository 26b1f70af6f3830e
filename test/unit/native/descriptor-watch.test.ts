import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DescriptorWatch } from '../../../native/descriptor-watch.ts';
import { LocalSocket, sendToLocalSocket } from '../../../native/local-socket.ts';
import { RouteSocket } from '../../../native/netlink.ts';

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(1);
}

describe('a descriptor that is watched', () => {
  let folder: string;
  let fifo: string;
  let fd: number;
  let watch: DescriptorWatch;
  let told: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-watch-'));
    fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    fd = openSync(fifo, 'r+');
    watch = DescriptorWatch.adopt(fd);
    told = 0;
  });
  afterEach(() => {
    watch.close();
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  const start = (): void => watch.start(() => told++);

  it('is told of once when it can be read, and once more when that is asked for', async () => {
    start();
    await delay(20);
    assert.equal(told, 0);
    writeSync(fd, 'one');
    await until(() => told === 1);
    writeSync(fd, 'two');
    await delay(20);
    assert.equal(told, 1, 'nobody asked again');
    watch.again();
    await until(() => told === 2);
    assert.equal(Buffer.from(watch.read()).toString(), 'onetwo');
    assert.equal(watch.read().length, 0, 'it does not wait');
    watch.again();
    await delay(20);
    assert.equal(told, 2);
  });

  it('is drained, whatever lies in it', () => {
    writeSync(fd, 'x'.repeat(60_000));
    watch.drain();
    assert.equal(watch.read().length, 0);
  });

  it('is a duplicate, which goes with its end and tells nothing more', async () => {
    assert.notEqual(watch.fd, fd);
    start();
    writeSync(fd, 'one');
    watch.close();
    watch.close();
    await delay(20);
    assert.deepEqual([told, watch.fd], [0, -1]);
    watch.again();
    assert.throws(() => watch.read(), { code: 'EBADF' });
  });

  it('is refused where it cannot be waited for, or is none', () => {
    const file = openSync(join(folder, 'file'), 'w+');
    const plain = DescriptorWatch.adopt(file);
    assert.throws(() => plain.start(() => undefined), { code: 'EPERM' });
    plain.close();
    closeSync(file);
    assert.throws(() => DescriptorWatch.adopt(file), { code: 'EBADF' });
    start();
    assert.throws(start, { code: 'EALREADY' });
  });

  it('goes to another process by a local socket, the netlink socket beside it with its groups', async () => {
    const socket = RouteSocket.open();
    const path = join(folder, 'socket');
    const heard: { text: string; kinds: string[] }[] = [];
    const server = LocalSocket.listen(path, ({ bytes, fds, drop }) => {
      const kinds = fds.map((each) => readlinkSync(`/proc/self/fd/${each}`).replace(/:.*/, ''));
      heard.push({ text: Buffer.from(bytes).toString(), kinds });
      drop();
    });
    const open = readdirSync('/proc/self/fd').length;
    const frame = Buffer.concat([Buffer.from([2, 0, 0, 0]), Buffer.from('hi')]);
    assert.equal(sendToLocalSocket(path, frame, [socket.fd, watch.fd]), 0);
    await until(() => heard.length === 1);
    assert.equal(heard[0]!.text, 'hi');
    assert.deepEqual(heard[0]!.kinds, ['socket', fifo]);
    assert.equal(sendToLocalSocket(path, frame, []), 0);
    await until(() => heard.length === 2);
    await until(() => readdirSync('/proc/self/fd').length <= open);
    assert.equal(
      sendToLocalSocket(
        path,
        frame,
        Array.from({ length: 5 }, () => fd),
      ),
      -90,
    );
    server.close();
    assert.equal(sendToLocalSocket(path, frame, []), -2);
    RouteSocket.join(socket.fd, 1);
    assert.throws(() => RouteSocket.join(socket.fd, 9999), { code: 'EINVAL' });
    assert.throws(() => RouteSocket.join(fd, 1), { code: 'ENOTSOCK' });
    socket.close();
    await until(() => socket.fd === -1);
  });
});
