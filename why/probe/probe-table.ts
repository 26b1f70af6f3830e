import { formatAddress } from '../../base/address.ts';
import type { ProbeFlow } from './probe-flow.ts';

/** The name of the table of a probe; `id` is hex digits. */
export function probeTableName(id: string): string {
  return `weft-why-${id}`;
}

/**
 * A table that has the kernel trace the packets of one probe, there, back, and ICMP errors about them, through all chains of
 * all tables. It drops nothing. Its own chains are the stations: the first to see a packet that comes in, is forwarded, is
 * for the node or begins there, and the last to see one that leaves. Where one of them does not see it, it was lost before.
 */
export function renderProbeTable(id: string, flow: ProbeFlow): string {
  const table = `inet ${probeTableName(id)}`;
  const { there, back } = matches(flow);
  const trace = (conditions: readonly string[]): string =>
    conditions.map((condition) => `    ${condition} meta nftrace set 1\n`).join('');
  return `table ${table} {
  chain in {
    type filter hook prerouting priority -350; policy accept;
${trace([...there, ...back])}  }
  chain forward {
    type filter hook forward priority -5000; policy accept;
${trace(back)}  }
  chain input {
    type filter hook input priority -5000; policy accept;
  }
  chain output {
    type filter hook output priority -350; policy accept;
${trace([...there, ...back])}  }
  chain out {
    type filter hook postrouting priority 5000; policy accept;
  }
}
`;
}

/** The batch that removes it; it succeeds where there is none. */
export function renderProbeRemoval(id: string): string {
  const table = `inet ${probeTableName(id)}`;
  return `table ${table}\ndelete table ${table}\n`;
}

/** The target is not looked at: a Service's address becomes another one on the way. */
function matches({ protocol, source, mark }: ProbeFlow): {
  readonly there: readonly string[];
  readonly back: readonly string[];
} {
  const ip = source.family === 4 ? 'ip' : 'ip6';
  const [from, to] = [`${ip} saddr`, `${ip} daddr`].map((end) => `${end} ${formatAddress(source)}`);
  const icmp = source.family === 4 ? 'icmp' : 'icmpv6';
  const errors =
    source.family === 4 ? 'destination-unreachable' : '{ destination-unreachable, packet-too-big }';
  const name = protocol.toLowerCase();
  const [there, back] =
    protocol === 'ICMP'
      ? [`${icmp} type echo-request ${icmp} id ${mark}`, `${icmp} type echo-reply ${icmp} id ${mark}`]
      : [`${name} sport ${mark}`, `${name} dport ${mark}`];
  return { there: [`${from} ${there}`], back: [`${to} ${back}`, `${to} ${icmp} type ${errors}`] };
}
