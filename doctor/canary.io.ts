import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import { printable } from '../base/printable.ts';
import type { PeersResult } from '../control/peer-status.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import { isSystemError } from '../native/addon.ts';
import { CANARIES, canaryVerdict } from './canary.ts';
import { type Finding, skipped } from './finding.ts';
import { MarkerCapture } from './marker-capture.io.ts';

/** The first port of traceroute: nobody listens there. */
const CLOSED_UDP_PORT = 33_434;
const MARKER_BYTES = 32;
/** Peers that get canaries. */
const MAX_PEERS = 3;

const BETWEEN_LOOKS_MS = 50;
const LISTEN_MS = 600;

/** Sends a text a few times to where nobody listens. */
type SendMarker = (address: string, marker: Uint8Array) => Promise<void>;

/**
 * Sends a random text to peers as a packet of a pod would travel, and looks for it in a capture of all other interfaces
 * of this host. The same capture of the TUN interface must show it, else nothing was proven.
 *
 * @param send sends each {@link CANARIES} times; default: from this host.
 */
export async function canaryFinding(
  { peers }: PeersResult,
  own: OwnLinks,
  send: SendMarker = sendFromHere,
): Promise<Finding> {
  const check = 'canary';
  const targets = peers
    .filter(({ state, addresses }) => state === 'connected' && addresses.length > 0)
    .slice(0, MAX_PEERS);
  if (targets.length === 0) return skipped(check, 'no peer is connected');
  const marker = randomBytes(MARKER_BYTES);
  let capture: MarkerCapture | undefined;
  try {
    capture = await MarkerCapture.open(marker, own);
    const addresses = targets.flatMap((target) => target.addresses);
    for (const address of addresses) await send(address, marker);
    for (let waited = 0; waited < LISTEN_MS; waited += BETWEEN_LOOKS_MS) {
      await delay(BETWEEN_LOOKS_MS);
      capture.look();
    }
    const names = targets.map(({ name }) => printable(name));
    return canaryVerdict({
      peers: names,
      tun: own.tun,
      sent: CANARIES * addresses.length,
      captureByLink: capture.look(),
    });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return skipped(check, `packets cannot be captured (${error.code}); run weft doctor as root of the host`);
  } finally {
    capture?.close();
  }
}

/** Sends the marker a few times; what the kernel refuses shows in the capture as nothing sent. */
function sendFromHere(address: string, marker: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', () => undefined);
    let left = CANARIES;
    for (let i = 0; i < CANARIES; i++) {
      socket.send(marker, CLOSED_UDP_PORT, address, () => {
        if (--left === 0) socket.close(() => resolve());
      });
    }
  });
}
