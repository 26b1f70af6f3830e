import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cniConfigList } from '../../daemon/kubernetes/cni-config.ts';
import { type PluginDocument, WEFT_NET } from './cni-runner.ts';
import { SmallDaemon } from './cni-small-daemon.ts';
import { connect, Namespace, type Outcome } from './namespaces.ts';

/** The CNI project's own command-line runtime; with it go its library, its cache of results and its order of calls. */
const CNITOOL_VERSION = 'v1.3.0';
const CACHE = fileURLToPath(new URL('../../.runtime/cnitool', import.meta.url));
const CNITOOL = join(CACHE, `cnitool-${CNITOOL_VERSION}`);
const BUILD_TIMEOUT_MS = 180_000;
const VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

describe('weft-net with cnitool', function () {
  this.timeout(BUILD_TIMEOUT_MS + 20_000);
  let folder: string;
  let node: Namespace | undefined;
  let pod: Namespace | undefined;
  let daemon: SmallDaemon;

  before(async function () {
    if (!haveCnitool()) {
      console.log('      skipped: cnitool needs Go and its module proxy, and one of them is not here');
      this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), 'weft-cnitool-'));
    mkdirSync(join(folder, 'bin'));
    mkdirSync(join(folder, 'net.d'));
    symlinkSync(WEFT_NET, join(folder, 'bin/weft-net'));
    for (const plugin of ['portmap', 'bandwidth']) {
      symlinkSync(`/usr/lib/cni/${plugin}`, join(folder, `bin/${plugin}`));
    }
    node = await Namespace.create('cg');
    pod = await Namespace.create('cgp');
    daemon = new SmallDaemon(node, folder);
    await daemon.start();
  });

  after(async () => {
    await node?.delete();
    await pod?.delete();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  function configure(cniVersion: string, ...chained: readonly Record<string, unknown>[]): string {
    const name = `cg-${cniVersion}-${chained.length}`;
    const plugins = [{ type: 'weft-net', runDir: folder }, ...chained];
    writeFileSync(join(folder, 'net.d', `${name}.conflist`), JSON.stringify({ cniVersion, name, plugins }));
    return name;
  }

  /** `variables`: `CAP_ARGS=…` and `CNI_ARGS=…`, by which cnitool takes what a user asks a runtime for. */
  function cnitool(command: string, network: string, ...variables: readonly string[]): Promise<Outcome> {
    const env = [`CNI_PATH=${join(folder, 'bin')}`, `NETCONFPATH=${join(folder, 'net.d')}`, ...variables];
    return node!.attempt('env', [...env, CNITOOL, command, network, pod!.path]);
  }

  async function succeed(command: string, network: string): Promise<string> {
    const outcome = await cnitool(command, network);
    assert.equal(outcome.code, 0, `${command}: ${outcome.stdout}${outcome.stderr}`);
    return outcome.stdout;
  }

  for (const version of VERSIONS) {
    it(`adds, checks and deletes at ${version}`, async () => {
      const network = configure(version);
      const result = JSON.parse(await succeed('add', network)) as PluginDocument;
      assert.equal(result.cniVersion, version);
      assert.equal(result.ips?.length, 2);
      assert.equal((await daemon.allocations()).length, 1);
      if (version !== '0.3.1') await succeed('check', network);
      await succeed('del', network);
      await succeed('del', network);
      assert.deepEqual(await daemon.allocations(), []);
    });
  }

  it('adds, checks and deletes at the head of a chain', async () => {
    // Version 1.1.1 of this plugin crashes on a CHECK without a limit.
    const bandwidth = { type: 'bandwidth', ingressRate: 1_000_000_000, ingressBurst: 1_000_000_000 };
    const network = configure('1.0.0', { type: 'portmap', capabilities: { portMappings: true } }, bandwidth);
    const result = JSON.parse(await succeed('add', network)) as PluginDocument;
    assert.equal(result.interfaces?.[1]?.name, 'eth0');
    await succeed('check', network);
    await succeed('del', network);
    assert.deepEqual(await daemon.allocations(), []);
  });

  it('publishes a port with the list of the README', async () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const [block] = /\{ "cniVersion"[\s\S]*?(?=\n```)/.exec(readme)!;
    const list = JSON.parse(block) as { readonly name: string; readonly plugins: Record<string, unknown>[] };
    list.plugins[0]!.runDir = folder;
    writeFileSync(join(folder, 'net.d', 'readme.conflist'), JSON.stringify(list));
    const outside = await Namespace.create('cgo');
    const echo = fileURLToPath(new URL('./inside/tcp-echo.ts', import.meta.url));
    const ports = [{ hostPort: 7777, containerPort: 7777, protocol: 'tcp' }];
    const mapped = `CAP_ARGS=${JSON.stringify({ portMappings: ports })}`;
    try {
      await connect(
        { namespace: node!, link: 'up0', addresses: ['192.0.2.1/24'] },
        { namespace: outside, link: 'up0', addresses: ['192.0.2.2/24'] },
      );
      await node!.run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
      const added = await cnitool('add', list.name, mapped);
      assert.equal(added.code, 0, added.stdout + added.stderr);
      const [address] = (JSON.parse(added.stdout) as PluginDocument).ips![0]!.address.split('/');
      const server = pod!.startProgram(echo, ['serve', address!]);
      await new Promise((resolve) => server.stdout!.once('data', resolve));
      const sent = (await outside.program(echo, 'send', '192.0.2.1', '1000')) as { readonly same: boolean };
      assert.equal(sent.same, true, 'what is sent to the port of the host comes back from the pod');
      await pod!.stop(server, 'SIGKILL');
      assert.equal((await cnitool('del', list.name, mapped)).code, 0);
      assert.deepEqual(await daemon.allocations(), []);
    } finally {
      await outside.delete();
    }
  });

  it('takes version 1.1 of the list that weftd writes, where the chain speaks it', async () => {
    for (const latest of [new Set<string>(), new Set(['weft-net'])]) {
      const chain = latest.size > 0 ? [] : ['portmap'];
      const list = JSON.parse(cniConfigList({ runDir: folder, present: new Set(chain), latest })) as object;
      const name = `list-${chain.length}`;
      writeFileSync(join(folder, 'net.d', `${name}.conflist`), JSON.stringify({ ...list, name }));
      const result = JSON.parse(await succeed('add', name)) as PluginDocument;
      assert.equal(result.cniVersion, chain.length > 0 ? '1.0.0' : '1.1.0');
      await succeed('status', name);
      await succeed('del', name);
    }
    assert.deepEqual(await daemon.allocations(), []);
  });

  it('has a status wait for a weftd that is being started, where the list asks for that', async () => {
    await daemon.stop('SIGKILL');
    const list = JSON.parse(
      cniConfigList({ runDir: folder, present: new Set(), latest: new Set() }),
    ) as object;
    writeFileSync(join(folder, 'net.d', 'wait.conflist'), JSON.stringify({ ...list, name: 'wait' }));
    const asked = cnitool('status', 'wait');
    await daemon.start();
    const outcome = await asked;
    assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  });

  it('tells a user who asks for a fixed address that there is none', async () => {
    const network = configure('1.0.0');
    const outcome = await cnitool('add', network, 'CNI_ARGS=IgnoreUnknown=1;IP=10.32.0.9');
    assert.notEqual(outcome.code, 0);
    assert.match(outcome.stdout + outcome.stderr, /asks for a fixed IP address \(IP=10\.32\.0\.9\)/);
    assert.deepEqual(await daemon.allocations(), []);
  });

  it('says by status whether pods can be added, and by gc frees what is not in use', async () => {
    const network = configure('1.1.0');
    await succeed('status', network);
    await succeed('add', network);
    await succeed('gc', network);
    assert.deepEqual(await daemon.allocations(), []);
    await daemon.stop('SIGKILL');
    const down = await cnitool('status', network);
    assert.notEqual(down.code, 0);
    assert.match(down.stdout + down.stderr, /weftd is not there/);
    await daemon.start();
  });
});

/** Builds it once, into a folder that git ignores. */
function haveCnitool(): boolean {
  if (existsSync(CNITOOL)) return true;
  mkdirSync(CACHE, { recursive: true });
  const module = `github.com/containernetworking/cni/cnitool@${CNITOOL_VERSION}`;
  const build = spawnSync('go', ['install', module], {
    cwd: CACHE,
    env: { ...process.env, GOBIN: CACHE, CGO_ENABLED: '0' },
    timeout: BUILD_TIMEOUT_MS,
  });
  if (build.status !== 0) return false;
  return spawnSync('mv', [join(CACHE, 'cnitool'), CNITOOL]).status === 0;
}
