import assert from 'node:assert/strict';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { SqliteStore } from '../../ipam/sqlite-store.io.ts';
import { type CommandResult, run } from '../cluster/command.ts';
import { Namespace } from './namespaces.ts';
import { newSecret, type StartOptions, WEFTD, WeftdHost } from './weftd-host.ts';

const NOBODY = 65_534;

/** What a user did wrong, and the one line it must be answered with. */
interface Refusal {
  readonly why: string;
  /** Prepares the fault; gives the arguments, and how weftd is run. */
  readonly make: (
    host: WeftdHost,
  ) => Promise<{ readonly args: readonly string[] } & StartOptions> | ({ args: string[] } & StartOptions);
  readonly line: RegExp;
  readonly code?: number;
}

const SETTINGS: readonly Refusal[] = [
  {
    why: 'no secret file is given',
    make: () => ({ args: ['--name', 'a'] }),
    line: /no secret file is given; make a secret with 'weft secret new/,
    code: 2,
  },
  {
    why: 'the secret file does not exist',
    make: (host) => ({ args: host.args({ '--secret-file': host.path('nothing') }) }),
    line: /secret file \S+nothing does not exist; copy it from another node, or make the first with/,
  },
  {
    why: 'the secret is too short',
    make: async (host) => ({
      args: host.args({ '--secret-file': await host.write('short', 'c2hvcnQ=\n') }),
    }),
    line: /secret.*(short|32)/,
  },
  {
    why: 'the secret is no secret',
    make: async (host) => ({
      args: host.args({ '--secret-file': await host.write('wrong', 'correct horse battery staple\n') }),
    }),
    line: /secret/,
  },
  {
    why: 'others may read the secret file',
    make: async (host) => ({
      args: host.args({ '--secret-file': await host.write('open', newSecret(), 0o644) }),
    }),
    line: /secret file \S+open is open to others \(mode 0644\); run 'chmod 600/,
  },
  {
    why: 'a flag is unknown',
    make: (host) => ({ args: [...host.args(), '--peeer', '192.0.2.1'] }),
    line: /unknown flag --peeer; .*did you mean --peer\?/,
    code: 2,
  },
  {
    why: 'a WEFT_ variable is unknown',
    make: (host) => ({ args: host.args(), env: { WEFT_SECRET: 'x' } }),
    line: /unknown environment variable WEFT_SECRET; unset it and give a file/,
    code: 2,
  },
  {
    why: 'the config file is broken',
    make: async (host) => ({
      args: [...host.args(), '--config', await host.write('config.json', '{"peer": [')],
    }),
    line: /config file \S+config\.json is not JSON .*; mend it there/,
    code: 2,
  },
  {
    why: 'the config file is missing',
    make: (host) => ({ args: [...host.args(), '--config', host.path('no.json')] }),
    line: /config file \S+no\.json does not exist; give another with --config/,
    code: 2,
  },
  {
    why: 'the config file has an unknown key',
    make: async (host) => ({
      args: [...host.args(), '--config', await host.write('key.json', '{"prot": 1}')],
    }),
    line: /config file \S+key\.json has the unknown key "prot"; remove it, or did you mean "port"\?/,
    code: 2,
  },
];

