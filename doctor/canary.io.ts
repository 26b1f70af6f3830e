import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import { printable } from '../base/printable.ts';
import type { PeersResult } from '../control/peer-status.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { isSystemError } from '../native/addon.ts';
import { PacketCapture } from '../native/packet-capture.ts';
import { type CanaryCapture, canaryVerdict } from './canary.ts';
import { type Finding, skipped } from './finding.ts';

/** The first port of traceroute: nobody listens there. */
const CLOSED_UDP_PORT = 33_434;
const MARKER_BYTES = 32;
/** Peers that get a canary, and how many each. */
const MAX_PEERS = 3;
const CANARIES = 3;
const BETWEEN_LOOKS_MS = 50;
const LISTEN_MS = 600;

/**
 * Sends a random text to peers as a packet of a pod would travel, and looks for it in a capture of all other interfaces
 * of this host. The same capture of the TUN interface must show it, else nothing was proven.
 */
export async function canaryFinding({ peers }: PeersResult, own: OwnLinks): Promise<Finding> {
  const check = 'canary';
  const targets = peers
    .filter(({ state, addresses }) => state === 'connected' && addresses.length > 0)
    .slice(0, MAX_PEERS);
  if (targets.length === 0) return skipped(check, 'no peer is connected');
  const marker = randomBytes(MARKER_BYTES);
  const client = RouteClient.open();
  const links = await client.links().finally(() => client.close());
  const captures: { name: string; capture: PacketCapture }[] = [];
  try {
    for (const { name, index, up } of links) {
      if (up && name !== 'lo' && !name.startsWith(own.podPrefix))
        captures.push({ name, capture: PacketCapture.open(index) });
    }
    const addresses = targets.flatMap((target) => target.addresses);
    for (const address of addresses) await send(address, marker);
    const seen = new Map<string, CanaryCapture>();
    for (let waited = 0; waited < LISTEN_MS; waited += BETWEEN_LOOKS_MS) {
      await delay(BETWEEN_LOOKS_MS);
      for (const { name, capture } of captures) {
        const { packets, matches } = capture.search(marker);
        const before = seen.get(name) ?? { packets: 0, matches: 0 };
        seen.set(name, { packets: before.packets + packets, matches: before.matches + matches });
      }
    }
    const names = targets.map(({ name }) => printable(name));
    return canaryVerdict({
      peers: names,
      tun: own.tun,
      sent: CANARIES * addresses.length,
      captureByLink: seen,
    });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return skipped(check, `packets cannot be captured (${error.code}); run weft doctor as root of the host`);
  } finally {
    for (const { capture } of captures) capture.close();
  }
}

/** Sends the marker a few times; what the kernel refuses shows in the capture as nothing sent. */
function send(address: string, marker: Uint8Array): Promise<void> {
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
