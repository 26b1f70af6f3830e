import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { WeftError } from '../../../base/weft-error.ts';
import { EXIT, runProgram, type World } from '../../../cli/program.ts';
import type { ControlResults } from '../../../control/control-protocol.ts';
import type { PeerStatus } from '../../../control/peer-status.ts';
import type { ResetOptions } from '../../../daemon/reset.io.ts';
import { type Finding, fault, fine } from '../../../doctor/finding.ts';
import type { ReachOutcome } from '../../../host/tcp-probe.io.ts';

const PEER: PeerStatus = {
  name: 'node-b',
  peerId: 'b'.repeat(64),
  state: 'connected',
  endpoint: '192.0.2.2:6783',
  via: null,
  datapath: 'sleeve',
  suite: 'chacha20-poly1305',
  rttMs: 0.42,
};
const IPAM = {
  state: 'ready',
  detail: '',
  ranges: ['10.32.0.0/13'],
  owned: 524288,
  used: 3,
  families: { 4: { owned: '524288', used: 3 } },
} as const;
const STATUS: ControlResults['status'] = {
  name: 'node-a',
  peerId: 'a'.repeat(64),
  version: '0.1.0',
  addresses: ['10.32.0.1'],
  peers: [PEER, { ...PEER, name: 'evil\u001b[2J\nname', state: 'dead', endpoint: null, rttMs: null }],
  ipam: IPAM,
  datapath: {
    name: 'sleeve',
    suites: ['aes-256-gcm', 'chacha20-poly1305'],
    without: [{ feature: 'UDP super-packets from the TUN', fault: 'this kernel does not grant it' }],
  },
};
const PEERS: ControlResults['peers'] = {
  peers: [
    {
      ...PEER,
      sentBytes: 1536,
      receivedBytes: 7,
      version: '0.1.0',
      endpoints: [],
      addresses: ['10.40.0.1'],
      mtu: 1364,
      mtuConfirmed: true,
      link: 'ours',
    },
  ],
  seeds: ['node-b:6783'],
};
const SETTINGS: ControlResults['report']['settings'] = {
  ranges: ['10.32.0.0/12'],
  port: 6783,
  stateDir: '/var/lib/weft',
  masquerade: true,
  cniConfig: null,
  cniBinDir: '/opt/cni/bin',
  sysctlDir: '/proc/sys',
};
const RESULTS: ControlResults = {
  status: STATUS,
  peers: PEERS,
  ipam: {
    ...IPAM,
    owners: [{ range: '10.32.0.0/13', name: 'node-a', peerId: 'a'.repeat(64) }],
    removals: [
      {
        name: 'node-c',
        peerId: 'c'.repeat(64),
        phase: 'asking',
        secondsLeft: null,
        votes: { needed: 3, of: 4, missing: ['node-d (left)'] },
      },
    ],
    allocations: [{ containerId: 'c1', ifname: 'eth0', addresses: ['10.32.0.2'] }],
  },
  clusterTunnels: { tunnels: [], more: 0, nodes: 0, silent: [] },
  connect: { connecting: ['b:6783'] },
  forget: { forgotten: ['b:6783'], unknown: ['c:6783'] },
  rmpeer: { peerId: 'b'.repeat(64), name: 'node-b', ranges: ['10.40.0.0/13'] },
  leave: { ranges: ['10.32.0.0/13'] },
  locate: { address: '10.40.0.1', peer: PEER, mtu: 1364, mtuConfirmed: true },
  report: { status: STATUS, settings: SETTINGS, peers: PEERS, counters: { dropped: 1 }, gauges: { held: 2 } },
  process: { pid: 7, pidNamespace: 'pid:[1]' },
  yield: { yielded: true },
  probe: { sent: 1, near: { seen: [], drops: [] }, answeredMs: null, dropped: {} },
  policyWait: { revision: 'r', attachments: [], peers: [] },
  policyDecided: { known: 0 },
  flowTotals: { node: 'n', seconds: 1, rows: [], others: null, counted: true, notes: [] },
  flows: { node: 'n', rows: [], cursor: 'c-0', lost: 0, more: 0, counted: true, recording: false, notes: [] },
};

/** A world that answers from {@link RESULTS} and remembers what it was asked. */
class FakeWorld implements World {
  readonly asked: [string, unknown][] = [];
  readonly files = new Map<string, string>();
  stdout = '';
  stderr = '';
  env: Record<string, string> = {};
  version = '9.9.9';
  fault: unknown;
  results = RESULTS;