const SURROUNDINGS: readonly Refusal[] = [
  {
    why: 'the range overlaps a route of the host',
    make: (host) => ({ args: host.args({ '--ipalloc-range': '198.51.0.0/16' }) }),
    line: /pod range 198\.51\.0\.0\/16 overlaps the host's route 198\.51\.100\.0\/24 on eth0; choose another range with --ipalloc-range$/,
  },
  {
    why: 'the IPv6 range overlaps an address of the host',
    make: (host) => ({ args: host.args({ '--ipalloc-range6': '2001:db8::/64' }) }),
    line: /pod range 2001:db8::\/64 overlaps the host's address .*--ipalloc-range6$/,
  },
  {
    why: 'it listens on an address that is not of this host',
    make: (host) => ({ args: host.args({ '--listen': '192.0.2.99' }) }),
    line: /192\.0\.2\.99.*; .*--listen/,
  },
  {
    why: '/dev/net/tun is missing',
    make: (host) => ({
      args: host.args(),
      under: inMounts('mount -t tmpfs none /dev/net'),
    }),
    line: /this host has no \/dev\/net\/tun; load the tun module/,
  },
  {
    why: 'it is root without capabilities',
    make: (host) => ({ args: host.args(), under: ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] }),
    line: /; run as root or with CAP_NET_ADMIN/,
  },
  {
    why: 'a folder is of another user, and root has no power over it, as in a pod',
    make: async (host) => {
      const folder = await host.emptyFolder('nobodys');
      await chown(folder, NOBODY, NOBODY);
      return {
        args: host.args({ '--state-dir': `${folder}/state` }),
        under: ['setpriv', '--bounding-set=-all', '--inh-caps=-all'],
      };
    },
    line: /state cannot be made: permission denied; make root the owner of its folder, or give another path$/m,
  },
  {
    why: 'it is not root',
    make: async (host) => {
      await run(['chmod', '755', host.folder]);
      await chown(await host.write('nobodys-secret', newSecret()), NOBODY, NOBODY);
      const state = await host.emptyFolder('nobodys-state');
      await chown(state, NOBODY, NOBODY);
      const nobody = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
      return {
        args: host.args({ '--secret-file': host.path('nobodys-secret'), '--state-dir': state }),
        under: ['setpriv', ...nobody],
      };
    },
    line: /; run as root or with CAP_NET_ADMIN/,
  },
  {
    why: '/proc/sys is read-only and forwarding is off',
    make: (host) => ({
      args: host.args(),
      under: inMounts('mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys'),
    }),
    line: /the kernel setting net\.ipv4\.ip_forward is 0 and must be 1; run sysctl -w net\.ipv4\.ip_forward=1/,
  },
  {
    why: 'nft is missing',
    make: (host) => ({
      args: host.args(),
      under: inMounts(
        'for f in /usr/sbin/nft /sbin/nft; do mount --bind /dev/null "$(readlink -f $f)"; done',
      ),
    }),
    line: /nft/,
  },
];

const STATE: readonly Refusal[] = [
  {
    why: 'the state folder is a file',
    make: async (host) => ({ args: host.args({ '--state-dir': await host.write('file', '') }) }),
    line: /state folder \S+file is a file; remove it, or give another --state-dir/,
  },
  {
    why: "the state folder is somebody else's",
    make: async (host) => {
      const folder = await host.emptyFolder('foreign');
      await writeFile(`${folder}/photo.jpg`, '');
      return { args: host.args({ '--state-dir': folder }) };
    },
    line: /state folder \S+foreign has no version file, but holds 'photo\.jpg'; give a new or empty folder/,
  },
];

/** Runs what follows in a mount namespace of its own after `change`. */
function inMounts(change: string): string[] {
  return ['unshare', '--mount', 'sh', '-c', `${change}\nexec "$0" "$@"`];
}

