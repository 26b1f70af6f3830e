import { type Family, formatAddress } from '../base/address.ts';
import { formatRange, type Range } from '../base/range.ts';
import { type Finding, fault, fine, skipped, warning } from './finding.ts';
import type { HostFacts, HostSettings } from './host-facts.ts';

/** Certificates and their like are of later years; a host that believes in an earlier one refuses them. */
/** As many as a record holds. */
const MAX_NAMED_ADDRESSES = 16;
/** The part of connection tracking's table from which on it is warned. */
const CROWDED = 0.9;
const FIRST_SOUND_YEAR = 2025;

/** Whether this host has what a weftd needs. */
export function hostFindings(facts: HostFacts, settings: HostSettings): Finding[] {
  return [
    userFinding(facts),
    tunFinding(facts),
    rulesFinding(facts),
    ...([4, 6] as const)
      .filter((family) => settings.ranges.some((range) => range.family === family))
      .map((family) => forwardingFinding(facts, family)),
    ...othersFindings(facts),
    overlapFinding(facts, settings.ranges),
    addressesFinding(facts),
    ...portFindings(facts, settings.port),
    ...trackingFinding(facts),
    clockFinding(facts),
  ];
}

function userFinding({ root }: HostFacts): Finding {
  if (root) return fine('user', 'root');
  return warning(
    'user',
    'not root, so some of what follows could not be looked at',
    'run weft doctor as root',
  );
}

function tunFinding({ tunError }: HostFacts): Finding {
  const check = 'TUN device';
  if (tunError === undefined) return fine(check, '/dev/net/tun opens');
  if (tunError === 'ENOENT' || tunError === 'ENODEV' || tunError === 'ENXIO') {
    return fault(
      check,
      `the kernel has none (${tunError})`,
      "load it with 'modprobe tun', or give the container /dev/net/tun",
    );
  }
  return fault(
    check,
    `/dev/net/tun cannot be opened (${tunError})`,
    'run as root, in a container with CAP_NET_ADMIN and that device',
  );
}

function rulesFinding({ rulesError, root }: HostFacts): Finding {
  const check = 'nftables';
  if (rulesError === undefined) return fine(check, 'nft and this kernel take the packet rules');
  if (!root) return skipped(check, 'only root may ask');
  return fault(check, rulesError.message, rulesError.remedy);
}

function forwardingFinding(facts: HostFacts, family: Family): Finding {
  const { settings, serving } = facts;
  const check = `IPv${family} forwarding`;
  const path = family === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding';
  const value = settings[path];
  if (family === 6) {
    if (value === undefined)
      return fault(
        check,
        'this kernel has no IPv6',
        'boot without ipv6.disable=1, or give weftd no IPv6 range',
      );
    if (settings['net/ipv6/conf/all/disable_ipv6'] === '1') {
      const remedy = 'run sysctl -w net.ipv6.conf.all.disable_ipv6=0, or give weftd no IPv6 range';
      return fault(check, 'IPv6 is switched off on this host', remedy);
    }
  }
  if (value === '1') return fine(check, 'on');
  const remedy = `run sysctl -w ${path.replaceAll('/', '.')}=1, and see which program switches it off`;
  return serving
    ? fault(check, 'off: nothing reaches a pod', remedy)
    : fine(check, 'off; weftd switches it on');
}

function othersFindings({ others, serving }: HostFacts): Finding[] {
  const check = 'other programs';
  if (serving) return [];
  if (others === undefined) return [skipped(check, 'their packet filters cannot be read')];
  const unread = others.unread.map((program) =>
    skipped(check, `rules of ${program} are there, and ${program}-save cannot read them here`),
  );
  const found = others.hindrances.map(({ message, remedy }) => fault(check, message, remedy));
  if (found.length + unread.length > 0) return [...found, ...unread];
  return [fine(check, 'none takes or drops packets of pods')];
}

function overlapFinding({ overlap }: HostFacts, ranges: readonly Range[]): Finding {
  const check = 'pod ranges';
  if (overlap === undefined)
    return fine(check, `nothing else on this host uses ${ranges.map(formatRange).join(' or ') || 'any'}`);
  const option = overlap.range.family === 4 ? '--ipalloc-range' : '--ipalloc-range6';
  const seen = `${formatRange(overlap.range)} overlaps the host's ${overlap.use}`;
  return fault(check, seen, `remove that, or choose another range with ${option} for the whole cluster`);
}

function addressesFinding({ addresses }: HostFacts): Finding {
  const check = 'addresses offered';
  const more =
    addresses.length > MAX_NAMED_ADDRESSES ? `, and ${addresses.length - MAX_NAMED_ADDRESSES} more` : '';
  const named = addresses.slice(0, MAX_NAMED_ADDRESSES).map(formatAddress).join(', ');
  if (addresses.length > 0) return fine(check, named + more);
  const remedy = 'give the host an address that other nodes reach, or name one with --advertise';
  return fault(check, 'this host has no address to tell peers', remedy);
}

function portFindings({ portErrors, serving }: HostFacts, port: number): Finding[] {
  if (serving) return [];
  return (['udp', 'tcp'] as const).map((protocol) => {
    const check = `${protocol.toUpperCase()} port ${port}`;
    const code = portErrors[protocol];
    if (code === undefined) return fine(check, 'free');
    return fault(
      check,
      `cannot be taken (${code})`,
      'stop the program that has it, or give another --port to all nodes',
    );
  });
}

/** A host without connection tracking has no such table. */
function trackingFinding({ settings }: HostFacts): Finding[] {
  const check = 'connection tracking';
  const count = Number(settings['net/netfilter/nf_conntrack_count']);
  const most = Number(settings['net/netfilter/nf_conntrack_max']);
  if (Number.isNaN(count) || !(most > 0)) return [];
  const seen = `${count} of ${most} connections`;
  if (count < CROWDED * most) return [fine(check, seen)];
  const remedy = `raise sysctl net.netfilter.nf_conntrack_max, and see who opens so many ('conntrack -L', 'weft top')`;
  if (count < most) return [warning(check, `${seen}: soon none of the host or of pods can begin`, remedy)];
  return [fault(check, `${seen}: none of the host or of pods can begin`, remedy)];
}

function clockFinding({ dateMs }: HostFacts): Finding {
  const date = new Date(dateMs).toISOString();
  const check = 'clock';
  if (Number(date.slice(0, 4)) >= FIRST_SOUND_YEAR) return fine(check, date);
  const remedy = 'set the clock: the API of Kubernetes is refused with certificates that are not yet valid';
  return warning(check, `this host believes that it is ${date}`, remedy);
}
