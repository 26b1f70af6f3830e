import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { EdgeRow } from '../../../ui/picture/picture.ts';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { endProcess, inNamespace, run, until } from '../../cluster/command.ts';
import { UiProcess } from './ui-process.ts';

/** A local user with no right at all. */
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'];

/** Three real weftds, pods that talk, `weft ui` on one of the nodes, and those who should not see anything of it. */
describe('weft ui', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let near: ClusterNode;
  let far: ClusterNode;
  let third: ClusterNode;
  let client: ClusterPod;
  let server: ClusterPod;
  let ui: UiProcess;
  let session: string;
  const servers: ReturnType<typeof spawn>[] = [];
  const streams: ReturnType<UiProcess['live']>[] = [];

  before(async () => {
    cluster = await Cluster.create({ prefix: `ui${process.pid % 10_000}` });
    [near, far, third] = (await cluster.startNodes(3)) as [ClusterNode, ClusterNode, ClusterNode];
    await near.connected(cluster.nodes);
    for (const node of cluster.nodes) {
      await node.ready();
      await node.run(['sysctl', '-qw', 'net.netfilter.nf_conntrack_acct=1']);
    }
    client = await near.attachPod('c');
    server = await far.attachPod('s');
    const [program, ...rest] = inNamespace(server.namespace, [
      'socat',
      'TCP4-LISTEN:80,fork,reuseaddr',
      'PIPE',
    ]);
    servers.push(spawn(program!, rest, { stdio: 'ignore' }));
    ui = await UiProcess.start(near.namespace, near.runDir);
    session = await ui.follow(ui.links[0]!);
  });
  afterEach(async () => {
    for (const { child } of streams.splice(0)) await endProcess(child, 'SIGKILL');
  });
  after(async () => {
    await ui?.stop('SIGKILL');
    for (const child of servers) await endProcess(child);
    await cluster?.destroy();
  });

  const live = (): ReturnType<UiProcess['live']> => {
    const stream = ui.live(session);
    streams.push(stream);
    return stream;
  };
  /** A connection that is held open and moves bytes until it is ended. */
  const talk = (): ReturnType<typeof spawn> => {
    const text = `while true; do echo ${'x'.repeat(400)}; sleep 0.05; done | socat - TCP4:${server.v4}:80 >/dev/null`;
    const [program, ...rest] = inNamespace(client.namespace, ['sh', '-c', text]);
    const child = spawn(program!, rest, { stdio: 'ignore', detached: true });
    servers.push(child);
    return child;
  };
  const end = (child: ReturnType<typeof spawn>): void => void process.kill(-child.pid!, 'SIGKILL');
  /** Whether connection tracking has a listener in the namespace of a node. */
  const isWatched = async (node: ClusterNode): Promise<boolean> => {
    const { stdout } = await node.run(['cat', '/proc/net/netlink']);
    return stdout.split('\n').some((line) => {
      const [, protocol, , groups] = line.trim().split(/\s+/);
      return protocol === '12' && (Number.parseInt(groups ?? '', 16) & 0b101) !== 0;
    });
  };

  it('shows the nodes with their tunnels, and who talks to whom over which', async () => {
    const child = talk();
    const edge = await until('the edge', async () => {
      const { edges } = await ui.picture(session);
      return edges.find(({ target, sentBytesPerS }) => target === `a:${server.v4}` && sentBytesPerS > 0);
    });
    end(child);
    const { id, verdict, open, ports, ways } = edge as EdgeRow;
    deepEqual(
      [id, verdict, open, ports[0]?.protocol, ports[0]?.port, ways],
      [`a:${client.v4}>a:${server.v4}`, 'forwarded', 1, 'TCP', 80, [{ from: 'n1', to: 'n2' }]],
    );
    const picture = await ui.picture(session);
    deepEqual(
      [picture.node, picture.told, picture.silent, picture.counted, picture.away],
      ['n1', 3, [], true, null],
    );
    deepEqual(
      picture.nodes.map(({ name, isSelf, state, told }) => [name, isSelf, state, told]),
      [
        ['n1', true, 'self', true],
        ['n2', false, 'connected', true],
        ['n3', false, 'connected', true],
      ],
    );
    const { peers } = await near.ask('peers');
    for (const { name, peerId, suite, datapath, mtu } of peers) {
      const tunnel = picture.tunnels.find(({ to }) => to === peerId);
      deepEqual(
        [name, tunnel?.path, tunnel?.suite, tunnel?.datapath, tunnel?.mtu, tunnel?.state],
        [name, 'direct', suite, datapath, mtu, 'connected'],
      );
    }
  });

  it('shows the tunnels of other nodes, as these see them', async () => {
    const [second, last] = await Promise.all(
      [far, third].map(async (node) => (await node.ask('status')).peerId),
    );
    const stream = live();
    await until('the picture', () => stream.text().includes('event: picture'));
    const tunnel = await until('the tunnel from n2 to n3', async () =>
      (await ui.picture(session)).tunnels.find(({ from, to }) => from === second && to === last),
    );
    deepEqual([tunnel.path, tunnel.state, tunnel.endpoint], ['direct', 'connected', `${third.host.v4}:6783`]);
  });

  it('gives each link once, and another one for Enter', async () => {
    equal(
      (await ui.post('/api/session', { token: ui.links[0]!.split('#')[1] })).json.error.code,
      'E_UI_LINK',
    );
    const other = await ui.follow(await ui.nextLink());
    ok(other !== session);
    equal((await ui.get('/api/picture', { session: other })).status, 200);
  });

  it('is not there for the network, for other nodes, and for pods', async () => {
    const { port } = ui;
    const targets = [near.host.v4, (await near.ask('status')).addresses[0]!];
    for (const address of targets)
      for (const from of [near.namespace, far.namespace, client.namespace, server.namespace]) {
        const argv = ['curl', '-s', '-m', '2', `http://${address}:${port}/`];
        const { status, stdout } = await run(argv, { namespace: from, mayFail: true });
        // 7: refused. 28: nothing came, as where packets to it are dropped.
        ok([7, 28].includes(status), `${from} → ${address}: ${status} ${stdout}`);
      }
  });

  it('tells a local user without a link nothing, and they find no token anywhere', async () => {
    for (const path of ['/api/picture', '/api/live', '/api/tunnel?id=x']) {
      const { status, json } = await ui.get(path, { as: NOBODY });
      deepEqual([path, status, json?.error?.code], [path, 403, 'E_UI_SESSION']);
    }
    const link = await ui.nextLink();
    const token = link.split('#')[1]!;
    const { stdout } = await run(
      [
        ...NOBODY,
        'sh',
        '-c',
        `cat /proc/${ui.child.pid}/cmdline /proc/${ui.child.pid}/environ 2>&1; ss -xtnlp`,
      ],
      { namespace: near.namespace, mayFail: true },
    );
    ok(!stdout.includes(token) && !stdout.includes(session), stdout);
    const asked = await run(
      [...NOBODY, 'curl', '-s', '--unix-socket', `${near.runDir}/weft.sock`, 'http://x/'],
      {
        mayFail: true,
      },
    );
    ok(asked.status !== 0, 'the control socket is root’s');
  });

  it('refuses a name that was made to lead here, and pages of other origins, with a session even', async () => {
    const attacks: readonly (readonly [field: string, code: string])[] = [
      [`Host: rebound.example:${ui.port}`, 'E_UI_HOST'],
      ['Origin: http://evil.example', 'E_UI_ORIGIN'],
      ['Origin: http://127.0.0.1:1', 'E_UI_ORIGIN'],
      ['Sec-Fetch-Site: cross-site', 'E_UI_SITE'],
    ];
    for (const [field, code] of attacks) {
      const { status, json } = await ui.get('/api/picture', { session, headers: [field] });
      deepEqual([field, status, json.error.code], [field, 403, code]);
    }
  });

  it('tells of a connection within some seconds, and of a node that has gone, by name', async () => {
    const stream = live();
    await until('the picture', () => stream.text().includes('event: picture'));
    const began = performance.now();
    const child = talk();
    await until('bytes on the edge', () =>
      new RegExp(`event: change\\ndata: .*"a:${client.v4}>a:${server.v4}"[^}]*"sentBytesPerS":[1-9]`).test(
        stream.text(),
      ),
    );
    const seconds = (performance.now() - began) / 1000;
    end(child);
    ok(seconds < 15, `${seconds} s`);
    await third.stop('SIGKILL');
    await until('n3 to be silent', () => /"silent":\[\{"node":"n3","reason":"it /.test(stream.text()));
    await until('its tunnel to be gone', () =>
      /"to":"[0-9a-f]{64}","state":"(dead|unreachable|suspect)"/.test(stream.text()),
    );
    await third.start();
    await near.connected([third]);
    const told = stream.text().length;
    await until('n3 to tell again', () => stream.text().slice(told).includes('"silent":[]'));
  });

  it('says that weftd is away while it is replaced, and goes on with the next one', async () => {
    const stream = live();
    await until('the picture', () => stream.text().includes('event: picture'));
    await near.stop('SIGKILL');
    await until('weftd to be away', () => /"away":"[^"]*weftd/.test(stream.text()));
    const told = stream.text().length;
    await near.start();
    await until('weftd to be there', () => stream.text().slice(told).includes('"away":null'));
    await near.connected(cluster.nodes);
    equal((await ui.picture(session)).nodes.length, 3);
  });

  it('asks nothing of weftd while nobody looks, and nothing is open in the kernel then', async () => {
    const stream = live();
    await until('the picture', () => stream.text().includes('event: picture'));
    ok(await until('a watch', () => isWatched(near)));
    await endProcess(stream.child, 'SIGKILL');
    await until('no watch', async () => !(await isWatched(near)), { timeoutMs: 40_000 });
  });

  it('tells those who read, and does not mind fifty who read nothing', async () => {
    const quick = Array.from({ length: 5 }, live);
    for (let i = 0; i < 5; i++) {
      const other = await ui.follow(await ui.nextLink());
      for (let j = 0; j < 10; j++) {
        const stream = ui.live(other);
        streams.push(stream);
        await until('its picture', () => stream.text().includes('event: picture'));
        stream.child.kill('SIGSTOP');
      }
    }
    await until('all to look', async () => {
      const { stdout } = await near.run(['ss', '-Htn', 'state', 'established', `sport = :${ui.port}`]);
      return stdout.trim().split('\n').length >= 55;
    });
    const told = quick.map((stream) => stream.text().length);
    await until('something new for those who read', () =>
      quick.every((stream, i) => stream.text().length > told[i]! && stream.text().includes('event: change')),
    );
  });

  it('ends at Ctrl-C with a word to those who look, and leaves nothing', async () => {
    const stream = live();
    await until('the picture', () => stream.text().includes('event: picture'));
    const { port } = ui;
    const began = performance.now();
    await ui.stop('SIGINT');
    ok(performance.now() - began < 3_000, `${performance.now() - began} ms`);
    equal(ui.child.exitCode, 0);
    match(stream.text(), /event: end\ndata: \{"code":"E_UI_OVER"/);
    const { stdout } = await near.run(['ss', '-Htnl', `sport = :${port}`]);
    equal(stdout, '');
  });

  it('ends with the terminal, says where no weftd runs, and where the port is taken', async () => {
    const first = await UiProcess.start(near.namespace, near.runDir, ['--port', '6790', '--here']);
    const taken = await run(['bin/weft', '--run-dir', near.runDir, 'ui', '--port', '6790'], {
      namespace: near.namespace,
      mayFail: true,
    });
    deepEqual(
      [taken.status, taken.stderr],
      [1, 'weft: port 6790 of 127.0.0.1 is taken; give another one with --port\n'],
    );
    first.child.stdin?.end();
    await until('it to end', () => first.child.exitCode !== null);
    equal(first.child.exitCode, 0);
    const none = await run(['bin/weft', '--run-dir', '/nowhere/at/all', 'ui'], { mayFail: true });
    equal(none.status, 3);
  });
});
