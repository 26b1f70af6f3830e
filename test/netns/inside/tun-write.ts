// Writes one UDP datagram into weft0 as the datapath does with what it has decrypted; prints true.
//   tun-write.ts SOURCE DESTINATION TEXT
import { addressBytes, parseAddress } from '../../../base/address.ts';
import { concat, utf8 } from '../../../base/bytes.ts';
import { openTun } from '../../../native/tun.ts';
import { VNET_HEADER_LENGTH } from '../../../router/packet/vnet-header.ts';

const PORT = 7778;
const UDP = 17;
const [source, destination, text] = process.argv.slice(2) as [string, string, string];
const from = addressBytes(parseAddress(source)!);
const to = addressBytes(parseAddress(destination)!);
const payload = utf8(text);

const u16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);

/** RFC 1071. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

const length = 8 + payload.length;
const udp = concat(u16(PORT), u16(PORT), u16(length), u16(0), payload);
udp.set(u16(checksum(concat(from, to, u16(0), u16(UDP), u16(length), udp)) || 0xffff), 6);

let packet: Uint8Array;
if (from.length === 4) {
  const header = concat(
    Uint8Array.of(0x45, 0),
    u16(20 + length),
    u16(0),
    u16(0),
    Uint8Array.of(64, UDP, 0, 0),
    from,
    to,
  );
  header.set(u16(checksum(header)), 10);
  packet = concat(header, udp);
} else {
  packet = concat(Uint8Array.of(0x60, 0, 0, 0), u16(length), Uint8Array.of(UDP, 64), from, to, udp);
}

const tun = openTun('weft0');
const frame = tun.offloads.vnetHeader ? concat(new Uint8Array(VNET_HEADER_LENGTH), packet) : packet;
console.log(JSON.stringify(tun.write(frame) === frame.length));
tun.close();
