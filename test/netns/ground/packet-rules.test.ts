import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { connect, Namespace } from '../namespaces.ts';

const PROGRAM = fileURLToPath(new URL('../inside/host-network.ts', import.meta.url));
const DATAGRAM = fileURLToPath(new URL('../inside/datagram.ts', import.meta.url));
const POD = 'wv00000000001';
const UP = { ranges: ['10.32.0.0/12', 'fd00:77::/64'], addresses: ['10.32.0.1', 'fd00:77::1'], mtu: 1364 };

/**
 * A node with two pods on routed veths and an outside host on its underlay:
 *
 *   pod 10.32.0.5 ── wv…1 ┐
 *                         node 192.0.2.1 ── eth0 ── outside 192.0.2.2
 *   two 10.32.0.6 ── wv…2 ┘
 */
describe('the packet rules of a node', () => {
  let node: Namespace;
  let pod: Namespace;
  let two: Namespace;
  let outside: Namespace;

  before(async () => {
    [node, pod, two, outside] = (await Promise.all([1, 2, 3, 4].map(() => Namespace.create('nf')))) as [
      Namespace,
      Namespace,
      Namespace,
      Namespace,
    ];
    const underlay = ['192.0.2.1/24', '2001:db8::1/64'];
    const beyond = ['192.0.2.2/24', '2001:db8::2/64'];
    await connect(
      { namespace: node, link: 'eth0', addresses: underlay },
      { namespace: outside, link: 'eth0', addresses: beyond },
    );
    const spare = ['10.32.0.66/32', 'fd00:77::66/128']; // addresses that are not the pod's, to forge with
    await attach(node, pod, POD, 5, spare);
    await attach(node, two, 'wv00000000002', 6, []);
    await up(true);
    // A way for the outside to try pod addresses directly.
    await outside.run('ip', 'route', 'add', '10.32.0.0/12', 'via', '192.0.2.1');
    await outside.run('ip', 'route', 'add', 'fd00:77::/64', 'via', '2001:db8::1');
    await outside.run('ip', 'address', 'add', '10.33.0.9/32', 'dev', 'lo');
  });

  after(async () => {
    for (const namespace of [node, pod, two, outside]) await namespace?.delete();
  });

  async function up(masquerade: boolean): Promise<void> {
    await node.program(PROGRAM, 'up', JSON.stringify({ ...UP, masquerade }));
  }

  async function dropped(counter: string): Promise<number> {
    const text = await node.run('nft', 'list', 'counter', 'inet', 'weft', counter);
    return Number(/packets (\d+)/.exec(text)![1]);
  }

  /** Sends one datagram and says from which address it arrived, or null where it did not within 300 ms after that. */
  async function arrival(
    from: Namespace,
    to: Namespace,
    address: string,
    source?: string,
  ): Promise<string | null> {
    const listener = to.startProgram(DATAGRAM, ['await', address]);
    await new Promise((resolve) => listener.stdout!.once('data', resolve));
    const said = new Promise<string>((resolve) =>
      listener.stdout!.once('data', (data: Buffer) => resolve(String(data))),
    );
    listener.stdin!.on('error', () => {}); // it ends by itself once something has arrived
    await from.program(DATAGRAM, 'send', address, ...(source ? [source] : []));
    listener.stdin!.write('sent\n');
    const text = await said;
    await to.stop(listener);
    return JSON.parse(text) as string | null;
  }

  it('let pods of a node talk, with their own addresses', async () => {
    assert.equal(await arrival(pod, two, '10.32.0.6'), '10.32.0.5');
    assert.equal(await arrival(pod, two, 'fd00:77::6'), 'fd00:77::5');
  });

  it('drop what a pod sends from an address that is not its own', async () => {
    for (const [to, forged, own] of [
      ['10.32.0.6', '10.32.0.66', '10.32.0.5'],
      ['fd00:77::6', 'fd00:77::66', 'fd00:77::5'],
    ] as const) {
      const before = await dropped('dropSpoofed');
      assert.equal(await arrival(pod, two, to, forged), null);
      assert.equal(await dropped('dropSpoofed'), before + 1);
      assert.equal(await arrival(pod, two, to, own), own);
    }
  });

  it('drop what a pod sends from the address of another pod of the node', async () => {
    await pod.run('ip', 'address', 'add', '10.32.0.6/32', 'dev', 'eth0');
    const before = await dropped('dropSpoofed');
    await pod.program(DATAGRAM, 'send', '192.0.2.1', '10.32.0.6');
    assert.equal(await dropped('dropSpoofed'), before + 1);
    await pod.run('ip', 'address', 'del', '10.32.0.6/32', 'dev', 'eth0');
  });

  it('drop packets to and from pod addresses that come from the underlay', async () => {
    let before = await dropped('dropForeign');
    assert.equal(await arrival(outside, pod, '10.32.0.5'), null);
    assert.equal(await arrival(outside, pod, 'fd00:77::5'), null);
    assert.equal(await dropped('dropForeign'), before + 2);
    before = await dropped('dropForeign');
    assert.equal(await arrival(outside, node, '192.0.2.1', '10.33.0.9'), null);
    assert.equal(await dropped('dropForeign'), before + 1);
    assert.equal(await arrival(outside, node, '192.0.2.1'), '192.0.2.2');
  });

  it("give what leaves the cluster the node's address, and let it be answered", async () => {
    assert.equal(await arrival(pod, outside, '192.0.2.2'), '192.0.2.1');
    assert.equal(await arrival(pod, outside, '2001:db8::2'), '2001:db8::1');
    const ping = await pod.program(DATAGRAM, 'ask', '192.0.2.2').catch(() => undefined);
    assert.equal(ping, undefined, 'nobody answers there, so the test can fail');
    const answerer = outside.startProgram(DATAGRAM, ['answer', '192.0.2.2']);
    await new Promise((resolve) => answerer.stdout!.once('data', resolve));
    assert.equal(await pod.program(DATAGRAM, 'ask', '192.0.2.2'), 'answered');
    await outside.stop(answerer);
  });

  it('leave traffic between a pod and its node alone', async () => {
    assert.equal(await arrival(pod, node, '192.0.2.1'), '10.32.0.5');
    assert.equal(await arrival(node, pod, '10.32.0.5', '10.32.0.1'), '10.32.0.1');
  });

  it('keep the source where masquerading is off', async () => {
    await outside.run('ip', 'address', 'del', '10.33.0.9/32', 'dev', 'lo');
    await up(false);
    assert.equal(await arrival(pod, outside, '192.0.2.2'), '10.32.0.5');
    await up(true);
    assert.equal(await arrival(pod, outside, '192.0.2.2'), '192.0.2.1');
  });

  it("drop a pod's DHCP answers and router advertisements, and keep it off the loopback", async () => {
    const before = await dropped('dropPodControl');
    await pod.program(DATAGRAM, 'send', '10.32.0.6', '10.32.0.5', '68', '67');
    await pod.program(DATAGRAM, 'send', 'fd00:77::6', 'fd00:77::5', '546', '547');
    assert.equal(await dropped('dropPodControl'), before + 2);
    await pod.run(
      'ip',
      'route',
      'add',
      '127.0.0.9/32',
      'via',
      '169.254.1.1',
      'dev',
      'eth0',
      'onlink',
      'table',
      '99',
    );
    await pod.run('ip', 'rule', 'add', 'to', '127.0.0.9', 'table', '99', 'pref', '0');
    await pod.run('sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1');
    await pod.run('ip', 'route', 'del', 'local', '127.0.0.0/8', 'dev', 'lo', 'table', 'local');
    await node.run('sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1');
    const loopback = await dropped('dropLoopback');
    await pod.program(DATAGRAM, 'send', '127.0.0.9', '10.32.0.5');
    assert.equal(await dropped('dropLoopback'), loopback + 1);
  });
});

