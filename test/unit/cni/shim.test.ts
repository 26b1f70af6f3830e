import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { utf8Text } from '../../../base/bytes.ts';
import { type RandomSource, randomBelow } from '../../../base/random.ts';
import { seededRandom } from '../../seeded-random.ts';

/**
 * The executable and its scanner under hostile input: mutated configs under the sanitizers, and daemons that lie,
 * stall and hang up. What needs namespaces is in test/netns/cni-suite.ts.
 */

const SHIM = fileURLToPath(new URL('../../../cni/shim', import.meta.url));
const WEFT_NET = join(SHIM, 'build/weft-net');
const SANITIZED = join(SHIM, 'build/weft-net-sanitized');
const JSON_CHECK = join(SHIM, 'build/json-check');

/** Texts for the scanner in one run; `npm run fuzz` may set more. */
const FUZZ_TEXTS = Number(process.env.WEFT_FUZZ_RUNS ?? 30_000);
const FUZZ_RUNS = 150;
const MAX_DEPTH = 64;

const SEEDS = [
  '{"cniVersion":"1.1.0","name":"weft","type":"weft-net","runDir":"/nowhere","dns":{},"prevResult":{"ips":[{"address":"10.32.0.7/32","interface":1}]}}',
  '{"name":"\\u00e4\\ud83d\\ude00\\n\\"\\\\","a":[1,-0.5e+10,true,false,null,{"b":[[],{}]}],"name":"last"}',
  ' [ 0 , "x" , { } ] ',
  '{"name":"\u{1F600}ü","n":"\\u0000"}',
  `${'['.repeat(MAX_DEPTH)}${']'.repeat(MAX_DEPTH)}`,
  `${'['.repeat(MAX_DEPTH + 1)}${']'.repeat(MAX_DEPTH + 1)}`,
  `{"name":"${'x'.repeat(63)}"}`,
  `{"name":"${'x'.repeat(64)}"}`,
  '-0',
  '1E5',
  '"\\ud800"',
  '',
];
const PIECES = [
  '"',
  '\\',
  '\\u',
  '\\ud83d',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '0',
  '-',
  'e',
  '.',
  'true',
  'nul',
  '\n',
  '\0',
  '"name":',
];

describe('the scanner of weft-net', function () {
  this.timeout(120_000);

  before(() => {
    execFileSync('make', ['-s', '-C', SHIM, 'sanitized']);
  });

  it('agrees with JSON.parse on mutated texts, and reads no byte beyond them', () => {
    const random = seededRandom(7);
    const texts: Buffer[] = SEEDS.map((seed) => Buffer.from(seed));
    while (texts.length < FUZZ_TEXTS) texts.push(mutate(random, texts[randomBelow(random, SEEDS.length)]!));
    const frames = texts.flatMap((text) => {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(text.length);
      return [head, text];
    });
    const run = spawnSync(JSON_CHECK, { input: Buffer.concat(frames), maxBuffer: 1024 * 1024 * 1024 });
    assert.equal(run.status, 0, run.stderr.toString().slice(0, 2000));
    const lines = run.stdout.toString().split('\n');
    let valid = 0;
    for (const [i, text] of texts.entries()) {
      const line = lines[i]!;
      const verdict = line.slice(0, line.indexOf(' '));
      const expected = oracle(text);
      assert.equal(verdict, expected, `of ${JSON.stringify(text.toString())}`);
      if (expected !== '-') valid++;
      const plain = utf8Text(text);
      const quoted = JSON.parse(line.slice(verdict.length + 1)) as string;
      // TextDecoder drops a leading byte order mark; the scanner does not.
      if (plain !== undefined && text[0] !== 0xef) assert.equal(quoted, plain);
    }
    assert.ok(valid > texts.length / 100 && valid < texts.length, `${valid} valid texts of ${texts.length}`);
  });
});

