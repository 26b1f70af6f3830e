import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Namespace } from './namespaces.ts';

const SOURCE = fileURLToPath(new URL('./inside/pass-route-socket.c', import.meta.url));
const SERVER = fileURLToPath(new URL('./inside/attach-server.ts', import.meta.url));
const WEFT_NODE = fileURLToPath(new URL('../../bin/weft-node', import.meta.url));
/** CAP_NET_ADMIN is number 12. */
const NET_ADMIN_ALONE = '0000000000001000';

describe('attaching over a routing socket that was opened in the pod', () => {
  let folder: string;
  let host: Namespace;
  let pod: Namespace;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weft-attach-'));
    execFileSync('gcc', ['-O1', '-Wall', '-Werror', '-o', join(folder, 'pass-route-socket'), SOURCE]);
    host = await Namespace.create('nf');
    pod = await Namespace.create('nf');
  });

  after(async () => {
    await host?.delete();
    await pod?.delete();
    rmSync(folder, { recursive: true, force: true });
  });

  it('makes the veth pair with CAP_NET_ADMIN and no other capability, the host end in the host', async () => {
    const socket = join(folder, 'socket');
    const only = ['--bounding-set', '-all,+net_admin', '--inh-caps', '-all', WEFT_NODE, SERVER, socket];
    const server = host.start('setpriv', only);
    let errors = '';
    server.stderr!.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    await new Promise<void>((resolve, reject) => {
      server.stdout!.once('data', () => resolve());
      server.once('exit', () => reject(new Error(`the server ended: ${errors}`)));
    });
    const answer = JSON.parse(await pod.run(join(folder, 'pass-route-socket'), socket, 'attach'));
    assert.equal(answer.ok, true, answer.error);
    assert.equal(answer.seen.capabilities, NET_ADMIN_ALONE);
    assert.equal(answer.seen.podEnd.kind, 'veth');
    assert.equal(answer.seen.podEnd.mtu, 1364);
    assert.equal(answer.seen.hostEnd.alias, 'pod one');
    assert.match(await host.run('ip', '-o', 'link', 'show', 'wv0'), /state UP/);
    assert.match(await pod.run('ip', '-o', 'link', 'show', 'eth0'), /state UP/);
  });

  it('carries IPv4 and IPv6 both ways without a question on the wire', async () => {
    await host.run('ip', 'address', 'add', '10.32.0.1/32', 'dev', 'lo');
    await host.run('ip', 'address', 'add', 'fd00:77::1/128', 'dev', 'lo');
    for (const [pods, hosts] of [
      ['10.32.0.5', '10.32.0.1'],
      ['fd00:77::5', 'fd00:77::1'],
    ] as const) {
      const echo = pod.startProgram(fileURLToPath(new URL('./inside/tcp-echo.ts', import.meta.url)), [
        'serve',
        pods,
      ]);
      await new Promise((resolve) => echo.stdout!.once('data', resolve));
      const client = fileURLToPath(new URL('./inside/tcp-echo.ts', import.meta.url));
      assert.deepEqual(await host.program(client, 'send', pods, '100000', hosts), {
        returned: 100000,
        same: true,
      });
      await pod.stop(echo);
    }
    const neighbours = await host.run('ip', 'neighbour', 'show', 'dev', 'wv0');
    assert.equal(neighbours.match(/PERMANENT/g)?.length, 2, neighbours);
  });
});