  ask: World['ask'] = (runDir, request) => {
    this.asked.push([runDir, request]);
    return this.fault === undefined ? Promise.resolve(this.results[request.op]) : Promise.reject(this.fault);
  };
  readonly policy: World['policy'] = {
    ask: () => Promise.reject(new Error('nobody asks weft-npc here')),
    readText: () => '',
  };
  readonly why: World['why'] = () => Promise.reject(new Error('nobody asks why here'));
  readonly ui: World['ui'] = () => Promise.reject(new Error('nobody looks here'));
  readonly findings: Finding[] = [];
  async *doctor(): AsyncGenerator<Finding> {
    yield* this.findings;
  }
  readonly tested: Parameters<World['connectivity']>[1][] = [];
  async *connectivity(...[, question]: Parameters<World['connectivity']>): AsyncGenerator<Finding> {
    this.tested.push(question);
    yield* this.findings;
  }
  /** Answers of the target, one a probe; silence after them. */
  readonly answers: ReachOutcome[] = [];
  readonly pinging = {
    probeTcp: async () => this.answers.shift() ?? ({ outcome: 'silent' } as const),
    probeSize: async () => 'answered' as const,
    pause: async () => undefined,
  };
  readonly resets: ResetOptions[] = [];
  async reset(options: ResetOptions): Promise<string[]> {
    this.resets.push(options);
    return options.plugin === undefined ? [] : [options.plugin];
  }

  async newSecret(): Promise<string> {
    return 'ab'.repeat(32);
  }
  createFile(path: string, content: string): void {
    if (this.files.has(path))
      throw new WeftError('E_EXISTS', `${path} is there already`, 'give another name');
    this.files.set(path, content);
  }
  out(text: string): void {
    this.stdout += text;
  }
  err(text: string): void {
    this.stderr += text;
  }
  isHeard(): boolean {
    return true;
  }
}

