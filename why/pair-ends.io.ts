import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Address, formatAddress, parseAddress, sameAddress } from '../base/address.ts';
import { printable } from '../base/printable.ts';
import { type Range, rangeContains } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import { hostLinkName } from '../cni/host-link-name.ts';
import { askDaemon } from '../control/control-client.io.ts';
import type { IpamResult, LocateResult, StatusResult } from '../control/control-protocol.ts';
import type { PolicyExplainResult } from '../control/npc-request.ts';
import type { PeersResult } from '../control/peer-status.ts';
import { hostBlock } from '../linux/rtnetlink/route.ts';
import type { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { type GateAttachment, parseAttachmentText } from '../npc/gate/attachment-file.ts';
import type { LocalPod, PairEnd } from './pair-facts.ts';

/** What is known of who has which address. */
interface Whereabouts {
  readonly runDir: string;
  readonly status: StatusResult;
  readonly ipam: IpamResult;
  readonly peers: PeersResult;
  readonly ranges: readonly Range[];
  /** Pods of this node by name, where weftd keeps a gate. */
  readonly attachments: readonly GateAttachment[];
}

/** What a text means, before it is known who has the addresses. */
export interface NamedEnd {
  readonly text: string;
  readonly pod: string | null;
  /** Empty where only weft-npc may know them. */
  readonly addresses: readonly Address[];
}

/** More files than a node can have pods are not read. */
const MAX_FILES = 16_384;
/** Container ids are long; a part of one is enough, as container runtimes take it. */
const LEAST_ID_LENGTH = 4;

/** The pods of this node by name, from the files of weftd's gate; none where it keeps none. */
export function readAttachments(runDir: string): GateAttachment[] {
  const folder = join(runDir, 'pods');
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .slice(0, MAX_FILES)
      .flatMap((name) => parseAttachmentText(readFileSync(join(folder, name), 'utf8')) ?? []);
  } catch {
    return [];
  }
}

/**
 * What an address, `namespace/name`, a container id (or the start of one), or the name of a node means. Throws
 * E_AMBIGUOUS_POD, and what weftd says to a name that is none.
 */
export async function nameEnd(text: string, where: Whereabouts): Promise<NamedEnd> {
  const address = parseAddress(text);
  if (address !== undefined) return { text, pod: podAt(address, where), addresses: [address] };
  if (text.includes('/')) {
    const pod = where.attachments.find((each) => podName(each) === text);
    return { text, pod: text, addresses: pod?.addresses ?? [] };
  }
  const containers = where.ipam.allocations.filter(({ containerId }) =>
    text.length < LEAST_ID_LENGTH ? containerId === text : containerId.startsWith(text),
  );
  const exact = containers.find(({ containerId }) => containerId === text);
  if (exact === undefined && containers.length > 1) {
    const message = `'${printable(text)}' may mean ${containers.length} containers`;
    throw new WeftError('E_AMBIGUOUS_POD', message, 'give the whole id');
  }
  const container = exact ?? containers[0];
  if (container !== undefined) {
    const addresses = container.addresses.flatMap((each) => parseAddress(each) ?? []);
    return { text, pod: addresses[0] === undefined ? null : podAt(addresses[0], where), addresses };
  }
  const place = await askDaemon(where.runDir, { op: 'locate', target: text });
  return { text, pod: null, addresses: [parseAddress(place.address)!] };
}

/** Fills in what weft-npc knows. Throws E_UNKNOWN_POD where nobody knows an address. */
export function completeEnd(end: NamedEnd, told: PolicyExplainResult['source'] | undefined): NamedEnd {
  const pod = end.pod ?? told?.pod ?? null;
  if (end.addresses.length > 0) return { ...end, pod };
  const addresses = (told?.addresses ?? []).flatMap((each) => parseAddress(each) ?? []);
  if (addresses.length > 0) return { ...end, pod, addresses };
  throw new WeftError(
    'E_UNKNOWN_POD',
    `nobody on this node knows an address of the pod ${printable(end.text)}`,
    told === undefined ? 'give its address or its container id' : 'wait until it has an address',
  );
}