describe('weft-net under the sanitizers', function () {
  this.timeout(120_000);

  before(() => {
    execFileSync('make', ['-s', '-C', SHIM, 'sanitized']);
  });

  it('answers every mutated config with exit 1 and one error document', () => {
    const random = seededRandom(11);
    for (let i = 0; i < FUZZ_RUNS; i++) {
      const input = mutate(random, Buffer.from(SEEDS[i % 2]!));
      const run = spawnSync(SANITIZED, { input, env: { CNI_COMMAND: 'STATUS', CNI_PATH: '/x' } });
      assert.equal(run.stderr.toString(), '', input.toString());
      assert.equal(run.status, 1, input.toString());
      const document = JSON.parse(run.stdout.toString()) as { code: unknown; msg: unknown };
      assert.ok(Number.isInteger(document.code) && typeof document.msg === 'string');
    }
  });

  it('takes a config however it is laid out', () => {
    const config = { cniVersion: '1.1.0', name: 'weft', runDir: '/nowhere', addWaitSeconds: 30 };
    for (const input of [JSON.stringify(config), JSON.stringify(config, undefined, 2)]) {
      const run = spawnSync(SANITIZED, { input, env: { CNI_COMMAND: 'STATUS', CNI_PATH: '/x' } });
      const { code, msg } = JSON.parse(run.stdout.toString()) as { code: number; msg: string };
      assert.equal(code, 50, msg);
    }
  });

  it('bears hostile environments', () => {
    const values = ['', '/', '../..', 'a'.repeat(100_000), '\u{1F600}', '"\\\n\t', 'a\u0001'];
    for (const name of [
      'CNI_CONTAINERID',
      'CNI_IFNAME',
      'CNI_NETNS',
      'CNI_ARGS',
      'CNI_PATH',
      'CNI_COMMAND',
    ]) {
      for (const value of values) {
        for (const command of ['ADD', 'STATUS']) {
          const good = {
            CNI_COMMAND: command,
            CNI_CONTAINERID: 'a',
            CNI_IFNAME: 'e',
            CNI_NETNS: '/none',
            CNI_PATH: '/x',
          };
          const run = spawnSync(SANITIZED, { input: SEEDS[0]!, env: { ...good, [name]: value } });
          assert.equal(run.stderr.toString(), '', `${name}=${value}`);
          assert.equal(run.status, 1);
          JSON.parse(run.stdout.toString());
        }
      }
    }
  });
});

interface Shot {
  readonly code: number | null;
  readonly stdout: string;
  readonly ms: number;
}

describe('weft-net before a daemon that misbehaves', () => {
  let runDir: string;
  let server: Server | undefined;

  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), 'weft-shim-'));
  });

  afterEach(async () => {
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
    server = undefined;
    rmSync(runDir, { recursive: true, force: true });
  });

  function serve(onConnection: (socket: Socket) => void): Promise<void> {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.resume(); // or it would never notice that the client is gone
      onConnection(socket);
    });
    return new Promise((resolve) => server!.listen(join(runDir, 'weft.sock'), resolve));
  }

  function shoot(command: string, version = '1.1.0'): Promise<Shot> {
    const env = { CNI_COMMAND: command, CNI_CONTAINERID: 'abc', CNI_IFNAME: 'eth0', CNI_PATH: '/x' };
    const started = performance.now();
    return new Promise((resolve) => {
      const child = spawn(WEFT_NET, { env });
      let stdout = '';
      child.stdout.on('data', (data: Buffer) => {
        stdout += data.toString();
      });
      child.on('close', (code) => resolve({ code, stdout, ms: performance.now() - started }));
      child.stdin.end(JSON.stringify({ cniVersion: version, name: 'weft', runDir }));
    });
  }

  function framed(text: string): Buffer {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(Buffer.byteLength(text));
    return Buffer.concat([head, Buffer.from(text)]);
  }

  function codeOf(shot: Shot): number {
    assert.equal(shot.code, 1, shot.stdout);
    return (JSON.parse(shot.stdout) as { code: number }).code;
  }

  it('hangs up, stalls or lies about lengths: STATUS is code 50 within a second or so', async () => {
    const tricks: ((socket: Socket) => void)[] = [
      (socket) => socket.destroy(),
      () => undefined,
      (socket) => socket.end(Buffer.from([0xff, 0xff, 0xff, 0xff])),
      (socket) => socket.write(Buffer.from([100, 0, 0, 0, 0x7b])),
      (socket) => socket.end(Buffer.from([100, 0, 0, 0, 0x7b])),
      (socket) => {
        const drip = setInterval(() => socket.write(' '), 50);
        socket.write(Buffer.from([255, 255, 0, 0]));
        socket.on('close', () => clearInterval(drip));
      },
    ];
    for (const trick of tricks) {
      const open = new Set<Socket>();
      await serve((socket) => {
        open.add(socket);
        trick(socket);
      });
      const shot = await shoot('STATUS');
      assert.equal(codeOf(shot), 50);
      assert.ok(shot.ms < 1500, `${shot.ms} ms`);
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server!.close(() => resolve()));
    }
    server = undefined;
  });

  it('answers nonsense: code 999', async () => {
    for (const nonsense of [
      '',
      'x',
      '7',
      '[]',
      '{}',
      '{"ok":true',
      '{"ok":false}',
      '{"ok":false,"error":{"code":"E_X"}}',
    ]) {
      await serve((socket) => socket.end(framed(nonsense)));
      assert.equal(codeOf(await shoot('GC')), 999, nonsense);
      await new Promise<void>((resolve) => server!.close(() => resolve()));
    }
    server = undefined;
  });

  it('prints an error of the daemon’s as it is, and its words where it has no CNI form', async () => {
    const document = '{"cniVersion":"1.0.0","code":107,"msg":"ä \\"x\\"","details":"d"}';
    await serve((socket) => socket.end(framed(`{"ok":false,"error":${document},"more":1}`)));
    assert.equal((await shoot('GC')).stdout, `${document}\n`);
    await new Promise<void>((resolve) => server!.close(() => resolve()));
    await serve((socket) =>
      socket.end(framed('{"ok":false,"error":{"code":"E_OP","message":"unknown request"}}')),
    );
    const { stdout } = await shoot('GC', '0.4.0');
    assert.deepEqual(JSON.parse(stdout), { cniVersion: '0.4.0', code: 999, msg: 'unknown request' });
  });

  it('answers with words that need escapes: still one document', async () => {
    const message = '\u0001'.repeat(2000);
    const error = { code: 'E_OP', message };
    await serve((socket) => socket.end(framed(JSON.stringify({ ok: false, error }))));
    const { stdout } = await shoot('GC');
    assert.deepEqual(JSON.parse(stdout), { cniVersion: '1.1.0', code: 999, msg: message });
  });

  it('prints nothing where the daemon has nothing to say', async () => {
    await serve((socket) => socket.end(framed('{"ok":true,"result":null}')));
    for (const command of ['DEL', 'GC', 'STATUS']) {
      const shot = await shoot(command);
      assert.deepEqual([shot.code, shot.stdout], [0, '']);
    }
  });

  it('dies while it deletes: the deletion is kept, and DEL succeeds', async () => {
    await serve((socket) => socket.once('data', () => socket.destroy()));
    assert.deepEqual((await shoot('DEL')).code, 0);
    const kept = spawnSync('ls', [join(runDir, 'deletions')]).stdout.toString();
    assert.match(kept, /^[0-9a-f]{32}\.json\n$/);
  });

  it('an end of stdin that never comes is code 5', async () => {
    const child = spawn(WEFT_NET, { env: { CNI_COMMAND: 'STATUS', CNI_PATH: '/x' } });
    child.stdin.write('{"name":');
    let stdout = '';
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
    });
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    assert.equal(codeOf({ code, stdout, ms: 0 }), 5);
  });

  it('descriptors 0 to 2 left closed do no harm', () => {
    const script = `exec "${WEFT_NET}" <&- 2>&-`;
    const run = spawnSync('sh', ['-c', script], { env: { CNI_COMMAND: 'STATUS', CNI_PATH: '/x' } });
    assert.equal((JSON.parse(run.stdout.toString()) as { code: number }).code, 6);
  });

  it('a run folder too long for a socket is code 7', () => {
    const config = { cniVersion: '1.1.0', name: 'weft', runDir: `/${'x'.repeat(120)}` };
    const env = { CNI_COMMAND: 'STATUS', CNI_PATH: '/x' };
    const run = spawnSync(WEFT_NET, { input: JSON.stringify(config), env });
    assert.equal((JSON.parse(run.stdout.toString()) as { code: number }).code, 7);
  });
});

