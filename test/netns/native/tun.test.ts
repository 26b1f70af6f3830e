import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connect, eventually, Namespace } from '../namespaces.ts';

const PAIR = fileURLToPath(new URL('../inside/tun-pair.ts', import.meta.url));
const ECHO = fileURLToPath(new URL('../inside/tcp-echo.ts', import.meta.url));
const FAULTS = fileURLToPath(new URL('../inside/tun-faults.ts', import.meta.url));
const DATAGRAM = fileURLToPath(new URL('../inside/datagram.ts', import.meta.url));
const BYTES = 8_000_000;

interface Seen {
  readonly frames: number;
  readonly batches: number;
  readonly longest: number;
  readonly partialChecksums: number;
  readonly superPackets: number;
  readonly refused: number;
  readonly mss: readonly number[];
  readonly near: Record<string, boolean>;
}

/** pod 10.32.0.5 ── wv…1 [node] weft0 ══ handed over as is ══ far0 [far] 10.33.0.1 */
describe('a TUN device', () => {
  let node: Namespace;
  let pod: Namespace;
  let far: Namespace;
  let pair: ChildProcess;

  before(async () => {
    node = await Namespace.create('nf');
    pod = await Namespace.create('nf');
    far = await Namespace.create('nf');
    // Without link-local addresses the far side sends nothing by itself, so counters count our packets only.
    await far.run('sysctl', '-qw', 'net.ipv6.conf.default.addr_gen_mode=1');
    pair = node.startProgram(PAIR, [far.name]);
    await nextLine(pair);
    await far.run('ip', 'address', 'add', '10.33.0.1/32', 'dev', 'far0');
    await far.run('ip', 'address', 'add', 'fd00:77::3:1/128', 'dev', 'far0', 'nodad');
    await far.run('ip', 'link', 'set', 'far0', 'up', 'mtu', '1364');
    await far.run('ip', 'route', 'add', '10.32.0.0/12', 'dev', 'far0');
    await far.run('ip', 'route', 'add', 'fd00:77::/64', 'dev', 'far0');
    await connect(
      { namespace: node, link: 'wv00000000001', addresses: ['169.254.1.1/32', 'fe80::1/64'] },
      { namespace: pod, link: 'eth0', addresses: ['10.32.0.5/32', 'fd00:77::5/128'] },
    );
    for (const address of ['10.32.0.5', 'fd00:77::5'])
      await node.run('ip', 'route', 'add', address, 'dev', 'wv00000000001');
    await setPermanentNeighbours(node, pod);
    await pod.run('ip', 'route', 'add', 'default', 'via', '169.254.1.1', 'dev', 'eth0', 'onlink');
    await pod.run('ip', 'route', 'add', 'default', 'via', 'fe80::1', 'dev', 'eth0', 'onlink');
  });

  after(async () => {
    for (const namespace of [node, pod, far]) await namespace?.delete();
  });

  async function seen(): Promise<Seen> {
    const answer = nextLine(pair);
    pair.stdin!.write('\n');
    return JSON.parse(await answer) as Seen;
  }

  async function transfer(from: Namespace, source: string, to: string): Promise<void> {
    const echo = far.startProgram(ECHO, ['serve', to]);
    await nextLine(echo);
    const outcome = await from.program(ECHO, 'send', to, String(BYTES), source);
    assert.deepEqual(outcome, { returned: BYTES, same: true });
    await far.stop(echo);
  }

  it('passes its self-test on this kernel, also while it is up', async () => {
    assert.deepEqual((await seen()).near, {
      vnetHeader: true,
      tcp: true,
      udp: true,
      writeTcp: true,
      writeUdp: true,
    });
    await node.run('ip', 'link', 'set', 'weft0', 'up');
  });

  it('carries TCP as super-packets both ways, IPv4 and IPv6, and no bit changes', async () => {
    const before = await seen();
    await transfer(node, '10.32.0.1', '10.33.0.1');
    await transfer(node, 'fd00:77::1', 'fd00:77::3:1');
    const after = await seen();
    assert.equal(after.refused, before.refused);
    assert.ok(after.longest > 20_000, `longest frame ${after.longest}`);
    assert.ok(after.superPackets > before.superPackets);
    assert.ok(after.partialChecksums > before.partialChecksums);
    assert.ok(after.frames - before.frames < (4 * BYTES) / 1364, 'super-packets are fewer than packets');
  });

  it('carries traffic of pods whose own MTU is larger, because their segments are clamped', async () => {
    const from = (await seen()).mss.length;
    await transfer(pod, '10.32.0.5', '10.33.0.1');
    await transfer(pod, 'fd00:77::5', 'fd00:77::3:1');
    const { mss } = await seen();
    // The answers' SYN is far0's own, 1364 less headers as well.
    assert.deepEqual([...new Set(mss.slice(from))].sort(), [1364 - 60, 1364 - 40]);
  });

  it('is no way to send packets in circles, or through a node to somewhere else', async () => {
    const dropped = async (): Promise<number> => {
      const text = await node.run('nft', 'list', 'counter', 'inet', 'weft', 'dropTunnel');
      return Number(/packets (\d+)/.exec(text)![1]);
    };
    await far.run('ip', 'route', 'add', '192.0.2.0/24', 'dev', 'far0');
    const before = await dropped();
    await far.program(DATAGRAM, 'send', '10.32.0.5', '10.33.0.1');
    assert.equal(await dropped(), before, 'a pod that is there gets its packets');
    await far.program(DATAGRAM, 'send', '10.32.0.99', '10.33.0.1');
    assert.equal(await dropped(), before + 1, 'one that is not ends them');
    await far.program(DATAGRAM, 'send', '192.0.2.7', '10.33.0.1');
    assert.equal(await dropped(), before + 2, 'what is no pod is not reached');
  });

  it('tells of its end when somebody deletes it', async () => {
    let errors = '';
    pair.stderr!.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    await node.run('ip', 'link', 'delete', 'weft0');
    await eventually('the reader is told', () => errors.includes('TUN device weft0 failed'));
    assert.equal(errors.trim().split('\n').length, 1);
  });

  it('names what is wrong: in use, of another kind, not permitted, not there', async () => {
    assert.deepEqual(await far.program(FAULTS), {
      busy: 'E_TUN_BUSY',
      kind: 'E_TUN_NAME',
      name: 'E_TUN_NAME',
    });
    const unprivileged = ['--bounding-set', '-all', '--inh-caps', '-all'];
    const node24 = fileURLToPath(new URL('../../../bin/weft-node', import.meta.url));
    const denied = await far.attempt('setpriv', [...unprivileged, node24, FAULTS, 'denied']);
    assert.equal(denied.stdout.trim(), '"E_NOT_ROOT"', denied.stderr);
    const hide = [
      '-m',
      'sh',
      '-c',
      'mount -t tmpfs none /dev/net && exec "$0" "$@"',
      node24,
      FAULTS,
      'denied',
    ];
    const hidden = await far.attempt('unshare', hide);
    assert.equal(hidden.stdout.trim(), '"E_NO_TUN"', hidden.stderr);
  });
});

function nextLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout!.once('data', (data: Buffer) => resolve(String(data)));
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
    child.stderr!.once('data', (data: Buffer) => reject(new Error(String(data))));
  });
}

async function setPermanentNeighbours(node: Namespace, pod: Namespace): Promise<void> {
  const mac = async (at: Namespace, link: string): Promise<string> =>
    /link\/ether (\S+)/.exec(await at.run('ip', '-o', 'link', 'show', link))![1]!;
  const nodeMac = await mac(node, 'wv00000000001');
  const podMac = await mac(pod, 'eth0');
  for (const address of ['10.32.0.5', 'fd00:77::5']) {
    await node.run('ip', 'neighbour', 'replace', address, 'lladdr', podMac, 'dev', 'wv00000000001');
  }
  for (const address of ['169.254.1.1', 'fe80::1']) {
    await pod.run('ip', 'neighbour', 'replace', address, 'lladdr', nodeMac, 'dev', 'eth0');
  }
}
