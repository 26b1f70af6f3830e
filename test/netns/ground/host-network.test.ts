import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { connect, Namespace } from '../namespaces.ts';

const PROGRAM = fileURLToPath(new URL('../inside/host-network.ts', import.meta.url));
const SETTINGS = {
  ranges: ['10.32.0.0/12', 'fd00:77::/64'],
  addresses: ['10.32.0.1', 'fd00:77::1'],
  mtu: 1364,
};

/** Everything weft could have changed, as text to compare. */
async function state(host: Namespace): Promise<string> {
  const parts = [
    await host.run('ip', '-4', 'route', 'show', 'proto', '87'),
    await host.run('ip', '-6', 'route', 'show', 'proto', '87'),
    await host.run('ip', '-o', 'link', 'show', 'dev', 'weft0').catch(() => ''),
    await host.run('ip', '-o', 'address', 'show', 'dev', 'weft0').catch(() => ''),
    await host.run('nft', 'list', 'ruleset'),
  ];
  return parts
    .join('\n')
    .replace(/packets \d+ bytes \d+/g, '')
    .replace(/<[^>]*>|state \S+|linkdown /g, '');
}

describe("the node's part of the host's network", () => {
  let host: Namespace;

  beforeEach(async () => {
    host = await Namespace.create('nf');
  });

  afterEach(async () => {
    await host.delete();
  });

  it('routes the ranges into the tunnel, with a blackhole beneath, and turns forwarding on', async () => {
    await host.program(PROGRAM, 'up', JSON.stringify(SETTINGS));
    const v4 = await host.run('ip', '-4', 'route', 'show', '10.32.0.0/12');
    assert.match(v4, /^10\.32\.0\.0\/12 dev weft0 proto 87 scope link src 10\.32\.0\.1 metric 50/m);
    assert.match(v4, /^blackhole 10\.32\.0\.0\/12 proto 87 metric 100000/m);
    const v6 = await host.run('ip', '-6', 'route', 'show', 'fd00:77::/64');
    assert.match(v6, /^fd00:77::\/64 dev weft0 proto 87 src fd00:77::1 metric 50/m);
    assert.match(v6, /^blackhole fd00:77::\/64 dev lo proto 87 metric 100000/m);
    assert.match(await host.run('ip', '-o', 'link', 'show', 'weft0'), /mtu 1364 .*qlen 1000/);
    assert.equal(
      await host.run('sysctl', '-n', 'net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'),
      '1\n1\n',
    );
    assert.equal(await host.run('sysctl', '-n', 'net.ipv6.conf.weft0.accept_ra'), '0\n');
    assert.doesNotMatch(await host.run('ip', '-6', 'address', 'show', 'weft0'), /fe80/);
  });

  it('changes nothing when repeated, nor after a kill', async () => {
    await host.program(PROGRAM, 'up', JSON.stringify(SETTINGS));
    const first = await state(host);
    const holder = host.startProgram(PROGRAM, ['up', JSON.stringify(SETTINGS), 'hold']);
    const said = await new Promise<string>((resolve) =>
      holder.stdout!.once('data', (data) => resolve(String(data))),
    );
    const all = { vnetHeader: true, tcp: true, udp: true, writeTcp: true, writeUdp: true };
    assert.deepEqual(JSON.parse(said), { offloads: all }, 'the self-test also works on a device that is up');
    assert.equal(await state(host), first);
    await host.stop(holder, 'SIGKILL');
    await host.program(PROGRAM, 'up', JSON.stringify(SETTINGS));
    assert.equal(await state(host), first);
  });

  it('drops packets for pods while the tunnel interface is down or gone, rather than let them out', async () => {
    const outside = await Namespace.create('nf');
    try {
      await connect(
        { namespace: host, link: 'eth0', addresses: ['192.0.2.1/24'] },
        { namespace: outside, link: 'eth0', addresses: ['192.0.2.2/24'] },
      );
      await host.run('ip', 'route', 'add', 'default', 'via', '192.0.2.2');
      await host.program(PROGRAM, 'up', JSON.stringify(SETTINGS));
      for (const change of [
        ['set', 'weft0', 'down'],
        ['delete', 'weft0'],
      ]) {
        await host.run('ip', 'link', ...change);
        const route = await host.attempt('ip', ['route', 'get', '10.33.0.9']);
        assert.notEqual(route.code, 0, route.stdout);
      }
    } finally {
      await outside.delete();
    }
  });

  it('follows other settings and leaves no trace of the old ones', async () => {
    await host.program(PROGRAM, 'up', JSON.stringify(SETTINGS));
    const other = { ranges: ['10.40.0.0/13'], addresses: ['10.40.0.1'], mtu: 1300 };
    await host.program(PROGRAM, 'up', JSON.stringify(other));
    const left = await state(host);
    assert.doesNotMatch(left, /10\.32\.|fd00:77/);
    assert.match(left, /10\.40\.0\.0\/13 dev weft0/);
  });

  it('spares the routes of pods, and of others', async () => {
    await host.program(PROGRAM, 'up', JSON.stringify(SETTINGS));
    await host.run('ip', 'link', 'add', 'wv00000000001', 'type', 'veth', 'peer', 'name', 'pod');
    await host.run('ip', 'link', 'set', 'wv00000000001', 'up');
    await host.run('ip', 'route', 'add', '10.32.0.7/32', 'dev', 'wv00000000001', 'proto', '87');
    await host.run('ip', 'route', 'add', '198.51.100.0/24', 'dev', 'wv00000000001');
    await host.program(PROGRAM, 'up', JSON.stringify(SETTINGS));
    assert.match(await host.run('ip', 'route'), /10\.32\.0\.7 dev wv00000000001[\s\S]*198\.51\.100\.0\/24/);
  });

  it('is removed without remainder', async () => {
    await host.run('ip', 'link', 'add', 'wvx', 'type', 'bridge');
    await host.program(PROGRAM, 'up', JSON.stringify(SETTINGS));
    await host.run('ip', 'link', 'add', 'wv00000000001', 'type', 'veth', 'peer', 'name', 'pod');
    assert.equal(await host.program(PROGRAM, 'remove'), 'removed');
    assert.equal((await state(host)).trim(), '');
    const links = await host.run('ip', '-o', 'link');
    assert.doesNotMatch(links, /weft0|wv0|pod/);
    assert.match(links, /wvx/, 'an interface of another kind is not ours, whatever its name');
    assert.equal(await host.program(PROGRAM, 'remove'), 'removed');
  });

  it("refuses a range that the host uses, and not weft's own", async () => {
    await host.program(PROGRAM, 'up', JSON.stringify(SETTINGS));
    assert.equal(await host.program(PROGRAM, 'overlap', ...SETTINGS.ranges), null);
    await host.run('ip', 'link', 'add', 'eth0', 'type', 'bridge');
    await host.run('ip', 'link', 'set', 'eth0', 'up');
    await host.run('ip', 'address', 'add', '192.0.2.1/24', 'dev', 'eth0');
    await host.run('ip', 'route', 'add', 'default', 'dev', 'eth0');
    assert.equal(await host.program(PROGRAM, 'overlap', ...SETTINGS.ranges), null);
    await host.run('ip', 'route', 'add', '10.33.0.0/16', 'dev', 'eth0');
    assert.deepEqual(await host.program(PROGRAM, 'overlap', ...SETTINGS.ranges), {
      code: 'E_RANGE_OVERLAP',
      message: "the pod range 10.32.0.0/12 overlaps the host's route 10.33.0.0/16 on eth0",
      remedy: 'choose another range with --ipalloc-range',
    });
  });

  it('knows the addresses peers can reach and the MTU of the way as it is set up', async () => {
    const far = await Namespace.create('nf');
    try {
      await connect(
        { namespace: host, link: 'eth0', addresses: ['192.0.2.1/24', '2001:db8::1/64', '10.32.9.9/32'] },
        { namespace: far, link: 'eth0', addresses: ['192.0.2.2/24'] },
      );
      await host.run('ip', 'link', 'set', 'eth0', 'mtu', '1400');
      await host.run('ip', 'route', 'add', '198.51.100.0/24', 'via', '192.0.2.2', 'mtu', '1350');
      assert.deepEqual(await host.program(PROGRAM, 'survey', '10.32.0.0/12', '192.0.2.2'), {
        addresses: ['192.0.2.1', '2001:db8::1'],
        mtu: 1400,
      });
      const viaRoute = (await host.program(PROGRAM, 'survey', '10.32.0.0/12', '198.51.100.1')) as {
        mtu: number;
      };
      assert.equal(viaRoute.mtu, 1350);
      const nowhere = (await host.program(PROGRAM, 'survey', '10.32.0.0/12', '203.0.113.1')) as {
        mtu: number;
      };
      assert.equal(nowhere.mtu, null);
    } finally {
      await far.delete();
    }
  });

  it('keeps the default route that IPv6 routers announced when forwarding goes on', async () => {
    await host.run('ip', 'link', 'add', 'eth0', 'type', 'bridge');
    await host.run('ip', 'link', 'set', 'eth0', 'up');
    await host.run('sysctl', '-qw', 'net.ipv6.conf.eth0.accept_ra=1');
    await host.run('ip', '-6', 'route', 'add', 'default', 'via', 'fe80::99', 'dev', 'eth0', 'proto', 'ra');
    await host.program(PROGRAM, 'up', JSON.stringify(SETTINGS));
    assert.equal(await host.run('sysctl', '-n', 'net.ipv6.conf.eth0.accept_ra'), '2\n');
  });

  it('says which setting is wrong where it may not be changed', async () => {
    const readOnly = `mount -o remount,ro,bind /proc/sys 2>/dev/null || mount --bind -o ro /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys; exec "$0" "$@"`;
    const node = fileURLToPath(new URL('../../../bin/weft-node', import.meta.url));
    const args = ['-m', 'sh', '-c', readOnly, node, PROGRAM, 'up', JSON.stringify(SETTINGS)];
    const outcome = await host.attempt('unshare', args);
    const fault = JSON.parse(outcome.stdout) as { code: string; message: string };
    assert.equal(fault.code, 'E_SYSCTL', outcome.stderr);
    assert.equal(fault.message, 'the kernel setting net.ipv4.ip_forward is 0 and must be 1');
  });
});