async function attach(
  node: Namespace,
  pod: Namespace,
  link: string,
  n: number,
  spare: string[],
): Promise<void> {
  // Without a link-local address the pod sends nothing by itself, so counters count our packets only.
  await pod.run('sysctl', '-qw', 'net.ipv6.conf.default.addr_gen_mode=1');
  const own = [`10.32.0.${n}/32`, `fd00:77::${n}/128`];
  await connect(
    { namespace: node, link, addresses: [] },
    { namespace: pod, link: 'eth0', addresses: [...own, ...spare] },
  );
  const mac = async (at: Namespace, name: string): Promise<string> =>
    /link\/ether (\S+)/.exec(await at.run('ip', '-o', 'link', 'show', name))![1]!;
  const hostMac = await mac(node, link);
  const podMac = await mac(pod, 'eth0');
  for (const [address, gateway] of [
    [`10.32.0.${n}`, '169.254.1.1'],
    [`fd00:77::${n}`, 'fe80::1'],
  ] as const) {
    await node.run('ip', 'route', 'add', address, 'dev', link, 'proto', '87');
    await node.run('ip', 'neighbour', 'replace', address, 'lladdr', podMac, 'dev', link, 'nud', 'permanent');
    await pod.run(
      'ip',
      'neighbour',
      'replace',
      gateway,
      'lladdr',
      hostMac,
      'dev',
      'eth0',
      'nud',
      'permanent',
    );
    const family = gateway.includes(':') ? '-6' : '-4';
    await pod.run(
      'ip',
      family,
      'route',
      'add',
      'default',
      'via',
      gateway,
      'dev',
      'eth0',
      'onlink',
      'src',
      address,
    );
  }
}
