import { createSocket } from 'node:dgram';
import { setPathMtuDiscovery, udpDescriptor } from '../native/socket-options.ts';

/** How a datagram of a given size fared: `answered` by the far end, `too-big` for the way, or no word of it. */
export type SizeOutcome = 'answered' | 'too-big' | 'silent';

const UDP_HEADER_BYTES = 8;
const IP_HEADER_BYTES = { 4: 20, 6: 40 } as const;
/** The first port of traceroute: nobody listens there, and firewalls know what it is. */
const CLOSED_UDP_PORT = 33_434;

/**
 * Sends one UDP datagram that makes an IP packet of exactly `bytes`, which no router may fragment, to a port where
 * nobody listens. The far end answers with "port unreachable" (RFC 1122, section 4.1.3.1) if the packet arrived.
 */
export function probeSize(host: string, bytes: number, timeoutMs: number): Promise<SizeOutcome> {
  const family = host.includes(':') ? 6 : 4;
  return new Promise((resolve) => {
    const socket = createSocket(`udp${family}`);
    const end = (outcome: SizeOutcome): void => {
      clearTimeout(timer);
      socket.removeAllListeners('error').on('error', () => undefined);
      socket.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => end('silent'), timeoutMs);
    const fail = ({ code }: NodeJS.ErrnoException): void =>
      end(code === 'ECONNREFUSED' ? 'answered' : code === 'EMSGSIZE' ? 'too-big' : 'silent');
    socket.on('error', fail);
    socket.on('message', () => end('answered'));
    socket.connect(CLOSED_UDP_PORT, host, () => {
      const descriptor = udpDescriptor(socket);
      if (descriptor !== undefined) setPathMtuDiscovery(descriptor, family, 'do');
      const packet = new Uint8Array(bytes - IP_HEADER_BYTES[family] - UDP_HEADER_BYTES);
      // What the kernel refuses at once, since it was told before, it says here and to nobody else.
      socket.send(packet, (error) => error && fail(error));
    });
  });
}
