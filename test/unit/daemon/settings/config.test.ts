import { deepEqual, equal, match, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { formatRange } from '../../../../base/range.ts';
import { WeftError } from '../../../../base/weft-error.ts';
import { type Config, helpText, readConfig } from '../../../../daemon/settings/config.ts';
import { SETTING_TABLE } from '../../../../daemon/settings/settings.ts';
import { configFileAsked, type IntentInput } from '../../../../host/settings/intent.ts';

const SECRET = ['--secret-file', '/etc/weft/secret'];

function read(input: Partial<IntentInput>) {
  return readConfig({ argv: [], env: {}, hostName: 'host-1', ...input });
}

/** The configuration of flags that hold no fault. */
function configOf(argv: readonly string[], rest: Partial<IntentInput> = {}): Config {
  const intent = read({ argv: [...SECRET, ...argv], ...rest });
  if (intent.action === 'refuse') throw new Error(intent.faults.map((fault) => fault.line).join('\n'));
  ok(intent.action === 'run');
  return intent.config;
}

/** `code line` of each fault. */
function faultsOf(argv: readonly string[], rest: Partial<IntentInput> = {}): string[] {
  const intent = read({ argv: [...SECRET, ...argv], ...rest });
  return intent.action === 'refuse' ? intent.faults.map((fault) => `${fault.code} ${fault.line}`) : [];
}

function file(content: unknown): Partial<IntentInput> {
  return { file: { path: '/w.json', text: typeof content === 'string' ? content : JSON.stringify(content) } };
}

describe('readConfig', () => {
  it('has a default for everything but the secret', () => {
    deepEqual(configOf([]), {
      name: 'host-1',
      stateDir: '/var/lib/weft',
      runDir: '/run/weft',
      secretFile: '/etc/weft/secret',
      port: 6783,
      listen: [],
      peers: [],
      advertise: [],
      range4: 'default',
      range6: 'derived',
      genesis: { mode: 'none' },
      safeWaitMs: undefined,
      datapath: 'auto',
      mtu: undefined,
      masquerade: true,
      kubernetes: false,
      takeOver: false,
      policy: false,
      npcStateDir: '/var/lib/weft-npc',
      flows: false,
      flowBytes: false,
      rulesOnly: false,
      healthListen: undefined,
      metricsListen: undefined,
      metricsPeers: 50,
      cniConfig: undefined,
      cniBinDir: '/opt/cni/bin',
      sysctlDir: '/proc/sys',
      logLevel: 'info',
      logFormat: 'text',
    });
  });

  it('reads every flag', () => {
    const config = configOf(
      [
        ...['--name', 'a', '--state-dir=/s/', '--run-dir', '/r', '--port', '7000', '--listen', '192.0.2.1'],
        ...['--listen', '2001:db8::1', '--peer', 'b', '--peer', 'c:1', '--advertise', '198.51.100.1'],
        ...[
          '--advertise',
          '[2001:db8::9]:9',
          '--ipalloc-range',
          '10.0.0.0/16',
          '--ipalloc-range6',
          'fd00::/64',
        ],
        ...['--ipalloc-init', 'consensus=a,b,c', '--datapath', 'sleeve', '--mtu', '1300', '--no-masquerade'],
        ...[
          '--kubernetes',
          '--take-over',
          '--policy',
          '--flows',
          '--flow-bytes',
          '--rules-only',
          '--health-listen',
          '127.0.0.1:6784',
          '--metrics-listen',
          '[192.0.2.1]:6782',
          '--metrics-peers',
          '0',
          '--cni-config',
          '/etc/cni/net.d/x.conflist',
        ],
        ...[
          '--npc-state-dir',
          '/n',
          '--safe-wait',
          '20',
          '--cni-bin-dir',
          '/b',
          '--sysctl-dir',
          '/host/proc/sys',
        ],
        ...['--log-level', 'debug', '--log-format', 'json'],
      ],
      { hostName: 'not a name' },
    );
    deepEqual(
      { ...config, range4: formatRange(config.range4 as never), range6: formatRange(config.range6 as never) },
      {
        name: 'a',
        stateDir: '/s',
        runDir: '/r',
        secretFile: '/etc/weft/secret',
        port: 7000,
        listen: [
          { family: 4, value: 0xc0000201n },
          { family: 6, value: 0x20010db8000000000000000000000001n },
        ],
        peers: [
          { host: 'b', port: 7000 },
          { host: 'c', port: 1 },
        ],
        advertise: ['198.51.100.1:7000', '[2001:db8::9]:9'],
        range4: '10.0.0.0/16',
        range6: 'fd00::/64',
        genesis: { mode: 'consensus', electorate: ['a', 'b', 'c'] },
        safeWaitMs: 20_000,
        datapath: 'sleeve',
        mtu: 1300,
        masquerade: false,
        kubernetes: true,
        takeOver: true,
        policy: true,
        npcStateDir: '/n',
        flows: true,
        flowBytes: true,
        rulesOnly: true,
        healthListen: '127.0.0.1:6784',
        metricsListen: '192.0.2.1:6782',
        metricsPeers: 0,
        cniConfig: '/etc/cni/net.d/x.conflist',
        cniBinDir: '/b',
        sysctlDir: '/host/proc/sys',
        logLevel: 'debug',
        logFormat: 'json',
      },
    );
  });

  it('lets the API of Kubernetes decide how the ring begins, unless told otherwise', () => {
    deepEqual(configOf(['--kubernetes']).genesis, { mode: 'authority' });
    deepEqual(configOf([], { env: { WEFT_KUBERNETES: 'true' } }).genesis, { mode: 'authority' });
    deepEqual(configOf(['--kubernetes', '--ipalloc-init', 'observer']).genesis, { mode: 'observer' });
  });

  it("takes Weave Net's variables, on a plain host those that no other program may have", () => {
    const env = { IPALLOC_RANGE: '10.40.0.0/16', WEAVE_MTU: '1300', KUBE_PEERS: '192.0.2.1 192.0.2.2:7000' };
    const config = configOf(['--kubernetes'], { env });
    equal(formatRange(config.range4 as never), '10.40.0.0/16');
    equal(config.mtu, 1300);
    deepEqual(config.peers, [
      { host: '192.0.2.1', port: 6783 },
      { host: '192.0.2.2', port: 7000 },
    ]);
    const onHost = configOf([], { env });
    deepEqual([onHost.mtu, onHost.peers], [1300, []]);
    match(
      faultsOf([], { env: { WEAVE_PASSWORD: 'x' } }).join('\n'),
      /WEAVE_PASSWORD has no meaning for Weft/,
    );
  });

  it('puts a flag before the environment, that before the file, that before the default', () => {
    const all = {
      env: { WEFT_PORT: '2', WEFT_NAME: 'env' },
      ...file({ port: 3, name: 'file', 'log-level': 'warn' }),
    };
    const config = configOf(['--port', '1'], all);
    deepEqual([config.port, config.name, config.logLevel, config.logFormat], [1, 'env', 'warn', 'text']);
  });

  it('does not join a list over sources: the higher one hides the lower', () => {
    const config = configOf(['--peer', 'a'], { env: { WEFT_PEER: 'b,c' }, ...file({ peer: ['d'] }) });
    deepEqual(config.peers, [{ host: 'a', port: 6783 }]);
  });

  it('reads lists from the environment with commas between, an empty one as none', () => {
    deepEqual(
      configOf([], { env: { WEFT_PEER: 'a, b:1,' } }).peers.map((peer) => peer.host),
      ['a', 'b'],
    );
    deepEqual(configOf([], { env: { WEFT_PEER: '' } }).peers, []);
  });

  it('reads switches from every source', () => {
    equal(configOf([], { env: { WEFT_MASQUERADE: 'false' } }).masquerade, false);
    equal(configOf([], file({ masquerade: false })).masquerade, false);
    equal(configOf(['--masquerade'], file({ masquerade: false })).masquerade, true);
  });

  it("takes 'none' and the empty text for a family without range", () => {
    equal(configOf(['--ipalloc-range', '']).range4, undefined);
    equal(configOf(['--ipalloc-range', 'none']).range4, undefined);
    equal(configOf(['--ipalloc-range6', 'none']).range6, undefined);
  });

  it('takes the secret file from any source', () => {
    for (const rest of [{ env: { WEFT_SECRET_FILE: '/s' } }, file({ 'secret-file': '/s' })]) {
      const intent = read(rest);
      equal(intent.action === 'run' && intent.config.secretFile, '/s');
    }
  });

  it('needs a secret file', () => {
    const intent = read({});
    ok(intent.action === 'refuse');
    deepEqual(
      intent.faults.map((fault) => fault.code),
      ['E_SECRET_UNSET'],
    );
  });

  it('reports all faults of all sources together', () => {
    const faults = faultsOf(['--port', '0', '--bogus', '--peer', 'a b', '--mtu', '5'], {
      env: { WEFT_BOGUS: '1', WEFT_LOG_LEVEL: 'loud' },
      ...file({ bogus: 1, name: '-' }),
    });
    deepEqual(
      faults.map((fault) => fault.split(' ', 1)[0]).sort(),
      [
        ...['E_CONFIG_FILE', 'E_CONFIG_UNKNOWN', 'E_CONFIG_UNKNOWN'],
        ...['E_CONFIG_VALUE', 'E_CONFIG_VALUE', 'E_CONFIG_VALUE', 'E_CONFIG_VALUE', 'E_CONFIG_VALUE'],
      ],
      faults.join('\n'),
    );
  });

  it('answers --help and --version whatever else is wrong', () => {
    equal(read({ argv: ['--bogus', '--help'] }).action, 'help');
    equal(read({ argv: ['-h'] }).action, 'help');
    equal(read({ argv: ['--version', '--port'] }).action, 'version');
  });

  const refused: readonly [string, string[], RegExp][] = [
    ['an unknown flag', ['--bogus'], /^E_CONFIG_UNKNOWN unknown flag --bogus; see 'weftd --help'$/],
    ['a mistyped flag, with the right one', ['--prot', '1'], /unknown flag --prot; .*did you mean --port\?$/],
    ['a short flag', ['-p'], /'-p' is not a flag/],
    ['a bare word', ['seed'], /'seed' is not a flag/],
    ['a flag without value', ['--port'], /^E_CONFIG_VALUE --port has no value/],
    ['a flag whose value is the next flag', ['--port', '--name', 'a'], /--port has no value/],
    ['a single flag given twice', ['--port', '1', '--port', '2'], /--port is given twice/],
    ['a switch and its opposite', ['--masquerade', '--no-masquerade'], /--masquerade and --no-masquerade/],
    ['a switch with a value', ['--masquerade=yes'], /--masquerade takes no value/],
    ['a negated flag that is no switch', ['--no-port'], /unknown flag --no-port/],
    ['a port too large', ['--port', '65536'], /--port '65536' is not a port; give a number from 1 to 65535/],
    ['a port with a sign', ['--port=+1'], /is not a port/],
    ['a relative path', ['--state-dir', 'state'], /--state-dir 'state' is not an absolute path/],
    ['a path too long for a socket', ['--run-dir', `/${'r'.repeat(97)}`], /too long for a unix socket/],
    ['a name with a space', ['--name', 'a b'], /--name 'a b' is not a node name/],
    ['an address that is none', ['--listen', 'eth0'], /--listen 'eth0' is not an IP address/],
    ['a peer that is none', ['--peer', '10.0.0'], /--peer '10.0.0' is not a peer/],
    ['an endpoint nobody can dial', ['--advertise', '0.0.0.0'], /cannot be dialled/],
    ['a multicast endpoint', ['--advertise', '[ff02::1]:6783'], /cannot be dialled/],
    [
      'a range with bits below its prefix, with the one meant',
      ['--ipalloc-range', '10.33.0.0/12'],
      /10\.32\.0\.0\/12/,
    ],
    ['a v6 range as the v4 one', ['--ipalloc-range', 'fd00::/64'], /is not an IPv4 range/],
    ['a v4 range as the v6 one', ['--ipalloc-range6', '10.0.0.0/8'], /is not an IPv6 range/],
    ['a range of one address', ['--ipalloc-range', '10.0.0.0/32'], /too large or too small/],
    ['the range of everything', ['--ipalloc-range', '0.0.0.0/0'], /too large or too small/],
    ['a range in link-local', ['--ipalloc-range', '169.254.0.0/16'], /reserved/],
    ['a range in loopback', ['--ipalloc-range', '127.0.0.0/8'], /reserved/],
    ['a range in v6 multicast', ['--ipalloc-range6', 'ff05::/64'], /reserved/],
    ['no range at all', ['--ipalloc-range=', '--ipalloc-range6=none'], /neither an IPv4 nor an IPv6 range/],
    ['an unknown genesis', ['--ipalloc-init', 'quorum'], /'quorum' is unknown; give seed/],
    ['an empty electorate', ['--ipalloc-init', 'consensus='], /is unknown/],
    ['an electorate with a bad name', ['--ipalloc-init', 'consensus=a,,b'], /names ''/],
    ['an electorate with one twice', ['--ipalloc-init', 'consensus=a,b,a'], /names a node twice/],
    [
      'an electorate too large',
      ['--ipalloc-init', `consensus=${[...'abcdefghij'].join()}`],
      /lists 10 nodes/,
    ],
    ['an unknown datapath', ['--datapath', 'quick'], /'quick' is unknown; give auto or fast or sleeve/],
    ['an MTU too small for IPv6', ['--mtu', '1279'], /'1279' is not an MTU; give a number from 1280/],
    ['an unknown level', ['--log-level', 'loud'], /give error or warn or info or debug/],
    ['one folder for two things', ['--state-dir', '/run/weft'], /are both '\/run\/weft'/],
    [
      'more peers than anybody means',
      Array.from({ length: 65 }, () => '--peer=a'),
      /--peer is given 65 times/,
    ],
  ];
  for (const [what, argv, line] of refused) {
    it(`refuses ${what} in one line`, () => {
      const faults = faultsOf(argv);
      equal(faults.length, 1, faults.join('\n'));
      match(faults[0]!, line);
      ok(!faults[0]!.includes('\n'));
    });
  }

  it('refuses an unknown variable by name, and leaves other prefixes alone', () => {
    deepEqual(faultsOf([], { env: { WEFTY: '1', PATH: '/bin' } }), []);
    match(
      faultsOf([], { env: { WEFT_PEERS: 'a' } })[0]!,
      /variable WEFT_PEERS; unset it, or did you mean WEFT_PEER\?/,
    );
    match(faultsOf([], { env: { WEFT_secret_file: 'a' } })[0]!, /WEFT_secret_file/);
  });

  it('refuses a secret in the environment without showing it', () => {
    const faults = faultsOf([], { env: { WEFT_SECRET: 'hunter2' } });
    match(faults[0]!, /WEFT_SECRET; .*WEFT_SECRET_FILE/);
    ok(!faults[0]!.includes('hunter2'));
  });

  it('knows the variables of a Kubernetes Service named weft', () => {
    for (const env of [{ WEFT_PORT: 'tcp://10.0.0.1:6783' }, { WEFT_SERVICE_HOST: '10.0.0.1' }]) {
      match(faultsOf([], { env })[0]!, /enableServiceLinks: false/);
    }
  });

  const brokenFiles: readonly [string, unknown, RegExp][] = [
    ['that is not JSON', '{"name": }', /^E_CONFIG_FILE config file \/w\.json is not JSON/],
    ['that is empty', '', /is not JSON/],
    ['that is a list', [], /is not a JSON object/],
    ['that is null', 'null', /is not a JSON object/],
    ['with an unknown key', { prot: 1 }, /unknown key "prot"; remove it, or did you mean "port"\?/],
    ['with an inherited key', '{"__proto__": 1, "constructor": 2}', /unknown key/],
    ['with an object for a value', { port: {} }, /wrong kind of value for "port"; give a text or a number/],
    ['with a list for one value', { port: [1] }, /wrong kind of value for "port"/],
    ['with a number in a list', { peer: [1] }, /wrong kind of value for "peer"; give a list of texts/],
    ['with a text for a switch', { masquerade: 'no' }, /give true or false/],
    ['with a value out of range', { port: 1.5 }, /"port" in \/w\.json '1\.5' is not a port/],
  ];
  for (const [what, content, line] of brokenFiles) {
    it(`refuses a config file ${what}`, () => {
      const faults = faultsOf([], file(content));
      match(faults.join('\n'), line);
      ok(faults.every((fault) => !fault.includes('\n')));
    });
  }

  it('reports a config file that cannot be read beside the other faults', () => {
    const faults = faultsOf(['--port', 'x'], {
      file: new WeftError('E_CONFIG_FILE', 'config file /n is gone', 'find it'),
    });
    deepEqual(
      faults.map((fault) => fault.split(' ', 1)[0]),
      ['E_CONFIG_FILE', 'E_CONFIG_VALUE'],
    );
  });

  it('keeps control characters of a value out of the line', () => {
    const [fault] = faultsOf(['--name', 'a\u001b[2J\nb']);
    match(fault!, /'a\?\[2J\?b'/);
  });

  it('never throws, and refuses with at least one fault', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(...Object.keys(SETTING_TABLE.settings).map((name) => `--${name}`)),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), fc.string(), (argv, text) => {
        const intent = read({ argv, file: { path: '/w.json', text } });
        if (intent.action === 'refuse') ok(intent.faults.length > 0);
      }),
    );
  });
});

describe('configFileAsked', () => {
  it('prefers the flag to the environment', () => {
    equal(configFileAsked(SETTING_TABLE, { argv: ['--config', '/a'], env: { WEFT_CONFIG: '/b' } }), '/a');
    equal(configFileAsked(SETTING_TABLE, { argv: ['--config=/a'], env: {} }), '/a');
    equal(configFileAsked(SETTING_TABLE, { argv: [], env: { WEFT_CONFIG: '/b' } }), '/b');
    equal(configFileAsked(SETTING_TABLE, { argv: ['--name', 'a'], env: {} }), undefined);
  });
});

describe('helpText', () => {
  it('names every setting and stays within a terminal', () => {
    const text = helpText();
    for (const [name, setting] of Object.entries(SETTING_TABLE.settings)) {
      ok(text.includes(setting.kind === 'switch' ? `--[no-]${name}` : `--${name} `), name);
    }
    for (const line of text.split('\n')) ok(line.length <= 110, line);
  });
});
