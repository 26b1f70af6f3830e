import { printable } from '../base/printable.ts';
import type {
  DatapathStatus,
  IpamResult,
  IpamSummary,
  RemovalStatus,
  StatusResult,
} from '../control/control-protocol.ts';
import type { PeerStatus, PeersResult } from '../control/peer-status.ts';
import type { PolicyStatus } from '../control/policy-request.ts';

/** Texts for people: the results of the control socket as lines and tables. Names of peers are not trusted. */

export function formatStatus(status: StatusResult): string {
  const connected = status.peers.filter((peer) => peer.state === 'connected').length;
  const lines = [
    ...(status.warnings ?? []).map((warning) => `warning    ${printable(warning, 400)}`),
    `name       ${printable(status.name)}`,
    `peer       ${printable(status.peerId)}`,
    `version    ${printable(status.version)}`,
    `addresses  ${status.addresses.map((address) => printable(address)).join(', ') || 'none yet'}`,
    `ipam       ${summaryOf(status.ipam)}`,
    ...datapathLines(status.datapath),
    ...(status.policy === undefined ? [] : [`policy     ${policyText(status.policy)}`]),
    `peers      ${connected} of ${status.peers.length} connected${hiddenText(status.hidden)}`,
  ];
  if (status.peers.length > 0) lines.push('', ...peerTable(status.peers));
  return text(lines);
}

/** What moves the packets, and a line for each part of it that the host does not have. */
function datapathLines(datapath: DatapathStatus | undefined): string[] {
  if (datapath === undefined) return [];
  const { name, suites, without } = datapath;
  return [
    `datapath   ${printable(name)}; ${suites.map((suite) => printable(suite)).join(', ')}`,
    ...without.map(({ feature, fault }) => `           without ${printable(feature)}: ${printable(fault)}`),
  ];
}

const NPC_TEXT: Readonly<Record<PolicyStatus['npc'], string>> = {
  serving: 'weft-npc serves',
  incomplete: 'weft-npc has no complete copy of the policies yet',
  absent: 'weft-npc is not connected',
};

function policyText({ npc, open, waiting }: PolicyStatus): string {
  return `${NPC_TEXT[npc] ?? printable(npc)}; pods: ${open} decided, ${waiting} waiting at the gate`;
}

export function formatPeers(result: PeersResult): string {
  const rows = result.peers.map((peer) => [
    ...peerRow(peer),
    bytesText(peer.sentBytes),
    bytesText(peer.receivedBytes),
    peer.addresses.join(' '),
  ]);
  const lines =
    rows.length > 0 ? table([...PEER_COLUMNS, 'SENT', 'RECEIVED', 'ADDRESSES'], rows) : ['no peers'];
  if (result.hidden !== undefined) lines.push('', `${result.hidden} that left not shown (--all)`);
  const seeds = result.seedStates ?? [];
  if (seeds.length === 0) return text([...lines, '', 'sought  nobody']);
  const seedTable = table(
    ['SOUGHT', 'STATE', 'NAME', 'FOR', 'NEXT TRY', 'REASON'],
    seeds.map((each) => [
      each.seed,
      each.state,
      each.name ?? '',
      each.sinceS === null ? '' : `${each.sinceS} s`,
      each.nextTryS === null ? '' : `${each.nextTryS} s`,
      each.reason ?? '',
    ]),
  );
  return text([...lines, '', ...seedTable]);
}

export function formatIpam(result: IpamResult): string {
  const lines = [
    `state   ${summaryOf(result)}`,
    `owned   ${result.ranges.map((range) => printable(range)).join(', ') || 'nothing'}`,
  ];
  if (result.owners.length > 0) {
    const rows = result.owners.map((owner) => [owner.range, owner.name, owner.peerId.slice(0, 12)]);
    lines.push('', ...table(['RANGE', 'OWNER', 'PEER'], rows));
  }
  for (const removal of result.removals) lines.push('', formatRemoval(removal));
  if (result.allocations.length > 0) {
    const rows = result.allocations.map((each) => [each.addresses.join(' '), each.ifname, each.containerId]);
    lines.push('', ...table(['ADDRESS', 'INTERFACE', 'CONTAINER'], rows));
  }
  return text(lines);
}

/** How many peers are not listed; empty for none. */
function hiddenText(hidden: number | undefined): string {
  return hidden === undefined ? '' : `, ${hidden} that left not shown (--all)`;
}

/** How far the removal of a peer is, in one line. */
export function formatRemoval({ name, phase, secondsLeft, votes }: RemovalStatus): string {
  const missing = votes?.missing.map((each) => printable(each)).join(', ') || 'none';
  const needs = votes ? `, needs ${votes.needed} of ${votes.of} votes, missing: ${missing}` : '';
  const left = phase === 'waiting' && secondsLeft !== null ? `, ${secondsLeft} s left` : '';
  return `removing ${printable(name)}: ${phase}${left}${phase === 'waiting' ? '' : needs}`;
}

/** Columns as wide as their widest cell, two spaces between, no space at the end of a line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, ...rows].map((row) => row.map((cell) => printable(cell) || '-'));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => [...(row[column] ?? '')].length)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(widths[column]! - [...cell].length))
      .join('  ')
      .trimEnd(),
  );
}

/** `1.5 MiB`. */
/** `512 B`, `1.5 KiB`, `120 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

const PEER_COLUMNS = ['NAME', 'STATE', 'ENDPOINT', 'VIA', 'DATAPATH', 'SUITE', 'RTT', 'PEER'] as const;

function peerTable(peers: readonly PeerStatus[]): string[] {
  return table(PEER_COLUMNS, peers.map(peerRow));
}

function peerRow(peer: PeerStatus): string[] {
  return [
    peer.name,
    peer.state,
    peer.endpoint ?? '',
    peer.via ?? '',
    peer.datapath ?? '',
    peer.suite ?? '',
    peer.rttMs === null ? '' : `${peer.rttMs.toFixed(1)} ms`,
    peer.peerId.slice(0, 12),
  ];
}

function summaryOf(ipam: IpamSummary): string {
  const detail = ipam.detail === '' ? '' : `: ${printable(ipam.detail, 400)}`;
  const families = (['4', '6'] as const).flatMap((family) => {
    const each = ipam.families[family];
    return each ? [`IPv${family} ${each.used} used of ${each.owned} owned`] : [];
  });
  return [`${ipam.state}${detail}`, ...families].join('; ');
}

export function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
