import type { Family } from '../../../base/address.ts';
import type { Endpoint } from '../../../base/endpoint.ts';
import type { DatapathCounter } from '../datapath-counters.ts';

/** Whom a socket's datagrams go to. The bytes are valid only during the call, in which they may be changed. */
export interface TunnelSocketHandlers {
  /**
   * Datagrams of one sender, one behind the other, of `segment` bytes each; the last may be shorter. `tos`: the byte of
   * DSCP and ECN that all came with.
   */
  onDatagrams(from: Endpoint, bytes: Uint8Array, segment: number, tos: number): void;
  /** What one wake-up yielded has been handed over. */
  onBatchEnd(): void;
}

/** One UDP socket of the sleeve's shell. Nothing here throws: failures are counted. */
export interface TunnelSocket {
  readonly family: Family;
  readonly port: number;
  readonly descriptor: number | undefined;
  /** Begins to hand on datagrams, once. */
  start(handlers: TunnelSocketHandlers): void;
  /**
   * Sends datagrams of `segment` bytes each, the last may be shorter, to an endpoint of this socket's family. What the
   * kernel has no room for is copied. Without `segment` it is one datagram. `tos`: the byte of
   * DSCP and ECN in their headers, without it 0.
   */
  send(to: Endpoint, bytes: Uint8Array, segment?: number, tos?: number): void;
  /** Harmless when repeated. */
  close(): void;
}

/**
 * Receive and send buffer asked of the kernel for each socket, so that it drops no bursts (wireguard-go's figure). The
 * system limits them for whoever has no CAP_NET_ADMIN.
 */
export const SOCKET_BUFFER_BYTES = 7 * 1024 * 1024;

/** Bytes that may wait for room in the kernel before packets are dropped, each socket. */
export const MAX_SEND_QUEUE_BYTES = 4 * 1024 * 1024;

/** Endpoints that a socket keeps taken apart, in each direction; the cache is emptied when it is full. */
export const MAX_CACHED_ENDPOINTS = 4096;

/** Largest UDP payload, and room for it. */
export const MAX_DATAGRAM = 65_535;

const SEND_FAULTS: Readonly<Record<string, DatapathCounter>> = {
  EMSGSIZE: 'datapath.sendTooLarge',
  ENOBUFS: 'datapath.sendNoBuffers',
  ECONNREFUSED: 'datapath.sendRefused',
  ENETUNREACH: 'datapath.sendNetworkUnreachable',
  EHOSTUNREACH: 'datapath.sendHostUnreachable',
  EPERM: 'datapath.sendForbidden',
};

/** The counter for a failure to send, by its code (`EMSGSIZE`). */
export function sendFault(code: string | undefined): DatapathCounter {
  return SEND_FAULTS[code ?? ''] ?? 'datapath.sendFailed';
}
