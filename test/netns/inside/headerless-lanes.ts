// The lanes of the fast datapath at a TUN that has no virtio headers, as on an old kernel: a datagram goes out to a peer that
// is played here, whose answer has a partial checksum, and the kernel takes that. Prints one JSON line.
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { concat, readU64LE, utf8, utf8Text } from '../../../base/bytes.ts';
import { createAead, SUITE_LIMITS } from '../../../crypto/aead.ts';
import { cryptoReady } from '../../../crypto/ready.ts';
import { FastEngine } from '../../../native/fastdp.ts';
import { openTun } from '../../../native/tun.ts';
import { openUdp } from '../../../native/udp.ts';
import { OUTER_HEADER_LENGTH, writeOuterHeader } from '../../../router/packet/data-packet.ts';
import { checksumsHold, udpPacket } from '../../unit/router/packet/ip-packets.ts';

const PEER = 2;
const INDEX = 5;
const PORT = 7778;
const LOCAL = { address: Uint8Array.of(127, 0, 0, 1), port: 0 };
const KEY = new Uint8Array(32).fill(9);
/** Words of 10.32.0.0/16, ours, and 10.33.0.0/16, the peer's. */
const SPANS = Uint32Array.of(0x0a200000, 0x0a20ffff, 0, 0x0a210000, 0x0a21ffff, 1);
const SUITE = 'chacha20-poly1305';

await cryptoReady;
const aead = createAead(SUITE, KEY);
const tun = openTun('weft0', { vnetHeader: false, persistent: false });
const socket = openUdp('127.0.0.1', 0);
const ip = (...args: string[]): unknown => execFileSync('ip', args);
ip('address', 'add', '10.32.0.1/16', 'dev', 'weft0');
ip('link', 'set', 'weft0', 'up', 'mtu', '1300');
ip('route', 'add', '10.33.0.0/16', 'dev', 'weft0');

const peer = createSocket('udp4');
peer.bind(0, '127.0.0.1');
await once(peer, 'listening');
const engine = FastEngine.open(tun, [socket]);
engine.setPeer(PEER, { ...LOCAL, port: peer.address().port }, 1300);
engine.setRoutes(SPANS, new Uint32Array(0), [1, PEER], 0);
const keys = { sendKey: KEY, receiveKey: KEY, aes: false, peerTakesMarks: true };
engine.install({ peer: PEER, localIndex: INDEX, remoteIndex: INDEX, ...keys, ...SUITE_LIMITS[SUITE] });
engine.use(INDEX);
engine.confirm(INDEX);
engine.start(() => undefined);

const pod = createSocket('udp4');
pod.bind(PORT, '10.32.0.1');
await once(pod, 'listening');
const arriving = once(pod, 'message');
let complete: boolean | undefined;
peer.on('message', (datagram) => {
  const counter = Number(readU64LE(datagram, 8));
  const aad = datagram.subarray(0, OUTER_HEADER_LENGTH);
  const plaintext = aead.open(counter, aad, datagram.subarray(OUTER_HEADER_LENGTH))!;
  const packet = plaintext.slice(4, plaintext.length - plaintext[1]!);
  // What the kernel sends by itself, such as router solicitations, is none of it.
  if (packet[9] !== 17) return;
  complete = plaintext[2] === 0 && checksumsHold(packet);
  const ports = { sourcePort: PORT, destinationPort: PORT };
  const answer = udpPacket(
    { source: '10.33.0.1', destination: '10.32.0.1', partial: true, ...ports },
    concat(utf8('echo '), packet.subarray(28)),
  );
  const header = new Uint8Array(OUTER_HEADER_LENGTH);
  writeOuterHeader(header, 0, INDEX, 0);
  const sealed = aead.seal(0, header, concat(Uint8Array.of(1, 0, 20, 6), answer));
  peer.send(concat(header, sealed), socket.port, '127.0.0.1');
});
pod.send('hello', PORT, '10.33.0.1');
const [message] = (await arriving) as [Uint8Array];
console.log(JSON.stringify({ vnetHeader: tun.offloads.vnetHeader, complete, answer: utf8Text(message) }));
engine.close();
tun.close();
socket.close();
process.exit(0);
