import { type ChosenAeads, chooseAeads } from '../../../crypto/choose-aeads.ts';
import { setPathMtuDiscovery, setSocketBuffers } from '../../../native/socket-options.ts';
import { openTun, type TunOffloads } from '../../../native/tun.ts';
import { openUdp } from '../../../native/udp.ts';
import { PORTABLE_DATAPATH } from '../choose-datapath.ts';
import type { DatapathFeature, DatapathKind, DatapathOptions, OpenDatapath } from '../datapath.ts';
import { AEAD_MAKERS } from './aead-makers.io.ts';
import { SleeveIo } from './sleeve.io.ts';
import { Sleeve } from './sleeve.ts';
import { SOCKET_BUFFER_BYTES } from './tunnel-socket.ts';

/** The datapath in TypeScript. It runs wherever there is a TUN device; opening says what keeps it from one. */
export const SLEEVE: DatapathKind = { name: PORTABLE_DATAPATH, unfit: () => undefined, open: openSleeve };

/** A sleeve between a TUN device and UDP sockets, all opened here. */
async function openSleeve(options: DatapathOptions): Promise<OpenDatapath> {
  const { self, port, listen, tunName, overlayMtu, counters, clock } = options;
  const aeads = chooseAeads(AEAD_MAKERS);
  const tun = openTun(tunName);
  // Closes the TUN where it fails.
  const io = await SleeveIo.open({
    port,
    ...(listen.length === 0 ? {} : { listen }),
    tun,
    counters,
    openUdp,
    tuneSocket: (descriptor, family) => {
      setSocketBuffers(descriptor, SOCKET_BUFFER_BYTES);
      setPathMtuDiscovery(descriptor, family, 'probe');
    },
  });
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
    features: [...aeadFeatures(aeads), ...featuresOf(tun.offloads)],
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
    close: () => io.close(),
  };
}

function aeadFeatures({ tried }: ChosenAeads): DatapathFeature[] {
  return tried.map(({ maker, fault, wrong }) => ({ name: `${maker.suite} by ${maker.by}`, fault, wrong }));
}

function featuresOf(offloads: TunOffloads): DatapathFeature[] {
  const refused = 'this kernel does not grant it';
  const broken = 'this kernel refuses such packets, though it granted them';
  const feature = (name: string, granted: boolean, works: boolean): DatapathFeature => ({
    name,
    fault: works ? undefined : granted ? broken : refused,
    wrong: granted && !works,
  });
  const { vnetHeader, tcp, udp, writeTcp, writeUdp } = offloads;
  return [
    feature('headers with offloads on the TUN', vnetHeader, vnetHeader),
    feature('TCP super-packets from the TUN', tcp, tcp),
    feature('UDP super-packets from the TUN', udp, udp),
    feature('TCP super-packets to the TUN', tcp, writeTcp),
    feature('UDP super-packets to the TUN', udp, writeUdp),
  ];
}
