import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type PluginCall,
  type PluginDocument,
  type PluginOutcome,
  runPlugin,
  WEFT_NET,
} from './cni-runner.ts';
import { eventually, Namespace } from './namespaces.ts';

/**
 * # The CNI tests, against any daemon
 *
 * Everything goes through the real executable in real namespaces. What serves it is a parameter: the small daemon of
 * cni-daemon.ts, or weftd.
 */

export interface CniDaemonOptions {
  /** Pods that get an address, or, where the daemon has a least number, 8 at most. Default: many. */
  readonly capacity?: number;
  /** Lets every allocation take so long, where the daemon can; so that an ADD can be caught midway. */
  readonly allocateDelayMs?: number;
}

export interface CniDaemon {
  readonly runDir: string;
  /** It puts right by itself what somebody changed on the host. */
  readonly repairsHost: boolean;
  /** Resolves when it serves. State is kept over restarts. */
  start(options?: CniDaemonOptions): Promise<void>;
  /** Resolves when it is gone. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** `containerId/ifname` of everything that has an address. */
  allocations(): Promise<readonly string[]>;
}

export type CniDaemonFactory = (node: Namespace, runDir: string) => CniDaemon;

const ECHO = fileURLToPath(new URL('./inside/tcp-echo.ts', import.meta.url));
const NETWORK = 'cg-net';
const VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
const PARALLEL_PODS = 100;