/** One line, as long as a line may be, that says what and what to do; and nothing of our insides. */
function assertRefused(outcome: CommandResult, line: RegExp, code = 1): void {
  const { stderr, stdout, status } = outcome;
  assert.match(stderr, /^weftd: [^\n]+; [^\n]+\n$/, 'one line: what is wrong; what to do');
  assert.match(stderr.trimEnd(), line);
  assert.doesNotMatch(stderr, /\bat .*:\d+:\d+|Error:|\[object|undefined/);
  assert.ok(stderr.length < 600, `${stderr.length} characters are no clear line`);
  assert.equal(stdout, '');
  assert.equal(status, code);
}

describe('weftd refuses to start, in one clear line and without a trace, where', () => {
  let host: WeftdHost;

  before(async () => {
    host = await WeftdHost.create();
    await host.namespace.run('ip', 'route', 'add', '198.51.100.0/24', 'dev', 'eth0');
  });

  after(async () => {
    await host?.destroy();
  });

  for (const refusal of [...SETTINGS, ...SURROUNDINGS, ...STATE]) {
    it(refusal.why, async () => {
      const { args, ...options } = await refusal.make(host);
      const outcome = await host.refused(args, options);
      assertRefused(outcome, refusal.line, refusal.code);
      assert.equal(await host.traces(), '');
      assert.deepEqual(await host.names('run'), []);
    });
  }

  it('the state folder is of another cluster, a newer version, or lost a file', async () => {
    const state = host.path('used');
    const args = host.args({ '--state-dir': state });
    // The start ends where root has no capabilities, but its folder has been made.
    const made = await host.refused(args, { under: ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] });
    assertRefused(made, /CAP_NET_ADMIN/);
    // As of a node that has a part in a ring: without one, another secret just makes it a new node.
    const store = SqliteStore.open(`${state}/weft.db`);
    store.put('log', new Uint8Array());
    store.flush();
    store.close();
    const before = await host.names('used');
    const other = await host.write('other', newSecret());
    assertRefused(
      await host.refused(host.args({ '--state-dir': state, '--secret-file': other })),
      /state folder \S+used is of cluster [0-9a-f]{8}…, the secret is of [0-9a-f]{8}…; give that cluster's secret/,
    );
    await writeFile(`${state}/version`, '2\n');
    assertRefused(
      await host.refused(args),
      /state folder \S+used is of format 2, this weftd knows 1; install the newer weft again/,
    );
    await writeFile(`${state}/version`, '1\n');
    await run(['mv', `${state}/identity`, host.path('identity')]);
    assertRefused(await host.refused(args), /state folder \S+used has lost or damaged 'identity'; move/);
    await run(['mv', host.path('identity'), `${state}/identity`]);
    await run(['mv', `${state}/weft.db`, host.path('weft.db')]);
    assertRefused(await host.refused(args), /state folder \S+used has lost or damaged 'weft\.db'; move/);
    await writeFile(`${state}/weft.db`, '');
    assertRefused(await host.refused(args), /state folder \S+used has lost or damaged 'weft\.db'; move/);
    await writeFile(`${state}/weft.db`, 'this is no database, whatever its name says'.repeat(100));
    assertRefused(await host.refused(args), /weft\.db/);
    assert.equal(await host.traces(), '');
    assert.deepEqual(await host.names('used'), before);
  });

  it('the disk is full, at whatever moment', async () => {
    // Pages of a tmpfs: its root folder takes none, each file at least one. SQLite takes the most.
    for (const pages of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const state = await host.emptyFolder(`full${pages}`);
      const mounted = `mount -t tmpfs -o mode=700,nr_blocks=${pages} none ${state}`;
      const script = `${mounted}\n"$0" "$@"\nstatus=$?\nls -A ${state}\nexit $status`;
      const { stdout, ...rest } = await host.refused(host.args({ '--state-dir': state }), {
        under: ['unshare', '--mount', 'sh', '-c', script],
      });
      assertRefused({ ...rest, stdout: '' }, /(disk is full|no space left).*; free some space/);
      const left = stdout.trim().split('\n');
      assert.ok(!left.some((name) => name.endsWith('.weft-new')), `half-written: ${left}`);
      if (!left.includes('version')) assert.deepEqual(left, ['lock'], 'all of a state folder, or nothing');
      assert.equal(await host.traces(), '', `${pages} pages`);
      assert.deepEqual(await host.names('run'), []);
    }
  });

  for (const [protocol, listen] of [
    ['TCP', 'server = require("node:net").createServer().listen(6783, "0.0.0.0"'],
    ['UDP', 'socket = require("node:dgram").createSocket("udp4").bind(6783, "0.0.0.0"'],
  ] as const) {
    it(`its ${protocol} port is taken`, async () => {
      const holder = host.namespace.start(process.execPath, ['-e', `${listen}, () => console.log("taken"))`]);
      try {
        await new Promise((resolve) => holder.stdout!.once('data', resolve));
        const outcome = await host.refused(host.args());
        assertRefused(
          outcome,
          new RegExp(
            `${protocol} .*port 6783.* (taken|in use); stop the program that has it.* another --port`,
          ),
        );
        assert.equal(await host.traces(), '');
        assert.deepEqual(await host.names('run'), []);
      } finally {
        await host.namespace.stop(holder);
      }
    });
  }
});

