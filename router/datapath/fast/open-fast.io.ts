import { addressBytes, parseAddress } from '../../../base/address.ts';
import { type Endpoint, endpointHost, endpointPort } from '../../../base/endpoint.ts';
import { WeftError } from '../../../base/weft-error.ts';
import { chooseAeads } from '../../../crypto/choose-aeads.ts';
import type { Suite } from '../../../crypto/suite.ts';
import { nativeCipherFault } from '../../../native/aead.ts';
import { FastEngine } from '../../../native/fastdp.ts';
import { setPathMtuDiscovery, setSocketBuffers } from '../../../native/socket-options.ts';
import type { Tun } from '../../../native/tun.ts';
import { openUdp, type UdpSocket } from '../../../native/udp.ts';
import type { DatapathKind, DatapathOptions, OpenDatapath } from '../datapath.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
import { Devices } from '../devices.io.ts';
import { aeadFeatures, liveFeatures, tunFeatures, udpFeatures } from '../host-features.io.ts';
import { AEAD_MAKERS } from '../sleeve/aead-makers.io.ts';
import type { SleeveUdp } from '../sleeve/batch-socket.io.ts';
import { SleeveIo, type SleeveTun } from '../sleeve/sleeve.io.ts';
import { Sleeve } from '../sleeve/sleeve.ts';
import { SOCKET_BUFFER_BYTES } from '../sleeve/tunnel-socket.ts';
import { FastDatapath } from './fast-datapath.ts';
import { recordsToSleeve } from './records-to-sleeve.ts';

/** What the lanes drop is added to the counters at once, and then at most this often. */
const COLLECT_EVERY_MS = 1000;
/** Further source ports of each family, with the port that is known 16 (kPorts of native/fastdp/peer.h). */
const FURTHER_PORTS = 15;
/** The datapath in C++, with a sleeve beside it for all that is not plain. */
export const FAST: DatapathKind = {
  name: 'fast',
  unfit: () => nativeCipherFault('chacha20-poly1305'),
  open: openFast,
};

