import type { Counters } from '../../../base/counters.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import {
  setPathMtuDiscovery,
  setSocketBuffers,
  TUNNEL_SOCKET_BUFFER_BYTES,
} from '../../../native/socket-options.ts';
import type { Tun } from '../../../native/tun.ts';
import { openUdp } from '../../../native/udp.ts';
import { SleeveIo } from './sleeve.io.ts';
import { Sleeve } from './sleeve.ts';

/** What a sleeve runs on. */
export interface SleeveOptions {
  readonly self: PeerId;
  /** UDP. */
  readonly port: number;
  /** Numeric addresses; none: all of the host. */
  readonly listen: readonly string[];
  readonly tun: Tun;
  /** Bytes. */
  readonly overlayMtu: number;
  readonly counters: Counters;
}

/** The sleeve between a TUN device and UDP sockets that are opened here. Closing `io` ends both. */
export async function openSleeve(options: SleeveOptions): Promise<{ io: SleeveIo; datapath: Sleeve }> {
  const { self, port, listen, tun, overlayMtu, counters } = options;
  const io = await SleeveIo.open({
    port,
    ...(listen.length === 0 ? {} : { listen }),
    tun,
    counters,
    openUdp,
    tuneSocket: (descriptor, family) => {
      setSocketBuffers(descriptor, TUNNEL_SOCKET_BUFFER_BYTES);
      setPathMtuDiscovery(descriptor, family, 'probe');
    },
  });
  const datapath = new Sleeve({
    self,
    counters,
    sink: io,
    overlayMtu,
    config: { coalesceTcp: tun.offloads.writeTcp, coalesceUdp: tun.offloads.writeUdp },
  });
  return { io, datapath };
}