/** One to four random edits. */
function mutate(random: RandomSource, text: Buffer): Buffer {
  let out = text;
  for (let edits = randomBelow(random, 4) + 1; edits > 0; edits--) {
    const at = randomBelow(random, out.length + 1);
    const cut = Math.min(out.length, at + randomBelow(random, 4));
    const kind = randomBelow(random, 5);
    const piece =
      kind === 0
        ? Buffer.from(PIECES[randomBelow(random, PIECES.length)]!)
        : kind === 1
          ? Buffer.from(random.bytes(1 + randomBelow(random, 3)))
          : kind === 2
            ? out.subarray(at, Math.min(out.length, at + randomBelow(random, 20)))
            : Buffer.alloc(0);
    out =
      kind === 4
        ? out.subarray(0, at)
        : Buffer.concat([out.subarray(0, at), piece, out.subarray(kind === 2 ? at : cut)]);
  }
  return out;
}

/** What json-check should say of `bytes`: by JSON.parse, and the scanner's own limits. */
function oracle(bytes: Uint8Array): string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return '-';
  }
  if (depthOf(value) > MAX_DEPTH || !isWellFormed(value) || hasLoneEscape(bytes)) return '-';
  const name =
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.getOwnPropertyDescriptor(value, 'name')?.value
      : undefined;
  if (typeof name !== 'string' || name.includes('\0') || Buffer.byteLength(name) > 63) return '+?';
  return `+${Buffer.from(name).toString('hex')}`;
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && isWellFormed(member));
}

/** JSON.parse forgets all but the last of several members of one name: look for a lone surrogate in the text, too. */
function hasLoneEscape(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString();
  const escapes = text
    .replaceAll(/\\\\/g, '')
    .replaceAll(/\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}/g, '');
  return /\\u[dD][89a-fA-F]/.test(escapes);
}
