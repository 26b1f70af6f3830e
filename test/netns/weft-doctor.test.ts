import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '../../doctor/finding.ts';
import { Cluster } from '../cluster/cluster.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import { run, until } from '../cluster/command.ts';

const WEFT = new URL('../../bin/weft', import.meta.url).pathname;

interface DoctorResult {
  readonly well: boolean;
  readonly findings: readonly Finding[];
}

/** Runs `weft doctor` on a node's host, as an operator would. */
async function doctor(
  node: ClusterNode,
  ...flags: string[]
): Promise<DoctorResult & { readonly status: number }> {
  const argv = [WEFT, '--run-dir', node.runDir, '--json', 'doctor', ...flags];
  const { status, stdout, stderr } = await node.run(argv, { mayFail: true });
  ok(stdout.startsWith('{'), stderr);
  return { status, ...(JSON.parse(stdout) as DoctorResult) };
}

function unwell({ findings }: DoctorResult): Finding[] {
  return findings.filter(({ verdict }) => verdict === 'fault' || verdict === 'warning');
}

function named(result: DoctorResult, check: string): Finding {
  const finding = result.findings.find((each) => each.check === check);
  ok(finding, `${check} in ${result.findings.map((each) => each.check).join(', ')}`);
  return finding;
}

describe('weft doctor', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let near: ClusterNode;
  let far: ClusterNode;

  before(async () => {
    cluster = await Cluster.create({ prefix: `dr${process.pid % 10_000}` });
    [near, far] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    await near.ready();
    await far.ready();
    await near.connected([far]);
  });
  after(() => cluster?.destroy());

  it('finds nothing wrong with two sound nodes, and proves that packets are sealed', async () => {
    const result = await doctor(near);
    deepEqual(unwell(result), []);
    equal(result.status, 0);
    match(
      named(result, 'canary').seen,
      /^all 6 packets for n2 went into weft0; none of \d+ packets on .*holds/,
    );
    match(named(result, 'peer n2').seen, /^direct tunnel to /);
  });

  it('finds a route by which packets miss the tunnel', async () => {
    const { namespace } = near;
    const [address] = (await near.ask('peers')).peers.find(({ name }) => name === far.name)!.addresses;
    // Both layers are taken away: the rules, and the route by a more specific one, as a VPN would set it.
    await run(['nft', 'delete', 'table', 'inet', 'weft'], { namespace });
    await run(['ip', 'route', 'add', `${address}/32`, 'via', far.host.v4], { namespace });
    const { findings } = await doctor(near);
    await run(['ip', 'route', 'del', `${address}/32`, 'via', far.host.v4], { namespace });
    const canary = findings.find(({ check }) => check === 'canary');
    // weftd puts its rules back at once, so the packets may be dropped instead; they miss the tunnel all the same.
    equal(canary?.verdict, 'fault', JSON.stringify(canary));
    match(canary.seen, /left this host in clear by eth0|^3 of 6 packets for n2 went into weft0/);
  });

  it('finds forwarding that somebody switched off where weftd may not switch it on', async () => {
    const program = await bound(
      cluster,
      'weftd-bound',
      'mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys',
    );
    const node = await cluster.addNode('bound', { args: ['--peer', near.host.v4], program });
    const set = async (...settings: string[]): Promise<unknown> => node.run(['sysctl', '-qw', ...settings]);
    await set('net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    await set('net.ipv6.conf.default.accept_ra=0', 'net.ipv6.conf.default.accept_redirects=0');
    await node.start();
    await node.ready();
    await node.connected([near]);
    equal(named(await doctor(node), 'IPv4 forwarding').verdict, 'ok');
    await set('net.ipv4.ip_forward=0');
    await until('weftd to have tried', async () =>
      ((await node.ask('status')).problems ?? []).some(({ code }) => code === 'E_SYSCTL'),
    );
    const result = await doctor(node);
    equal(result.status, 1);
    const { verdict, remedy } = named(result, 'IPv4 forwarding');
    equal(verdict, 'fault');
    match(remedy ?? '', /sysctl -w net\.ipv4\.ip_forward=1/);
    await node.stop();
  });

  it('finds UDP that is blocked while TCP works', async () => {
    const rules =
      'table inet block { chain in { type filter hook input priority -300; udp dport 6783 drop; }; }';
    await near.run(['nft', '-f', '-'], { input: rules });
    await until(
      'the tunnel to break',
      async () => {
        const { peers } = await near.ask('status');
        return ['unreachable', 'connecting'].includes(peers.find(({ name }) => name === far.name)!.state);
      },
      { timeoutMs: 60_000 },
    );
    const result = await doctor(near);
    await near.run(['nft', 'delete', 'table', 'inet', 'block']);
    match(named(result, 'peer n2').seen, /UDP is not answered, while TCP to .* is answered/);
    equal(result.status, 1);
    await near.connected([far], 30_000);
  });

  it('looks before the first start, by the flags that weftd would get', async () => {
    await far.stop();
    const flags = ['--', '--secret-file', cluster.secretFile, '--state-dir', far.stateDir];
    const before = await doctor(far, ...flags);
    deepEqual(unwell(before), []);
    match(named(before, 'weftd').seen, /none runs here/);
    const wrong = await doctor(far, '--', '--port', '99999');
    equal(wrong.status, 1);
    const faults = wrong.findings.filter(({ check }) => check === 'settings').map(({ seen }) => seen);
    ok(
      faults.some((seen) => seen.includes('--port')),
      faults.join('\n'),
    );
    ok(
      faults.some((seen) => seen.includes('no secret file')),
      faults.join('\n'),
    );
  });

  it('names what of other programs takes or drops packets of pods, before the first start as after it', async () => {
    await far.stop();
    await far.run(['sh', '-c', HOST_OF_OTHERS]);
    const flags = ['--', '--secret-file', cluster.secretFile, '--state-dir', far.stateDir];
    const before = await doctor(far, ...flags);
    const found = before.findings.filter(({ check }) => check === 'other programs');
    const expected = [
      /the route 10\.33\.0\.0\/16 by other0 takes packets for pods/,
      /the chain FORWARD of the nftables table ip6 filter drops .* ip6tables -I FORWARD -i wv\+ -j ACCEPT/,
      /the chain FORWARD of the iptables-legacy table ip filter drops .* iptables-legacy -I FORWARD -i wv\+/,
    ];
    equal(found.length, expected.length, JSON.stringify(found));
    for (const [i, { seen, remedy }] of found.entries()) match(`${seen}; ${remedy}`, expected[i]!);
    // No weftd starts with a route of another in its range.
    await far.run(['ip', 'link', 'del', 'other0']);
    await far.start();
    await until('weftd to warn of the rest', async () => {
      const warnings = (await far.ask('status')).warnings ?? [];
      return expected.slice(1).every((each) => warnings.some((warning) => each.test(warning)))
        ? true
        : undefined;
    });
  });
});

/** A program that runs weftd with mounts of its own, which `script` changes first. */
async function bound(cluster: Cluster, name: string, script: string): Promise<string> {
  const path = join(cluster.folder, name);
  const weftd = `${import.meta.dirname}/../../bin/weftd`;
  await writeFile(path, `#!/bin/sh\nexec unshare -m sh -c '${script}; exec "$0" "$@"' ${weftd} "$@"\n`, {
    mode: 0o755,
  });
  return path;
}

/** A host with a VPN, and firewalls of both kinds. */
const HOST_OF_OTHERS = `set -e
ip link add other0 type bridge
ip link set other0 up
ip route add 10.33.0.0/16 dev other0
ip6tables-nft -P FORWARD DROP
iptables-legacy -P FORWARD DROP`;