async function openFast(options: DatapathOptions): Promise<OpenDatapath> {
  const { self, port, listen, overlayMtu, counters, clock } = options;
  const aeads = chooseAeads(AEAD_MAKERS);
  const native = aeads.tried.filter(({ maker, fault }) => maker.by === 'OpenSSL' && fault === undefined);
  const devices = Devices.open(options);
  const { tun, sockets } = devices;
  // Closes the TUN where it fails.
  const io = await SleeveIo.open({
    port,
    ...(listen.length === 0 ? {} : { listen }),
    tun: writeOnly(tun),
    counters,
    openUdp: (host, wanted) => sendOnly(devices.openUdp(host, wanted)),
    tuneSocket: (descriptor, family) => {
      setSocketBuffers(descriptor, SOCKET_BUFFER_BYTES);
      setPathMtuDiscovery(descriptor, family, 'probe');
    },
  });
  devices.closeRest();
  const ports = openPorts(sockets, listen);
  const further = Math.min(...ports.map((ofFamily) => ofFamily.length));
  const engine = openEngine(tun, sockets, ports.flat(), io);
  /** The further source port that what is transmitted now leaves by. */
  let leavesBy = 0;
  const suites: readonly Suite[] = native.map(({ maker }) => maker.suite);
  const datapath = new FastDatapath({
    self,
    lanes: engine,
    suites,
    overlayMtu,
    counters,
    clock,
    sendFrom: (port, send) => {
      leavesBy = port;
      const sent = send();
      leavesBy = 0;
      return sent;
    },
  });
  const sleeve = new Sleeve({
    self,
    counters,
    sink: {
      deliver: (frame) => io.deliver(frame),
      transmit: (to, bytes, segment, tos) => {
        const socket = ports.find((ofFamily) => ofFamily[0]?.family === familyOf(to))?.[leavesBy - 1];
        if (socket === undefined) io.transmit(to, bytes, segment, tos);
        else sendProbe(socket, to, bytes);
      },
    },
    overlayMtu,
    config: {
      coalesceTcp: tun.offloads.writeTcp,
      coalesceUdp: tun.offloads.writeUdp,
      createAead: aeads.create,
      openLedger: (session, before) => datapath.openLedger(session, before),
    },
  });
  datapath.setSleeve(sleeve);
  let collecting: NodeJS.Timeout | undefined;
  /** What the lanes gave up on the way. */
  const givenUp = new Set<DatapathCounter>();
  return {
    name: FAST.name,
    // Those of the lanes alone: they take data of a session that they lack for a stranger's.
    suites,
    takesMarks: true,
    get features() {
      return liveFeatures(
        [...aeadFeatures(aeads), ...tunFeatures(tun.offloads), ...udpFeatures(sockets)],
        givenUp,
      );
    },
    datapath,
    start: (events, onFault) => {
      sleeve.setEvents(events);
      // Nothing comes in by the sleeve's own devices: the lanes read them.
      const nothing = (): void => undefined;
      io.start({ onDatagrams: nothing, onFrame: nothing, onBatchEnd: nothing });
      const collect = (): void => {
        collecting = undefined;
        for (const counter of datapath.collectDrops()) givenUp.add(counter);
      };
      const onDropped = (): void => {
        if (collecting !== undefined) return;
        collect();
        collecting = setTimeout(collect, COLLECT_EVERY_MS).unref();
      };
      engine.start(
        recordsToSleeve(sleeve, options, {
          onFault: (what, errno) =>
            onFault(readFault(what === 'tun' ? `TUN device ${tun.name}` : what, errno)),
          onDropped,
          onBusy: (number, now) => {
            const peer = datapath.peerOf(number);
            if (peer !== undefined && further > 0) events.busy(peer, further, now);
          },
        }),
      );
    },
    devices: devices.descriptors,
    stop: () => {
      engine.stop();
      datapath.collectDrops();
    },
    close: () => {
      clearTimeout(collecting);
      engine.close();
      for (const socket of ports.flat()) socket.close();
      io.close();
    },
  };
}

/** Further sockets to send from, of each family that `sockets` has. As many of all; none where one cannot be opened. */
function openPorts(sockets: readonly UdpSocket[], listen: readonly string[]): UdpSocket[][] {
  const opened: UdpSocket[][] = [];
  try {
    for (const family of new Set(sockets.map((socket) => socket.family))) {
      const host =
        listen.find((text) => parseAddress(text)?.family === family) ?? (family === 4 ? '0.0.0.0' : '::');
      const ofFamily: UdpSocket[] = [];
      opened.push(ofFamily);
      for (let i = 0; i < FURTHER_PORTS; i++) {
        const socket = openUdp(host, 0);
        ofFamily.push(socket);
        setSocketBuffers(socket.descriptor, SOCKET_BUFFER_BYTES);
        setPathMtuDiscovery(socket.descriptor, family, 'probe');
      }
    }
    return opened;
  } catch {
    for (const socket of opened.flat()) socket.close();
    return [[]];
  }
}

function familyOf(to: Endpoint): 4 | 6 {
  return to.startsWith('[') ? 6 : 4;
}

/** One that is lost is sent again, so nothing waits for room and nothing is counted. */
function sendProbe(socket: UdpSocket, to: Endpoint, bytes: Uint8Array): void {
  const address = addressBytes(parseAddress(endpointHost(to))!);
  socket.send(address, endpointPort(to), bytes, bytes.length, bytes.length, 0);
}

function openEngine(
  tun: Tun,
  sockets: readonly UdpSocket[],
  ports: readonly UdpSocket[],
  io: SleeveIo,
): FastEngine {
  try {
    return FastEngine.open(tun, sockets, ports);
  } catch (error) {
    for (const socket of ports) socket.close();
    io.close();
    throw error;
  }
}

function writeOnly(tun: Tun): SleeveTun {
  return {
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
