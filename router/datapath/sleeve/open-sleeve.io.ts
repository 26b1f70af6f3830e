import { chooseAeads } from '../../../crypto/choose-aeads.ts';
import { setPathMtuDiscovery, setSocketBuffers } from '../../../native/socket-options.ts';
import { PORTABLE_DATAPATH } from '../choose-datapath.ts';
import type { DatapathKind, DatapathOptions, OpenDatapath } from '../datapath.ts';
import { Devices } from '../devices.io.ts';
import { aeadFeatures, tunFeatures, udpFeatures } from '../host-features.io.ts';
import { AEAD_MAKERS } from './aead-makers.io.ts';
import { SleeveIo } from './sleeve.io.ts';
import { Sleeve } from './sleeve.ts';
import { SOCKET_BUFFER_BYTES } from './tunnel-socket.ts';

/** The datapath in TypeScript. It runs wherever there is a TUN device; opening says what keeps it from one. */
export const SLEEVE: DatapathKind = { name: PORTABLE_DATAPATH, unfit: () => undefined, open: openSleeve };

/** A sleeve between a TUN device and UDP sockets, all opened here. */
async function openSleeve(options: DatapathOptions): Promise<OpenDatapath> {
  const { self, port, listen, overlayMtu, counters, clock } = options;
  const aeads = chooseAeads(AEAD_MAKERS);
  const devices = Devices.open(options);
  const { tun, sockets } = devices;
  // Closes the TUN where it fails.
  const io = await SleeveIo.open({
    port,
    ...(listen.length === 0 ? {} : { listen }),
    tun,
    counters,
    openUdp: (host, wanted) => devices.openUdp(host, wanted),
    tuneSocket: (descriptor, family) => {
      setSocketBuffers(descriptor, SOCKET_BUFFER_BYTES);
      setPathMtuDiscovery(descriptor, family, 'probe');
    },
  });
  devices.closeRest();
  const sleeve = new Sleeve({
    self,
    counters,
    sink: io,
    overlayMtu,
    config: {
      coalesceTcp: tun.offloads.writeTcp,
      coalesceUdp: tun.offloads.writeUdp,
      createAead: aeads.create,
    },
  });
  return {
    name: SLEEVE.name,
    suites: aeads.suites,
    takesMarks: true,
    features: [...aeadFeatures(aeads), ...tunFeatures(tun.offloads), ...udpFeatures(sockets)],
    datapath: sleeve,
    start: (events, onFault) => {
      sleeve.setEvents(events);
      io.start({
        onDatagrams: (from, bytes, segment, tos) =>
          sleeve.handleDatagrams(from, bytes, clock(), segment, tos),
        onFrame: (frame) => sleeve.handleTunPacket(frame, clock()),
        onBatchEnd: () => sleeve.endBatch(clock()),
        onTunError: onFault,
      });
    },
    devices: devices.descriptors,
    // Each batch that is read is flushed before the event loop goes on.
    stop: () => io.close(),
    close: () => io.close(),
  };
}
