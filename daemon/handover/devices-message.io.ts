import { closeSync } from 'node:fs';
import { frame } from '../../control/control-protocol.ts';
import {
  duplicateDescriptor,
  type LocalRequest,
  sendToLocalSocket,
  socketPair,
} from '../../native/local-socket.ts';
import type { InheritedDevices } from '../../router/datapath/datapath.ts';
import { OFFER_VERSION } from './datapath-offer.ts';

/** Where a weftd that takes a node over listens for what its predecessor leaves to it. */
export function heirSocket(runDir: string): string {
  return `${runDir}/heir.sock`;
}

/**
 * Sends the heir that waits in `runDir` the message that holds the devices: one byte, the `version` that both have agreed on,
 * and as descriptors a stream, the TUN device and the sockets. Our end of the stream; undefined where none waits.
 */
export function sendDevices(runDir: string, version: number, devices: InheritedDevices): number | undefined {
  const [own, theirs] = socketPair();
  const descriptors = [theirs, devices.tun, ...devices.sockets];
  const failed = sendToLocalSocket(heirSocket(runDir), frame(Uint8Array.of(version)), descriptors);
  closeSync(theirs);
  if (failed === 0) return own;
  closeSync(own);
  return undefined;
}

/** The descriptors of that message, in its order; undefined where it is another one, or by a version that we do not know. */
export function readDevices({ bytes, fds }: Pick<LocalRequest, 'bytes' | 'fds'>): number[] | undefined {
  const version = bytes[0] ?? 0;
  if (version < 1 || version > OFFER_VERSION || fds.length < 2) return undefined;
  return fds.map(duplicateDescriptor);
}
