import { WeftError } from '../../../base/weft-error.ts';
import { chooseAeads } from '../../../crypto/choose-aeads.ts';
import type { Suite } from '../../../crypto/suite.ts';
import { nativeCipherFault } from '../../../native/aead.ts';
import { FastEngine } from '../../../native/fastdp.ts';
import { setPathMtuDiscovery, setSocketBuffers } from '../../../native/socket-options.ts';
import { openTun, type Tun } from '../../../native/tun.ts';
import { openUdp, type UdpSocket } from '../../../native/udp.ts';
import type { DatapathKind, DatapathOptions, OpenDatapath } from '../datapath.ts';
import { aeadFeatures, tunFeatures, udpFeatures } from '../host-features.io.ts';
import { AEAD_MAKERS } from '../sleeve/aead-makers.io.ts';
import type { SleeveUdp } from '../sleeve/batch-socket.io.ts';
import { SleeveIo } from '../sleeve/sleeve.io.ts';
import { Sleeve } from '../sleeve/sleeve.ts';
import { SOCKET_BUFFER_BYTES } from '../sleeve/tunnel-socket.ts';
import { FastDatapath } from './fast-datapath.ts';
import { recordsToSleeve } from './records-to-sleeve.ts';

/** What the lanes drop is added to the counters at once, and then at most this often. */
const COLLECT_EVERY_MS = 1000;
/** The datapath in C++, with a sleeve beside it for all that is not plain. */
export const FAST: DatapathKind = {
  name: 'fast',
  unfit: () => nativeCipherFault('chacha20-poly1305'),
  open: openFast,
};

async function openFast(options: DatapathOptions): Promise<OpenDatapath> {
  const { self, port, listen, tunName, overlayMtu, counters, clock } = options;
  const aeads = chooseAeads(AEAD_MAKERS);
  const native = aeads.tried.filter(({ maker, fault }) => maker.by === 'OpenSSL' && fault === undefined);
  const tun = openTun(tunName);
  const sockets: UdpSocket[] = [];
  // Closes the TUN where it fails.
  const io = await SleeveIo.open({
    port,
    ...(listen.length === 0 ? {} : { listen }),
    tun: writeOnly(tun),
    counters,
    openUdp: (host, wanted) => {
      const socket = openUdp(host, wanted);
      sockets.push(socket);
      return sendOnly(socket);
    },
    tuneSocket: (descriptor, family) => {
      setSocketBuffers(descriptor, SOCKET_BUFFER_BYTES);
      setPathMtuDiscovery(descriptor, family, 'probe');
    },
  });
  const engine = openEngine(tun, sockets, io);
  const suites: readonly Suite[] = native.map(({ maker }) => maker.suite);
  const datapath = new FastDatapath({ self, lanes: engine, suites, overlayMtu, counters, clock });
  const sleeve = new Sleeve({
    self,
    counters,
    sink: io,
    overlayMtu,
    config: {
      coalesceTcp: tun.offloads.writeTcp,
      coalesceUdp: tun.offloads.writeUdp,
      createAead: aeads.create,
      openLedger: (session) => datapath.openLedger(session),
    },
  });
  datapath.setSleeve(sleeve);
  let collecting: NodeJS.Timeout | undefined;
  return {
    name: FAST.name,
    suites: aeads.suites,
    takesMarks: true,
    features: [...aeadFeatures(aeads), ...tunFeatures(tun.offloads), ...udpFeatures(sockets)],
    datapath,
    start: (events, onFault) => {
      sleeve.setEvents(events);
      // Nothing comes in by the sleeve's own devices: the lanes read them.
      const nothing = (): void => undefined;
      io.start({ onDatagrams: nothing, onFrame: nothing, onBatchEnd: nothing });
      const collect = (): void => {
        collecting = undefined;
        datapath.collectDrops();
      };
      const onDropped = (): void => {
        if (collecting !== undefined) return;
        collect();
        collecting = setTimeout(collect, COLLECT_EVERY_MS).unref();
      };
      engine.start(
        recordsToSleeve(sleeve, options, {
          onFault: (what, errno) =>
            onFault(readFault(what === 'tun' ? `TUN device ${tunName}` : what, errno)),
          onDropped,
        }),
      );
    },
    close: () => {
      clearTimeout(collecting);
      engine.close();
      io.close();
    },
  };
}

function openEngine(tun: Tun, sockets: readonly UdpSocket[], io: SleeveIo): FastEngine {
  try {
    return FastEngine.open(tun, sockets);
  } catch (error) {
    io.close();
    throw error;
  }
}

function writeOnly(tun: Tun): Tun {
  return {
    handle: tun.handle,
    name: tun.name,
    offloads: tun.offloads,
    start: () => undefined,
    write: (frame) => tun.write(frame),
    close: () => tun.close(),
  };
}

function sendOnly(socket: UdpSocket): SleeveUdp {
  const { family, descriptor, port, segments } = socket;
  return {
    family,
    descriptor,
    port,
    segments,
    start: (_onBatch, onWritable) => socket.startSending(onWritable),
    send: (address, to, data, length, segment, tos) => socket.send(address, to, data, length, segment, tos),
    awaitWritable: () => socket.awaitWritable(),
    close: () => socket.close(),
  };
}

function readFault(what: string, errno: number): WeftError {
  const remedy = 'see that the interface was not deleted, and restart weftd';
  return new WeftError('E_TUN', `the ${what} can be read no more (errno ${errno})`, remedy);
}
