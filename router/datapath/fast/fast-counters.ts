import type { DatapathCounter } from '../datapath-counters.ts';

/** What the lanes count themselves, in the order of `Drop` in `native/fastdp/drops.h`. */
export const FAST_COUNTERS: readonly DatapathCounter[] = [
  'datapath.inCounter',
  'datapath.inReplay',
  'datapath.inForged',
  'datapath.inDeadSession',
  'datapath.outUnsent',
  'datapath.upwardFull',
  'datapath.tunInvalid',
  'datapath.tunWriteFailed',
  'datapath.sendTooLarge',
  'datapath.sendNoBuffers',
  'datapath.sendRefused',
  'datapath.sendNetworkUnreachable',
  'datapath.sendHostUnreachable',
  'datapath.sendForbidden',
  'datapath.sendFailed',
  'datapath.sendQueueFull',
  'datapath.noSocket',
  'datapath.segmentsOff',
  'datapath.tunTcpSegmentsOff',
  'datapath.tunUdpSegmentsOff',
  'datapath.socketError',
  'datapath.inMalformed',
  'datapath.inUnknownIndex',
];
