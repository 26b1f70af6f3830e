import { ADDRESS_BITS, formatAddress, parseAddress } from '../../base/address.ts';
import { type Endpoint, endpoint, endpointHost, parseEndpoint } from '../../base/endpoint.ts';
import { intersectRanges, parseCidr, type Range, rangeSize } from '../../base/range.ts';
import { bad, good, type Reading, type Setting, type SettingTable } from '../../host/settings/setting.ts';
import { readInteger, readSocketFolder } from '../../host/settings/setting-readers.ts';
import { type PeerHint, parsePeerHint } from './peer-hint.ts';

const SETTINGS = {
  name: { kind: 'one', value: 'NAME', help: "this node's name (default: the host name)" },
  'state-dir': { kind: 'one', value: 'DIR', help: 'keys and allocations, kept (default: /var/lib/weft)' },
  'run-dir': { kind: 'one', value: 'DIR', help: 'the control socket weft.sock (default: /run/weft)' },
  'secret-file': {
    kind: 'one',
    value: 'FILE',
    help: "the cluster's secret, made by 'weft secret new --file FILE' once and copied to each node (required)",
  },
  port: { kind: 'one', value: 'PORT', help: 'TCP and UDP port of this node (default: 6783)' },
  listen: { kind: 'many', value: 'ADDRESS', help: 'listen on this address only (default: all)' },
  peer: {
    kind: 'many',
    value: 'PEER',
    help: 'a node to start from: NAME, NAME:PORT, ADDRESS or [ADDRESS]:PORT; one is enough to find all',
  },
  advertise: {
    kind: 'many',
    value: 'ENDPOINT',
    help: 'tell peers to reach this node at ADDRESS or ADDRESS:PORT (behind NAT; default: the own addresses)',
  },
  'ipalloc-range': {
    kind: 'one',
    value: 'CIDR',
    help: "the cluster's IPv4 range for pods, the same on each node; 'none': no IPv4 (default: that of its ring, 10.32.0.0/13 for a new one)",
  },
  'ipalloc-range6': {
    kind: 'one',
    value: 'CIDR',
    help: "the same for IPv6; 'none': no IPv6 (default: a private /64 made from the secret)",
  },
  'ipalloc-init': {
    kind: 'one',
    value: 'HOW',
    help:
      "how the cluster's range is dealt out the first time. seed: this node takes all of it and shares on demand; " +
      'give it to ONE node of a new cluster. consensus=A,B,C: the listed nodes agree on who starts; give the same ' +
      'list to each. observer: wait until another node shares. Without it a node waits too, and its status says ' +
      'what to do. All are without effect once the range is dealt',
  },
  'safe-wait': {
    kind: 'one',
    value: 'SECONDS',
    help:
      'how long the ranges of a removed peer rest before they are dealt out again; less than the life of a session is ' +
      'for tests alone (default: 180)',
  },
  datapath: {
    kind: 'one',
    value: 'WHICH',
    help: 'auto: the fastest that works here; fast: threads in C++; sleeve: the one in TypeScript (default: auto)',
  },
  mtu: {
    kind: 'one',
    value: 'BYTES',
    help: 'largest packet of a pod (default: what the underlay carries, less 136)',
  },
  masquerade: {
    kind: 'switch',
    help: "give traffic of pods that leaves the cluster this host's address (default: on)",
  },
  kubernetes: {
    kind: 'switch',
    help:
      'this host is a node of Kubernetes: its API tells where peers are and who begins the ring; to be run in a pod ' +
      '(default: off)',
  },
  'take-over': {
    kind: 'switch',
    help:
      'take the place of the weftd that serves this node, if it was started with --take-over too: the old weftd then ' +
      'stands by until it is told to end, and serves again if the new one fails (default: off)',
  },
  policy: {
    kind: 'switch',
    help:
      'keep new pods apart from everything until weft-npc, which enforces NetworkPolicies, has decided for them; for nodes ' +
      'on which weft-npc runs (default: off)',
  },
  'npc-state-dir': {
    kind: 'one',
    value: 'DIR',
    help: 'the state folder of weft-npc, to see which namespaces have policies (default: /var/lib/weft-npc)',
  },
  flows: {
    kind: 'switch',
    help: "record who talks to whom always, and not only while 'weft flows' or 'weft top' watches (default: off)",
  },
  'flow-bytes': {
    kind: 'switch',
    help:
      'have the kernel count bytes and times of each connection of this host, for flows: nf_conntrack_acct and ' +
      'nf_conntrack_timestamp are set to 1 and stay so (default: off)',
  },
  'rules-only': {
    kind: 'switch',
    help:
      'set the packet rules that keep what is for pods from leaving in clear, and end: for a unit that runs before the ' +
      'network is up (default: off)',
  },
  'health-listen': {
    kind: 'one',
    value: 'ENDPOINT',
    help: 'answer /healthz and /readyz (this weftd serves the node) by HTTP there, as 127.0.0.1:6784 (default: nowhere)',
  },
  'metrics-listen': {
    kind: 'one',
    value: 'ENDPOINT',
    help: 'answer Prometheus at /metrics by HTTP there, as 192.0.2.1:6782, to whoever can reach it (default: nowhere)',
  },
  'metrics-peers': {
    kind: 'one',
    value: 'COUNT',
    help: 'show each other node in the metrics where there are at most so many (default: 50)',
  },
  'cni-config': {
    kind: 'one',
    value: 'FILE',
    help: 'write the configuration of the container runtime there once pods can be attached (default: nowhere)',
  },
  'cni-bin-dir': {
    kind: 'one',
    value: 'DIR',
    help: "the runtime's plugins, to chain those that are there (default: /opt/cni/bin)",
  },
  'sysctl-dir': {
    kind: 'one',
    value: 'DIR',
    help: 'kernel settings, where /proc/sys may not be written (default: /proc/sys)',
  },
  'log-level': { kind: 'one', value: 'LEVEL', help: 'error, warn, info or debug (default: info)' },
  'log-format': { kind: 'one', value: 'FORMAT', help: 'text or json (default: text)' },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

/** The settings of weftd: their names, and what the help says of each. How the text of each is read stands below. */
export const SETTING_TABLE: SettingTable<SettingName> = {
  program: 'weftd',
  prefix: 'WEFT_',
  settings: SETTINGS,
  remedyByUnknownVariable: {
    WEFT_SECRET: 'give a file by WEFT_SECRET_FILE: other processes can read an environment',
  },
};

export type GenesisSetting =
  | { readonly mode: 'seed' }
  | { readonly mode: 'consensus'; readonly electorate: readonly string[] }
  | { readonly mode: 'observer' }
  /** The API of Kubernetes decides. */
  | { readonly mode: 'authority' }
  /** Nothing was said: as observer, but the status tells that somebody has to start the ring. */
  | { readonly mode: 'none' };

/** Members of the electorate of `--ipalloc-init consensus=`. More would only make agreement slower. */
const MAX_ELECTORATE = 9;

/** Overlay MTU in bytes: at least what IPv6 demands of a link (RFC 8200 §5), whichever families the pods have. */
const MIN_MTU = 1280;
/** 65,535 less the 136 bytes that tunnel and relay add. */
const MAX_MTU = 65_399;

export function readName(text: string): Reading<string> {
  if (/^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(text)) return good(text);
  return bad('is not a node name', 'give 1 to 253 letters, digits, dots and dashes');
}

export const readRunDir = readSocketFolder('weft.sock');

export function readMtu(text: string): Reading<number> {
  return readInteger(text, MIN_MTU, MAX_MTU, 'an MTU');
}

export function readPeer(text: string, defaultPort: number): Reading<PeerHint> {
  const hint = parsePeerHint(text, defaultPort);
  return hint ? good(hint) : bad('is not a peer', 'give NAME, NAME:PORT, ADDRESS or [IPV6]:PORT');
}

/** An endpoint others can dial: neither the unspecified address nor multicast. */
export function readAdvertised(text: string, defaultPort: number): Reading<Endpoint> {
  const address = parseAddress(text.replace(/^\[(.*)\]$/, '$1'));
  const at = address ? endpoint(address, defaultPort) : parseEndpoint(text);
  if (!at) return bad('is not an endpoint', 'give ADDRESS, ADDRESS:PORT or [IPV6]:PORT');
  const { family, value } = parseAddress(endpointHost(at))!;
  const multicast = family === 4 ? value >> 28n === 0xen : value >> 120n === 0xffn;
  if (value === 0n || multicast)
    return bad('cannot be dialled', 'give the address at which peers reach this node');
  return good(at);
}

export function readRange4(text: string): Reading<Range | undefined> {
  return readRange(text, 4, { shortest: 8, longest: 29, example: '10.32.0.0/13' });
}

export function readRange6(text: string): Reading<Range | undefined> {
  return readRange(text, 6, { shortest: 32, longest: 120, example: 'fd00:1234:5678::/64' });
}

export function readGenesis(text: string): Reading<GenesisSetting> {
  if (text === 'seed' || text === 'observer') return good({ mode: text });
  const list = /^consensus=(.+)$/.exec(text)?.[1];
  if (list === undefined) return bad('is unknown', 'give seed, consensus=NAME,NAME,… or observer');
  const electorate = list.split(',').map((name) => name.trim());
  const wrong = electorate.find((name) => !readName(name).ok);
  if (wrong !== undefined)
    return bad(`names '${wrong}', which is not a node name`, 'list names as --name gives them');
  if (new Set(electorate).size < electorate.length) return bad('names a node twice', 'list each node once');
  if (electorate.length > MAX_ELECTORATE) {
    return bad(
      `lists ${electorate.length} nodes`,
      `list at most ${MAX_ELECTORATE}; the others need not be in it`,
    );
  }
  return good({ mode: 'consensus', electorate });
}

/** Blocks no pod may live in: this network, loopback, link-local (the pods' gateway is there), multicast. */
const UNUSABLE = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/16',
  'fe80::/10',
  'ff00::/8',
].map((cidr) => parseCidr(cidr)!);

