/**
 * How long the first packet to a peer takes whose tunnel does not exist yet: from its frame's arrival at one node to
 * its delivery at the other, with the handshake in between, which the packet itself starts and then waits for.
 *
 * A mesh as small as a benchmark's makes its tunnels before any packet asks (EAGER_MESH_NODES), so a ping between
 * daemons would find one. Here two nodes are made of the daemon's own tunnels, sleeve and UDP sockets, with a TUN
 * that hands in and takes out frames; both live in this process, so each waits for the other's work as well.
 * Each of the runs is a new pair of peers. Prints one JSON line.
 *
 * `bin/weft-node bench/first-packet.ts [runs, default 50]`
 */
import { addressBytes, parseAddress } from '../base/address.ts';
import { writeU16BE } from '../base/bytes.ts';
import { Counters } from '../base/counters.ts';
import { parseEndpoint } from '../base/endpoint.ts';
import { parseCidr } from '../base/range.ts';
import { parseClusterSecret } from '../crypto/cluster-secret.ts';
import { generateIdentity } from '../crypto/identity.ts';
import { cryptoReady } from '../crypto/ready.ts';
import { DAEMON_COUNTERS } from '../daemon/daemon-counters.ts';
import { clock } from '../host/clock.io.ts';
import { osRandom } from '../host/os-random.io.ts';
import { openUdp } from '../native/udp.ts';
import { SleeveIo } from '../router/datapath/sleeve/sleeve.io.ts';
import type { Sleeve } from '../router/datapath/sleeve/sleeve.ts';
import { writeIpv4Checksum } from '../router/packet/checksum.ts';
import type { Tunnels } from '../router/tunnel/tunnels.ts';
import { tunnelsOver } from './load/tunnels-over.ts';
import { percentile, report, rounded, spread } from './report.ts';

const OVERLAY_MTU = 1364;
const TARGET_MS = 20;
const GIVE_UP_MS = 5_000;
const VNET_HEADER = 10;

/** One end: what a daemon has between its TUN and its socket. */
interface End {
  readonly tunnels: Tunnels;
  readonly sleeve: Sleeve;
  readonly io: SleeveIo;
  readonly identity: ReturnType<typeof generateIdentity>;
  emit(frame: Uint8Array): void;
  close(): void;
}

await cryptoReady;
const keys = parseClusterSecret('8f1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff1');
const runs = Number(process.argv[2] ?? 50);
const times: number[] = [];
await measure(); // the first compiles everything
for (let run = 0; run < runs; run++) times.push(await measure());
report('first-packet', {
  runs,
  ms: spread(times),
  p95Ms: percentile(times, 0.95),
  targetMs: TARGET_MS,
  ratioToTarget: rounded(spread(times).median / TARGET_MS),
});

async function measure(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const timer = setTimeout(() => reject(new Error('the first packet did not arrive')), GIVE_UP_MS);
  const from = await end(() => {});
  const to = await end(() => resolve(performance.now()));
  try {
    const routes = [
      { range: parseCidr('10.32.0.0/24')!, owner: from.identity.peer },
      { range: parseCidr('10.32.1.0/24')!, owner: to.identity.peer },
    ];
    for (const [one, other] of [[from, to] as const, [to, from] as const]) {
      const endpoints = [parseEndpoint(`127.0.0.1:${other.io.port}`)!];
      const info = { noiseKey: other.identity.noise.publicKey, endpoints, epoch: 1 };
      one.tunnels.setPeer(other.identity.peer, info, clock());
      one.sleeve.setRoutes(routes);
    }
    const started = performance.now();
    from.emit(udpFrame('10.32.0.1', '10.32.1.1'));
    return (await promise) - started;
  } finally {
    clearTimeout(timer);
    from.close();
    to.close();
  }
}

async function end(onDelivered: () => void): Promise<End> {
  const identity = generateIdentity(osRandom);
  const counters = new Counters(DAEMON_COUNTERS);
  let onBatch: Parameters<NonNullable<Parameters<typeof SleeveIo.open>[0]['tun']>['start']>[0] = () => {};
  const io = await SleeveIo.open({
    port: 0,
    listen: ['127.0.0.1'],
    counters,
    openUdp,
    tun: {
      offloads: { vnetHeader: true },
      start: (callback) => {
        onBatch = callback;
      },
      write: (frame) => {
        onDelivered();
        return frame.length;
      },
      close: () => {},
    },
  });
  const { sleeve, tunnels } = tunnelsOver(io, {
    identity,
    clusterKeys: keys,
    counters,
    overlayMtu: OVERLAY_MTU,
  });
  // The daemon arms one timer for the next deadline; looking every 5 ms is later than that, never earlier.
  const ticking = setInterval(() => tunnels.tick(clock()), 5);
  return {
    tunnels,
    sleeve,
    io,
    identity,
    emit: (frame) => onBatch(frame, [0], [frame.length], 1),
    close: () => {
      clearInterval(ticking);
      io.close();
    },
  };
}

/** A UDP packet of 100 bytes, its checksum left out as IPv4 allows. */
function udpFrame(source: string, destination: string): Uint8Array {
  const frame = new Uint8Array(VNET_HEADER + 128);
  const ip = VNET_HEADER;
  frame[ip] = 0x45;
  writeU16BE(frame, ip + 2, 128);
  frame[ip + 8] = 64;
  frame[ip + 9] = 17;
  frame.set(addressBytes(parseAddress(source)!), ip + 12);
  frame.set(addressBytes(parseAddress(destination)!), ip + 16);
  writeIpv4Checksum(frame, ip, 20);
  writeU16BE(frame, ip + 20, 1000);
  writeU16BE(frame, ip + 22, 2000);
  writeU16BE(frame, ip + 24, 108);
  return frame;
}
