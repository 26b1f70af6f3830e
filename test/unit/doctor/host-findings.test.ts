import { deepEqual, equal } from 'node:assert/strict';
import { parseAddress } from '../../../base/address.ts';
import { parseCidr } from '../../../base/range.ts';
import type { HostFacts, HostSettings } from '../../../doctor/host-facts.ts';
import { hostFindings } from '../../../doctor/host-findings.ts';

const SETTINGS: HostSettings = {
  ranges: [parseCidr('10.32.0.0/13')!, parseCidr('fd00::/64')!],
  port: 6783,
  stateDir: '/var/lib/weft',
  runDir: '/run/weft',
  masquerade: true,
  cniConfigFolder: '/etc/cni/net.d',
  writesCniConfig: false,
  cniBinDir: '/opt/cni/bin',
  sysctlDir: '/proc/sys',
};
const SOUND: HostFacts = {
  serving: true,
  root: true,
  tunError: undefined,
  rulesError: undefined,
  settings: {
    'net/ipv4/ip_forward': '1',
    'net/ipv6/conf/all/forwarding': '1',
    'net/ipv6/conf/all/disable_ipv6': '0',
    'net/ipv6/conf/default/disable_ipv6': '0',
    'net/netfilter/nf_conntrack_count': '1200',
    'net/netfilter/nf_conntrack_max': '262144',
  },
  others: { hindrances: [], unread: [] },
  overlap: undefined,
  addresses: [parseAddress('192.0.2.1')!],
  portErrors: {},
  dateMs: Date.UTC(2030, 0),
};

/** What is not well, by check. */
function unwell(facts: Partial<HostFacts>): Record<string, string> {
  const findings = hostFindings({ ...SOUND, ...facts }, SETTINGS);
  return Object.fromEntries(
    findings.filter(({ verdict }) => verdict !== 'ok').map((each) => [each.check, each.verdict]),
  );
}

describe('the doctor of hosts', () => {
  it('is content with a sound host', () => deepEqual(unwell({}), {}));

  it('finds forwarding that is off, unless weftd has not started yet', () => {
    const settings = { ...SOUND.settings, 'net/ipv4/ip_forward': '0' };
    deepEqual(unwell({ settings }), { 'IPv4 forwarding': 'fault' });
    deepEqual(unwell({ settings, serving: false }), {});
  });

  it('finds a table of connections that is full, or soon will be', () => {
    const tracking = (count: string | undefined): Record<string, string> =>
      unwell({ settings: { ...SOUND.settings, 'net/netfilter/nf_conntrack_count': count } });
    deepEqual(tracking('200000'), {});
    deepEqual(tracking('240000'), { 'connection tracking': 'warning' });
    deepEqual(tracking('262144'), { 'connection tracking': 'fault' });
    deepEqual(tracking(undefined), {}, 'a kernel that tracks nothing');
  });

  it('finds what other programs do to pods before the first start, and what it cannot read of it', () => {
    const hindrances = [{ code: 'E_X', severity: 'error', message: 'm', remedy: 'r' }] as const;
    const before = (others: HostFacts['others']) => unwell({ serving: false, others });
    deepEqual(before({ hindrances, unread: [] }), { 'other programs': 'fault' });
    deepEqual(before({ hindrances: [], unread: ['iptables-legacy'] }), { 'other programs': 'skipped' });
    deepEqual(before(undefined), { 'other programs': 'skipped' });
  });

  it('finds IPv6 that is switched off, or not in the kernel', () => {
    const off = { ...SOUND.settings, 'net/ipv6/conf/all/disable_ipv6': '1' };
    deepEqual(unwell({ settings: off }), { 'IPv6 forwarding': 'fault' });
    const none = { ...SOUND.settings, 'net/ipv6/conf/all/forwarding': undefined };
    deepEqual(unwell({ settings: none }), { 'IPv6 forwarding': 'fault' });
  });

  it('finds a kernel without TUN, rules that nft refuses, a range in use, a host without an address', () => {
    deepEqual(unwell({ tunError: 'ENOENT' }), { 'TUN device': 'fault' });
    deepEqual(unwell({ rulesError: { message: 'no fib', remedy: 'another kernel' } }), { nftables: 'fault' });
    deepEqual(unwell({ overlap: { range: SETTINGS.ranges[0]!, use: 'route 10.32.0.0/24 on eth0' } }), {
      'pod ranges': 'fault',
    });
    deepEqual(unwell({ addresses: [] }), { 'addresses offered': 'fault' });
  });

  it('finds a port that is taken before the first start, and a clock that was never set', () => {
    deepEqual(unwell({ serving: false, portErrors: { udp: 'EADDRINUSE' } }), { 'UDP port 6783': 'fault' });
    deepEqual(unwell({ dateMs: 0 }), { clock: 'warning' });
  });

  it('says once that it is not root, and leaves out what only root may ask', () => {
    const rulesError = { message: 'not permitted', remedy: 'run as root' };
    deepEqual(unwell({ root: false, rulesError }), { user: 'warning', nftables: 'skipped' });
  });

  it('says something of each family that has a range, once', () => {
    const checks = hostFindings(SOUND, SETTINGS).map(({ check }) => check);
    equal(new Set(checks).size, checks.length);
  });
});