/** Declares the suite. `createDaemon` is called once, for a node that is a namespace. */
export function describeCni(name: string, createDaemon: CniDaemonFactory): void {
  describe(`weft-net with ${name}`, function () {
    this.timeout(60_000);
    let folder: string;
    let node: Namespace;
    let daemon: CniDaemon;
    let running: CniDaemonOptions | undefined;
    const pods: Namespace[] = [];
    const attached = new Map<string, PluginCall>();

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'weft-cni-'));
      node = await Namespace.create('cg');
      await node.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
      for (let i = 0; i < 3; i++) pods.push(await Namespace.create('cgp'));
      daemon = createDaemon(node, folder);
    });

    after(async () => {
      if (running) await daemon.stop('SIGKILL');
      await Promise.all([node, ...pods].map((namespace) => namespace?.delete()));
      rmSync(folder, { recursive: true, force: true });
    });

    beforeEach(async () => {
      await withDaemon({});
    });

    afterEach(async () => {
      await withDaemon({});
      for (const call of attached.values()) await runPlugin({ ...call, command: 'DEL' });
      attached.clear();
      assert.deepEqual(await hostLinks(), [], 'a test leaves no link');
      assert.deepEqual(await daemon.allocations(), [], 'a test leaves no address');
    });

    /** Sees that the daemon runs with these options. */
    async function withDaemon(options: CniDaemonOptions): Promise<void> {
      if (running && JSON.stringify(running) === JSON.stringify(options)) return;
      if (running) await stopDaemon('SIGTERM');
      await daemon.start(options);
      running = options;
    }

    async function stopDaemon(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
      running = undefined;
      await daemon.stop(signal);
    }

    async function hostLinks(): Promise<string[]> {
      const links = JSON.parse(await node.run('ip', '-j', 'link', 'show')) as { ifname: string }[];
      return links.map((link) => link.ifname).filter((ifname) => ifname.startsWith('wv'));
    }

    function configOf(extra: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
      return { cniVersion: '1.1.0', name: NETWORK, type: 'weft-net', runDir: daemon.runDir, ...extra };
    }

    /** A call about pod `i` as container `id`. */
    function call(
      command: string,
      i = 0,
      id = `pod-${i}`,
      extra: Partial<PluginCall> = {},
    ): Promise<PluginOutcome> {
      const whole: PluginCall = {
        command,
        node: node.path,
        containerId: id,
        netns: pods[i]!.path,
        ifname: 'eth0',
        config: configOf(),
        ...extra,
      };
      if (command === 'ADD') attached.set(`${id}/${whole.ifname}`, { ...whole, config: configOf() });
      return runPlugin(whole);
    }

    async function add(i = 0, id = `pod-${i}`, extra: Partial<PluginCall> = {}): Promise<PluginDocument> {
      const outcome = await call('ADD', i, id, extra);
      assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
      return outcome.json!;
    }

    function assertError(outcome: PluginOutcome, code: number, message?: RegExp): void {
      assert.equal(outcome.code, 1, `exit 1 wanted: ${outcome.stdout}`);
      assert.equal(outcome.json?.code, code, outcome.stdout);
      assert.ok(outcome.json.msg && VERSIONS.some((version) => version === outcome.json?.cniVersion));
      if (message) assert.match(outcome.json.msg, message);
    }

    function addressOf(result: PluginDocument, family: 4 | 6): string {
      const text = result.ips?.find((ip) => ip.address.includes(':') === (family === 6))?.address;
      assert.ok(text !== undefined, `an address of IPv${family}`);
      assert.ok(text.endsWith(family === 4 ? '/32' : '/128'), text);
      return text.slice(0, text.indexOf('/'));
    }

    describe('what the executable checks itself', () => {
      it('VERSION needs no other variable', async () => {
        const outcome = await runPlugin({
          command: 'VERSION',
          node: node.path,
          config: { cniVersion: '1.0.0' },
          env: { CNI_PATH: undefined, PATH: undefined },
        });
        assert.equal(outcome.code, 0);
        assert.deepEqual(outcome.json, { cniVersion: '1.0.0', supportedVersions: VERSIONS });
      });

      it('VERSION answers without a config, too', async () => {
        const outcome = await runPlugin({ command: 'VERSION', node: node.path, config: '' });
        assert.deepEqual(outcome.json?.supportedVersions, VERSIONS);
      });

      it('a missing, an empty and an unknown command are code 4', async () => {
        for (const command of [undefined, '', 'add', 'FROBNICATE']) {
          assertError(await call('x', 0, 'pod-0', { command }), 4, /CNI_COMMAND/);
        }
      });

      const needed = {
        ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
        CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
        DEL: ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'],
        GC: ['CNI_PATH'],
        STATUS: ['CNI_PATH'],
      };
      for (const [command, variables] of Object.entries(needed)) {
        it(`${command} names each variable that is missing, and all of them together`, async () => {
          for (const missing of [...variables.map((variable) => [variable]), variables]) {
            const env = Object.fromEntries(missing.map((variable) => [variable, undefined]));
            const outcome = await call(command, 0, 'pod-0', { env });
            assertError(outcome, 4);
            for (const variable of variables) {
              assert.equal(outcome.json?.msg?.includes(variable), missing.includes(variable), outcome.stdout);
            }
          }
        });
      }

      it('a container id that is a path, and one that is too long, are code 4', async () => {
        for (const id of ['../x', 'a/b', '-a', 'a b', 'a'.repeat(129)]) {
          assertError(await call('ADD', 0, 'bad', { containerId: id }), 4, /CNI_CONTAINERID/);
        }
      });

      it('an interface name of 16 characters, or with a slash, colon or space, is code 4', async () => {
        for (const ifname of ['a'.repeat(16), 'a/b', 'a:b', 'a b', '.', '..']) {
          assertError(await call('DEL', 0, 'pod-0', { ifname }), 4, /CNI_IFNAME/);
        }
      });

      it('broken JSON is code 6', async () => {
        for (const config of ['{', '', '[]', 'null', '{"a":1,}', '{"name":"\u0001"}', '"text"']) {
          assertError(await call('ADD', 0, 'pod-0', { config }), 6);
        }
      });

      it('a config of more than 1 MiB is refused', async () => {
        const config = JSON.stringify(configOf({ filling: 'x'.repeat(1024 * 1024) }));
        assertError(await call('ADD', 0, 'pod-0', { config }), 5, /1 MiB/);
      });

      it('a key that means nothing is code 2, by name, and a pod keeps no address of it', async () => {
        const wrong = { config: configOf({ rundir: '/run/x' }) };
        assertError(await call('ADD', 0, 'pod-0', wrong), 2, /no key rundir .*"\/run\/x"/);
        assertError(await call('STATUS', 0, 'pod-0', wrong), 2, /no key rundir/);
        assert.deepEqual([await daemon.allocations(), await hostLinks()], [[], []]);
        await add();
        assert.equal(
          (await call('DEL', 0, 'pod-0', wrong)).code,
          0,
          'what was attached before can be deleted',
        );
      });

      it('a request for a fixed address is code 7, and the pod gets no other', async () => {
        const asked: Partial<PluginCall>[] = [
          { env: { CNI_ARGS: 'IgnoreUnknown=1;IP=10.32.0.9;K8S_POD_NAME=a' } },
          { env: { CNI_ARGS: 'MAC=02:00:00:00:00:01' } },
          { config: configOf({ runtimeConfig: { ips: ['10.32.0.9/32'] } }) },
          { config: configOf({ args: { cni: { ips: ['10.32.0.9'] } } }) },
          { config: configOf({ ipam: { type: 'host-local', subnet: '10.32.0.0/24' } }) },
        ];
        for (const extra of asked) assertError(await call('ADD', 0, 'pod-0', extra), 7, /asks for/);
        assert.deepEqual([await daemon.allocations(), await hostLinks()], [[], []]);
      });

      it('a missing and an impossible name are code 7', async () => {
        for (const network of [undefined, '', '../up', 7]) {
          assertError(await call('ADD', 0, 'pod-0', { config: configOf({ name: network }) }), 7, /name/);
        }
      });

      it('a version that is not spoken is code 1', async () => {
        for (const cniVersion of ['9.9.9', '0.2.0', undefined]) {
          assertError(await call('ADD', 0, 'pod-0', { config: configOf({ cniVersion }) }), 1, /0\.3\.1/);
        }
      });

      it('the namespace of the host itself is code 8', async () => {
        for (const command of ['ADD', 'CHECK']) {
          assertError(await call(command, 0, 'pod-0', { netns: node.path }), 8);
        }
        assert.deepEqual(await daemon.allocations(), []);
      });

      it('CNI_NETNS_OVERRIDE does not turn the host into a pod: its routes and settings stay', async () => {
        await node.run('ip', 'link', 'add', 'up0', 'type', 'bridge');
        await node.run('ip', 'link', 'set', 'up0', 'up');
        await node.run('ip', 'address', 'add', '192.0.2.1/24', 'dev', 'up0');
        await node.run('ip', 'route', 'add', 'default', 'via', '192.0.2.254', 'metric', '100');
        const settings = ['net.ipv4.conf.all.accept_redirects', 'net.ipv6.conf.default.accept_ra'];
        const state = async () =>
          (await node.run('ip', 'route', 'show', 'default')) + (await node.run('sysctl', ...settings));
        const before = await state();
        for (const command of ['ADD', 'CHECK']) {
          const env = { CNI_NETNS_OVERRIDE: '1' };
          assertError(await call(command, 0, 'pod-0', { netns: node.path, ifname: 'pod0', env }), 8);
        }
        assert.equal(await state(), before);
        assert.deepEqual(await daemon.allocations(), []);
        await node.run('ip', 'link', 'delete', 'up0');
      });

      it('a namespace that is not there is an error at ADD, and no address is kept', async () => {
        for (const netns of ['/run/netns/cg-none', '/etc/passwd', '/proc']) {
          const outcome = await call('ADD', 0, 'pod-0', { netns });
          assert.equal(outcome.code, 1);
          assert.ok(outcome.json?.msg);
        }
        assert.deepEqual(await daemon.allocations(), []);
      });
    });

    describe('ADD', () => {
      for (const version of VERSIONS) {
        it(`answers in the form of ${version}`, async () => {
          const result = await add(0, 'pod-0', {
            config: configOf({ cniVersion: version, dns: { domain: 'x' } }),
          });
          assert.equal(result.cniVersion, version);
          const [host, pod] = result.interfaces!;
          assert.match(host!.name, /^wv[0-9a-f]{11}$/);
          assert.equal(host!.sandbox, undefined);
          assert.equal(pod!.name, 'eth0');
          assert.equal(pod!.sandbox, pods[0]!.path);
          assert.equal(typeof pod!.mtu, version === '1.1.0' ? 'number' : 'undefined');
          assert.deepEqual(result.dns, { domain: 'x' });
          for (const ip of result.ips!) {
            assert.equal(ip.interface, 1);
            const family = ip.address.includes(':') ? '6' : '4';
            assert.equal(ip.version, version < '1.0.0' ? family : undefined);
          }
          assert.deepEqual(
            result.routes?.map((route) => route.dst),
            ['0.0.0.0/0', '::/0'],
          );
        });
      }

      it('prints one JSON document and nothing else, in the pod what it says', async () => {
        const outcome = await call('ADD');
        assert.equal(outcome.stderr, '');
        assert.equal(outcome.stdout.trim().split('\n').length, 1);
        const result = outcome.json!;
        const links = await pods[0]!.run('ip', '-j', 'address', 'show', 'dev', 'eth0');
        const [link] = JSON.parse(links) as {
          address: string;
          mtu: number;
          flags: string[];
          addr_info: { local: string; prefixlen: number; scope: string }[];
        }[];
        assert.equal(link?.address, result.interfaces?.[1]?.mac);
        assert.equal(link?.mtu, result.interfaces?.[1]?.mtu);
        assert.ok(link !== undefined);
        assert.ok(link.flags.includes('UP'));
        const global = link.addr_info.filter(({ scope }) => scope === 'global');
        assert.deepEqual(
          global.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
          result.ips?.map((ip) => ip.address),
        );
      });

      it('makes the pod deaf to router advertisements and redirects', async () => {
        await add();
        const settings = await pods[0]!.run(
          'sysctl',
          '-n',
          'net.ipv6.conf.eth0.accept_ra',
          'net.ipv6.conf.eth0.accept_redirects',
          'net.ipv4.conf.eth0.accept_redirects',
        );
        assert.equal(settings.trim(), '0\n0\n0');
        const host = (await hostLinks())[0]!;
        assert.equal((await node.run('sysctl', '-n', `net.ipv6.conf.${host}.accept_ra`)).trim(), '0');
      });

      it('lets pods reach each other and the node over both families', async () => {
        const results = [await add(0), await add(1)];
        for (const family of [4, 6] as const) {
          const [server, client] = results.map((result) => addressOf(result, family));
          const echo = pods[0]!.startProgram(ECHO, ['serve', server!]);
          await new Promise((resolve) => echo.stdout!.once('data', resolve));
          const sent = await pods[1]!.program(ECHO, 'send', server!, '50000', client!);
          await pods[0]!.stop(echo);
          assert.deepEqual(sent, { returned: 50000, same: true });
        }
        for (const pod of [pods[0]!, pods[1]!, node]) {
          const neighbours = (await pod.run('ip', 'neighbour')).trim().split('\n');
          for (const line of neighbours) assert.match(line, /PERMANENT/, 'nobody had to ask');
        }
      });

      it('takes CNI_ARGS in any order with keys it does not know', async () => {
        for (const args of [
          'K8S_POD_NAME=a;IgnoreUnknown=1',
          'Z=;IgnoreUnknown=0;FOO=bar=baz;;K8S_POD_UID=\xff',
        ]) {
          const outcome = await call('ADD', 0, 'args', { env: { CNI_ARGS: args } });
          assert.equal(outcome.code, 0, outcome.stdout);
          assert.equal((await call('DEL', 0, 'args', { env: { CNI_ARGS: args } })).code, 0);
        }
      });

      it('refuses an interface that exists, and leaks nothing', async () => {
        await pods[0]!.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'other0');
        try {
          assertError(await call('ADD'), 100, /eth0/);
          assert.deepEqual(await hostLinks(), []);
          assert.deepEqual(await daemon.allocations(), []);
          assert.match(await pods[0]!.run('ip', 'link', 'show', 'eth0'), /eth0@other0/);
        } finally {
          await pods[0]!.run('ip', 'link', 'delete', 'eth0');
        }
      });

      it('refuses a second ADD of the same container and leaves the first as it is', async () => {
        const result = await add();
        assertError(await call('ADD'), 100);
        const config = configOf({ prevResult: result });
        assert.equal((await call('CHECK', 0, 'pod-0', { config })).code, 0);
      });

      it('refuses a second interface whose default route has no place, and leaks nothing', async () => {
        const first = await add();
        assertError(await call('ADD', 0, 'pod-0', { ifname: 'net1' }), 100, /route/);
        assert.deepEqual(await daemon.allocations(), ['pod-0/eth0']);
        assert.equal((await hostLinks()).length, 1);
        assert.doesNotMatch(await pods[0]!.run('ip', 'link', 'show'), /net1/);
        const config = configOf({ prevResult: first });
        assert.equal((await call('CHECK', 0, 'pod-0', { config })).code, 0);
      });

      it(`gives ${PARALLEL_PODS} pods at once different addresses`, async () => {
        const many: Namespace[] = [];
        try {
          for (let i = 0; i < PARALLEL_PODS; i++) many.push(await Namespace.create('cgm'));
          const outcomes = await Promise.all(
            many.map((pod, i) => call('ADD', 0, `many-${i}`, { netns: pod.path })),
          );
          const failed = outcomes.filter((outcome) => outcome.code !== 0);
          assert.deepEqual(
            failed.map((outcome) => outcome.stdout),
            [],
          );
          const addresses = outcomes.flatMap((outcome) => outcome.json!.ips!.map((ip) => ip.address));
          assert.equal(new Set(addresses).size, 2 * PARALLEL_PODS);
          const deleted = await Promise.all(
            many.map((pod, i) => call('DEL', 0, `many-${i}`, { netns: pod.path })),
          );
          assert.ok(deleted.every((outcome) => outcome.code === 0));
        } finally {
          for (const pod of many) await pod.delete();
        }
      });

      it('leaves nothing when it is killed midway and then deleted', async () => {
        await withDaemon({ allocateDelayMs: 100 });
        for (const killAfterMs of [0, 2, 5, 10, 50, 98, 100, 101, 102, 104, 106, 110, 115, 120]) {
          await call('ADD', 0, 'killed', { killAfterMs });
          assert.equal((await call('DEL', 0, 'killed')).code, 0);
          assert.deepEqual(await hostLinks(), []);
          assert.deepEqual(await daemon.allocations(), []);
        }
      });
    });

    describe('DEL', () => {
      it('succeeds twice, and for what was never added', async () => {
        await add();
        for (let i = 0; i < 2; i++) {
          const outcome = await call('DEL');
          assert.deepEqual([outcome.code, outcome.stdout], [0, '']);
        }
        assert.equal((await call('DEL', 0, 'never')).code, 0);
      });

      it('succeeds without namespace, with one that is gone, and with the host’s', async () => {
        for (const netns of ['', undefined, '/run/netns/cg-none', node.path]) {
          await add();
          assert.equal((await call('DEL', 0, 'pod-0', { env: { CNI_NETNS: netns } })).code, 0);
          assert.deepEqual(await hostLinks(), []);
          assert.deepEqual(await daemon.allocations(), []);
        }
      });

      it('gives the address back when the pod’s namespace died first', async () => {
        const pod = await Namespace.create('cgp');
        await add(0, 'dying', { netns: pod.path });
        await pod.delete();
        assert.equal((await call('DEL', 0, 'dying', { netns: pod.path })).code, 0);
        assert.deepEqual(await daemon.allocations(), []);
      });

      it('needs no prevResult and passes over a corrupt one', async () => {
        for (const prevResult of [undefined, null, 'rubbish', [], { ips: 7, interfaces: 'x' }]) {
          await add();
          assert.equal((await call('DEL', 0, 'pod-0', { config: configOf({ prevResult }) })).code, 0);
          assert.deepEqual(await daemon.allocations(), []);
        }
      });

      it('of an old container leaves the new one in the same namespace untouched', async () => {
        await add(0, 'old');
        assert.equal((await call('DEL', 0, 'old')).code, 0);
        const result = await add(0, 'new');
        assert.equal((await call('DEL', 0, 'old')).code, 0);
        const config = configOf({ prevResult: result });
        assert.equal((await call('CHECK', 0, 'new', { config })).code, 0);
      });
    });

    describe('CHECK', () => {
      it('passes right after ADD, at every version that has it', async () => {
        for (const cniVersion of VERSIONS) {
          const result = await add(0, 'pod-0', { config: configOf({ cniVersion }) });
          const config = configOf({ cniVersion, prevResult: result });
          const outcome = await call('CHECK', 0, 'pod-0', { config });
          if (cniVersion === '0.3.1') assertError(outcome, 1);
          else assert.deepEqual([outcome.code, outcome.stdout], [0, '']);
          await call('DEL');
        }
      });

      const damage: readonly [
        string,
        RegExp,
        (pod: Namespace, result: PluginDocument) => Promise<unknown>,
      ][] = [
        [
          'an address in the pod',
          /address/,
          (pod, result) => pod.run('ip', 'address', 'delete', result.ips![0]!.address, 'dev', 'eth0'),
        ],
        [
          'an IPv6 address in the pod',
          /address/,
          (pod, result) => pod.run('ip', 'address', 'delete', result.ips![1]!.address, 'dev', 'eth0'),
        ],
        [
          'the default route in the pod',
          /default route/,
          (pod) => pod.run('ip', 'route', 'delete', 'default'),
        ],
        ['the interface in the pod', /eth0/, (pod) => pod.run('ip', 'link', 'delete', 'eth0')],
        [
          'the route on the host',
          /on the host/,
          (_, result) => node.run('ip', 'route', 'delete', result.ips![0]!.address),
        ],
        [
          'the host’s end being up',
          /on the host/,
          (_, result) => node.run('ip', 'link', 'set', result.interfaces![0]!.name, 'down'),
        ],
      ];
      for (const [what, named, break_] of damage) {
        it(`fails without ${what}, and says so, or it is put right`, async () => {
          const result = await add();
          const check = (): Promise<PluginOutcome> =>
            call('CHECK', 0, 'pod-0', { config: configOf({ prevResult: result }) });
          await break_(pods[0]!, result);
          if (what.includes('host') && daemon.repairsHost) {
            await eventually('the host to be as it was', async () => (await check()).code === 0);
            return;
          }
          const outcome = await check();
          assertError(outcome, 101);
          assert.match(outcome.json?.details ?? '', named);
        });
      }

      it('fails for a pod that was never added, and without prevResult', async () => {
        assertError(await call('CHECK', 0, 'never'), 101);
        await add();
        assertError(await call('CHECK'), 7);
      });
    });

    describe('STATUS', () => {
      it('passes while the daemon can attach pods', async () => {
        const outcome = await call('STATUS');
        assert.deepEqual([outcome.code, outcome.stdout], [0, '']);
      });

      it('is code 50 within a second when the daemon is down', async () => {
        await stopDaemon('SIGKILL');
        const outcome = await call('STATUS');
        assertError(outcome, 50, /weftd/);
        assert.ok(outcome.ms < 1000, `${outcome.ms} ms`);
      });

      it('passes while pods run, also when no address is free for more, and ADD is code 11', async () => {
        await withDaemon({ capacity: 1 });
        const more: Namespace[] = [];
        try {
          let refused: PluginOutcome | undefined;
          while (refused === undefined) {
            assert.ok(more.length < 8);
            more.push(await Namespace.create('cgm'));
            const outcome = await call('ADD', 0, `full-${more.length}`, { netns: more.at(-1)!.path });
            if (outcome.code !== 0) refused = outcome;
          }
          assertError(refused, 11);
          assert.equal((await call('STATUS')).code, 0);
          assert.equal((await call('DEL', 0, 'full-1')).code, 0);
          assert.equal((await call('STATUS')).code, 0);
          await add();
        } finally {
          for (const pod of more) await pod.delete();
        }
      });
    });

    describe('GC', () => {
      it('frees two of three when one is valid, then the rest', async () => {
        const results = [await add(0), await add(1), await add(2)];
        const valid = [{ containerID: 'pod-1', ifname: 'eth0' }];
        const config = configOf({ 'cni.dev/valid-attachments': valid });
        assert.equal((await call('GC', 0, 'x', { config })).code, 0);
        assert.deepEqual(await daemon.allocations(), ['pod-1/eth0']);
        const check = configOf({ prevResult: results[1] });
        assert.equal((await call('CHECK', 1, 'pod-1', { config: check })).code, 0);
        const none = configOf({ 'cni.dev/valid-attachments': [] });
        assert.equal((await call('GC', 0, 'x', { config: none })).code, 0);
        assert.deepEqual([await daemon.allocations(), await hostLinks()], [[], []]);
      });

      it('leaves the attachments of another network alone', async () => {
        await add(0, 'other', { config: configOf({ name: 'another' }) });
        const none = configOf({ 'cni.dev/valid-attachments': [] });
        assert.equal((await call('GC', 0, 'x', { config: none })).code, 0);
        assert.deepEqual(await daemon.allocations(), ['other/eth0']);
      });
    });

    describe('a daemon that is away', () => {
      it('ADD, CHECK and GC are code 11 within a second', async () => {
        await stopDaemon('SIGKILL');
        const config = configOf({ 'cni.dev/valid-attachments': [] });
        for (const command of ['ADD', 'CHECK', 'GC']) {
          const outcome = await call(command, 0, 'pod-0', { config });
          assertError(outcome, 11, /weftd/);
          assert.ok(outcome.ms < 1000, `${outcome.ms} ms`);
        }
      });

      it('is waited for by an ADD as long as its config says', async () => {
        await stopDaemon('SIGKILL');
        const config = configOf({ addWaitSeconds: 20 });
        const adding = call('ADD', 0, 'pod-0', { config });
        await new Promise((resolve) => setTimeout(resolve, 1500));
        await withDaemon({});
        assert.equal((await adding).code, 0, (await adding).stdout);
        await stopDaemon('SIGKILL');
        const short = await call('ADD', 1, 'pod-1', { config: configOf({ addWaitSeconds: 2 }) });
        assertError(short, 11, /weftd/);
        assert.ok(short.ms > 1500 && short.ms < 4000, `${short.ms} ms`);
        for (const addWaitSeconds of [-1, 46, 1e9, 1.5, '3', null]) {
          const refused = await call('ADD', 1, 'pod-1', { config: configOf({ addWaitSeconds }) });
          assertError(refused, 7, /addWaitSeconds/);
        }
      });

      it('DEL succeeds, and is carried out when the daemon comes back', async () => {
        await add(0);
        await add(1);
        await stopDaemon('SIGKILL');
        assert.equal((await call('DEL', 0)).code, 0);
        assert.equal((await call('DEL', 0)).code, 0);
        assert.equal((await hostLinks()).length, 2, 'nobody was there to do it');
        await withDaemon({});
        assert.deepEqual(await daemon.allocations(), ['pod-1/eth0']);
        assert.equal((await hostLinks()).length, 1);
      });

      it('keeps 256 deletions and refuses the next', async () => {
        await stopDaemon('SIGKILL');
        for (let batch = 0; batch < 8; batch++) {
          const ids = Array.from({ length: 32 }, (_, i) => `gone-${batch * 32 + i}`);
          const outcomes = await Promise.all(ids.map((id) => call('DEL', 0, id)));
          assert.ok(outcomes.every((outcome) => outcome.code === 0));
        }
        assertError(await call('DEL', 0, 'gone-256'), 11);
        assert.equal((await call('DEL', 0, 'gone-7')).code, 0, 'one that waits already');
        await withDaemon({});
        assert.equal((await call('DEL', 0, 'gone-256')).code, 0);
      });

      it('comes back to pods that are still attached, and mends what was broken meanwhile', async () => {
        const results = [await add(0), await add(1)];
        await stopDaemon('SIGKILL');
        await node.run('ip', 'route', 'delete', results[1]!.ips![0]!.address);
        await withDaemon({});
        for (const i of [0, 1]) {
          const config = configOf({ prevResult: results[i] });
          const outcome = await call('CHECK', i, `pod-${i}`, { config });
          assert.equal(outcome.code, 0, outcome.stdout);
        }
      });

      it('leaves nothing when it is killed amid ADDs and their DELs come after its restart', async () => {
        for (const killAfterMs of [1, 2, 3, 4, 6, 8, 12]) {
          const adding = [0, 1, 2].map((i) => call('ADD', i, `amid-${i}`));
          await new Promise((resolve) => setTimeout(resolve, killAfterMs));
          await stopDaemon('SIGKILL');
          await withDaemon({});
          for (const outcome of await Promise.all(adding)) {
            if (outcome.code !== 0) assert.equal(outcome.json?.code, 11, outcome.stdout);
          }
          for (const i of [0, 1, 2]) assert.equal((await call('DEL', i, `amid-${i}`)).code, 0);
          assert.deepEqual([await hostLinks(), await daemon.allocations()], [[], []]);
        }
      });

      it('releases after a reboot what belonged to the old boot, in any order with new pods', async () => {
        await add(0, 'old-0');
        await add(1, 'old-1');
        await stopDaemon('SIGKILL');
        for (const link of await hostLinks()) await node.run('ip', 'link', 'delete', link);
        await withDaemon({});
        assert.deepEqual(await daemon.allocations(), []);
        await add(0, 'new-0');
        assert.equal((await call('DEL', 0, 'old-0', { netns: '' })).code, 0);
        assert.deepEqual(await daemon.allocations(), ['new-0/eth0']);
      });
    });

    describe('beside others', () => {
      it('hands its result through portmap and bandwidth intact', async function () {
        for (const cniVersion of ['0.3.1', '0.4.0', '1.0.0']) {
          const result = await add(0, 'pod-0', {
            config: configOf({ cniVersion, dns: { nameservers: ['10.0.0.10'] } }),
          });
          let prevResult: unknown = result;
          for (const plugin of ['portmap', 'bandwidth']) {
            const binary = `/usr/lib/cni/${plugin}`;
            if (!existsSync(binary)) this.skip();
            const limits = { ingressRate: 1_000_000_000, ingressBurst: 1_000_000_000 };
            const runtimeConfig = plugin === 'bandwidth' ? { bandwidth: limits } : { portMappings: [] };
            const config = { cniVersion, name: NETWORK, type: plugin, runtimeConfig, prevResult };
            const outcome = await call('CHAINED', 0, 'pod-0', { command: 'ADD', binary, config });
            assert.equal(outcome.code, 0, outcome.stdout);
            prevResult = outcome.json;
          }
          assert.deepEqual((prevResult as PluginDocument).ips, result.ips);
          const ours = (prevResult as PluginDocument).interfaces?.slice(0, 2);
          assert.deepEqual(ours, result.interfaces);
          assert.deepEqual((prevResult as PluginDocument).routes, result.routes);
          assert.deepEqual((prevResult as PluginDocument).dns, result.dns);
          if (cniVersion !== '0.3.1') {
            const config = configOf({ cniVersion, prevResult });
            assert.equal((await call('CHECK', 0, 'pod-0', { config })).code, 0);
          }
          assert.equal(
            (await call('DEL', 0, 'pod-0', { config: configOf({ cniVersion, prevResult }) })).code,
            0,
          );
        }
      });

      it('adds to the result of a plugin before it', async () => {
        const prevResult = {
          cniVersion: '1.0.0',
          interfaces: [{ name: 'first0', mac: '02:00:00:00:00:01' }],
          ips: [{ address: '192.0.2.7/24', interface: 0 }],
          routes: [{ dst: '198.51.100.0/24' }],
          dns: { nameservers: ['192.0.2.53'] },
        };
        const result = await add(0, 'pod-0', { config: configOf({ cniVersion: '1.0.0', prevResult }) });
        assert.deepEqual(result.interfaces?.[0], prevResult.interfaces[0]);
        assert.equal(result.interfaces?.[result.ips?.[1]?.interface ?? 0]?.name, 'eth0');
        assert.equal(result.ips?.[0]?.address, '192.0.2.7/24');
        assert.deepEqual(result.dns, prevResult.dns);
      });

      it('survives daemons replaced under churn: every ADD succeeds, or is told to try again and then does', async () => {
        const old = join(folder, 'weft-net-old');
        copyFileSync(WEFT_NET, old);
        let churning = true;
        let rounds = 0;
        const churn = [0, 1, 2].map(async (i) => {
          while (churning) {
            const id = `churn-${i}-${rounds++}`;
            let outcome = await call('ADD', i, id, { binary: old });
            for (let attempt = 0; outcome.json?.code === 11 && attempt < 10; attempt++) {
              outcome = await call('ADD', i, id, { binary: old });
            }
            assert.equal(outcome.code, 0, outcome.stdout);
            assert.equal((await call('DEL', i, id, { binary: old })).code, 0);
          }
        });
        const replaced = (async () => {
          for (let i = 0; i < 3; i++) {
            await stopDaemon('SIGTERM');
            await withDaemon({});
            const seen = rounds;
            await eventually('pods to come after the daemon was replaced', () => rounds > seen + 2);
          }
          churning = false;
        })();
        await Promise.all([...churn, replaced]);
        attached.clear();
      });
    });
  });
}