function readRange(
  text: string,
  family: 4 | 6,
  limits: { readonly shortest: number; readonly longest: number; readonly example: string },
): Reading<Range | undefined> {
  if (text === '' || text === 'none') return good(undefined);
  const range = parseCidr(text);
  if (!range || range.family !== family) {
    const hint = alignedHint(text, family);
    return bad(`is not an IPv${family} range`, `give one like ${hint ?? limits.example}, or 'none'`);
  }
  const bits = ADDRESS_BITS[family];
  const size = rangeSize(range);
  if (size > 1n << BigInt(bits - limits.shortest) || size < 1n << BigInt(bits - limits.longest)) {
    return bad('is too large or too small', `give a prefix from /${limits.shortest} to /${limits.longest}`);
  }
  if (UNUSABLE.some((block) => intersectRanges(block, range))) {
    return bad('holds addresses that are reserved', `give a private range like ${limits.example}`);
  }
  return good(range);
}

/** For `10.32.1.0/12`, with bits below the prefix: the range that was probably meant. */
function alignedHint(text: string, family: 4 | 6): string | undefined {
  const [host = '', prefix = ''] = text.split('/');
  const address = parseAddress(host);
  const bits = ADDRESS_BITS[family];
  if (address?.family !== family || !/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) return undefined;
  const size = 1n << BigInt(bits - Number(prefix));
  return `${formatAddress({ family, value: address.value - (address.value % size) })}/${prefix}`;
}
