/** What a pair is asked about: a port of a protocol, or an echo. */
export interface WhyPort {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP' | 'ICMP';
  /** Of the target; 0 with ICMP. */
  readonly port: number;
}

/** Names that people use for ports. Others are given by number. */
const PORT_BY_NAME: Readonly<Record<string, WhyPort>> = {
  dns: { protocol: 'UDP', port: 53 },
  domain: { protocol: 'UDP', port: 53 },
  http: { protocol: 'TCP', port: 80 },
  https: { protocol: 'TCP', port: 443 },
  ssh: { protocol: 'TCP', port: 22 },
  ping: { protocol: 'ICMP', port: 0 },
  icmp: { protocol: 'ICMP', port: 0 },
};

/** Reads `80`, `53/udp`, `9/sctp`, `http`, `dns`, `ping`; undefined for anything else. */
export function readWhyPort(text: string): WhyPort | undefined {
  const named = text.toLowerCase();
  if (Object.hasOwn(PORT_BY_NAME, named)) return PORT_BY_NAME[named];
  const [, number = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(named) ?? [];
  const port = Number(number);
  if (number === '' || port < 1 || port > 65_535) return undefined;
  return { protocol: protocol.toUpperCase() as WhyPort['protocol'], port };
}

/** `TCP 80`, `ICMP echo`. */
export function whyPortText({ protocol, port }: WhyPort): string {
  return protocol === 'ICMP' ? 'ICMP echo' : `${protocol} ${port}`;
}
