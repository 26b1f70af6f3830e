import { printable } from '../base/printable.ts';
import type { LocateResult } from '../control/control-protocol.ts';
import type { SizeOutcome } from '../host/size-probe.io.ts';
import type { ReachOutcome } from '../host/tcp-probe.io.ts';

/** Probes where the user names no number, and the most that may be asked for. */
export const DEFAULT_PINGS = 5;
export const MAX_PINGS = 1000;
/** A port where hardly anybody listens: what is asked for is the answer, open or not. */
const PROBE_PORT = 1;
const PROBE_TIMEOUT_MS = 2_000;
const BETWEEN_PROBES_MS = 200;

/** What `weft ping` needs of the world. */
export interface PingWorld {
  probeTcp(host: string, port: number, timeoutMs: number): Promise<ReachOutcome>;
  probeSize(host: string, bytes: number, timeoutMs: number): Promise<SizeOutcome>;
  pause(ms: number): Promise<void>;
}

/** What `weft ping --json` prints. */
export interface PingResult {
  readonly place: LocateResult;
  readonly sent: number;
  readonly answered: number;
  /** Milliseconds; null where nothing answered. */
  readonly rttMs: { readonly min: number; readonly median: number; readonly max: number } | null;
  /** How a packet of the overlay's full size fared, bytes of the IP packet. */
  readonly fullSize: { readonly bytes: number; readonly outcome: SizeOutcome };
}

/**
 * Asks an address of the overlay `count` times for a sign of life, one after the other, then once with a packet of full size. Each
 * probe takes the way of a pod's packet: route, packet rules, tunnel, and the far end's way back.
 *
 * @param onProbe is told of each probe as it ends, counted from 1.
 */
export async function ping(
  place: LocateResult,
  count: number,
  world: PingWorld,
  onProbe: (index: number, outcome: ReachOutcome) => void,
): Promise<PingResult> {
  const rtts: number[] = [];
  for (let index = 1; index <= count; index++) {
    if (index > 1) await world.pause(BETWEEN_PROBES_MS);
    const outcome = await world.probeTcp(place.address, PROBE_PORT, PROBE_TIMEOUT_MS);
    if ('rttMs' in outcome) rtts.push(outcome.rttMs);
    onProbe(index, outcome);
  }
  rtts.sort((a, b) => a - b);
  const outcome = await world.probeSize(place.address, place.mtu, PROBE_TIMEOUT_MS);
  return {
    place,
    sent: count,
    answered: rtts.length,
    rttMs:
      rtts.length === 0
        ? null
        : { min: rtts[0]!, median: rtts[Math.floor(rtts.length / 2)]!, max: rtts.at(-1)! },
    fullSize: { bytes: place.mtu, outcome },
  };
}

/** Where the target is and how packets get there, in one line. */
export function formatPlace(place: LocateResult): string {
  const { address, peer } = place;
  if (peer === null) return `${address} is on this node\n`;
  const name = `${printable(peer.name)} (${peer.peerId.slice(0, 12)})`;
  const way =
    peer.via !== null
      ? `relayed by ${printable(peer.via)}`
      : peer.endpoint !== null
        ? `direct to ${peer.endpoint}`
        : `no tunnel yet, ${peer.state}`;
  return `${address} is on ${name}, ${way}\n`;
}

/** One probe in one line: `3  0.42 ms`. */
export function formatProbe(index: number, outcome: ReachOutcome): string {
  return `${index}  ${'rttMs' in outcome ? `${outcome.rttMs.toFixed(2)} ms` : WITHOUT_ANSWER[outcome.outcome]}\n`;
}

const WITHOUT_ANSWER = {
  silent: `no answer within ${PROBE_TIMEOUT_MS / 1000} s`,
  unreachable: 'the kernel or a router says that it is unreachable',
} as const;

/** The outcome in two lines. */
export function formatPing(result: PingResult): string {
  const { sent, answered, rttMs, fullSize } = result;
  const lost = Math.round((100 * (sent - answered)) / sent);
  const times =
    rttMs === null
      ? ''
      : `, round trip ${rttMs.min.toFixed(2)} / ${rttMs.median.toFixed(2)} / ${rttMs.max.toFixed(2)} ms (least, median, most)`;
  const size = { answered: 'get through', 'too-big': 'are too big for the way', silent: 'get no answer' }[
    fullSize.outcome
  ];
  return `${sent} sent, ${answered} answered, ${lost} % lost${times}\npackets of ${fullSize.bytes} bytes ${size}\n`;
}