describe('weft', () => {
  let world: FakeWorld;
  beforeEach(() => {
    world = new FakeWorld();
  });

  it('prints the status for people', async () => {
    equal(await runProgram(['status'], world), EXIT.done);
    deepEqual(world.stdout.split('\n'), [
      'name       node-a',
      `peer       ${'a'.repeat(64)}`,
      'version    0.1.0',
      'addresses  10.32.0.1',
      'ipam       ready; IPv4 3 used of 524288 owned',
      'datapath   sleeve; aes-256-gcm, chacha20-poly1305',
      '           without UDP super-packets from the TUN: this kernel does not grant it',
      'peers      1 of 2 connected',
      '',
      'NAME           STATE      ENDPOINT        VIA  DATAPATH  SUITE              RTT     PEER',
      'node-b         connected  192.0.2.2:6783  -    sleeve    chacha20-poly1305  0.4 ms  bbbbbbbbbbbb',
      'evil?[2J?name  dead       -               -    sleeve    chacha20-poly1305  -       bbbbbbbbbbbb',
      '',
    ]);
    equal(world.stderr, '');
  });

  it('says in one line how the gate for policies stands', async () => {
    const policy = { npc: 'absent', open: 3, waiting: 1 } as const;
    world.results = { ...RESULTS, status: { ...STATUS, policy } };
    await runProgram(['status'], world);
    match(world.stdout, /^policy {5}weft-npc is not connected; pods: 3 decided, 1 waiting at the gate$/m);
  });

  it('resets a host, and says what went', async () => {
    equal(
      await runProgram(['reset', '--state-dir', '/s', '--plugin', '/opt/cni/bin/weft-net'], world),
      EXIT.done,
    );
    deepEqual(world.resets, [
      {
        stateDir: '/s',
        runDir: '/run/weft',
        npcStateDir: '/var/lib/weft-npc',
        cniConfig: undefined,
        plugin: '/opt/cni/bin/weft-net',
      },
    ]);
    equal(world.stdout, 'removed /opt/cni/bin/weft-net\n');
    world.stdout = '';
    equal(await runProgram(['reset'], world), EXIT.done);
    equal(world.stdout, 'nothing to remove\n');
  });

  for (const op of ['status', 'peers', 'ipam', 'report'] as const) {
    it(`prints ${op} --json exactly as weftd gave it`, async () => {
      equal(await runProgram([op, '--json'], world), EXIT.done);
      deepEqual(JSON.parse(world.stdout), JSON.parse(JSON.stringify(RESULTS[op])));
      deepEqual(world.asked, [['/run/weft', { op }]]);
    });
    it(`prints ${op} for people without control characters`, async () => {
      equal(await runProgram([op], world), EXIT.done);
      ok(world.stdout.length > 20);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      ok(!/[\x00-\x09\x0b-\x1f\x7f]/.test(world.stdout));
    });
  }

  it('says how many that left are not shown, and asks for all where that is wanted', async () => {
    for (const op of ['status', 'peers'] as const) {
      const results = { ...RESULTS, status: { ...STATUS, hidden: 2 }, peers: { ...PEERS, hidden: 2 } };
      const asked: unknown[] = [];
      world.ask = async (_, request) => {
        asked.push(request);
        return results[request.op];
      };
      equal(await runProgram([op], world), EXIT.done);
      ok(world.stdout.includes('2 that left not shown (--all)'), world.stdout);
      equal(await runProgram([op, '--all'], world), EXIT.done);
      deepEqual(asked, [{ op }, { op, all: true }]);
    }
  });

  it('takes --run-dir before and after the command, and from the environment', async () => {
    world.env = { WEFT_RUN_DIR: '/env' };
    await runProgram(['--run-dir', '/a', 'status'], world);
    await runProgram(['status', '--run-dir', '/b/'], world);
    await runProgram(['status'], world);
    deepEqual(
      world.asked.map(([runDir]) => runDir),
      ['/a', '/b', '/env'],
    );
  });

  it('gives the range away before a reset where it can, and resets once weftd has ended', async () => {
    let refusals = 2;
    world.reset = async () => {
      if (refusals-- > 0) throw new WeftError('E_STATE_LOCKED', 'a weftd runs', 'stop it first');
      return ['/var/lib/weft'];
    };
    equal(await runProgram(['reset'], world), EXIT.done);
    deepEqual(world.asked, [['/run/weft', { op: 'leave' }]]);
    equal(world.stdout, 'removed /var/lib/weft\n');

    world.fault = new WeftError('E_NOT_LEFT', 'pods of this node have addresses', 'stop them first');
    refusals = 1;
    equal(await runProgram(['reset'], world), EXIT.failed, 'it runs on, and is not waited for');
    equal(
      world.stderr,
      'weft: a weftd runs; stop it first; it does not leave by itself: pods of this node have addresses\n',
    );
  });

  it('tells how far a removal is, every ten seconds while it lasts', async () => {
    const { ask } = world;
    const removing = Promise.withResolvers<ControlResults['rmpeer']>();
    let looks = 0;
    world.ask = (runDir, request) => {
      if (request.op === 'rmpeer') return removing.promise as never;
      if (++looks === 2) removing.resolve(RESULTS.rmpeer);
      return ask(runDir, request);
    };
    equal(await runProgram(['rmpeer', 'node-c'], world), EXIT.done);
    equal(world.stderr, 'removing node-c: asking, needs 3 of 4 votes, missing: node-d (left)\n');
    match(world.stdout, /^removed node-b/);
  });

  it('passes on what connect, forget and rmpeer were given', async () => {
    await runProgram(['connect', 'b', '[2001:db8::1]:7'], world);
    await runProgram(['forget', 'b', 'c', '--json'], world);
    await runProgram(['rmpeer', 'node-b'], world);
    deepEqual(
      world.asked.map(([, request]) => request),
      [
        { op: 'connect', peers: ['b', '[2001:db8::1]:7'] },
        { op: 'forget', peers: ['b', 'c'] },
        { op: 'rmpeer', peer: 'node-b' },
      ],
    );
    match(world.stdout, /^seeking b:6783\n\{/);
    match(world.stdout, /removed node-b \(bbbbbbbbbbbb\): took over 10\.40\.0\.0\/13\n$/);
  });

  const misused: readonly [string, string[], RegExp][] = [
    ['no command', [], /Usage: weft/],
    ['an unknown command', ['stats'], /unknown command 'stats'/],
    ['an unknown option', ['status', '--colour'], /unknown option '--colour'/],
    ['too many words', ['status', 'now'], /too many arguments/],
    ['connect without a peer', ['connect'], /missing required argument/],
    ['a peer that is none', ['connect', 'a b'], /^weft: 'a b' is not a peer; give NAME/],
    [
      'a relative run folder',
      ['status', '--run-dir', 'run'],
      /^weft: --run-dir 'run' is not an absolute path/,
    ],
  ];
  for (const [what, argv, message] of misused) {
    it(`exits 2 on ${what} and asks nobody`, async () => {
      equal(await runProgram(argv, world), EXIT.usage);
      match(world.stderr, message);
      deepEqual(world.asked, []);
    });
  }

  it('tells what a test finds, and exits 0 only where all is well', async () => {
    const world = new FakeWorld();
    world.findings.push(fine('pod to pod', 'answered'));
    equal(await runProgram(['test', '--nodes', 'a,b', '--outside', '[2001:db8::1]:443'], world), EXIT.done);
    equal(world.stdout, 'ok       pod to pod: answered\n\n1 ok, 0 warnings, 0 faults\n');
    deepEqual(world.tested, [
      {
        kubeconfig: undefined,
        nodes: ['a', 'b'],
        outside: [{ address: '2001:db8::1', port: 443 }],
        pluginDir: undefined,
      },
    ]);
    world.findings.push(fault('DNS', 'no address', 'see to it'));
    equal(await runProgram(['test', '--kubeconfig', '-'], world), EXIT.failed);
    equal(world.tested[1]!.kubeconfig, '/dev/stdin');
    equal(world.stderr, '');
    equal(await runProgram(['test', '--outside', '192.0.2.1'], world), EXIT.usage);
    world.env = { KUBERNETES_SERVICE_HOST: '10.96.0.1' };
    equal(await runProgram(['test'], world), EXIT.usage);
    match(world.stderr, /no rights to make pods; give --kubeconfig/);
    equal(world.tested.length, 2);
  });

  it('tells what the doctor finds, and exits 0 only where all is well', async () => {
    world.findings.push(fine('disk /var', '3 MiB free'));
    equal(await runProgram(['doctor'], world), EXIT.done);
    world.findings.push(fault('peer b\u001b[2J', 'no tunnel', 'open UDP'));
    equal(await runProgram(['doctor'], world), EXIT.failed);
    match(world.stdout, /FAULT {4}peer b.*: no tunnel\n {9}→ open UDP\n\n1 ok, 0 warnings, 1 faults\n$/);
    ok(!world.stdout.includes('\u001b'));
    equal(world.stderr, '');
    world.stdout = '';
    equal(await runProgram(['doctor', '--json'], world), EXIT.failed);
    deepEqual(JSON.parse(world.stdout), { well: false, findings: world.findings });
  });

  it('pings, and sums up what was answered', async () => {
    world.answers.push(
      { outcome: 'refused', rttMs: 1 },
      { outcome: 'silent' },
      { outcome: 'open', rttMs: 3 },
    );
    equal(await runProgram(['ping', 'node-b', '-c', '3'], world), EXIT.done);
    deepEqual(world.stdout.split('\n'), [
      '10.40.0.1 is on node-b (bbbbbbbbbbbb), direct to 192.0.2.2:6783',
      '1  1.00 ms',
      '2  no answer within 2 s',
      '3  3.00 ms',
      '3 sent, 2 answered, 33 % lost, round trip 1.00 / 3.00 / 3.00 ms (least, median, most)',
      'packets of 1364 bytes get through',
      '',
    ]);
  });

  it('fails where no ping is answered, and refuses a count that is none', async () => {
    equal(await runProgram(['ping', 'node-b', '-c', '1'], world), EXIT.failed);
    match(world.stderr, /10\.40\.0\.1 on node-b does not answer; run 'weft ping node-b'/);
    for (const count of ['0', '1001', 'x', '-1'])
      equal(await runProgram(['ping', 'b', `--count=${count}`], world), EXIT.usage);
  });

  it('exits 3 where no weftd runs, 1 on what weftd refuses, with one line', async () => {
    world.fault = new WeftError('E_NO_DAEMON', 'no weftd answers', 'start weftd');
    equal(await runProgram(['status'], world), EXIT.noDaemon);
    world.fault = new WeftError('E_PEER_ALIVE', 'node-b\u001b is alive', 'stop it');
    equal(await runProgram(['rmpeer', 'node-b'], world), EXIT.failed);
    equal(world.stderr, 'weft: no weftd answers; start weftd\nweft: node-b? is alive; stop it\n');
    equal(world.stdout, '');
  });

  it('tells errors as JSON where JSON is wanted', async () => {
    world.fault = new WeftError('E_NO_DAEMON', 'no weftd answers', 'start weftd');
    equal(await runProgram(['status', '--json'], world), EXIT.noDaemon);
    deepEqual(JSON.parse(world.stderr), {
      error: { code: 'E_NO_DAEMON', message: 'no weftd answers', remedy: 'start weftd' },
    });
  });

  it('helps and tells its version with exit code 0', async () => {
    equal(await runProgram(['--version'], world), EXIT.done);
    equal(world.stdout, '9.9.9\n');
    equal(await runProgram(['--help'], world), EXIT.done);
    equal(await runProgram(['secret', 'new', '--help'], world), EXIT.done);
    match(world.stdout, /--run-dir/);
  });

  it('makes a secret and prints it', async () => {
    equal(await runProgram(['secret', 'new'], world), EXIT.done);
    equal(world.stdout, `${'ab'.repeat(32)}\n`);
  });

  it('makes a secret file, never twice, and does not print what is in it', async () => {
    equal(await runProgram(['secret', 'new', '--file', '/s'], world), EXIT.done);
    equal(world.files.get('/s'), `${'ab'.repeat(32)}\n`);
    equal(await runProgram(['secret', 'new', '--file', '/s', '--json'], world), EXIT.failed);
    equal(JSON.parse(world.stderr).error.code, 'E_EXISTS');
    ok(!(world.stdout + world.stderr).includes('abab'));
  });
});