describe('a weftd beside another', () => {
  let host: WeftdHost;
  let elsewhere: Namespace;
  let firstPid = '';

  before(async () => {
    host = await WeftdHost.create();
    elsewhere = await Namespace.create('wd');
    firstPid = String((await host.serve(host.args())).child.pid);
  });

  after(async () => {
    await elsewhere?.delete();
    await host?.destroy();
  });

  const second = (over: Readonly<Record<string, string>>, namespace: string): Promise<CommandResult> =>
    run([WEFTD, ...host.args({ '--run-dir': host.path('run2'), ...over })], { namespace, mayFail: true });

  /** Nothing was left in the namespace without a weftd, and the one with it still serves as before. */
  const untouched = async (): Promise<void> => {
    const { stdout } = await run(['sh', '-c', 'ip -o link show type tun; ip route; nft list tables'], {
      namespace: elsewhere.name,
    });
    assert.equal(stdout, '');
    const status = await run(['bin/weft', '--run-dir', host.path('run'), 'status', '--json']);
    assert.equal(JSON.parse(status.stdout).ipam.state, 'ready');
    assert.deepEqual(await host.names('run2'), []);
  };

  it('on the same state folder is refused, with the process id of the first', async () => {
    assertRefused(
      await second({}, elsewhere.name),
      new RegExp(`another weftd, process ${firstPid}, runs on state folder \\S+state; stop it first`),
    );
    await untouched();
  });

  it('in the same namespace is refused, with the same port and with another', async () => {
    const state = host.path('state2');
    assertRefused(
      await second({ '--state-dir': state }, host.namespace.name),
      /port 6783.* in use|weft0 is in use/,
    );
    assertRefused(
      await second({ '--state-dir': state, '--port': '7000' }, host.namespace.name),
      /TUN device weft0 is in use by another process; stop the other weftd/,
    );
    await untouched();
  });

  it('on the same run folder is refused', async () => {
    const over = { '--state-dir': host.path('state3'), '--run-dir': host.path('run') };
    assertRefused(
      await second(over, elsewhere.name),
      /another weftd serves \S+run\/weft\.sock; stop it, or give/,
    );
    await untouched();
  });

  it('which was stopped finds what is its own in its way neither then nor after a kill', async () => {
    const first = await host.serve(
      host.args({ '--state-dir': host.path('state4'), '--run-dir': host.path('run4') }),
      {
        runDir: host.path('run4'),
        namespace: elsewhere.name,
      },
    );
    await first.stop('SIGKILL');
    const again = await host.serve(
      host.args({ '--state-dir': host.path('state4'), '--run-dir': host.path('run4') }),
      { runDir: host.path('run4'), namespace: elsewhere.name },
    );
    await again.stop();
    assert.equal(again.child.exitCode, 0);

    // With other ranges it would take the routes from pods that run.
    const routes = async (): Promise<string> => (await elsewhere.run('ip', 'route')).replace(' linkdown', '');
    const before = await routes();
    const other = { '--state-dir': host.path('state4'), '--ipalloc-range': '10.99.0.0/16' };
    assertRefused(
      await second(other, elsewhere.name),
      /address range of this node differs .*; start it with --ipalloc-range 10\.32\.0\.0\/13 --ipalloc-range6 fd/,
    );
    assert.match(before, /10\.32\.0\.0\/13 dev weft0/);
    assert.equal(await routes(), before);
  });

  it('goes by the range of its ring where the settings name none', async () => {
    const folders = { '--state-dir': host.path('state5'), '--run-dir': host.path('run5') };
    const options = { runDir: host.path('run5'), namespace: elsewhere.name };
    const first = await host.serve(host.args({ ...folders, '--ipalloc-range': '10.32.0.0/12' }), options);
    await first.stop();
    const again = await host.serve(host.args(folders), options);
    assert.match(await elsewhere.run('ip', 'route'), /10\.32\.0\.0\/12 dev weft0/);
    await again.stop();
    assert.equal(again.child.exitCode, 0);
  });
});

describe('weftd that only tells something', () => {
  it('needs no privileges, no settings and no folder, and leaves nothing', async () => {
    const host = await WeftdHost.create();
    try {
      for (const argument of ['--help', '--version']) {
        const outcome = await host.refused([argument], {
          under: ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'],
        });
        assert.equal(outcome.status, 0, outcome.stderr);
        assert.equal(outcome.stderr, '');
        assert.match(outcome.stdout, argument === '--help' ? /--ipalloc-range6 CIDR/ : /^\d+\.\d+\.\d+\n$/);
      }
      assert.equal(await host.traces(), '');
      await mkdir(host.path('state')); // was not made
    } finally {
      await host.destroy();
    }
  });
});