/**
 * One address of each end, of the family that both have: IPv4 where they have both. Throws E_NO_FAMILY.
 */
export function chooseFamily(
  source: NamedEnd,
  target: NamedEnd,
): readonly [source: Address, target: Address] {
  for (const family of [4, 6] as const) {
    const [a, b] = [source, target].map((end) => end.addresses.find((each) => each.family === family));
    if (a !== undefined && b !== undefined) return [a, b];
  }
  const message = `${printable(source.text)} and ${printable(target.text)} have no addresses of one family`;
  throw new WeftError('E_NO_FAMILY', message, 'ask about two addresses of one family');
}

/** Who has the address, and where that is. */
export async function placeEnd(
  { text, pod }: NamedEnd,
  address: Address,
  where: Whereabouts,
  client: RouteClient,
): Promise<PairEnd> {
  const located = await locate(formatAddress(address), where);
  const end = { text, pod, address };
  if (located === undefined) {
    const inRange = where.ranges.some((range) => rangeContains(range, address));
    return { ...end, node: null, place: { is: 'outside', inRange } };
  }
  if (located.peer !== null) {
    const { peerId, name } = located.peer;
    const peer = where.peers.peers.find((each) => each.peerId === peerId) ?? unlisted(located, located.peer);
    return { ...end, node: name, place: { is: 'peer', peer } };
  }
  const node = where.status.name;
  const allocation = where.ipam.allocations.find(({ addresses }) =>
    addresses.some((each) => sameText(each, address)),
  );
  const isOwn = where.status.addresses.some((each) => sameText(each, address));
  if (isOwn || allocation === undefined) return { ...end, node, place: { is: isOwn ? 'node' : 'nobody' } };
  const local = await readPod(allocation, address, client);
  return { ...end, node, place: { is: 'pod', local } };
}

/** Undefined where no node owns the address. */
async function locate(target: string, { runDir }: Whereabouts): Promise<LocateResult | undefined> {
  try {
    return await askDaemon(runDir, { op: 'locate', target });
  } catch (error) {
    if (error instanceof WeftError && error.code === 'E_NOT_OVERLAY') return undefined;
    throw error;
  }
}

/** A peer that the list leaves out. */
function unlisted(
  { mtu, mtuConfirmed }: LocateResult,
  peer: NonNullable<LocateResult['peer']>,
): PeersResult['peers'][number] {
  const unknown = { sentBytes: 0, receivedBytes: 0, version: '', endpoints: [], addresses: [], link: null };
  return { ...peer, ...unknown, mtu, mtuConfirmed };
}

async function readPod(
  key: IpamResult['allocations'][number],
  address: Address,
  client: RouteClient,
): Promise<LocalPod> {
  const link = hostLinkName(key);
  const found = await client.link(link);
  const entry = await client.routeTo(address, { entry: true });
  const own = hostBlock(address);
  const isOwn = entry?.destination.start === own.start && entry.destination.end === own.end;
  const to = isOwn && entry.link !== undefined ? await client.link(entry.link) : undefined;
  return {
    link,
    containerId: key.containerId,
    state: found && { index: found.index, up: found.up, mtu: found.mtu },
    routedTo: to?.name,
  };
}

function podAt(address: Address, { attachments }: Whereabouts): string | null {
  const found = attachments.find(({ addresses }) => addresses.some((each) => sameAddress(each, address)));
  return found === undefined ? null : podName(found);
}

function podName({ pod }: GateAttachment): string | null {
  return pod === null ? null : `${pod.namespace}/${pod.name}`;
}

function sameText(text: string, address: Address): boolean {
  const parsed = parseAddress(text);
  return parsed !== undefined && sameAddress(parsed, address);
}
